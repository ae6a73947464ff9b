"""The page about faults of others names tests that exist, and leaves no row without a word."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PAGE = ROOT / "docs" / "rivals_faults.md"

ROWS = [
    line for line in PAGE.read_text().splitlines() if re.match(r"\| (?!Fault, and whose)", line)
]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())))


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_the_page_names_exists(path: str, name: str) -> None:
    assert name in functions_of(path)


def test_every_fault_has_a_test_or_says_that_it_has_none() -> None:
    silent = [
        row
        for row in ROWS
        if "::test_" not in row.split("|")[-2] and "not covered" not in row.split("|")[-2]
    ]

    assert len(ROWS) > 70
    assert not silent


def test_every_reference_to_a_test_can_be_read() -> None:
    assert PAGE.read_text().count("::") == sum(
        len(re.findall(r"`tests/[\w/]+\.py::test_\w+`", row)) for row in ROWS
    )
