"""Server-sent events, as a provider streams them (WHATWG HTML, section 9.2)."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator

#: A line ends with LF, CR or CRLF. A CR at the end of what has come may be half of a CRLF.
_LINE_END = re.compile(r"\r\n|\n|\r(?=.)", re.DOTALL)


def data_of_events(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the data of each event, as soon as it is complete, however the bytes were cut.

    Comments, names, ids and events without data are left out. An event that is not ended by an
    empty line was not complete. What is not UTF-8 is replaced, as the standard says.
    """
    data: list[str] = []
    for line in _lines(pieces):
        if not line:
            if data:
                yield "\n".join(data)
            data = []
            continue
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    decoder = getincrementaldecoder("utf-8")(errors="replace")
    waiting: list[str] = []
    is_first = True
    for piece in pieces:
        text = decoder.decode(piece)
        if is_first and text:
            text, is_first = text.removeprefix("\ufeff"), False
        if waiting and waiting[-1].endswith("\r"):
            text = waiting.pop() + text
        *lines, rest = _LINE_END.split(text)
        if lines:
            lines[0] = "".join(waiting) + lines[0]
            waiting = []
        yield from lines
        if rest:
            waiting.append(rest)
    if waiting and "".join(waiting).endswith("\r"):
        yield "".join(waiting)[:-1]
