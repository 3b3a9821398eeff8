"""Parts of an HTML report: text made visible, answers beside gold, figures, and the matrix of questions by arms."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rag_eval.record.load import RecordedRun
from rag_eval.record.texts import Texts
from rag_eval.report.curve import Curve, Point
from rag_eval.report.html.axis import axis, tick_text
from rag_eval.report.html.budget import SHORTEST, cut, longest_kept
from rag_eval.report.html.difference import Piece, difference, shortened
from rag_eval.report.html.line_chart import as_file, description, line_chart, n_left_out
from rag_eval.report.html.matrix import FILTERS, PASSAGE, QUESTION, Block, Matrix, comparable, matrix
from rag_eval.report.html.visible import element_id, visible
from rag_eval.report.line_picture import write_lines
from rag_eval.testing.finished_runs import write_run
from rag_eval.types import Document, Example, Prompt
from tests.claims import every, none_of

SVG = "{http://www.w3.org/2000/svg}"
KINDS: Mapping[str, Mapping[str, Any]] = {
    "closed_book": {"context": "none", "weights": "base"},
    "finetune": {"context": "none", "weights": "trained"},
    "rag": {"context": "retrieved", "weights": "base"},
    "oracle": {"context": "gold", "weights": "base"},
}
DOCUMENTS = {id: Document(id, f"Text of {id}.", title=f"About {id}") for id in ("d0", "d1", "d2", "other")}


def run(root: Path, mode: str, right: str, held: str = "", changes: Mapping[str, Any] | None = None, **facts: Any) -> RecordedRun:
    """A run whose questions are right where a character is 1 and not judged where it is -; `held` is whether the evidence was there."""
    values = {"0": 0.0, "1": 1.0, "-": None}
    rows: list[dict[str, Any]] = [{"answer/em": values[one]} for one in right]
    for row, one in zip(rows, held, strict=False):
        row["prompt/holds_evidence"] = values[one]
    return write_run(root, f"{mode}-{len(list(root.glob('*/*')))}", mode, rows, predictions=changes or {}, **KINDS[mode], **facts)


def of(root: Path, **right: str) -> Matrix:
    """The matrix of runs by mode."""
    return matrix([Block("", {mode: run(root, mode, marks) for mode, marks in right.items()})])


def test_what_cannot_be_seen_is_written_out() -> None:
    assert visible("a\u202eb\x1b[31m\x7f\u2028\ud800\r\nc\t") == "a[U+202E]b␛[31m␡[U+2028][U+D800]\nc␉"
    assert visible("नमस्ते می\u200cشود 日本 é") == "नमस्ते می\u200cشود 日本 é"


def test_an_element_id_has_no_space_and_no_markup() -> None:
    assert element_id('a/b "c" <d>', "claim-") == "claim-a-b-c-d"


@pytest.mark.parametrize(
    ("answer", "gold", "extra", "missing"),
    [
        ("Paris", ("Paris",), [], ()),
        ("The city of Paris, France", ("Paris",), ["city of", "France"], ()),
        ("born 1912", ("12 March 1912", "1812"), ["born"], ("12", "March")),
        ("red red", ("red",), ["red"], ()),
        ("", ("Paris",), [], ("Paris",)),
        ("anything", (), [], ()),
        ("東京都", ("京都",), ["東"], ()),
    ],
)
def test_words_beyond_gold_and_words_lacking_are_told(
    answer: str, gold: tuple[str, ...], extra: list[str], missing: tuple[str, ...]
) -> None:
    found = difference(answer, gold)
    assert [piece.text for piece in found.pieces if piece.is_extra] == extra
    assert "".join(piece.text for piece in found.pieces) == answer
    assert found.missing == missing


def test_the_nearest_gold_answer_is_compared() -> None:
    assert difference("in Rome", ("Paris", "Rome, Italy", "Rome")).missing == ()


def test_a_budget_is_shared_by_the_long_texts() -> None:
    texts = ["a" * 100, "b" * 1000, "é" * 1000]
    limit = longest_kept(texts, 900)
    assert limit == 400
    assert sum(min(len(text.encode()), limit) for text in texts) == 900
    assert longest_kept(texts, 3100) is None
    assert longest_kept(texts, 0) == SHORTEST


def test_what_is_cut_says_so_and_breaks_no_character() -> None:
    assert cut("ééé", 3) == "é … [1 of 3 characters]"
    assert cut("abc", 3) == cut("abc", None) == "abc"
    pieces = (Piece("abc", False), Piece("def", True))
    assert shortened(pieces, 4) == (Piece("abc", False), Piece("d", True), Piece(" … [4 of 6 characters]", False))
    assert shortened(pieces, 6) == pieces


@pytest.mark.parametrize(
    ("values", "is_log", "ticks"),
    [
        ([0.0, 1.0], False, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ([-0.3, 0.12], False, (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2)),
        ([7.0], False, (0.0, 5.0, 10.0, 15.0)),
        ([0.0, 1e3, 1e6], True, (1e3, 1e4, 1e5, 1e6)),
        ([2.0, 4.0], True, (1.0, 2.0, 5.0, 10.0)),
        ([1e-3, 1e9], True, (1e-3, 1e-1, 1e1, 1e3, 1e5, 1e7, 1e9)),
        ([], False, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ([math.nan, 0.0], True, (1.0, 2.0, 5.0, 10.0)),
    ],
)
def test_ticks_are_round_and_hold_the_values(values: list[float], is_log: bool, ticks: tuple[float, ...]) -> None:
    found = axis(values, 10.0, 110.0, is_log)
    assert found.ticks == pytest.approx(ticks)
    assert (found.at(found.low), found.at(found.high)) == (10.0, 110.0)
    assert found.at(found.high * 100) == 110.0


def test_a_logarithmic_axis_puts_equal_ratios_at_equal_distances() -> None:
    found = axis([1.0, 100.0], 0.0, 100.0, is_log=True)
    assert [found.at(one) for one in (1.0, 10.0, 100.0)] == pytest.approx([0.0, 50.0, 100.0])


def test_ticks_are_short() -> None:
    assert [tick_text(one) for one in (0.05, 1_000, 250_000, 1e6, -2e9)] == ["0.05", "1k", "250k", "1M", "-2G"]


CURVE = Curve(
    "recall-by-size",
    "Recall <script>",
    "vectors",
    "recall@3",
    {
        "exact & flat": tuple(Point(10**k, 1 - k / 10, 0.9 - k / 10, 1.0) for k in (3, 4, 5)),
        "HNSW": (Point(1e3, 0.5), Point(1e5, 0.4, 0.3, 0.6), Point(0.0, 0.1)),
    },
    log_x=True,
)


def test_a_figure_has_a_role_a_title_and_a_description() -> None:
    root = ElementTree.fromstring(line_chart(CURVE))
    names = root.attrib["aria-labelledby"].split()
    assert root.attrib["role"] == "img"
    assert [root.findtext(f"{SVG}{tag}") for tag in ("title", "desc")] == ["Recall <script>", description(CURVE)]
    assert names == [root.find(f"{SVG}{tag}").attrib["id"] for tag in ("title", "desc")]  # type: ignore[union-attr]


def test_a_figure_draws_lines_bands_and_names() -> None:
    root = ElementTree.fromstring(line_chart(CURVE))
    first, second = root.findall(f"{SVG}g")
    assert len(first.findall(f"{SVG}polygon[@class='band']")) == 1
    assert not second.findall(f"{SVG}polygon[@class='band']")  # one of its points has no interval
    assert len(second.findall(f"{SVG}line[@class='bar']")) == 1
    assert n_left_out(CURVE) == 1
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"exact & flat", "HNSW", "vectors", "recall@3", "1k", "100k"} <= set(texts)


def test_names_beside_lines_do_not_cover_each_other() -> None:
    near = Curve("a", "a", "x", "y", {f"series {n}": (Point(0, 0), Point(1, 1 + n / 1000)) for n in range(6)})
    texts = [text for text in ElementTree.fromstring(line_chart(near)).iter(f"{SVG}text") if str(text.text).startswith("series")]
    places = sorted(float(text.attrib["y"]) for text in texts)
    assert len(places) == 6
    assert every(b - a >= 13 for a, b in pairwise(places))


def test_everything_of_a_figure_stands_inside_it() -> None:
    root = ElementTree.fromstring(line_chart(CURVE))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    places = [tuple(map(float, pair.split(","))) for one in root.iter() if "points" in one.attrib for pair in one.attrib["points"].split()]
    assert every(0 <= x <= width and 0 <= y <= height for x, y in places)


def test_a_long_title_of_the_lower_axis_is_told_on_two_lines() -> None:
    title = "stage: 1 embed, 2 search, 3 prompt, 4 prefill, 5 decode"
    chart = line_chart(Curve("a", "a", title, "y", {"b": (Point(1, 1), Point(2, 2))}))
    assert ">stage: 1 embed, 2 search, 3 prompt, 4<" in chart
    assert ">prefill, 5 decode<" in chart


def test_a_figure_of_nothing_is_drawn() -> None:
    empty = Curve("none", "None", "x", "y", {"a": (Point(math.nan, 1.0), Point(1.0, math.inf))})
    assert ElementTree.fromstring(line_chart(empty)).findall(f"{SVG}g")


def test_a_figure_stands_alone_as_a_file_for_light_and_dark_and_as_a_picture(tmp_path: Path) -> None:
    text = as_file(CURVE)
    assert "prefers-color-scheme:dark" in text
    assert ElementTree.fromstring(text.encode()).tag == f"{SVG}svg"
    write_lines(CURVE, tmp_path / "figures" / "a.png")
    assert (tmp_path / "figures" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_filters_mark_the_questions_that_they_name(tmp_path: Path) -> None:
    runs = {"finetune": run(tmp_path, "finetune", "0101-"), "rag": run(tmp_path, "rag", "10010", held="01--0")}
    found = matrix([Block("", runs)])
    marked = {one.id: set(one.filters) for one in found.questions}
    assert marked == {
        "q0": {"retrieval-right", "evidence-missed"},
        "q1": {"tuned-right"},
        "q2": {"both-wrong"},
        "q3": set(),
        "q4": {"evidence-missed"},
    }
    assert [found.n_of(name) for name in FILTERS] == [1, 1, 1, 2]
    assert (found.retrieval, found.tuned) == ("rag", "finetune")


def test_without_a_trained_arm_nothing_is_said_of_both(tmp_path: Path) -> None:
    found = of(tmp_path, rag="01", oracle="11")
    assert found.tuned is None
    assert none_of(one.filters for one in found.questions)


def test_questions_are_sorted_by_disagreement(tmp_path: Path) -> None:
    found = of(tmp_path, closed_book="00001", finetune="01001", rag="01110", oracle="11111")
    assert [(one.id, one.disagreement) for one in found.questions] == [
        ("q2", 0.25),
        ("q3", 0.25),
        ("q4", 0.1875),  # of equally many right arms, first where the searching and the trained arm differ
        ("q0", 0.1875),
        ("q1", 0.1875),
    ]
    assert [one.number for one in found.questions] == [1, 2, 3, 4, 5]


def test_of_more_questions_the_most_disputed_are_kept_and_their_number_is_told(tmp_path: Path) -> None:
    runs = {"finetune": run(tmp_path, "finetune", "1101"), "rag": run(tmp_path, "rag", "1111")}
    found = matrix([Block("", runs)], most=2)
    assert [one.id for one in found.questions] == ["q2", "q0"]
    assert found.n_asked == 4


def test_worlds_stand_below_each_other_with_names_of_their_own(tmp_path: Path) -> None:
    blocks = [Block(f"world {n}", {"rag": run(tmp_path / str(n), "rag", "10")}) for n in (0, 1)]
    assert {one.id for one in matrix(blocks).questions} == {"world 0/q0", "world 0/q1", "world 1/q0", "world 1/q1"}


def test_a_question_that_was_not_asked_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    runs = {"rag": run(tmp_path, "rag", "00", changes={"q1": {"outcome": "error"}}), "finetune": run(tmp_path, "finetune", "-0")}
    found = {one.id: [answer.mark for answer in one.answers] for one in matrix([Block("", runs)]).questions}
    assert found == {"q0": ["wrong", "not judged"], "q1": ["not asked", "wrong"]}


def texts(example: Example, *ids: str) -> Texts:
    """The texts of a run that was asked one question with these passages."""
    shown = "".join(f"[{rank}] {DOCUMENTS[id].title}: {DOCUMENTS[id].text}\n" for rank, id in enumerate(ids, start=1))
    prompt = Prompt((("system", "Answer."), ("user", f"{shown}Question: {example.question}")), "", "sha-q0")
    return Texts({example.id: example}, DOCUMENTS, {example.id: prompt})


def test_passages_and_prompts_are_kept_once_and_gold_is_known(tmp_path: Path) -> None:
    example = Example("q0", "Who?", ("x y",), evidence=("d0", "d2"))
    runs = {
        "rag": run(tmp_path, "rag", "0", changes={"q0": {"in_prompt": ("d1", "d0"), "text": "x z"}}),
        "oracle": run(tmp_path, "oracle", "1", changes={"q0": {"in_prompt": ("d0",)}}),
    }
    found = matrix([Block("", runs, {"rag": texts(example, "d1", "d0"), "oracle": texts(example, "d0")})])
    question = found.questions[0]
    assert [one.id for one in found.passages] == [one.id for one in question.passages] == ["d1", "d0", "d2"]
    assert [one.id for one in question.passages if one.number in question.gold_passages] == ["d0", "d2"]
    assert [answer.in_prompt for answer in question.answers] == [(1, 2), (2,)]
    assert question.answers[0].difference.missing == ("y",)
    assert (
        found.frames[0].text
        == f"[system]\nAnswer.\n\n[user]\n[1] {PASSAGE.format(rank=1)}\n[2] {PASSAGE.format(rank=2)}\nQuestion: {QUESTION}"
    )
    assert len(found.frames) == 2


def test_documents_of_one_id_and_two_texts_are_two_passages(tmp_path: Path) -> None:
    example = Example("q0", "Who?", ("x",))
    other = Texts({"q0": example}, {"d0": Document("d0", "An older text.", title="About d0")})
    runs = {mode: run(tmp_path, mode, "0", changes={"q0": {"in_prompt": ("d0",)}}) for mode in ("rag", "oracle")}
    assert len(matrix([Block("", runs, {"rag": texts(example, "d0"), "oracle": other})]).passages) == 2


def test_without_texts_ids_are_shown_and_the_reason_is_told(tmp_path: Path) -> None:
    runs = {"rag": run(tmp_path, "rag", "0", changes={"q0": {"in_prompt": ("d1",)}})}
    found = matrix([Block("", runs, {"rag": Texts(lacking="its dataset has changed since")})])
    assert found.questions[0].text is None
    assert [(one.id, one.text) for one in found.passages] == [("d1", None)]
    assert found.lacking == ("rag: its dataset has changed since",)


def test_arms_that_were_asked_the_same_questions_stand_side_by_side_one_a_mode(tmp_path: Path) -> None:
    runs = {
        "rag, others": run(tmp_path, "rag", "1", comparison={"questions": "others"}),
        "oracle": run(tmp_path, "oracle", "1"),
        "rag": run(tmp_path, "rag", "1"),
        "rag, again": run(tmp_path, "rag", "1"),
        "finetune": run(tmp_path, "finetune", "1"),
    }
    assert list(comparable(runs)) == ["finetune", "rag", "oracle"]
    assert comparable({}) == {}


def test_a_matrix_of_nothing_has_no_questions() -> None:
    assert matrix([]).questions == matrix([Block("", {})]).questions == ()
