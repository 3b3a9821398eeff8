"""Printed words as they were written: hyphens at line ends, ligatures, blanks."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from fpdf import FPDF

from rag_eval.data.formats.pdf import read_pdf
from rag_eval.data.formats.printed import as_written


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        ("The ﬁrst oﬃce, ﬂat ﬀ", "The first office, flat ff"),
        ("ﺳﻼم", "سلام"),
        ("two  blanks,\u00a0one\u2009kind", "two blanks, one kind"),
        ("har-\nbour and pi\u2010\ner", "harbour and pier"),
        ("har\u00ad\nbour, har\u00adbour", "harbour, harbour"),
        ("North-\nSouth, 1914-\n1918, B-\n12, e-\nmail", "North-South, 1914-1918, B-12, e-mail"),
        ("a well-\nknown man, well-known", "a well-known man, well-known"),
        ("state-of-the-\nart", "state-of-the-art"),
        ("Ein-\nund Ausgang", "Ein- und Ausgang"),
        ("- oak\n- elm\na --\nb -\nc", "- oak\n- elm\na --\nb -\nc"),
        ("x² ½ №", "x² ½ №"),
    ],
)
def test_a_word_is_whole(printed: str, text: str) -> None:
    assert as_written([printed]) == [text]


def test_where_lines_seldom_end_in_hyphens_these_are_the_words_own() -> None:
    lines = "line\n" * 200
    assert as_written([f"{lines}a long-\nterm plan", "wharf-\nside"])[0].endswith("a long-term plan")
    assert as_written([f"{lines}har-\nbour", "The harbour."])[0].endswith("harbour")  # the file has the word elsewhere


def test_a_pdf_with_ligatures_and_cut_words_is_read_as_written(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_font("dejavu", fname=str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))
    pdf.set_font("dejavu", size=12)
    pdf.set_title("The ﬁles")
    for page in ("The chief of\u00a0the ﬁre bri-\ngade is Ida Holm-\ngren.", "\u200b\u200b", "Its oﬃce."):
        pdf.add_page()
        pdf.multi_cell(0, text=page)
    pdf.output(str(tmp_path / "a.pdf"))
    found = read_pdf(tmp_path / "a.pdf")
    assert found.text == "The chief of the fire brigade is Ida Holmgren.\n\n\n\nIts office."
    assert found.title == "The files"
    assert [found.text[at : at + 3] for at in found.meta["pages"]] == ["The", "\n\nI", "Its"]
