"""The HTML report of the table: the three sentences, and a page that stands alone, is accessible and lets no text be markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from experiments.effects.arms import ArmRun
from experiments.study import Found, write_report
from experiments.table import command
from experiments.table.presets import PRESETS
from experiments.table.rows import ROWS
from rag_eval.record.load import read_run
from rag_eval.record.texts import Texts
from rag_eval.recorded_texts import texts_of
from rag_eval.report.claims.claim import Finding, Kind, Missing, Number, Results, Side, TableClaim, judge
from rag_eval.report.claims.html.answer import answer, speaks_for, winner
from rag_eval.report.claims.html.questions import QUESTIONS, Asked, answered
from rag_eval.report.claims.html.summary import Summary, html_of, not_measured, write_summary
from rag_eval.report.claims.loads import LoadMap, Loads
from rag_eval.report.curve import Curve, Point
from rag_eval.report.decision.decision import WinnerMap
from rag_eval.report.html.matrix import Matrix, matrix
from rag_eval.report.table import Figure, Table
from rag_eval.stats.verdict import Claim, Word
from rag_eval.testing.finished_runs import write_run
from tests.claims import every, none_of
from tests.commands import Ended
from tests.experiments.made_matrix import hand_made

Command = Callable[..., Ended]
VOID = {"meta", "link", "input", "br"}
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\u202egnp.exe</script>"
NUMBERS: Mapping[Word, Number | Missing] = {
    "SUPPORTED": Number(0.4, 0.3, 0.5, 200, 60, 1.2, 0.32, 0.48, 0.1),
    "REFUTED": Number(-0.4, -0.5, -0.3, 200, 60, 1.2, -0.48, -0.32, 0.1),
    "INCONCLUSIVE": Number(0.1, -0.1, 0.3, 200, 60, 1.2, -0.05, 0.25, 0.2),
    "NOT MEASURED": Missing("the machine has no GPU"),
}


def finding(word: Word, side: Side = "fine-tuning", kind: Kind = "pro", id: str = "row/claim", text: str = "It is so.") -> Finding:
    """A claim "above 0" that was judged so."""
    claim = Claim(id, text, 0.0, "above")
    found = judge(TableClaim(id, side, kind, claim, "a - b", "a paper", lambda *_: NUMBERS[word], (), metrics=("",)), Results())
    assert found.verdict.word == word
    return found


class Page(HTMLParser):
    """A page that was read: its elements in order, and those that were not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.unclosed: list[str] = []
        self.wrongly_closed: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.unclosed[-1:] == [tag]:
            self.unclosed.pop()
        else:
            self.wrongly_closed.append(tag)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, attribute: str) -> list[str]:
        """The values of an attribute, of all elements."""
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]


def summary(found: Matrix, text: str = "It is so.") -> Summary:
    """A report with every kind of content."""
    rows = {
        "Customization": [finding("SUPPORTED", text=text), finding("REFUTED", "RAG", "pro", "row/second"), finding("NOT MEASURED", id="c")],
        "Inference time": [finding("INCONCLUSIVE", "RAG", "con", "inference-time/fine-tuning-slowest-answers", text)],
    }
    curve = Curve("recall-by-size", text, text, "recall", {text: (Point(1e3, 0.9, 0.8, 1.0, 9), Point(1e4, 0.8)), "b": (Point(1e3, 0.5),)})
    return Summary("Fine-tuning versus RAG", text, rows, {"Customization": [curve]}, found, {}, [text], LOADS)


