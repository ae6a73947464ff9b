"""Reading what people upload: each file by a real confined process."""

import tempfile
from typing import Any

import pytest

from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.reading import Extracted, extracted
from tests.knowledge.files import (
    docx_bytes,
    encrypted_pdf_bytes,
    paragraph,
    pdf_bytes,
    zip_bytes,
)

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SRT = b"""1\r
00:00:01,000 --> 00:00:02,500\r
Good <i>morning</i>\r
everybody.\r
\r
2\r
00:01:03,250 --> 00:01:04,000\r
Bye.\r
"""
VTT = """WEBVTT - a talk

NOTE nobody reads this

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start
<v.loud Ann Lee>Tom &amp; Jerry</v>
came.

NOTE nor this

1:00:03.000 --> 1:00:04.000
<v Ann>Yes.<v Bob>No.
"""


def read(content: bytes, name: str = "upload", *, language: str = "en") -> Extracted:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return extracted(file, name=name, language=language)


@pytest.mark.parametrize(
    ("content", "name", "media_type", "text"),
    [
        pytest.param(
            b"\xef\xbb\xbfOne\r\nline.\r\n \r\n\r\nTwo.\n",
            "a.txt",
            "text/plain",
            "One\nline.\n\nTwo.",
            id="text",
        ),
        pytest.param(
            "שלום עולם.\n\nسلم\n\n你好世界。".encode(),
            "a",
            "text/plain",
            "שלום עולם.\n\nسلم\n\n你好世界。",
            id="right to left and without spaces",
        ),
        pytest.param(
            b"# Title\n\nSome *text*, <b>bold</b>.\n\n* one\n* two\n\n|a|b|\n|-|-|\n|1|2|\n",
            "a.MD",
            "text/markdown",
            "Title\n\nSome text, bold.\n\none\n\ntwo\n\na\n\nb\n\n1\n\n2",
            id="markdown",
        ),
        pytest.param(
            b"<!-- x --><!DOCTYPE html><title>T</title><script>bad()</script><style>p{}</style>"
            b"<div>a<p>b <b>c</b>!<br>d &eacute;&#0;</p>e</div><p hidden>no<ul><li>f<li>g</ul>",
            "a.txt",
            "text/html",
            "a\n\nb c!\nd é\ufffd\n\ne\n\nf\n\ng",
            id="html",
        ),
        pytest.param(
            pdf_bytes(["A river in the moun-", "tains."], [], ["Page three."]),
            "a.txt",
            "application/pdf",
            "A river in the mountains.\n\nPage three.",
            id="pdf",
        ),
        pytest.param(
            docx_bytes(
                paragraph("Hel", "lo") + paragraph() + "<w:tbl>" + paragraph("cell") + "</w:tbl>",
                footnotes=paragraph("a note"),
            ),
            "a.doc",
            DOCX,
            "Hello\n\ncell\n\na note",
            id="docx",
        ),
        pytest.param(
            SRT, "a.txt", "application/x-subrip", "Good morning everybody.\n\nBye.", id="srt"
        ),
        pytest.param(VTT.encode(), "a", "text/vtt", "Tom & Jerry came.\n\nYes.\n\nNo.", id="vtt"),
    ],
)
def test_file_is_read_by_what_is_in_it(
    content: bytes, name: str, media_type: str, text: str
) -> None:
    found = read(content, name)

    assert (found.media_type, found.text) == (media_type, text)


def test_subtitles_keep_their_times() -> None:
    assert [(s["text"], s["start"], s["end"], s["speaker"]) for s in read(SRT).sections] == [
        ("Good morning everybody.", 1.0, 2.5, ""),
        ("Bye.", 63.25, 64.0, ""),
    ]


def test_captions_keep_their_voices() -> None:
    assert [(s["text"], s["start"], s["speaker"]) for s in read(VTT.encode()).sections] == [
        ("Tom & Jerry came.", 1.0, "Ann Lee"),
        ("Yes.", 3603.0, "Ann"),
        ("No.", 3603.0, "Bob"),
    ]


def test_docx_shows_what_was_inserted_and_not_what_was_deleted_or_repeated() -> None:
    namespaces = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    body = (
        f"<w:ins>{paragraph('new')}</w:ins>"
        "<w:p><w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>"
        f"<w:sdt><w:sdtContent>{paragraph('field')}</w:sdtContent></w:sdt>"
        f"<w:p><w:r><w:t>out</w:t><mc:AlternateContent {namespaces}>"
        f"<mc:Choice>{paragraph('box')}</mc:Choice><mc:Fallback>{paragraph('box')}</mc:Fallback>"
        "</mc:AlternateContent><w:t>side</w:t></w:r></w:p>"
    )

    assert read(docx_bytes(body)).text == "new\n\nfield\n\nbox\n\noutside"


