"""One grammar for the patterns by which keys are found: that of Redis, over characters."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, takewhile
from typing import NamedTuple, NoReturn, Self

from caching.exceptions import InvalidPattern

#: More runs of wildcards than this are asked of Redis as one: its matcher tries all divisions.
MAX_RUNS = 3


class _Piece(NamedTuple):
    """A part of a pattern: as a regular expression, for Redis, and as a literal if it is one."""

    regex: str
    redis: tuple[str, ...]
    literal: str = ""


_RUN = _Piece(".*", ("*",))
#: One character is one byte for Redis, and up to three more.
_ANY = _Piece(".", ("?", "*"))


@dataclass(frozen=True)
class Glob:
    r"""A pattern that keys match, as a whole and case-sensitively.

    ``*`` is any run of characters, ``?`` any one, ``[abc]`` one of these, ``[a-z]`` one of a
    range, ``[^abc]`` any other one; a backslash takes the next character literally. Raises
    ``InvalidPattern`` for what is not of this grammar.
    """

    pattern: str

    def __post_init__(self) -> None:
        if not self.pattern:
            raise InvalidPattern("a pattern must not be empty")
        try:
            self.pattern.encode()
        except UnicodeEncodeError as error:
            self._refuse(error.start, "half of a surrogate pair")
        self._pieces  # noqa: B018 - a pattern is parsed when it is made

    @classmethod
    def escape(cls, text: str) -> str:
        """Return a pattern that ``text`` matches and nothing else."""
        return re.sub(r"[*?[\\]", r"\\\g<0>", text)

    def prefixed(self, literal: str) -> Self:
        """Return the pattern of what begins with ``literal`` and goes on as this one says."""
        return type(self)(self.escape(literal) + self.pattern)

    def matches(self, key: str) -> bool:
        """Say whether the whole of ``key`` matches, in time proportional to its length."""
        return self._regex.fullmatch(key) is not None

    def among(self, keys: Iterable[str]) -> list[str]:
        """Return those of the keys that match."""
        beginning, matched = self.literal_prefix, self._regex.fullmatch
        return [key for key in keys if key.startswith(beginning) and matched(key)]

    @property
    def matches_everything(self) -> bool:
        """Whether no key can fail to match."""
        return not self.pattern.strip("*")

    @cached_property
    def literal_prefix(self) -> str:
        """The characters that every match begins with, as far as they are written out."""
        return "".join(p.literal for p in takewhile(lambda p: p.literal, self._pieces))

    @cached_property
    def is_plain(self) -> bool:
        """Whether ``redis_superset`` matches nothing more, as there are but literals and few
        runs."""
        is_known = all(piece.literal or piece is _RUN for piece in self._pieces)
        return is_known and len(self._segments) <= MAX_RUNS + 1

    @cached_property
    def redis_superset(self) -> str:
        """A pattern for Redis, which matches bytes: all that matches this one, and maybe more."""
        asked = [part for piece in self._pieces for part in piece.redis]
        runs = [
            "?" * sum(part == "?" for part in run) + "*" if is_wild else "".join(run)
            for is_wild, run in groupby(asked, ("?", "*").__contains__)
        ]
        wild = [index for index, run in enumerate(runs) if run.strip("?") == "*"]
        if len(wild) > MAX_RUNS:
            runs[wild[0] + 1 : wild[-1] + 1] = []
        return "".join(runs)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        """What is between two runs is sought once, from the left, and never given back."""
        head, *rest = self._segments
        if not rest:
            return re.compile(head, re.DOTALL)
        *middle, tail = rest
        sought = "".join(f"(?>.*?{segment})" for segment in middle if segment)
        return re.compile(f"{head}{sought}.*{tail}", re.DOTALL)

    @property
    def _segments(self) -> list[str]:
        """The regular expressions of what is before, between and after runs."""
        segments = [""]
        for piece in self._pieces:
            if piece is _RUN:
                segments.append("")
            else:
                segments[-1] += piece.regex
        return segments

    @cached_property
    def _pieces(self) -> tuple[_Piece, ...]:
        pieces, at = [], 0
        while at < len(self.pattern):
            piece, at = self._piece(at)
            pieces.append(piece)
        return tuple(pieces)

    def _piece(self, at: int) -> tuple[_Piece, int]:
        """Return the piece that begins at ``at``, and where the next one does."""
        character = self.pattern[at]
        if character == "*":
            return _RUN, at + 1
        if character == "?":
            return _ANY, at + 1
        if character == "[":
            return self._class(at)
        character, end = self._character(at)
        return _Piece(re.escape(character), (self.escape(character),), character), end

    def _class(self, start: int) -> tuple[_Piece, int]:
        """Return the class whose bracket opens at ``start``, and where the next piece begins."""
        is_negated = self.pattern.startswith("^", start + 1)
        members, at = "", start + 1 + is_negated
        while (first := self.pattern[at : at + 1]) != "]":
            if not first:
                self._refuse(start, "a class that is not closed")
            if first != "\\" and self.pattern.startswith("-", at + 1):
                members += self._range(at)
                at += 3
            else:
                character, at = self._character(at)
                members += re.escape(character)
        text = self.pattern[start : at + 1]
        if is_negated:
            return _Piece(f"[^{members}]" if members else ".", _ANY.redis), at + 1
        redis = (text,) if text.isascii() else _ANY.redis
        return _Piece(f"[{members}]" if members else "(?!)", redis), at + 1

    def _range(self, at: int) -> str:
        first, last = self.pattern[at], self.pattern[at + 2 : at + 3]
        if last in ("", "]", "\\"):
            self._refuse(at, "a range without an end (a hyphen itself is \\-)")
        if last < first:
            self._refuse(at, "a reversed range")
        return f"{re.escape(first)}-{re.escape(last)}"

    def _character(self, at: int) -> tuple[str, int]:
        """Return the literal character at ``at``, be it escaped, and where the next one is."""
        if self.pattern[at] != "\\":
            return self.pattern[at], at + 1
        if at + 1 == len(self.pattern):
            self._refuse(at, "a backslash with nothing after it")
        return self.pattern[at + 1], at + 2

    def _refuse(self, at: int, problem: str) -> NoReturn:
        raise InvalidPattern(f"{problem}, at character {at + 1} of {self.pattern!r}")