LOADS = Loads(
    Table("What the maps rest on", "Of the first world.", ("side", "p95, ms"), (("rag", Figure(60.0)),)),
    [
        LoadMap("Which side costs less", WinnerMap((10.0, 1e3), (0.1, 1e3), (("rag", "finetune"), ("rag", "no winner")))),
        LoadMap("Which side is right and costs less", None, "neither side meets it"),
    ],
    "Costs are those of a month.",
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return html_of(summary(hand_made(tmp_path_factory.mktemp("runs"))))


def test_the_sentences_count_the_verdicts_and_name_winners() -> None:
    rows = {
        "Cost": [finding("SUPPORTED"), finding("REFUTED", kind="con"), finding("INCONCLUSIVE", "RAG")],
        "Speed": [finding("SUPPORTED", "RAG"), finding("SUPPORTED", "fine-tuning")],
    }
    first, second, third = answer(rows, "a small model")
    assert first == "The verdicts on 5 claims, measured on a small model: 3 supported, 1 refuted and 1 inconclusive."
    assert second == (
        "What was supported: of fine-tuning 2 of 2 claimed advantages and 0 of 1 claimed drawbacks; "
        "of RAG 1 of 2 claimed advantages and 0 of 0 claimed drawbacks."
    )
    assert third.startswith("There is no winner in any row:")  # of Cost a third is supported, of Speed both sides are
    rows["Size"] = [finding("SUPPORTED"), finding("SUPPORTED", "RAG", "con"), finding("INCONCLUSIVE")]
    assert answer(rows, "x")[2].startswith("Fine-tuning wins Size; there is no winner in Cost and Speed:")


def test_where_intervals_allow_none_there_is_no_winner() -> None:
    rows = {"Cost": [finding("INCONCLUSIVE"), finding("INCONCLUSIVE", "RAG")], "Speed": [finding("NOT MEASURED")]}
    sentences = answer(rows, "x")
    assert "2 inconclusive and 1 not measured" in sentences[0]
    assert sentences[2].startswith("There is no winner in any row:")
    assert "wins" not in sentences[2]


def test_of_nothing_nothing_is_said() -> None:
    first, _, third = answer({}, "x")
    assert first == "Nothing was claimed and nothing measured."
    assert third.startswith("There is no winner in any row:")


@pytest.mark.parametrize(
    ("word", "side", "kind", "expected"),
    [
        ("SUPPORTED", "RAG", "pro", "RAG"),
        ("SUPPORTED", "RAG", "con", "fine-tuning"),
        ("REFUTED", "RAG", "pro", None),  # that RAG lacks an advantage gives fine-tuning none
        ("REFUTED", "fine-tuning", "con", None),
        ("INCONCLUSIVE", "RAG", "pro", None),
        ("NOT MEASURED", "RAG", "pro", None),
    ],
)
def test_a_claim_speaks_for_a_side_only_when_it_is_supported(word: Word, side: Side, kind: Kind, expected: Side | None) -> None:
    assert speaks_for(finding(word, side, kind)) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["SUPPORTED", "SUPPORTED", "NOT MEASURED"], "fine-tuning"),
        (["SUPPORTED", "INCONCLUSIVE"], None),  # half are not more than half
        (["SUPPORTED", "SUPPORTED", "REFUTED"], "fine-tuning"),
        (["SUPPORTED", "REFUTED"], None),
        ([], None),
    ],
)
def test_a_row_is_won_where_most_claims_are_supported_and_all_for_one_side(words: Sequence[Word], expected: Side | None) -> None:
    assert winner([finding(word) for word in words]) == expected


def test_questions_are_answered_by_claims_or_not_at_all() -> None:
    rows = {"Cost": [finding("SUPPORTED", id="a")]}
    found = answered(rows, [Asked("One?", ("a", "b")), Asked("Two?", ("b",))])
    assert [[(name, one.claim.id) for name, one in asked.findings] for asked in found] == [[("Cost", "a")], []]


@pytest.mark.skipif(not ROWS, reason="the table has no rows")
def test_questions_are_answered_by_claims_of_the_table() -> None:
    known = {claim.id for row in ROWS for claim in row.claims(PRESETS["laptop"])}
    assert every(id in known for asked in QUESTIONS for id in asked.claims)


def test_claims_without_a_number_are_listed_with_the_reason() -> None:
    table = not_measured({"Cost": [finding("SUPPORTED"), finding("NOT MEASURED", id="c")]})
    assert table.rows == (("c", "Cost", "It is so.", "the machine has no GPU"),)


def test_the_page_is_well_formed_and_its_ids_are_unique(page: str) -> None:
    read = Page(page)
    assert not read.unclosed
    assert not read.wrongly_closed
    assert len(read.values("id")) == len(set(read.values("id")))


