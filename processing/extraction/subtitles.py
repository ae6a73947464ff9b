"""SRT and WebVTT: what was said, by whom and when."""

import html
import re
from collections.abc import Iterator

import pysubs2

from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.sections import Section

#: More than a week of talk has.
MAX_CUES = 200_000

_FORMATS = {"text/vtt": "vtt", "application/x-subrip": "srt"}
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]+)>")
_TAG = re.compile(r"</?[a-zA-Z0-9:.][^<>]*>|\{\\[^{}]*\}")


def read(text: str, *, media_type: str) -> Iterator[Section]:
    """Yield a section for each cue, or for each voice in one."""
    if text.count("-->") > MAX_CUES:
        raise DocumentTooLarge(f"more than {MAX_CUES:,} subtitles")
    try:
        cues = pysubs2.SSAFile.from_string(text, format_=_FORMATS[media_type], keep_html_tags=True)
    except pysubs2.exceptions.Pysubs2Error as error:
        raise UnreadableDocument("its subtitles are broken") from error
    for cue in cues:
        lines = cue.text.replace("\\N", "\n")
        if media_type == "text/vtt":  # an empty line ends a cue; notes and names may follow
            lines = lines.partition("\n\n")[0]
        start, end = cue.start / 1000, max(cue.start, cue.end) / 1000
        nobody, *voices = _VOICE.split(lines)
        for speaker, said in [("", nobody), *zip(voices[::2], voices[1::2], strict=True)]:
            if spoken := _plain(said):
                yield Section(spoken, start, end, _plain(speaker)[:100])


def _plain(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", markup)).split())
