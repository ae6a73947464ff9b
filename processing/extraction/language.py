"""Which language a text is in, as far as its letters tell."""

from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

#: As much as tells, and as sure as one can be of a sentence.
SAMPLE_CHARACTERS = 20_000
MIN_CONFIDENCE = 0.8


def language_of(text: str) -> str:
    """Return an ISO 639 code, empty where the text does not tell."""
    identifier = LanguageIdentifier.from_model_file(
        MODEL_FILE, norm_probs=True, min_confidence=MIN_CONFIDENCE
    )
    language, _ = identifier.classify(text[:SAMPLE_CHARACTERS])
    return "" if language in ("und", "zxx") else str(language)
