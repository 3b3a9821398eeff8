"""A folder of documents of every type, made here, and questions about them."""

from __future__ import annotations

import codecs
import json
import logging
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docx
import pypdf
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from fpdf import FPDF

from rag_eval.data.formats.html_page import read_html
from rag_eval.data.formats.word import read_docx
from rag_eval.data.sources.folder import folder
from rag_eval.errors import DataError
from rag_eval.types import Document, QADataset

PAGE = """<!DOCTYPE html><html><head><title> Opening
 hours </title><style>p {color: red}</style></head><body><nav>Home | Shop</nav>
<main><h1>Opening</h1><p>Open from <b>nine</b> to&nbsp;five.<br>Closed on Sunday.</p><!-- secret --><script>alert(1)</script>
<ul><li>Egypt</li><li>Peru</li></ul><table><tr><th>Day</th><th>Till</th></tr><tr><td>Friday</td><td>four<p>sharp</p></td></tr></table>
<pre>a
  b</pre></main><footer>Imprint</footer></body></html>"""


def write_pdf(path: Path, *pages: str, title: str = "", password: str = "") -> None:
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    if title:
        pdf.set_title(title)
    if password:
        pdf.set_encryption(owner_password="owner", user_password=password)
    for page in pages:
        pdf.add_page()
        if page:
            pdf.multi_cell(0, text=page)
    pdf.output(str(path))