def test_docx_of_the_strict_kind_is_read() -> None:
    strict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    document = f'<w:document xmlns:w="{strict}">{paragraph("strict")}</w:document>'

    assert read(zip_bytes(word__document_xml=document)).text == "strict"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "no text", id="empty"),
        pytest.param(b" \n\t\r\n" * 100, "no text", id="blank"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20, "neither text", id="binary"),
        pytest.param(b"<html><script>x</script></html>", "no text", id="html without text"),
        pytest.param(b"%PDF-1.4\nnothing", "broken", id="broken pdf"),
        pytest.param(encrypted_pdf_bytes(), "encrypted", id="encrypted pdf"),
        pytest.param(pdf_bytes([], []), "pictures", id="scanned pdf"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 99, "encrypted, or", id="doc"),
        pytest.param(b"{\\rtf1 hello}", "RTF", id="rtf"),
        pytest.param(zip_bytes(a_txt="x"), "ZIP archive and no DOCX", id="zip"),
        pytest.param(b"PK\x03\x04" + b"x" * 99, "cannot be unpacked", id="broken zip"),
        pytest.param(docx_bytes("<w:p>"), "XML is none", id="broken xml"),
        pytest.param(docx_bytes(paragraph()), "no text", id="docx without text"),
        pytest.param(
            docx_bytes(
                paragraph("&a;"), prolog='<!DOCTYPE w [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
            ),
            "document type",
            id="external entity",
        ),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableDocument, match=reason):
        read(content)


def test_archive_that_lies_about_its_sizes_is_not_unpacked_further(settings: Any) -> None:
    settings.MAX_DOCUMENT_UNPACKED_BYTES = 1_000_000
    bomb = bytearray(docx_bytes("<w:p/>" * 1_000_000))
    directory = bomb.rindex(b"PK\x01\x02")
    bomb[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")

    with pytest.raises((DocumentTooLarge, UnreadableDocument)):
        read(bytes(bomb))


def test_archive_that_unpacks_to_too_much_is_refused(settings: Any) -> None:
    settings.MAX_DOCUMENT_UNPACKED_BYTES = 1_000_000

    with pytest.raises(DocumentTooLarge, match=r"1,000,000 bytes \(MAX_DOCUMENT_UNPACKED_BYTES"):
        read(docx_bytes("<w:p/>" * 1_000_000))


def test_archive_of_too_many_files_is_refused() -> None:
    members = {f"f{n}": "" for n in range(10_001)}

    with pytest.raises(DocumentTooLarge, match="10,000 files"):
        read(zip_bytes(**members))


def test_pages_over_the_limit_are_refused(settings: Any) -> None:
    settings.MAX_DOCUMENT_PAGES = 2

    with pytest.raises(DocumentTooLarge, match="3 pages; the limit is 2"):
        read(pdf_bytes(["a"], ["b"], ["c"]))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"x" * 2_000, id="one line"),
        pytest.param(pdf_bytes(*[["x" * 60]] * 30), id="many pages"),
        pytest.param(docx_bytes(paragraph("x" * 2_000)), id="docx"),
    ],
)
def test_characters_over_the_limit_are_refused(settings: Any, content: bytes) -> None:
    settings.MAX_DOCUMENT_CHARACTERS = 1_000

    with pytest.raises(DocumentTooLarge, match=r"1,000 characters \(MAX_DOCUMENT_CHARACTERS"):
        read(content)


def test_one_line_of_100_mb_is_refused_and_not_waited_for() -> None:
    with pytest.raises(DocumentTooLarge, match="50,000,000 characters"):
        read(b"x" * 100 * 1024**2)


def test_long_line_is_read_as_a_whole() -> None:
    found = read("wörd ".encode() * 1_000_000)

    assert (len(found.text), found.text.count("wörd")) == (4_999_999, 1_000_000)


def test_reader_that_takes_too_long_is_ended(settings: Any) -> None:
    settings.EXTRACTION_SECONDS = 1

    with pytest.raises(UnreadableDocument, match=r"longer than 1 s.*EXTRACTION_SECONDS"):
        read(b"<html>" + b"<div>" * 200_000 + b"deep")


def test_reader_that_needs_too_much_memory_fails_clearly(settings: Any) -> None:
    settings.EXTRACTION_MEMORY_BYTES = 100 * 1024**2

    with pytest.raises((DocumentTooLarge, UnreadableDocument), match="memory"):
        read(b"<html>" + b"<p>word" * 1_000_000)


def test_language_is_found_out_when_it_is_not_given() -> None:
    text = "The river rises in the hills, and meets the sea in the west."

    assert read(text.encode(), language="").language == "en"
