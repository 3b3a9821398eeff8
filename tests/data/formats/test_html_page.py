"""Pages as browsers show them: end tags may be missing, hidden parts do not count, exponents are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_eval.data.formats.file_text import FileText
from rag_eval.data.formats.html_page import read_html


@pytest.fixture
def shown(tmp_path: Path):  # type: ignore[no-untyped-def]
    def read(source: str | bytes) -> FileText:
        (tmp_path / "page.html").write_bytes(source if isinstance(source, bytes) else source.encode())
        return read_html(tmp_path / "page.html")

    return read


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<html><head><title>T</title><body><p>One.<p>Two.</html>", "One.\n\nTwo."),
        ("<!doctype html><title>T</title>One.", "One."),
        ("<title>T</title><h2>Tides</h2>High at noon.", "Tides\n\nHigh at noon."),
        ("<table><tr><th>Pier<th>Depth<tr><td>North<td>4 m<tr><td>South<td>7 m</table>", "Pier | Depth\nNorth | 4 m\nSouth | 7 m"),
        ("<table><tr><form><td>Pier<td>North</form></table>", "Pier | North"),
        ("<table><td>a<td>b<tbody><td>c<td>d</table>", "a | b\nc | d"),
        ("<ul><li>oak<li>elm</ul><dl><dt>oak<dd>hard<dt>elm<dd>tough</dl>", "oak\n\nelm\n\noak\n\nhard\n\nelm\n\ntough"),
        ("<select><option>red<option>blue</select>", "red\n\nblue"),
        ("<p>one<b>two<p>three</b>four", "onetwo\n\nthreefour"),
        ("a<table>b<tr><td>c</table>", "ab\n\nc"),
    ],
)
def test_what_a_page_leaves_out_is_put_in_as_browsers_do(shown, source: str, text: str) -> None:  # type: ignore[no-untyped-def]
    assert shown(source).text == text


def test_a_table_that_arranges_a_page_keeps_its_paragraphs(shown) -> None:  # type: ignore[no-untyped-def]
    assert shown("<table><tr><td><h2>Hours</h2><p>Nine to five.<p>Closed on Sunday.<td>Menu</table>").text == (
        "Hours\n\nNine to five.\n\nClosed on Sunday.\n\nMenu"
    )
    inner = "<table><tr><td>a<td>b<tr><td>c<td>d</table>"
    assert shown(f"<table><tr><td>{inner}<td>x</table>").text == "a | b\nc | d\n\nx"
    assert shown("<table><tr><td>Cat<td><table><tr><td>soft</table></table>").text == "Cat | soft"
    assert shown("<table><tr><td>Fee<td>two<p>crowns<tr><td><td></table>").text == "Fee | two crowns"


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>no</p>",
        "<div style='color: red; DISPLAY : NONE !important'>no<p>no</div>",
        "<span style='visibility:hidden'>no</span>",
        "<dialog>no</dialog>",
        "<script>no</script><style>no</style><template><p>no</p></template><noscript>no</noscript>",
        "<nav>no</nav><footer>no</footer><datalist><option>no</datalist><iframe>no</iframe><video>no</video>",
        "<svg><title>no</title><desc>no</desc><defs><text>no</text></defs></svg>",
        "<!-- no -->",
        "<table><tr hidden><td>no</table>",
    ],
)
def test_what_is_not_shown_is_not_read(shown, hidden: str) -> None:  # type: ignore[no-untyped-def]
    assert shown(f"<p>yes</p>{hidden}<p>also</p>").text == "yes\n\nalso"


@pytest.mark.parametrize(
    "source",
    [
        "<p aria-hidden=true>yes</p>",
        "<details><summary>yes</summary></details>",
        "<p hidden=until-found>yes",
        "<dialog open>yes</dialog>",
        "<p style='display:block'>yes",
        "<svg><text>yes</text></svg>",
    ],
)
def test_what_a_reader_sees_or_opens_is_read(shown, source: str) -> None:  # type: ignore[no-untyped-def]
    assert shown(source).text == "yes"


def test_what_stands_apart_on_the_screen_is_not_glued(shown) -> None:  # type: ignore[no-untyped-def]
    assert shown("<button>Yes</button><button>No</button>").text == "Yes No"
    assert shown("a<svg><text>b</text><text>c</text></svg>d").text == "a b c d"
    assert shown("<span style='display:block'>a</span><span style='display:block'>b</span>").text == "a\n\nb"
    assert shown("<p>one <i> two</i>\n three&nbsp; four<br>five").text == "one two three four\nfive"
    assert shown("Donau&shy;dampf<wbr>schiff").text == "Donaudampfschiff"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("10<sup>6</sup> m", "10^6 m"),
        ("10<sup>−19</sup>", "10^−19"),
        ("x<sup>n+1</sup>", "x^(n+1)"),
        ("e<sup>ix</sup> and A<sup>T</sup> and 2<sup>n</sup>", "e^ix and A^T and 2^n"),
        ("Ca<sup>2+</sup>, Na<sup>+</sup>", "Ca^2+, Na+"),
        ("the 1<sup>st</sup>, XX<sup>e</sup>, M<sup>me</sup>", "the 1st, XXe, Mme"),
        ("<sup>14</sup>C and H<sub>2</sub>O", "14C and H2O"),
        ("101<sub>2</sub> and x<sub>n+1</sub>", "101_2 and x_(n+1)"),
        ("3<sup>1</sup>/<sub>2</sub> cups, <sup>1</sup>⁄<sub>4</sub> l", "3 1/2 cups, 1/4 l"),
        ("Built in 1871.<sup>[3]</sup><sup>[4]</sup> Burnt 1902<sup>5</sup>.", "Built in 1871.[3][4] Burnt 1902^5."),
        ("x<sup>2<sup>k</sup></sup>", "x^2^k"),
        ("<math><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo><mfrac><mn>1</mn><mrow><mi>y</mi><mo>+</mo><mn>1</mn></mrow></mfrac></math>",
         "x^2=1/(y+1)"),
        ("<math><semantics><mn>7</mn><annotation>no</annotation></semantics></math>", "7"),
        ("<ruby>京都<rp>(</rp><rt>きょうと</rt><rp>)</rp></ruby>駅", "京都(きょうと)駅"),
    ],
)  # fmt: skip
def test_raised_and_lowered_characters_are_told_apart(shown, source: str, text: str) -> None:  # type: ignore[no-untyped-def]
    assert shown(f"<p>{source}</p>").text == text


def test_the_title_is_that_of_the_page_in_one_line(shown) -> None:  # type: ignore[no-untyped-def]
    assert shown("<svg><title>Arrow</title></svg><h1>Area in m<sup>2</sup>\n now</h1>").title == "Area in m^2 now"
    assert shown("<svg><title>Arrow</title></svg><title> The \n page</title>x").title == "The page"


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("iso-8859-1", "cp1252", "It’s €5 – “paid”"),
        ("us-ascii", "cp1252", "naïve…"),
        ("latin5", "cp1254", "İstanbul"),
        ("GB2312", "gb18030", "镕𠀀"),
        ("gbk", "gb18030", "㐀"),
        ("shift_jis", "cp932", "①髙橋"),
        ("x-sjis", "cp932", "～港"),
        ("euc-kr", "cp949", "똠방각하"),
        ("big5", "big5hkscs", "香港嘅嘢"),
        ("tis-620", "cp874", "ไทย…"),
        ("utf-16", "utf-8", "ñandú"),
        ("x-user-defined", "cp1252", "ñandú"),
        ("klingon", "utf-8", "ñandú"),
        ("utf8", "utf-8", "ñandú"),
    ],
)
def test_a_label_means_what_browsers_take_it_for(shown, label: str, codec: str, text: str) -> None:  # type: ignore[no-untyped-def]
    body = f"<p>{text}".encode(codec)
    assert shown(f'<meta charset="{label}">'.encode() + body).text == text
    assert shown(f"<meta http-equiv=Content-Type content='text/html; charset={label}'>".encode() + body).text == text
    assert shown(f'<?xml version="1.0" encoding="{label}"?>'.encode() + body).text == text if label != "klingon" else True


def test_japanese_in_euc_has_the_characters_that_vendors_added(shown) -> None:  # type: ignore[no-untyped-def]
    assert shown(b"<meta charset=euc-jp><p>\xad\xa1\xb9\xc1\xa1\xc1 \x8e\xb1\xc5\xec\x8f\xb0\xa1").text == "①港～ ｱ東丂"
    with pytest.raises(ValueError, match="byte 25 of the file is not in euc-jp, the encoding that it names"):
        shown(b"<meta charset=euc-jp><p>a\xa1")


def test_a_byte_order_mark_decides_before_any_label(shown) -> None:  # type: ignore[no-untyped-def]
    for codec in ("utf-8-sig", "utf-16"):
        assert shown("<meta charset=windows-1252><p>Čeština".encode(codec)).text == "Čeština"


def test_a_label_in_a_comment_or_a_script_is_none(shown) -> None:  # type: ignore[no-untyped-def]
    quoted = "<!-- <meta charset=utf-7> --><script>'<meta charset=koi8-r>'</script>"
    assert shown(f"{quoted}<meta name=x content='charset=koi8-r'><meta charset=windows-1251><p>Мост".encode("cp1251")).text == "Мост"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"<p>caf\xe9", "byte 6 of the file is not UTF-8, and names no encoding; re-encode it as UTF-8"),
        (b"<meta charset=odd><p>\xe9", "byte 21 of the file is not UTF-8, and 'odd', the encoding that it names, is none"),
        (b"<meta charset=euc-kr><p>\xff", "byte 24 of the file is not in euc-kr, the encoding that it names"),
        (b"<meta charset=iso-2022-kr><p>x", "is in iso-2022-kr, which browsers do not read"),
        (b"\xef\xbb\xbf<p>\xe9", "byte 6 of the file is not in utf-8"),
        (b"\xff\xfe<", "byte 2 of the file is not in utf-16-le"),
    ],
)  # fmt: skip
def test_a_page_in_no_encoding_that_can_be_told_is_refused(shown, source: bytes, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=f"^{message}"):
        shown(source)


def test_code_keeps_its_lines_and_what_moves_them_in(shown) -> None:  # type: ignore[no-untyped-def]
    assert shown("<p>Run:</p><pre>\nif x:\n    <b>stop</b>  \n</pre><p>Done.").text == "Run:\n\nif x:\n    stop\n\nDone."
