"""The process that reads one document: the file is its stdin, JSON lines are its answer.

``{"media_type"}`` comes first, then ``{"text"}`` (to be joined as they come) or
``{"sections"}`` where these have times, then ``{"language"}``; or ``{"error", "message"}``.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.kinds import read
from processing.extraction.sections import Limits, Section, clean

BATCH_CHARACTERS = 1 << 16
BATCH_SECTIONS = 500
SAMPLE_CHARACTERS = 20_000


def say(**line: Any) -> None:
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")


def answer(*, name: str, language: str | None, limits: Limits) -> None:
    """Say what is in the document; its language is looked for when ``language`` is None."""
    media_type, sections = read(sys.stdin.buffer, name=name, limits=limits)
    say(media_type=media_type)
    sample: list[str] = []
    sampled = 0
    for text in _told(_cleaned(sections, limits)):
        if sampled < SAMPLE_CHARACTERS:
            sample.append(text)
            sampled += len(text)
    if not sampled:
        raise UnreadableDocument("there is no text in it")
    if language is None:
        detector = import_module("processing.extraction.language")
        language = detector.language_of("".join(sample))
    say(language=language)


def _told(sections: Iterator[Section]) -> Iterator[str]:
    """Say ``sections`` in batches; yield the text of each."""
    texts: list[str] = []
    timed: list[tuple[str, float, float | None, str]] = []
    size, is_first = 0, True
    for section in sections:
        if section.start is None:
            texts.append(section.text if is_first else f"\n\n{section.text}")
            size += len(section.text)
        else:
            timed.append((section.text, section.start, section.end, section.speaker))
        is_first = False
        if size >= BATCH_CHARACTERS or len(timed) >= BATCH_SECTIONS:
            yield from _batch(texts, timed)
            size = 0
    yield from _batch(texts, timed)


def _batch(texts: list[str], timed: list[tuple[str, float, float | None, str]]) -> Iterator[str]:
    if texts:
        text = "".join(texts)
        say(text=text)
        yield text
    if timed:
        say(sections=timed)
        yield "\n".join(text for text, *_ in timed)
    texts.clear()
    timed.clear()


def _cleaned(sections: Iterator[Section], limits: Limits) -> Iterator[Section]:
    count = 0
    for section in sections:
        text = clean(section.text).strip()
        count += len(text)
        if count > limits.characters:
            raise DocumentTooLarge(
                f"more than {limits.characters:,} characters (MAX_DOCUMENT_CHARACTERS)"
            )
        if text:
            yield replace(section, text=text)


def main() -> None:
    request = json.loads(sys.argv[1])
    limits = Limits(**request.pop("limits"))
    try:
        answer(**request, limits=limits)
    except (DocumentTooLarge, UnreadableDocument) as error:
        say(error=error.code, message=str(error))
    except MemoryError:
        say(error=DocumentTooLarge.code, message="to read it takes too much memory")


if __name__ == "__main__":
    main()
