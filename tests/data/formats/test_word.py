"""Word files made here: what Word shows is read, what it hides is not, and what is left out is counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import docx
import pytest
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml

from rag_eval.data.formats.word import read_docx

SPACES = {
    "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
    "v": "urn:schemas-microsoft-com:vml",
    "o": "urn:schemas-microsoft-com:office:office",
}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items())
Shown = Callable[..., str]


def run(text: str, *properties: str) -> str:
    return f'<w:r><w:rPr>{"".join(properties)}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def p(*runs: str) -> str:
    return f"<w:p>{''.join(runs)}</w:p>"


def cell(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


UP, DOWN = ('<w:vertAlign w:val="superscript"/>', '<w:vertAlign w:val="subscript"/>')


@pytest.fixture
def shown(tmp_path: Path) -> Shown:
    """The text of a file with these blocks in its body."""

    def read(*blocks: str, change: Callable[[docx.document.Document], object] = lambda document: None) -> str:
        document = docx.Document()
        for block in parse_xml(f"<w:body {DECLARED}>{''.join(blocks)}</w:body>"):
            document.element.body.insert(len(document.element.body) - 1, block)
        change(document)
        document.save(str(tmp_path / "a.docx"))
        return read_docx(tmp_path / "a.docx").text

    return read


def test_raised_and_lowered_runs_are_told_apart_however_they_are_cut(shown: Shown) -> None:
    assert shown(p(run("10"), run("1", UP), run("2", UP), run(" m, H"), run("2", DOWN), run("O, 1"), run("st", UP))) == "10^12 m, H2O, 1st"


def test_hidden_runs_are_not_read_whether_they_or_their_style_say_so(shown: Shown) -> None:
    def style(document: docx.document.Document) -> None:
        document.styles.element.append(
            parse_xml(f'<w:style {DECLARED} w:type="character" w:styleId="S"><w:rPr><w:vanish/></w:rPr></w:style>')
        )
        document.styles.element.append(parse_xml(f'<w:style {DECLARED} w:type="character" w:styleId="T"><w:basedOn w:val="S"/></w:style>'))

    hidden = (run("no", "<w:vanish/>"), run("no", '<w:rStyle w:val="T"/>'), run("no", '<w:vanish w:val="1"/>'))
    seen = (run("yes"), run(" also", '<w:vanish w:val="0"/>', '<w:rStyle w:val="T"/>'))
    assert shown(p(*hidden, *seen), change=style) == "yes also"


def test_deleted_text_rows_and_paragraph_ends_are_gone(shown: Shown) -> None:
    deleted = "<w:del><w:r><w:delText>no</w:delText></w:r></w:del><w:moveFrom><w:r><w:t>no</w:t></w:r></w:moveFrom>"
    row = f"<w:tr><w:trPr><w:del/></w:trPr>{cell(p(run('no')))}</w:tr>"
    table = f"<w:tbl><w:tr>{cell(p(run('a')))}{cell(p(run('b')))}</w:tr>{row}</w:tbl>"
    ended = f"<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>{run('har')}</w:p>"
    assert shown(p(run("Yes."), deleted), table, ended, p(run("bour"))) == "Yes.\n\na | b\n\nharbour"


def test_a_field_shows_its_result_and_not_its_instruction(shown: Shown) -> None:
    def mark(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    inner = mark("begin") + "<w:r><w:instrText>MERGEFIELD x</w:instrText></w:r>" + mark("separate") + run("no") + mark("end")
    field = mark("begin") + "<w:r><w:instrText>IF</w:instrText></w:r>" + inner + mark("separate") + run("12") + mark("end")
    assert shown(p(run("Page "), field, run(" of 20"))) == "Page 12 of 20"


def test_a_text_box_is_read_once_after_its_paragraph(shown: Shown) -> None:
    box = f"<w:txbxContent>{p(run('Call 4711.'))}{p(run('Ask for Ida.'))}</w:txbxContent>"
    old = f"<w:pict><v:textbox>{box}</v:textbox></w:pict>"
    both = f"<mc:AlternateContent><mc:Choice><wps:txbx>{box}</wps:txbx></mc:Choice><mc:Fallback>{old}</mc:Fallback></mc:AlternateContent>"
    assert shown(p(run("Help"), f"<w:r>{both}</w:r>", run(" is near.")), p(run("End."))) == (
        "Help is near.\n\nCall 4711.\n\nAsk for Ida.\n\nEnd."
    )
    assert shown(p(run("Help"), f"<w:r>{old}</w:r>")) == "Help\n\nCall 4711.\n\nAsk for Ida."


@pytest.mark.parametrize(
    ("equation", "text"),
    [
        ("<m:sSup><m:e>{x}</m:e><m:sup>{n}</m:sup></m:sSup>", "x^(n+1)"),
        ("<m:sSubSup><m:e>{x}</m:e><m:sub>{x}</m:sub><m:sup>{x}</m:sup></m:sSubSup>", "x_x^x"),
        ("<m:f><m:num>{n}</m:num><m:den>{x}</m:den></m:f>", "(n+1)/x"),
        ("<m:rad><m:radPr><m:degHide/></m:radPr><m:deg/><m:e>{n}</m:e></m:rad>", "√(n+1)"),
        ("<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=')'/></m:dPr><m:e>{x}</m:e><m:e>{n}</m:e></m:d>", "[x|n+1)"),
        ("<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{x}</m:sub><m:sup>{n}</m:sup><m:e>{x}</m:e></m:nary>", "∑_x^(n+1) x"),
        ("<m:func><m:fName><m:limLow><m:e>{x}</m:e><m:lim>{n}</m:lim></m:limLow></m:fName><m:e>{x}</m:e></m:func>", "x_(n+1) x"),
        ("<m:m><m:mPr/><m:mr><m:e>{x}</m:e><m:e>{n}</m:e></m:mr><m:mr><m:e>{x}</m:e></m:mr></m:m>", "x, n+1; x"),
        ("<m:sPre><m:sub>{x}</m:sub><m:sup>{x}</m:sup><m:e>{n}</m:e></m:sPre>", "_x^x n+1"),
        ("{x}<m:r><m:t> = </m:t></m:r>{n}", "x = n+1"),
        ("<m:d><m:e>" * 60 + "{x}" + "</m:e></m:d>" * 60, "(" * 60 + "x" + ")" * 60),
    ],
)
def test_an_equation_stands_in_its_sentence_in_one_line(shown: Shown, equation: str, text: str) -> None:
    made = equation.format(x="<m:r><m:t>x</m:t></m:r>", n="<m:r><m:t>n+1</m:t></m:r>")
    assert shown(p(run("It is "), f"<m:oMath>{made}</m:oMath>", run(", says he."))) == f"It is {text}, says he."


def test_a_reading_stands_in_brackets_after_what_it_is_of(shown: Shown) -> None:
    ruby = f"<w:ruby><w:rubyPr/><w:rt>{run('きょうと')}</w:rt><w:rubyBase>{run('京都')}</w:rubyBase></w:ruby>"
    assert shown(p(f"<w:r>{ruby}</w:r>", run("駅"))) == "京都(きょうと)駅"


def test_signs_stand_for_themselves(shown: Shown, caplog: pytest.LogCaptureFixture) -> None:
    said = "<w:t>a</w:t><w:tab/><w:t>b</w:t><w:noBreakHyphen/><w:t>c</w:t><w:softHyphen/><w:t>d\u00ad</w:t><w:br/><w:t>e</w:t>"
    known = '<w:r><w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Symbol" w:char="F0B3"/><w:sym w:font="Arial" w:char="2192"/></w:r>'
    assert shown(p(f"<w:r>{said}</w:r>"), p(known)) == "a\tb-cd\ne\n\nα≥→"
    assert caplog.text == ""
    assert shown(p(run("x"), '<w:r><w:sym w:font="Wingdings" w:char="F04A"/></w:r>')) == "x\ufffd"
    assert "a.docx: not read are 1 signs of symbol fonts" in caplog.text


NOTES = {2: "As of May.", 1: "Sunday too.", 3: "Never referred to."}


def add_notes(document: docx.document.Document) -> None:
    texts = (f'<w:footnote w:id="{id}">{p("<w:r><w:footnoteRef/></w:r>", run(text))}</w:footnote>' for id, text in NOTES.items())
    content = f"<w:footnotes {DECLARED}>{''.join(texts)}</w:footnotes>".encode()
    part = Part(PackURI("/word/footnotes.xml"), CONTENT_TYPE.WML_FOOTNOTES, content, document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)


def test_notes_stand_at_the_end_under_the_sign_that_refers_to_them(shown: Shown) -> None:
    one, two = (f'<w:r><w:rPr>{UP}</w:rPr><w:footnoteReference w:id="{id}"/></w:r>' for id in (1, 2))
    assert shown(p(run("Open"), one, run(" daily."), two), change=add_notes) == "Open[1] daily.[2]\n\n[1] Sunday too.\n\n[2] As of May."


def test_tables_in_tables_are_read_and_merged_cells_stand_in_each_row(shown: Shown) -> None:
    inner = f"<w:tbl><w:tr>{cell(p(run('soft')))}</w:tr></w:tbl>"
    first = cell(p(run("Pier")), '<w:vMerge w:val="restart"/>') + cell(p(run("4 m")) + inner)
    second = cell(p(), "<w:vMerge/>") + cell(p(run("7 m")))
    grid = "<w:tblGrid><w:gridCol/><w:gridCol/></w:tblGrid>"
    assert shown(f"<w:tbl>{grid}<w:tr>{first}</w:tr><w:tr>{second}</w:tr></w:tbl>") == "Pier | 4 m soft\nPier | 7 m"
    big = f"<w:tbl><w:tr>{cell(p(run('a')))}{cell(p(run('b')))}</w:tr><w:tr>{cell(p(run('c')))}{cell(p(run('d')))}</w:tr></w:tbl>"
    assert shown(f"<w:tbl><w:tr>{cell(big)}{cell(p(run('x')))}</w:tr></w:tbl>") == "a | b\nc | d\n\nx"


def test_what_is_left_out_is_counted(shown: Shown, caplog: pytest.LogCaptureFixture) -> None:
    def margins(document: docx.document.Document) -> None:
        document.sections[0].header.paragraphs[0].text = "Confidential"
        document.sections[0].footer.paragraphs[0].text = "12"
        document.add_comment(document.paragraphs[0].runs, text="Really?")

    assert shown(p(run("Text."), "<w:r><w:object><o:OLEObject/></w:object></w:r>"), change=margins) == "Text."
    assert "not read are 1 charts and embedded objects, 1 comments, 1 headers and footers" in caplog.text
    with caplog.at_level(logging.WARNING):
        caplog.clear()
        shown(p(run("Text.")))
    assert caplog.text == ""
