"""Documents as people upload them, made by hand so that each is just what its test says."""

import zipfile
from io import BytesIO

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf_bytes(*pages: list[str], trailer: bytes = b"") -> bytes:
    """Return a PDF with some lines of text on each page."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    kids = []
    for lines in pages:
        shown = b" ".join(b"(%s) Tj T*" % line.encode("latin-1") for line in lines)
        content = b"BT /F1 12 Tf 14 TL 72 720 Td %s ET" % shown
        objects.append(b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content))
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R"
            b"/Resources<</Font<</F1 3 0 R>>>>>>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(kids))
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    size = len(objects) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, b"".join(offsets))
    end = b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n"
    return out + table + end % (size, trailer, len(out))


def encrypted_pdf_bytes() -> bytes:
    """Return a PDF that wants a password nobody knows."""
    keys = b"/O<%s>/U<%s>" % (b"00" * 32, b"00" * 32)
    encrypt = b"/Encrypt<</Filter/Standard/V 1/R 2%s/P -4>>/ID[<00><00>]" % keys
    return pdf_bytes(["secret"], trailer=encrypt)


def zip_bytes(**members: str) -> bytes:
    """Return an archive of some files; ``__`` in a name is a slash, ``_`` a dot."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return out.getvalue()


def docx_bytes(body: str, *, prolog: str = "", footnotes: str = "") -> bytes:
    """Return a DOCX whose document has this content."""
    document = f'{prolog}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    parts = {"word__document_xml": document}
    if footnotes:
        parts["word__footnotes_xml"] = f'<w:footnotes xmlns:w="{WORD}">{footnotes}</w:footnotes>'
    return zip_bytes(**parts)


def paragraph(*runs: str) -> str:
    """Return a paragraph of DOCX of some runs of text."""
    texts = "".join(f'<w:r><w:t xml:space="preserve">{run}</w:t></w:r>' for run in runs)
    return f"<w:p>{texts}</w:p>"
