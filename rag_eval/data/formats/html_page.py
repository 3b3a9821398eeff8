"""Visible text of a web page, parsed by the HTML standard: end tags, `head` and `body` may be omitted.

Skipped are elements that are never rendered (scripts, styles, templates), elements hidden by an attribute (`hidden`, an inline
`display: none`, a closed dialog), navigation and the page footer. Style sheets are not applied, so text hidden only by them is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from rag_eval.data.formats import equation
from rag_eval.data.formats.encoding import page_text
from rag_eval.data.formats.file_text import FileText
from rag_eval.data.formats.raised import lowered, plain, raised, unmarked
from rag_eval.data.formats.text_flow import TextFlow
from rag_eval.data.rows.read import raw_bytes

HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
BLOCKS = HEADINGS | {
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "form", "header", "hgroup", "hr", "html", "legend", "li", "main", "menu", "ol", "optgroup",
    "option", "p", "pre", "search", "section", "select", "summary", "table", "textarea", "ul",
}  # fmt: skip
APART = frozenset({"audio", "button", "canvas", "embed", "iframe", "img", "input", "meter", "object", "progress", "svg", "text", "video"})
LAYOUT = ", ".join((*sorted(HEADINGS), "table tr ~ tr"))  # a cell that contains one of these belongs to a layout table
KEPT = ("pre", "textarea", "listing")  # elements that preserve white space
UNREAD = frozenset({
    "annotation", "annotation-xml", "audio", "canvas", "datalist", "defs", "desc", "footer", "head", "iframe", "metadata", "nav",
    "noembed", "noframes", "noscript", "object", "rp", "script", "style", "template", "title", "video",
})  # fmt: skip
CHARSET = re.compile(r"""charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"']+))""", re.IGNORECASE)
STYLED_APART = frozenset({"inline-block", "inline-flex", "inline-grid", "inline-table", "table-cell"})
STYLED_INLINE = STYLED_APART | {"inline", "contents", "ruby", "ruby-text"}


def read_html(path: Path) -> FileText:
    """Read the text of `main`, else of the only `article`, else of the page. Table cells are separated by `|`."""
    page = LexborHTMLParser(unmarked(page_text(raw_bytes(str(path), "HTML"), _labels)))
    named = next((one for one in page.css("title") if not _is_drawn(one)), None) or page.css_first("h1")
    title = " ".join(plain(_inline(named)).split()) if named is not None else ""
    articles = page.css("article")
    root = page.css_first("main") or (articles[0] if len(articles) == 1 else page.body)
    return FileText(plain(_flow(root)) if root is not None else "", title, {"format": "html"})


def _labels(source: str) -> Iterator[str]:
    """Encodings declared by the meta elements of a page."""
    for meta in LexborHTMLParser(source).css("meta"):
        if said := meta.attributes.get("charset"):
            yield said
        elif (meta.attributes.get("http-equiv") or "").strip().lower() == "content-type":
            found = CHARSET.search(meta.attributes.get("content") or "")
            if found:
                yield next(filter(None, found.groups()), "")


def _is_drawn(node: LexborNode) -> bool:
    return node.parent is not None and (node.parent.tag == "svg" or _is_drawn(node.parent))


def _flow(root: LexborNode) -> str:
    flow = TextFlow()
    _write(root, flow, root.tag in KEPT)
    return flow.text


def _inline(root: LexborNode) -> str:
    return " ".join(_flow(root).split())


def _children(node: LexborNode) -> Iterator[LexborNode]:
    child = node.first_child
    while child is not None:
        yield child
        child = child.next


def _write(parent: LexborNode, flow: TextFlow, is_kept: bool) -> None:
    for node in _children(parent):
        if node.is_text_node:
            text = node.text_content or ""
            flow.keep(text) if is_kept else flow.write(text.replace("\u00ad", ""))
        elif node.is_element_node:
            _write_element(node, flow, is_kept)


def _write_element(node: LexborNode, flow: TextFlow, is_kept: bool) -> None:
    tag, style = node.tag or "", _style(node)
    if tag in APART:
        flow.write(" ")
    if _is_hidden(node, style):
        return
    if tag == "br":
        flow.keep("\n")
    elif tag == "tr":
        _write_row(node, flow)
    elif tag in ONE_LINE:
        flow.write(ONE_LINE[tag](node))
    elif _is_block(tag, style):
        flow.paragraph()
        _write(node, flow, is_kept or tag in KEPT)
        flow.paragraph()
    else:
        _write(node, flow, is_kept)
    if tag in APART or style.get("display") in STYLED_APART:
        flow.write(" ")


def _write_row(row: LexborNode, flow: TextFlow) -> None:
    cells = [cell for cell in _children(row) if cell.tag in ("td", "th") and not _is_hidden(cell, _style(cell))]
    is_layout = any(cell.css_first(LAYOUT) is not None for cell in cells)
    flow.row([_flow(cell) for cell in cells], is_layout)


def _style(node: LexborNode) -> Mapping[str, str]:
    """Declarations of an element's inline style; the last one of each name."""
    parts = (part.partition(":") for part in (node.attributes.get("style") or "").lower().split(";"))
    return {name.strip(): value.replace("!important", "").strip() for name, _, value in parts}


def _is_block(tag: str, style: Mapping[str, str]) -> bool:
    return style["display"] not in STYLED_INLINE if style.get("display") else tag in BLOCKS


def _is_hidden(node: LexborNode, style: Mapping[str, str]) -> bool:
    if node.tag in UNREAD or style.get("display") == "none" or style.get("visibility") in ("hidden", "collapse"):
        return True
    if node.tag == "dialog" and "open" not in node.attributes:
        return True
    hidden = node.attributes.get("hidden", "until-found") or ""
    return hidden.lower() != "until-found"  # elements with this value are revealed by a search within the page


def _parts(node: LexborNode) -> list[str]:
    """Text of the child elements of an equation element, one line each."""
    return [_inline_element(child) for child in _children(node) if child.is_element_node and child.tag not in UNREAD]


def _inline_element(node: LexborNode) -> str:
    write = ONE_LINE.get(node.tag or "", _inline)
    return " ".join(write(node).split())


def _ruby(node: LexborNode) -> str:
    """Base text followed by its reading in parentheses."""
    base, reading = TextFlow(), TextFlow()
    for child in _children(node):
        if child.is_text_node:
            base.write(child.text_content or "")
        elif child.tag in ("rt", "rtc"):
            reading.write(_inline(child))
        elif child.tag != "rp":
            _write_element(child, base, False)
    return f"{base.text}({reading.text})" if reading.text else base.text


def _two(node: LexborNode) -> tuple[str, str]:
    first, second, *_ = (*_parts(node), "", "")
    return first, second


def _three(node: LexborNode) -> str:
    base, below, above, *_ = (*_parts(node), "", "", "")
    return equation.power(equation.index(base, below), above)


ONE_LINE: Mapping[str, Callable[[LexborNode], str]] = {
    "sup": lambda node: raised(_inline(node)),
    "sub": lambda node: lowered(_inline(node)),
    "ruby": _ruby,
    "semantics": lambda node: _two(node)[0],
    "msup": lambda node: equation.power(*_two(node)),
    "msub": lambda node: equation.index(*_two(node)),
    "munder": lambda node: equation.index(*_two(node)),
    "msubsup": _three,
    "munderover": _three,
    "mfrac": lambda node: equation.fraction(*_two(node)),
    "msqrt": lambda node: equation.root(" ".join(_parts(node)), ""),
    "mroot": lambda node: equation.root(*_two(node)),
}  # elements written on one line
