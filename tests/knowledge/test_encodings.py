"""Bytes to text."""

from io import BytesIO

import pytest

from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.encodings import decoded

RUSSIAN = "Привет, мир. Это обычный текст на русском языке."
FRENCH = "Été: l'élève a mangé à la forêt, où le garçon naïf dormait."


def text_of(content: bytes) -> str:
    return decoded(BytesIO(content), max_characters=1_000_000)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param(RUSSIAN, "utf-8", id="utf-8"),
        pytest.param(RUSSIAN, "utf-8-sig", id="utf-8 with a mark"),
        pytest.param(RUSSIAN, "utf-16", id="utf-16 with a mark"),
        pytest.param(RUSSIAN, "utf-16-be", id="utf-16 without, big endian"),
        pytest.param("plain English text", "utf-16-le", id="utf-16 without, little endian"),
        pytest.param(RUSSIAN, "utf-32", id="utf-32"),
        pytest.param(RUSSIAN, "windows-1251", id="windows-1251"),
        pytest.param(RUSSIAN, "koi8-r", id="koi8-r"),
        pytest.param(FRENCH, "latin-1", id="latin-1"),
        pytest.param("これは日本語のテキストです。", "shift_jis", id="shift-jis"),
        pytest.param("这是一个中文文本今天天气很好。", "gb18030", id="gb18030"),
        pytest.param("שלום עולם, זהו טקסט בעברית.", "windows-1255", id="windows-1255"),
    ],
)
def test_text_is_read_whatever_its_encoding(text: str, encoding: str) -> None:
    assert text_of(text.encode(encoding)) == text


def test_html_may_declare_its_encoding() -> None:
    page = '<html><meta charset="iso-8859-2"><p>Zażółć gęślą jaźń'

    assert text_of(page.encode("iso-8859-2")) == page


def test_unknown_declaration_is_passed_over() -> None:
    page = f'<html><meta charset="no-such"><p>{RUSSIAN}'

    assert text_of(page.encode("windows-1251")) == page


def test_line_of_another_encoding_is_read_as_windows_writes_it() -> None:
    mixed = "Größe\n".encode() * 3 + "Maß: 5 €\n".encode("windows-1252")

    assert text_of(mixed) == "Größe\n" * 3 + "Maß: 5 €\n"


def test_letter_cut_in_half_at_the_end_loses_nothing_before_it() -> None:
    assert text_of("viel Größe".encode()[:-1] + "ß".encode()[:1]).startswith("viel Größ")


def test_stray_control_characters_are_left_out() -> None:
    assert text_of(b"a\0b" + b" word" * 100 + b"\x1b\x07") == "ab" + " word" * 100


def test_line_ends_become_one_kind_and_page_ends_paragraphs() -> None:
    assert text_of(b"a\r\nb\rc\x0cd") == "a\nb\nc\n\nd"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(bytes(range(256)) * 40, id="every byte"),
        pytest.param(b"\0" * 1_000, id="zeros"),
        pytest.param(b"\x7fELF" + b"\x01\x02\x00\x00" * 500, id="program"),
    ],
)
def test_binary_is_no_text(content: bytes) -> None:
    with pytest.raises(UnreadableDocument, match="neither text"):
        text_of(content)


def test_reading_ends_at_the_limit() -> None:
    with pytest.raises(DocumentTooLarge, match="more than 10 characters"):
        decoded(BytesIO(b"x" * 11), max_characters=10)