def test_the_page_stands_alone(page: str) -> None:
    read = Page(page)
    assert not read.all("script")
    assert not {"src", "srcset", "background", "action"} & {name for _, attributes in read.elements for name in attributes}
    assert none_of(name.startswith("on") for _, attributes in read.elements for name in attributes)
    assert every(value.startswith(("#", "data:")) for value in read.values("href"))
    assert not re.search(r"url\(|@import", page)
    policy = [one["content"] for one in read.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_links_and_buttons_lead_somewhere(page: str) -> None:
    read = Page(page)
    ids = set(read.values("id"))
    assert every(value.removeprefix("#") in ids for value in read.values("href") if value.startswith("#"))
    named = [*read.values("popovertarget"), *read.values("for"), *" ".join(read.values("aria-labelledby")).split()]
    assert every(value in ids for value in named)


def test_the_page_is_accessible(page: str) -> None:
    read = Page(page)
    assert read.all("html")[0]["lang"] == "en"
    assert len(read.all("title")) == 1 + len(read.all("svg")) - page.count('class="chart swatch')
    assert len(read.all("caption")) == len(read.all("table")) > 0
    assert every(one.get("scope") in ("row", "col") for one in read.all("th"))
    assert every(one.get("role") == "img" or one.get("aria-hidden") == "true" for one in read.all("svg"))
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert every(after <= before + 1 for before, after in pairwise(levels))
    assert every(one.get("aria-label") for one in (*read.all("nav"), *(a for _, a in read.elements if a.get("role") == "region")))


def test_the_page_follows_the_reader(page: str) -> None:
    assert every(part in page for part in ("prefers-color-scheme:dark", "@media print", "width=device-width"))


@pytest.mark.parametrize("scheme", [0, 1])
def test_colours_of_text_have_contrast(page: str, scheme: int) -> None:
    colors = dict(re.findall(r"--(\w+):(#\w+)", re.findall(r":root\{([^}]*)\}", page)[scheme]))
    backgrounds, inks = ("bg", "box"), ("ink", "soft", "link", "good", "bad", "mid", "none")
    assert every(contrast(colors[one], colors[other]) >= 4.5 for one in inks for other in backgrounds)
    assert every(contrast(colors["ink"], colors[other]) >= 4.5 for other in ("mark", "gold", "first", "second"))


def contrast(one: str, other: str) -> float:
    """The ratio of luminances of WCAG 2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    digits = color[1:] if len(color) == 7 else "".join(2 * one for one in color[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_contents_stand_in_their_order(page: str) -> None:
    titles = ["The answer", "Row by row", "Question by question", "Conditions", "What people ask", "Which side at which load"]
    assert re.findall(r"<h2[^>]*>([^<]*)</h2>", page) == titles


def test_a_cell_says_verdict_number_interval_n_and_clusters_and_leads_to_its_claim(page: str) -> None:
    cell = page.index('data-cell="fine-tuning, pro"')
    told = page[cell : page.index("</td>", cell)]
    assert every(
        part in told for part in ("SUPPORTED", "0.400 [0.300, 0.500]", "n 200, 60 clusters, design effect 1.20", 'href="#claim-row-claim"')
    )


def test_what_no_claim_answers_is_not_measured(page: str) -> None:
    asked = page[page.index('id="asked"') :]
    assert re.search(r"Does a fine-tuned model forget\?</dt>\s*<dd>not measured</dd>", asked)
    assert re.search(r"How much slower is RAG\?</dt>\s*<dd><ul>\s*<li><span[^>]*>INCONCLUSIVE", asked)
    assert re.search(r"below 100 examples use RAG&#34;\?</dt>\s*<dd><p>No training has so few examples", asked)


def test_a_claim_of_the_table_without_a_number_is_folded_behind_its_count(page: str) -> None:
    cell = page[page.index('data-cell="fine-tuning, pro"') : page.index('data-cell="fine-tuning, con"')]
    assert re.search(r"<details><summary><span[^>]*>1 NOT MEASURED</span></summary><ul>\s*<li><a href=\"#claim-c\"", cell)
    assert cell.index("SUPPORTED") < cell.index("NOT MEASURED")


def test_the_page_says_which_side_costs_less_at_which_load(page: str) -> None:
    loads = page[page.index('id="loads"') :]
    assert "Costs are those of a month." in loads
    assert every(f'<th scope="col">{n} a day</th>' in loads for n in ("10", "1,000"))
    assert re.search(r'<th scope="row">0.1</th><td class="first">rag</td><td class="second">finetune</td>', loads)
    assert re.search(r'<th scope="row">1,000</th><td class="first">rag</td><td class="none">no winner</td>', loads)
    assert "No winner at any load: neither side meets it." in loads
    assert "Of the first world." in loads


def test_where_the_loads_were_not_decided_the_page_says_why(tmp_path: Path) -> None:
    page = html_of(replace(summary(hand_made(tmp_path)), loads="finetune: not run"))
    assert "Not measured: finetune: not run." in page[page.index('id="loads"') :]


def test_filters_need_no_script(page: str) -> None:
    read = Page(page)
    assert [one["id"] for one in read.all("input")] == [
        *("show-all", "show-retrieval-right", "show-tuned-right", "show-both-wrong", "show-evidence-missed")
    ]
    kinds = [str(one["class"]).split()[1:] for one in read.all("li") if str(one.get("class")).split()[0] == "q"]
    assert len(kinds) == 4
    for name in ("retrieval-right", "tuned-right", "both-wrong", "evidence-missed"):
        assert f"#questions:has(#show-{name}:checked) .q:not(.{name}){{display:none}}" in page
        label = re.search(rf'<label for="show-{name}">[^<]*\((\d+)\)</label>', page)
        assert label is not None
        assert int(label[1]) == sum(name in of_one for of_one in kinds)


def test_a_passage_is_stored_once(page: str) -> None:
    assert page.count(">2 A passage.<") == 1
    assert page.count('popovertarget="p') > page.count('<div popover id="p')


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    page = html_of(summary(hand_made(tmp_path, 2, HOSTILE, HOSTILE), HOSTILE))
    read = Page(page)
    assert not read.all("img")
    assert not read.all("script")
    assert not read.unclosed
    assert not read.wrongly_closed
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;␛[2J[U+202E]gnp.exe&lt;/script&gt;") > 20


def test_the_page_keeps_to_its_size(tmp_path: Path) -> None:
    found = hand_made(tmp_path, 500, "Some words of a long question or answer " * 40, "Some words of a long passage, é. " * 100)
    page = html_of(summary(found))
    assert len(found.questions) == 500
    assert len(found.arms) == 6
    assert len(page.encode()) <= 3_000_000
    assert "characters]" in page


def test_more_questions_than_are_listed_are_counted(tmp_path: Path) -> None:
    found = hand_made(tmp_path)
    page = html_of(summary(Matrix(**{**vars(found), "n_asked": 2_500})))
    assert "4 of 2,500 questions, those on which the arms differ most: at most 2,000 are listed" in page


def test_a_report_without_rows_and_runs_is_written() -> None:
    page = html_of(Summary("Nothing", "x", {}, {}, matrix([])))
    assert "No row was chosen." in page
    assert not Page(page).wrongly_closed


def test_the_page_and_its_figures_are_written(tmp_path: Path) -> None:
    assert write_summary(summary(matrix([])), tmp_path) == [tmp_path / "summary.html", tmp_path / "figures"]
    assert sorted(one.name for one in (tmp_path / "figures").iterdir()) == ["recall-by-size.png", "recall-by-size.svg"]


def test_texts_are_made_again_from_the_configuration(command: Command) -> None:
    ended = command("mode=rag", "retriever/embedder=hashed", "generator=scripted", "dataset.preset=ci", "limit=20")
    run = read_run(ended.directory)
    texts = texts_of(run)
    assert list(texts.examples) == list(run.rows)
    assert texts.prompts.keys() == run.rows.keys()
    assert texts.lacking == ""
    assert every(id in texts.documents for said in run.predictions.values() for id in said.in_prompt)


def test_a_prompt_of_another_digest_is_not_shown(command: Command) -> None:
    ended = command("mode=rag", "retriever/embedder=hashed", "generator=scripted", "dataset.preset=ci", "limit=20")
    run = read_run(ended.directory)
    first = next(iter(run.rows))
    said = {**run.predictions, first: replace(run.predictions[first], prompt_sha="another")}
    texts = texts_of(replace(run, predictions=said))
    assert set(run.rows) - set(texts.prompts) == {first}
    assert texts.lacking == "the prompts of 1 question could not be written again"


def test_texts_of_another_dataset_are_not_shown(command: Command) -> None:
    ended = command("mode=rag", "retriever/embedder=hashed", "generator=scripted", "dataset.preset=ci", "limit=20")
    run = read_run(ended.directory)
    compared = replace(run.record.facts.comparison, dataset="0" * 64)
    changed = replace(run, record=replace(run.record, facts=replace(run.record.facts, comparison=compared)))
    assert texts_of(changed) == Texts(lacking="its dataset has changed since")


def test_the_command_writes_page_figures_and_data(tmp_path: Path) -> None:
    found: Found[Any, Any] = Found()
    for mode in ("rag", "closed_book"):
        found[ArmRun(mode, 0, 0)] = write_run(tmp_path / "runs", mode, mode, [{"answer/em": 1.0}], context="none")
    options = command.Options(rows=(), out=tmp_path)
    report = command.report(options, found)
    write_report(tmp_path, "summary", "A title", report, ["a note"])
    assert {one.name for one in tmp_path.iterdir() if one.is_file()} == {"summary.html", "summary.md", "table.json"}
    data = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert (data["rows"], data["notes"]) == ([], ["a note"])
    assert "sections" not in data  # which would say the same again
    assert "closed_book" in (tmp_path / "summary.html").read_text(encoding="utf-8")
