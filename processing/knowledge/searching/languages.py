"""How texts of each language are cut into words for the index."""

from typing import Final

#: ISO 639-1 -> PostgreSQL's configuration, all of which it brings along since version 14.
CONFIGURATIONS: Final = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}

#: Of every other language words are what stands between spaces.
DEFAULT_CONFIGURATION = "simple"

#: Letters of scripts that are written without spaces: Thai, Lao, Burmese, Khmer, Chinese,
#: Japanese. Each is a word to the index, so that any stretch of them is found as a phrase.
UNSPACED = r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"


#: So many ids of passages, as a power of 2, have one word in common; see ``bucket_lexeme``.
BUCKET_BITS = 16


def configuration_of(language: str) -> str:
    """Return PostgreSQL's name of the configuration for texts in ``language``."""
    return CONFIGURATIONS.get(language, DEFAULT_CONFIGURATION)


def workspace_lexeme(workspace_id: object) -> str:
    """Return the word that the index adds to every passage of a workspace."""
    return f"={str(workspace_id).replace('-', '')}"


def bucket_lexeme(workspace_id: object, bucket: int) -> str:
    """Return the word that the index adds to the passages of a workspace of about one age.

    ``bucket`` is their id without its lowest ``BUCKET_BITS`` bits. What is asked of one bucket
    reads a small part of the index, however common its words are.
    """
    return f"{workspace_lexeme(workspace_id)}b{bucket}"


def search_vector_sql() -> str:
    """Return the expression of ``passages.search``: the words of the text, and its workspace.

    A column of type regconfig would be shorter, and a database with one cannot be upgraded by
    pg_upgrade. The workspace's word lets the index leave out all others; that a row is of the
    workspace is still to be checked, for a text may contain the word of another.
    """
    cases = " ".join(
        f"WHEN '{language}' THEN to_tsvector('{name}'::regconfig, \"text\")"
        for language, name in CONFIGURATIONS.items()
    )
    return (
        f"CASE \"language\" {cases} ELSE to_tsvector('{DEFAULT_CONFIGURATION}'::regconfig, "
        f"regexp_replace(\"text\", '({UNSPACED})', ' \\1 ', 'g')) END"
        " || array_to_tsvector(ARRAY['=' || replace(\"workspace_id\"::text, '-', ''),"
        f" '=' || replace(\"workspace_id\"::text, '-', '') || 'b' || (\"id\" >> {BUCKET_BITS})])"
    )
