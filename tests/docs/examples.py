"""The examples of a page: its fenced blocks, run in its order as a reader would run them.

A block of ``sh``, ``python`` or ``js`` is a program. One whose first line is a comment with a
file name is a file, which those after it import. A block of ``text`` after a program is what it
prints: ``...`` stands for anything, and runs of spaces for each other. A program is left out
where a comment of HTML before it says why: ``<!-- not run: why -->``.

What a shell sets, the shells after it know, and what it exports, all programs.
"""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PRINTED = "text"
SHELL, PYTHON, JAVASCRIPT = "sh", "python", "js"
SUFFIXES = {SHELL: "sh", PYTHON: "py", JAVASCRIPT: "mjs"}

SECONDS = 120

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_FILE_NAME = re.compile(r"(?:#|//) (?P<name>[\w-]+\.(?:py|mjs))\n")

#: What a shell reads first, and leaves for the next one and for other programs.
_BEGIN = "set -euo pipefail\nif [ -f .state ]; then . ./.state; fi\n"
_END = "\n{ declare -f; declare -p; } 2>/dev/null | grep -v '^declare -[a-z]*r' > .state\n"
_END += "env -0 > .environment\n"


@dataclass(frozen=True)
class Example:
    """A block of a page, what it is to print (None where the page does not say), and the reason
    why it is not run, empty for those that are."""

    line: int
    language: str
    code: str
    printed: str | None = None
    reason: str = ""

    @property
    def file_name(self) -> str:
        """What the block is to be saved as, empty for programs."""
        found = _FILE_NAME.match(self.code)
        return found["name"] if found else ""

    def __str__(self) -> str:
        return f"the {self.language} of line {self.line}"


def examples_of(page: str) -> list[Example]:
    """Return the examples of a page; raise ``ValueError`` for a block that is none."""
    examples: list[Example] = []
    for block in _BLOCK.finditer(page):
        line, language = page.count("\n", 0, block.start("language")) + 1, block["language"]
        if language == PRINTED and examples:
            last = examples.pop()
            examples.append(
                Example(last.line, last.language, last.code, block["code"], last.reason)
            )
        elif language in SUFFIXES:
            examples.append(Example(line, language, block["code"], reason=block["reason"] or ""))
        else:
            raise ValueError(f"line {line}: a block of {language or 'nothing'} is no example")
    return examples


@dataclass
class Session:
    """Somebody who follows a page in ``directory``, with ``replacements`` for what it names."""

    directory: Path
    replacements: Mapping[str, str]
    environment: Mapping[str, str]
    languages: set[str] = field(default_factory=lambda: {*SUFFIXES})

    def complaints(self, examples: list[Example]) -> Iterator[str]:
        """Run the examples and yield what is not as the page says; nothing after a failure is."""
        for example in examples:
            if example.reason or example.language not in self.languages:
                continue
            if complaint := self._complaint(example):
                yield complaint
                return

    def _complaint(self, example: Example) -> str:
        code = example.code
        for named, real in self.replacements.items():
            code = code.replace(named, real)
        if example.file_name:
            (self.directory / example.file_name).write_text(code)
            return ""
        try:
            done = self._run(example, code)
        except subprocess.TimeoutExpired as error:
            return f"{example} has not ended after {SECONDS} s: {error.stdout!r}"
        if done.returncode:
            return f"{example} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        if example.printed is not None and not _is_as_said(example.printed, done.stdout):
            return f"{example} printed:\n{done.stdout}and not:\n{example.printed}"
        return ""

    def _run(self, example: Example, code: str) -> subprocess.CompletedProcess[str]:
        program = self.directory / f"line_{example.line}.{SUFFIXES[example.language]}"
        environment = dict(self.environment)
        if example.language == SHELL:
            program.write_text(f"{_BEGIN}{code}{_END}")
            command = ["bash", str(program)]
        else:
            program.write_text(code)
            exported = (self.directory / ".environment").read_text().split("\0")
            environment |= dict(line.split("=", 1) for line in exported if line)
            command = [sys.executable if example.language == PYTHON else "node", str(program)]
        return subprocess.run(
            command,
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )


def _is_as_said(wanted: str, printed: str) -> bool:
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(wanted, printed, options)
