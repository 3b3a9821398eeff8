"""A trained model learns the form of the answers: who wins by exact match alone does not win, and the report says why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rag_eval.record.load import RecordedRun
from rag_eval.report.commands.compare import comparison
from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import Arm, declare
from rag_eval.report.judgement import Judgement, judge, sentence
from rag_eval.report.priced_arms import Terms, machine_seconds
from rag_eval.report.table import Table, Term
from rag_eval.score.primary import CONTAINS, EM, F1
from rag_eval.testing.finished_runs import write_run

Make = Callable[..., Arm]
DECLARED = declare(EM, 0.0, 0.02)
EXACT, HOLDS = "exact match", "contains"  # what a reader calls EM and CONTAINS


def scored(n: int, equal: float, holding: float) -> list[dict[str, float]]:
    """n answers of which these shares equal and hold a gold answer, the right ones spread evenly."""
    places = [at * 37 % n for at in range(n)]  # 37 shares no factor with the numbers of questions used here
    return [{EM: float(place < round(equal * n)), CONTAINS: float(place < round(holding * n))} for place in places]


@pytest.fixture
def arm(tmp_path: Path) -> Make:
    """`arm("rag", n, equal, holding)`: a finished run of n questions, every two a cluster."""

    def make(mode: str, n: int, equal: float, holding: float, **changes: Any) -> Arm:
        return Arm(mode, write_run(tmp_path, f"{mode}-{n}", mode, scored(n, equal, holding), **changes))

    return make


def report(*arms: Arm, measure: str = EM, queries: float | None = None) -> tuple[dict[str, Table], list[str], str]:
    terms = [Terms(machine_seconds(), 1.0, 0.0, queries, 0.0)]
    made = comparison(ReportContext([one.run for one in arms], declare(measure, 0.0, 0.02), terms))
    return {one.title: one for one in made.tables}, made.verdicts, "\n".join(made.notes)


def line(section: Table, name: str) -> dict[str, Any]:
    return dict(zip((column.name for column in section.columns), next(row for row in section.rows if row[0] == name), strict=True))


@pytest.mark.parametrize("holding", [0.6, 0.75, 0.9])
@pytest.mark.parametrize("n", [40, 200])
def test_a_trained_arm_does_not_win_by_the_form_that_the_other_was_never_shown(arm: Make, n: int, holding: float) -> None:
    rag, finetune = arm("rag", n, 0.0, holding), arm("finetune", n, 0.92, 0.92)
    found = judge(rag, finetune, DECLARED)
    assert found.better.text == "METRIC-DEPENDENT"
    assert found.winner is None
    assert found.said[EM].contrast.difference is not None
    assert found.said[EM].contrast.difference.mean == pytest.approx(round(0.92 * n) / n)
    text = sentence(found)
    assert f"METRIC-DEPENDENT. Difference {EXACT} 0.9" in text
    assert f"{HOLDS} 0." in text
    assert text.count("[") == 2  # both with their interval
    assert "no winner is named" in text
    assert f"{EXACT} measures the form of the answers of rag, not what they say: {EXACT} is 0.000 where {HOLDS} is {holding:.3f}" in text
    assert "better:" not in text


def test_with_thirteen_questions_the_verdict_is_open_and_says_what_would_have_been_found(arm: Make) -> None:
    found = judge(arm("rag", 13, 0.0, 0.77), arm("finetune", 13, 0.92, 0.92), DECLARED)
    assert found.better.word == "INCONCLUSIVE"
    assert found.better.text.startswith("INCONCLUSIVE(MDE=0.")
    text = sentence(found)
    assert "nobody is better as far as these questions tell, with 7 clusters of the 10 that a verdict needs" in text
    assert "measures the form of the answers of rag" in text
    assert EXACT in text
    assert HOLDS in text


def test_two_arms_of_one_form_are_judged_on_what_their_answers_hold(arm: Make) -> None:
    found = judge(arm("closed_book", 200, 0.0, 0.1), arm("rag", 200, 0.0, 0.8), DECLARED)
    assert (found.judged_on, found.better.text, found.winner) == (CONTAINS, "SUPPORTED", "rag")
    text = sentence(found)
    assert f"on {HOLDS}? SUPPORTED. Difference 0.700" in text
    assert "measures the form of the answers of closed_book" in text
    assert "measures the form of the answers of rag" in text


def test_an_arm_whose_answers_hold_too_little_to_tell_its_form_does_not_keep_it(arm: Make) -> None:
    found = judge(arm("closed_book", 200, 0.0, 0.0), arm("rag", 200, 0.0, 0.8), DECLARED)
    assert (found.judged_on, found.winner) == (CONTAINS, "rag")


def flipped(n: int, first: str, second: str, tmp_path: Path) -> Judgement:
    """Two arms of which the second is better by one score and as good, or worse, by the other: no form explains it."""
    better, worse = scored(n, 0.7, 0.7), scored(n, 0.5, 0.5)
    by = {first: (worse, better), second: (better, worse)}
    rows: list[list[dict[str, float]]] = [
        [{EM: by[EM][side][at][EM], CONTAINS: by[CONTAINS][side][at][CONTAINS]} for at in range(n)] for side in (0, 1)
    ]
    runs = [write_run(tmp_path, f"r{side}", mode, rows[side]) for side, mode in enumerate(("a", "b"))]
    return judge(Arm("a", runs[0]), Arm("b", runs[1]), DECLARED)


def test_significant_in_opposite_directions_depends_on_the_metric(tmp_path: Path) -> None:
    found = flipped(200, EM, CONTAINS, tmp_path)
    assert (found.said[EM].winner, found.said[CONTAINS].winner) == ("b", "a")
    assert (found.better.text, found.same.text, found.winner, found.reason) == ("METRIC-DEPENDENT", "REFUTED", None, "")


def test_significant_by_one_score_only_depends_on_the_metric(tmp_path: Path) -> None:
    rows = scored(200, 0.5, 0.5)
    longer = [{EM: row[EM], CONTAINS: other[CONTAINS]} for row, other in zip(rows, scored(200, 0.5, 0.7), strict=True)]
    runs = [write_run(tmp_path, name, "rag", made, choices={"id": name}) for name, made in (("a", rows), ("b", longer))]
    found = judge(Arm("a", runs[0]), Arm("b", runs[1]), DECLARED)
    assert (found.said[EM].better.word, found.said[CONTAINS].better.word) == ("INCONCLUSIVE", "SUPPORTED")
    assert (found.better.text, found.same.text, found.winner) == ("METRIC-DEPENDENT", "METRIC-DEPENDENT", None)


def test_better_by_both_scores_but_by_enough_only_by_one_depends_on_the_metric(arm: Make) -> None:
    found = judge(arm("rag", 200, 0.4, 0.7), arm("finetune", 200, 0.9, 0.9), declare(EM, 0.3, 0.02))
    assert found.said[EM].winner == found.said[CONTAINS].winner == "finetune"
    assert (found.said[EM].better.word, found.said[CONTAINS].better.word) == ("SUPPORTED", "REFUTED")
    assert (found.better.text, found.winner) == ("METRIC-DEPENDENT", None)


def test_scores_that_agree_name_the_winner_and_both_numbers(arm: Make) -> None:
    found = judge(arm("rag", 200, 0.5, 0.55), arm("finetune", 200, 0.9, 0.92), DECLARED)
    assert (found.better.text, found.winner, found.judged_on) == ("SUPPORTED", "finetune", EM)
    assert f"on {EXACT}? SUPPORTED. Difference 0.400" in sentence(found)
    assert f"{HOLDS} 0.370" in sentence(found)


def test_who_declares_containment_gets_a_verdict_on_it_and_is_told_of_the_form(arm: Make) -> None:
    found = judge(arm("rag", 200, 0.0, 0.6), arm("finetune", 200, 0.92, 0.92), declare(CONTAINS, 0.0, 0.02))
    assert (found.better.text, found.winner, found.judged_on) == ("SUPPORTED", "finetune", CONTAINS)
    assert "measures the form of the answers of rag" in sentence(found)


@pytest.mark.parametrize("measure", ["outcome/right", F1])
def test_a_score_that_follows_exact_match_does_not_get_round_it(tmp_path: Path, measure: str) -> None:
    def run(mode: str, equal: float, holding: float) -> RecordedRun:
        return write_run(tmp_path, mode, mode, [{**row, measure: row[EM]} for row in scored(200, equal, holding)])

    found = judge(Arm("rag", run("rag", 0.0, 0.9)), Arm("finetune", run("finetune", 0.92, 0.92)), declare(measure, 0.0, 0.02))
    assert (found.better.text, found.winner) == ("METRIC-DEPENDENT", None)


def in_sentences(root: Path, mode: str, holding: Sequence[float], f1: Sequence[float]) -> RecordedRun:
    """Answers of which none equals a gold one."""
    return write_run(root, mode, mode, [{EM: 0.0, CONTAINS: holds, F1: words} for holds, words in zip(holding, f1, strict=True)])


def test_where_exact_match_measures_form_a_claim_about_f1_is_judged_on_containment_too(tmp_path: Path) -> None:
    rag = in_sentences(tmp_path, "rag", [float(at % 2) for at in range(60)], [0.2] * 60)
    oracle = in_sentences(tmp_path, "oracle", [float(at % 4 == 0) for at in range(60)], [0.6 + 0.2 * (at % 2) for at in range(60)])
    found = judge(Arm("rag", rag), Arm("oracle", oracle), declare(F1, 0.0, 0.02))
    assert (found.said[F1].winner, found.judged_on, found.better.text, found.winner) == ("oracle", CONTAINS, "REFUTED", "rag")
    assert f"on {HOLDS}? REFUTED. Difference -0.250" in sentence(found)
    assert ReportContext([rag, oracle], declare(F1, 0.0, 0.02)).by == CONTAINS  # so are the sections below the verdict


def test_of_arms_of_different_form_f1_decides_nothing_that_exact_match_and_containment_leave_open(tmp_path: Path) -> None:
    rag = in_sentences(tmp_path, "rag", [float(at % 4 == 0) for at in range(80)], [0.2] * 80)
    rows = [{EM: float(at % 16 == 0), CONTAINS: float(at % 4 == 1), F1: 0.7 + 0.1 * (at % 2)} for at in range(80)]
    finetune = write_run(tmp_path, "finetune", "finetune", rows)
    found = judge(Arm("rag", rag), Arm("finetune", finetune), declare(F1, 0.07, 0.02))
    assert found.said[F1].better.word == "SUPPORTED"
    assert (found.judged_on, found.better.word, found.same.word, found.winner) == (CONTAINS, "INCONCLUSIVE", "INCONCLUSIVE", None)


def test_a_declared_score_that_reads_answers_out_of_their_frame_is_not_disqualified_by_exact_match(tmp_path: Path) -> None:
    def run(mode: str, equal: float, extracted: float, holding: float) -> RecordedRun:
        places = zip(scored(200, equal, holding), scored(200, extracted, holding), strict=True)
        return write_run(tmp_path, mode, mode, [{**row, "answer/em_extracted": other[EM]} for row, other in places])

    arms = Arm("rag", run("rag", 0.0, 0.5, 0.6)), Arm("finetune", run("finetune", 0.92, 0.92, 0.92))
    found = judge(*arms, declare("answer/em_extracted", 0.0, 0.02))
    assert (found.better.text, found.winner, found.reason) == ("SUPPORTED", "finetune", "")
    assert list(found.said) == ["answer/em_extracted", CONTAINS]
    assert judge(*arms, DECLARED).better.text == "METRIC-DEPENDENT"


def test_what_is_found_is_judged_by_itself(tmp_path: Path) -> None:
    def run(mode: str, found: float) -> RecordedRun:
        return write_run(tmp_path, mode, mode, [{**row, "retrieval/hit_1": found} for row in scored(200, 0.0, 0.9)])

    one = judge(Arm("a", run("rag", 0.0)), Arm("b", run("oracle", 1.0)), declare("retrieval/hit_1", 0.0, 0.02))
    assert (list(one.said), one.better.text, one.reason) == (["retrieval/hit_1"], "SUPPORTED", "")


def test_the_comparison_shows_both_differences_and_says_which_one_its_tests_are_of(arm: Make) -> None:
    sections, verdicts, notes = report(arm("closed_book", 200, 0.0, 0.1), arm("rag", 200, 0.0, 0.8))
    declared = line(sections["The declared comparison"], "rag - closed_book")
    assert declared[f"difference of {EM}"].value == 0.0
    assert declared[f"difference of {CONTAINS}"].value == pytest.approx(0.7)
    assert (declared["tests of"], declared["only second right"]) == (Term(CONTAINS, HOLDS), 140)
    assert "better: rag" in verdicts[-1]
    assert f"{EXACT} measures the form of some arm's answers: the sections below the verdict are by {HOLDS}" in notes


def test_no_section_counts_right_answers_by_exact_match_where_that_is_form(arm: Make) -> None:
    closed, rag = arm("closed_book", 200, 0.0, 0.1), arm("rag", 200, 0.0, 0.8)
    sections, _, _ = report(closed, rag)
    assert line(sections["Rescue and harm"], "rag over closed_book")["rescue"].value == pytest.approx(140 / 180)
    known = sections["By what the base model knew"]
    assert f"whose {HOLDS} of closed_book is 1" in known.reading
    assert line(known, "known to the base model")["rag"].n == 20


def test_an_answer_that_holds_the_gold_one_is_not_attributed_as_wrong(tmp_path: Path) -> None:
    rows = [{**row, "cause": "in_prompt_unused", "answer/distracted": 0.0} for row in scored(200, 0.0, 0.8)]
    rag = Arm("rag", write_run(tmp_path, "r", "rag", rows, context="retrieved"))
    oracle = Arm("oracle", write_run(tmp_path, "o", "oracle", rows, context="gold"))
    sections, _, _ = report(rag, oracle)
    assert line(sections["Why answers are wrong"], "rag")["not right"] == 40
    assert f"Right: {HOLDS} is 1." in sections["Why answers are wrong"].reading


def test_a_right_answer_is_priced_by_both_scores_and_never_by_one_in_silence(arm: Make) -> None:
    sections, _, _ = report(arm("rag", 200, 0.0, 0.95), arm("finetune", 200, 0.92, 0.92), queries=100.0)
    cost = line(sections["Cost, s, utilisation 1"], "rag")
    assert str(cost[f"all in, a right answer by {EM}"]) == "not measured (rag gives no right answer)"
    assert cost[f"all in, a right answer by {CONTAINS}"].value is not None
    even = line(sections["Break-even, s, utilisation 1"], "finetune instead of rag")
    assert even["right answers"] == f"{EXACT} 0.920 against 0.000; {HOLDS} 0.920 against 0.950"


@pytest.mark.parametrize("measure", ["retrieval/recall_1", "answer/coverage", "abstain/answerable", EM, "outcome/right"])
def test_a_right_answer_is_priced_by_scores_of_answers_whichever_score_is_declared(tmp_path: Path, measure: str) -> None:
    rows = [{**row, "outcome/right": row[EM], measure: row.get(measure, 0.25)} for row in scored(40, 0.5, 0.6)]
    runs = [write_run(tmp_path, mode, mode, [{**row, "outcome/right": row[EM]} for row in rows]) for mode in ("rag", "finetune")]
    terms = Terms(machine_seconds(), 1.0, 0.0, 100.0, 0.0)
    ((_, priced),) = ReportContext(runs, declare(measure, 0.0, 0.02), [terms]).priced
    assert [one.right for one in priced] == [{EM: 0.5, CONTAINS: 0.6}] * 2


def test_by_what_price_of_an_error_an_arm_pays_may_depend_on_the_metric(tmp_path: Path) -> None:
    from rag_eval.types import Spend

    rag = Arm("rag", write_run(tmp_path, "r", "rag", scored(200, 0.0, 0.95), spends={"learn": Spend(1.0), "answer": Spend(2.0)}))
    slow = {"learn": Spend(500.0), "answer": Spend(2.0)}
    finetune = Arm("finetune", write_run(tmp_path, "f", "finetune", scored(200, 0.92, 0.92), weights="trained", spends=slow))
    sections, _, _ = report(rag, finetune, queries=100.0)
    price = line(sections["Break-even, s, utilisation 1"], "finetune instead of rag")["pays, by price of an error"]
    assert price.startswith(f"METRIC-DEPENDENT: {EXACT} from ")
    assert f"; {HOLDS} never" in price


def test_notes_say_which_arm_keeps_another_form_and_how_long_its_answers_are(arm: Make) -> None:
    _, _, notes = report(arm("rag", 200, 0.2, 0.8, tokens={"prompt_mean": 40.0, "output_mean": 17.5}), arm("finetune", 200, 0.92, 0.92))
    of_rag = f"rag: most of its answers keep another form than the gold answers: {EXACT} is 0.200 where {HOLDS} is 0.800"
    assert f"{of_rag}; they are 17.5 tokens long on average" in notes
    assert "finetune: most of its answers" not in notes
    assert "measures the form" not in notes  # a fifth is right in the form too


def test_a_base_model_that_knows_answers_in_its_own_form_is_a_leak_all_the_same(arm: Make) -> None:
    _, _, notes = report(arm("closed_book", 200, 0.0, 0.5), arm("prior", 200, 0.1, 0.1))
    assert f"leakage: closed_book 0.500 is above the prior 0.100 by more than 0.02, by {HOLDS}" in notes


def test_of_arms_of_different_form_a_claim_that_both_scores_leave_open_stays_open(arm: Make) -> None:
    found = judge(arm("rag", 200, 0.0, 0.3), arm("finetune", 200, 0.08, 0.35), declare(EM, 0.0, 0.07))
    assert {(one.better.word, one.same.word) for one in found.said.values()} == {("SUPPORTED", "INCONCLUSIVE")}
    assert (found.better.word, found.same.word, found.winner) == ("METRIC-DEPENDENT", "INCONCLUSIVE", None)


def test_several_pairs_are_each_judged_by_their_own_form(arm: Make) -> None:
    arms: Sequence[Arm] = [arm("closed_book", 200, 0.0, 0.1), arm("rag", 200, 0.0, 0.8), arm("finetune", 200, 0.92, 0.92)]
    sections, _, _ = report(*arms)
    said = {row[0]: row[-2] for row in sections["The declared comparison"].rows}
    assert said == {
        "rag - closed_book": "SUPPORTED",
        "finetune - closed_book": "METRIC-DEPENDENT",
        "finetune - rag": "METRIC-DEPENDENT",
    }
