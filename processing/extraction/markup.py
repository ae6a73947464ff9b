"""HTML, as a browser understands it, without what no reader sees."""

from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser

from processing.extraction.sections import Section

_UNSEEN = "head, script, style, template, noscript, svg, math, iframe, object, [hidden]"
_BLOCKS = (
    "address, article, aside, blockquote, caption, dd, details, div, dl, dt, fieldset, "
    "figcaption, figure, footer, form, h1, h2, h3, h4, h5, h6, header, hr, legend, li, main, nav, "
    "ol, option, p, pre, section, summary, table, td, th, title, tr, ul"
)
#: Marks that no cleaned text has.
_BLOCK_END, _LINE_END = "\u2029", "\u2028"


def read(text: str, *, media_type: str) -> Iterator[Section]:
    """Yield a section for each block: a paragraph, a heading, an item, a cell."""
    tree = LexborHTMLParser(text)
    for node in tree.css(_UNSEEN):
        node.decompose()
    for node in tree.css(_BLOCKS):
        node.insert_before(_BLOCK_END)
        node.insert_after(_BLOCK_END)
    for node in tree.css("br"):
        node.replace_with(_LINE_END)
    body = tree.body
    for block in (body.text(separator="") if body else "").split(_BLOCK_END):
        lines = (" ".join(line.split()) for line in block.split(_LINE_END))
        if paragraph := "\n".join(filter(None, lines)):
            yield Section(paragraph)
