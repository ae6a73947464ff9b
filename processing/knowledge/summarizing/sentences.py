"""Texts in sentences, whatever they are made of: prose, speech without a full stop, one line."""

from textwrap import TextWrapper

from sentencex import segment  # type: ignore[import-untyped]

from processing.engines.spacing import spaced

#: What is longer has no full stops, or is no prose; it is cut between words.
MAX_SENTENCE_CHARACTERS = 400

_wrapper = TextWrapper(MAX_SENTENCE_CHARACTERS, break_on_hyphens=False)


def sentences_of(text: str, language: str) -> list[str]:
    """Return the sentences of a paragraph, in order, without blank ones; no word is lost.

    Where its lines end says nothing: they may be as long as a page was wide.

    ``language`` (ISO 639-1, empty where it is not known) says which full stops are none, as in
    ``Dr. Who``.
    """
    sentences: list[str] = []
    for sentence in segment(language or "en", spaced(text.split())):
        if len(stripped := sentence.strip()) > MAX_SENTENCE_CHARACTERS:
            sentences += _wrapper.wrap(stripped)
        elif stripped:
            sentences.append(stripped)
    return sentences
