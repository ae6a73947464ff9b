"""The reading and running of examples, on pages that are made for it."""

import os
from pathlib import Path

import pytest

from tests.docs.examples import Session, examples_of


def complaints_of(page: str, directory: Path, **replacements: str) -> list[str]:
    session = Session(directory, replacements=replacements, environment=os.environ)
    return list(session.complaints(examples_of(page)))


def test_what_is_printed_is_compared(tmp_path: Path) -> None:
    page = "```sh\necho 'one two'\n```\n\n```text\none ...\n```\n"

    assert complaints_of(page, tmp_path) == []
    assert complaints_of(page, tmp_path, two="", one="three") == [
        "the sh of line 1 printed:\nthree \nand not:\none ...\n"
    ]


def test_a_failure_ends_the_page(tmp_path: Path) -> None:
    page = "```sh\nfalse | true\n```\n\n```sh\ntouch later\n```\n"

    assert complaints_of(page, tmp_path) == ["the sh of line 1 ended with 1:\n"]
    assert not (tmp_path / "later").exists()


def test_files_functions_and_what_is_exported_are_there_for_later_programs(tmp_path: Path) -> None:
    page = """
```sh
say() { echo "$1, $NAME"; }
NAME=you
export NAME
```

```sh
say hello
```

```text
hello, you
```

```python
# greeting.py
WORD = "bye"
```

```python
import os

from greeting import WORD

print(WORD, os.environ["NAME"])
```

```text
bye you
```
"""

    assert complaints_of(page, tmp_path) == []


def test_a_program_is_left_out_for_a_reason(tmp_path: Path) -> None:
    page = "<!-- not run: it would fail -->\n```sh\nfalse\n```\n"

    assert [example.reason for example in examples_of(page)] == ["it would fail"]
    assert complaints_of(page, tmp_path) == []


def test_a_block_that_is_no_example_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1: a block of ruby"):
        examples_of("```ruby\nputs 1\n```\n")