def write_docx(path: Path, title: str = "") -> None:
    document = docx.Document()
    document.core_properties.title = title
    document.add_heading("Warranty", level=1)
    document.add_paragraph("It lasts two years.")
    table = document.add_table(rows=2, cols=2)
    for at, text in enumerate(("Part", "Years", "Motor", "five")):
        table.cell(at // 2, at % 2).text = text
    table.add_row().cells[0].merge(table.rows[-1].cells[1]).text = "all the rest: two"
    document.add_paragraph("Keep the bill.")
    document.save(str(path))


QUESTIONS = [
    {"id": f"q{at}", "question": f"{asked}?", "answers": [answer], "evidence": [file]}
    for at, (asked, answer, file) in enumerate(
        [
            *((f"What is note {n}", f"note {n}", "notes.txt") for n in range(4)),
            *((f"What is step {n}", f"step {n}", "guides/start.md") for n in range(4)),
            *((f"When is day {n}", f"day {n}", "hours.html") for n in range(4)),
            *((f"What is rule {n}", f"rule {n}", "rules.pdf") for n in range(4)),
            *((f"How long is term {n}", f"term {n}", "guides/warranty.docx") for n in range(4)),
        ]
    )
]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """One file of every type, one of them hidden, one a picture."""
    root = tmp_path / "DOCS"
    (root / "guides").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git" / "config.txt").write_text("hidden")
    (root / "~$warranty.docx").write_bytes(b"\0")
    (root / "notes.txt").write_bytes(codecs.BOM_UTF8 + "Café notes.\r\n\r\nSecond.\r\n".encode())
    (root / "guides" / "start.md").write_text("```sh\n# no heading\n```\n## First *steps* ##\n\nPlug it in.\n")
    (root / "hours.html").write_text(PAGE)
    (root / "old.HTM").write_bytes('<meta charset="windows-1252"><h1>Old</h1><p>Café'.encode("cp1252"))
    write_pdf(root / "rules.pdf", "No smoking.", "", "No dogs.", title="House rules")
    write_docx(root / "guides" / "warranty.docx")
    (root / "photo.PNG").write_bytes(b"\x89PNG")
    return root


def load(root: Path, questions: Any = QUESTIONS, name: str = "QA.jsonl", train_share: float = 0.0) -> QADataset:
    file = root.parent / name
    content = questions if isinstance(questions, bytes) else b"".join(json.dumps(row).encode() + b"\n" for row in questions)
    file.write_bytes(content)
    return folder(str(root), str(file), train_share, 0)


def fault(root: Path, *more: Any) -> str:
    with pytest.raises(DataError) as raised:
        load(root, *more)
    return str(raised.value).replace(f"{root.parent}/", "")


def test_every_type_of_file_becomes_a_document_with_its_own_title(docs: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        dataset = load(docs)
    assert dataset.name == "folder-DOCS"
    assert len(dataset.test) == 20
    table = "Day | Till\nFriday | four sharp"
    assert dataset.documents == (
        Document(
            "guides/start.md", "```sh\n# no heading\n```\n## First *steps* ##\n\nPlug it in.", "First *steps*", {"format": "markdown"}
        ),
        Document(
            "guides/warranty.docx",
            "Warranty\n\nIt lasts two years.\n\nPart | Years\nMotor | five\nall the rest: two\n\nKeep the bill.",
            "Warranty",
            {"format": "docx"},
        ),
        Document(
            "hours.html",
            f"Opening\n\nOpen from nine to five.\nClosed on Sunday.\n\nEgypt\n\nPeru\n\n{table}\n\na\n  b",
            "Opening hours",
            {"format": "html"},
        ),
        Document("notes.txt", "Café notes.\n\nSecond.", "notes", {"format": "text"}),
        Document("old.HTM", "Old\n\nCafé", "Old", {"format": "html"}),
        Document("rules.pdf", "No smoking.\n\n\n\nNo dogs.", "House rules", {"format": "pdf", "pages": [0, 13, 15]}),
    )
    assert "rules.pdf: 1 of 3 pages hold no text" in caplog.text
    assert f"{docs}: passed over 1 files of other types (1 .png); read are .txt, .md" in caplog.text


def test_a_word_file_with_a_title_is_called_by_it_and_a_pdf_without_by_its_name(tmp_path: Path) -> None:
    write_docx(tmp_path / "a.docx", "Terms")
    write_pdf(tmp_path / "b.pdf", "Text.")
    asked = {"id": "q", "question": "Who?", "answers": "x", "evidence": "b.pdf"}
    (tmp_path / "QA.jsonl").write_text(json.dumps(asked))
    found = folder(str(tmp_path), str(tmp_path / "QA.jsonl"), 0.0, 0)
    assert [document.title for document in found.documents] == ["Terms", "b"]


def test_a_word_file_without_properties_is_called_by_its_first_heading_or_its_name(tmp_path: Path) -> None:
    write_docx(tmp_path / "made", "Terms")
    with zipfile.ZipFile(tmp_path / "made") as whole, zipfile.ZipFile(tmp_path / "a.docx", "w") as bare:
        for name in whole.namelist():
            content = whole.read(name)
            if name == "_rels/.rels":
                content = re.sub(rb'<Relationship [^>]*core-properties"[^>]*/>', b"", content)
            if name != "docProps/core.xml":
                bare.writestr(name, content)
    assert read_docx(tmp_path / "a.docx").title == "Warranty"


def test_content_controls_and_tracked_changes_of_word_are_read_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_paragraph("First.")
    table = "<w:tbl><w:tr><w:sdt><w:sdtContent><w:tc><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc></w:sdtContent></w:sdt></w:tr></w:tbl>"
    inner = "<w:sdt><w:sdtContent><w:r><w:t>seven</w:t></w:r></w:sdtContent></w:sdt>"
    changed = (
        "<w:p><w:r><w:t>It is </w:t></w:r><w:del><w:r><w:delText>six</w:delText></w:r></w:del>"
        f'<w:ins>{inner}<w:r><w:t xml:space="preserve"> days</w:t></w:r></w:ins><w:r><w:t>.</w:t></w:r></w:p>'
    )
    control = f"<w:sdt {nsdecls('w')}><w:sdtPr/><w:sdtContent>{changed}{table}</w:sdtContent></w:sdt>"
    document.paragraphs[0]._p.addnext(parse_xml(control))
    document.add_paragraph("Last.")
    document.save(str(tmp_path / "a.docx"))
    assert read_docx(tmp_path / "a.docx").text == "First.\n\nIt is seven days.\n\ncell\n\nLast."


def test_code_of_a_page_keeps_its_lines_and_a_drawing_gives_no_title(tmp_path: Path) -> None:
    code = "<pre><code>pip install a\npip install b</code></pre>"
    (tmp_path / "a.html").write_text(f"<body><p><svg><title>Arrow</title></svg></p><h1>Setup</h1>{code}</body>")
    found = read_html(tmp_path / "a.html")
    assert found.title == "Setup"
    assert found.text.endswith("Setup\n\npip install a\npip install b")


def test_pages_of_a_pdf_begin_where_the_meta_says(docs: Path) -> None:
    document = next(one for one in load(docs).documents if one.id == "rules.pdf")
    assert [document.text[at:].split("\n")[0] for at in document.meta["pages"]] == ["No smoking.", "", "No dogs."]


def test_the_same_folder_gives_the_same_dataset(docs: Path) -> None:
    assert load(docs) == load(docs, train_share=0.0)
    assert [len(part) for part in (load(docs, train_share=0.5).train, load(docs, train_share=0.5).test)] == [4, 12]


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.txt": (lambda path: path.touch(), "is empty (0 bytes); expected text"),
    "blank.md": (lambda path: path.write_text(" \n\n"), "holds no text; leave it out of the folder"),
    "bare.html": (lambda path: path.write_text("<script>f()</script>"), "holds no text; leave it out of the folder"),
    "latin.txt": (lambda path: path.write_bytes(b"caf\xe9"), "byte 3 of the file is not UTF-8; re-encode the file as UTF-8"),
    "wide.txt": (lambda path: path.write_text("wide", encoding="utf-16"), "is UTF-16; re-encode it as UTF-8; expected text"),
    "lied.html": (lambda path: path.write_bytes(b'<meta charset="euc-kr">caf\xe9'), "byte 26 of the file is not in euc-kr, the encoding"),
    "odd.html": (lambda path: path.write_bytes(b'<meta charset="klingon">\xe9'), "byte 24 of the file is not UTF-8, and 'klingon', the"),
    "unseen.txt": (lambda path: path.write_text("\u200b \ufeff\u2060\x07\u3164"), "holds no text; leave it out of the folder"),
    "deep.html": (lambda path: path.write_text("<b>" * 5000 + "x"), "is nested too deeply"),
    "nul.txt": (lambda path: path.write_bytes(b"a\0b"), r"id nul.txt text: holds the character NUL: 'a\x00b'"),
    "secret.pdf": (lambda path: write_pdf(path, "Text.", password="pw"), "is encrypted; save it without a password"),
    "scan.pdf": (lambda path: write_pdf(path, "", ""), "holds no text on its 2 pages: are they scanned?"),
    "cut.pdf": (lambda path: path.write_bytes(b"%PDF-1.4\n1 0 obj"), "is no PDF that can be read ("),
    "none.pdf": (lambda path: path.touch(), "is no PDF that can be read (EmptyFileError"),
    "text.docx": (lambda path: path.write_text("no zip"), "is no .docx that can be read ("),
    "away.txt": (lambda path: path.symlink_to("/etc/hostname"), "is a link out of the folder"),
    "lost.txt": (lambda path: path.symlink_to("nowhere.txt"), "does not exist"),
    "loop.txt": (lambda path: path.symlink_to("loop.txt"), "cannot be read: "),
    "etc": (lambda path: path.symlink_to("/etc"), "is a link out of the folder"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(docs: Path, name: str) -> None:
    make, message = CASES[name]
    make(docs / name)
    found = fault(docs)
    assert found.startswith(f"DOCS/{name} {message}")
    assert "\n" not in found


def test_all_files_that_cannot_be_read_are_listed_at_once_with_faulty_questions(docs: Path) -> None:
    for name in ("empty.txt", "secret.pdf"):
        CASES[name][0](docs / name)
    found = fault(docs, [QUESTIONS[0], QUESTIONS[0]]).splitlines()
    assert found[0].startswith("3 problems in DOCS and QA.jsonl, first: DOCS/empty.txt is empty")
    assert [line.split()[0] for line in found[1:]] == ["DOCS/secret.pdf", "QA.jsonl:2"]


def test_a_link_inside_the_folder_is_a_document_of_its_own_and_never_followed_to_a_folder(docs: Path) -> None:
    (docs / "again.txt").symlink_to("notes.txt")
    (docs / "guides" / "up").symlink_to("..")
    assert [one.id for one in load(docs).documents if one.id not in (QUESTIONS[at]["evidence"][0] for at in range(20))] == [
        "again.txt",
        "old.HTM",
    ]


def test_a_name_that_is_not_utf_8_is_refused(docs: Path) -> None:
    Path(str(docs) + "/caf\udce9.txt").write_text("x")
    assert fault(docs) == r"DOCS/caf\udce9.txt has a name that is not UTF-8; rename it"


def test_a_folder_that_is_none_or_holds_nothing_to_read_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "D"
    assert fault(root).startswith("D does not exist (looked in ")
    root.mkdir()
    assert fault(root).startswith("D holds no file of the types .txt, .md,")
    assert fault(tmp_path / "QA.jsonl").startswith("QA.jsonl is a file; give the path of a folder")


def test_a_protected_pdf_that_anyone_may_open_is_read(tmp_path: Path) -> None:
    (tmp_path / "D").mkdir()
    pdf = pypdf.PdfWriter()
    write_pdf(tmp_path / "plain.pdf", "Text.")
    pdf.append(str(tmp_path / "plain.pdf"))
    pdf.encrypt(user_password="", owner_password="owner", algorithm="RC4-128")
    pdf.write(str(tmp_path / "D" / "a.pdf"))
    assert load(tmp_path / "D", [{"id": "q", "question": "Who?", "answers": "x"}]).documents[0].text == "Text."


def test_a_folder_of_plain_text_loads_no_library_of_other_types(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Text.")
    program = (
        "import sys; from pathlib import Path; from rag_eval.data.rows.document_files import read_file\n"
        f"read_file(Path({str(tmp_path / 'a.txt')!r})); print(sorted({{'bs4', 'docx', 'pypdf'}} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_two_thousand_files_are_read_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "D").mkdir()
    for at in range(2000):
        (tmp_path / "D" / f"{at}.txt").write_text(f"Text {at}.")
    begun = time.perf_counter()
    assert len(load(tmp_path / "D", [{"id": "q", "question": "Who?", "answers": "x"}]).documents) == 2000
    assert time.perf_counter() - begun < 20
