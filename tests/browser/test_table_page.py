"""The page of the table in a browser: it stands alone, fits a phone, filters, opens, prints, and has contrast in light and dark."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from rag_eval.report.claims.html.summary import Summary, write_summary
from rag_eval.report.html.matrix import FILTERS
from tests.browser.table_page import N, summary
from tests.browser.watched import Watched
from tests.claims import every

pytestmark = pytest.mark.browser

Open = Callable[..., Watched]
WIDTHS, SCHEMES = (380, 1100), ("light", "dark")
SECTIONS = ("answer", "rows", "questions", "conditions", "asked", "loads")
# The text elements whose contrast with what lies behind them is too low, by WCAG 2: 4.5, or 3 where letters are large.
FAINT = """
() => {
  const parts = color => (color.match(/[\\d.]+/g) || []).map(Number);
  const channel = one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
  const light = rgb => [0.2126, 0.7152, 0.0722].reduce((sum, weight, at) => sum + weight * channel(rgb[at] / 255), 0);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const color = parts(getComputedStyle(one).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter(one => !one.closest("svg") && one.checkVisibility()
    && [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
  const faint = texts.filter(one => {
    const style = getComputedStyle(one), [dark, bright] = [light(parts(style.color)), light(behind(one))].sort((a, b) => a - b);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    return (bright + 0.05) / (dark + 0.05) < (isLarge ? 3 : 4.5);
  });
  return [texts.length, faint.map(one => one.outerHTML.slice(0, 120))];
}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return summary(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def address(made: Summary, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_summary(made, tmp_path_factory.mktemp("report"))[0].as_uri()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_loads_nothing_else_and_complains_of_nothing(open_page: Open, address: str, width: int, scheme: str) -> None:
    one = open_page(address, width, scheme, is_fresh=True)
    one.open_everything()
    assert every(request == address or request.startswith("data:") for request in one.requests)
    assert one.complaints == []
    assert one.of("window.violations") == []


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_does_not_scroll_sideways(open_page: Open, address: str, width: int, is_open: bool) -> None:
    one = open_page(address, width)
    (one.open_everything if is_open else one.close_everything)()
    root = "document.documentElement"
    assert one.of(f"[{root}.scrollWidth, {root}.clientWidth]") == [width, width]
    one.close_everything()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_shows_the_questions_that_it_names(open_page: Open, address: str, made: Summary, name: Any, width: int) -> None:
    one = open_page(address, width)
    expected = [f"q{question.number}" for question in made.matrix.questions if name in question.filters]
    assert 0 < len(expected) < N
    one.page.get_by_label(f"{FILTERS[name]} ({len(expected)})", exact=True).check()
    assert one.visible(".q") == expected
    one.page.get_by_label(f"all ({N})", exact=True).check()
    assert len(one.visible(".q")) == N


@pytest.mark.parametrize("width", WIDTHS)
def test_figures_are_seen(open_page: Open, address: str, made: Summary, width: int) -> None:
    one = open_page(address, width)
    boxes = one.of("[...document.querySelectorAll('figure > svg')].map(one => [one.clientWidth, one.clientHeight])")
    assert len(boxes) == sum(map(len, made.curves.values())) > 0
    assert every(300 < across <= width and up > 200 for across, up in boxes)
    inside = """
    [...document.querySelectorAll('figure > svg text')].every(text => {
      const box = text.getBoundingClientRect(), svg = text.ownerSVGElement.getBoundingClientRect();
      return box.width > 0 && box.left >= svg.left - 1 && box.right <= svg.right + 1 && box.top >= svg.top - 1
        && box.bottom <= svg.bottom + 1;
    })
    """
    assert one.of(inside)


def test_a_question_opens_by_key_to_its_answers(open_page: Open, address: str, made: Summary) -> None:
    one = open_page(address)
    table = one.page.locator("#q1 table")
    assert not table.is_visible()
    one.page.locator("#q1 > details > summary").press("Enter")
    assert table.is_visible()
    assert table.locator("th[scope=row]").all_inner_texts() == list(made.matrix.arms)
    one.page.locator("#q1 > details > summary").press("Enter")
    assert not table.is_visible()


def test_a_passage_and_a_prompt_open_over_the_page_and_close_by_key(open_page: Open, address: str, made: Summary) -> None:
    one = open_page(address, 380)
    one.page.locator("#q1 > details > summary").click()
    for kind, text in (("p", made.matrix.questions[0].passages[0].text), ("f", made.matrix.frames[0].text)):
        button = one.page.locator(f"#q1 button[popovertarget^={kind}]").first
        overlay = one.page.locator(f"#{button.get_attribute('popovertarget')}")
        assert not overlay.is_visible()
        button.click()
        assert overlay.is_visible()
        assert str(text) in overlay.inner_text()
        box = overlay.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 380
        one.page.keyboard.press("Escape")
        assert not overlay.is_visible()
    one.close_everything()


def test_a_claim_in_a_cell_leads_to_how_it_was_measured(open_page: Open, address: str) -> None:
    one = open_page(address, is_fresh=True)
    link = one.page.locator(".cells td ul > li > a").first
    link.click()
    row = one.page.locator(str(link.get_attribute("href")))
    assert -1 < row.bounding_box()["y"] < 900
    assert link.inner_text() in row.inner_text()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_text_has_contrast(open_page: Open, address: str, scheme: str) -> None:
    one = open_page(address, 1100, scheme)
    one.open_everything()
    n_texts, faint = one.of(FAINT)
    assert n_texts > 1000
    assert faint == []
    one.close_everything()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_print_shows_all_that_is_folded_away_on_white(open_page: Open, address: str, made: Summary, scheme: str) -> None:
    one = open_page(address, 1100, scheme, is_fresh=True)
    one.page.emulate_media(media="print", color_scheme=scheme)
    assert one.of("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(one.visible(".q")) == N
    folded = "[...document.querySelectorAll('details > :not(summary), [popover]')]"
    assert one.of(f"{folded}.length") > N
    assert one.of(f"{folded}.filter(one => !(one.getBoundingClientRect().height > 0)).map(one => one.outerHTML.slice(0, 100))") == []
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(one.page.pdf(format="A4"))).pages)
    assert every(str(one.text) in text for one in made.matrix.passages)
    assert text.count("Answers") >= N


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_no_serious_fault(open_page: Open, address: str, axe: str, width: int, scheme: str) -> None:
    one = open_page(address, width, scheme, is_fresh=True)
    one.of("() => document.querySelectorAll('details').forEach((one, at) => { one.open = at % 4 === 0 })")
    one.of(axe)
    found = one.of("() => axe.run(document, {resultTypes: ['violations']}).then(all => all.violations)")
    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found if fault["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pictures_of_each_section_are_kept(open_page: Open, address: str, screenshots: Path, width: int, scheme: str) -> None:
    one = open_page(address, width, scheme, is_fresh=True)
    one.of("() => document.querySelectorAll('#q1 > details, #questions details').forEach((one, at) => { one.open = at < 1 })")
    for section in SECTIONS:
        one.of("id => document.getElementById(id).scrollIntoView()", section)
        path = screenshots / f"table-{section}-{width}-{scheme}.png"
        one.page.screenshot(path=path)
        assert path.stat().st_size > 5_000
