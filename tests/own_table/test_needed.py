"""How many questions would decide an inconclusive claim."""

from __future__ import annotations

from rag_eval.own_table.needed import needed, needed_table
from rag_eval.report.claims.claim import Finding, Number, Precondition, Results, judge
from rag_eval.report.claims.declare import ANY, TUNED_PRO, Limit, above, declare, within


def found(number: Number, limit: Limit | None = None, given: tuple[Precondition, ...] = ()) -> Finding:
    claim = declare("id", TUNED_PRO, "text", limit or above(0.0), "contrast", "source", lambda *_: number, (), metrics=ANY, given=given)
    return judge(claim, Results())


def test_with_half_of_the_detectable_effect_four_times_the_questions_are_needed() -> None:
    assert needed(found(Number(0.05, -0.02, 0.12, n=100, n_clusters=50, mde=0.1))) == 400


def test_with_few_clusters_at_least_as_many_questions_as_ten_of_them_have() -> None:
    assert needed(found(Number(0.5, 0.4, 0.6, n=20, n_clusters=5, mde=0.1))) == 40


def test_of_equivalence_the_distance_is_that_to_the_end_of_the_margin() -> None:
    number = Number(0.0, -0.15, 0.15, n=100, n_clusters=50, low_90=-0.12, high_90=0.12, mde=0.2)
    assert needed(found(number, within(0.0, 0.1))) == 400


def test_on_the_threshold_no_number_of_questions_follows() -> None:
    finding = found(Number(0.0, -0.1, 0.1, n=100, n_clusters=50, mde=0.1))
    assert needed(finding) is None
    assert needed_table({"row": [finding]}).rows[0][3] == "cannot be told"


def test_what_is_decided_needs_no_more() -> None:
    decided = found(Number(0.5, 0.4, 0.6, n=100, n_clusters=50, mde=0.1))
    assert decided.verdict.word == "SUPPORTED"
    assert needed(decided) is None
    assert needed_table({"row": [decided]}).rows == ()


def test_where_a_precondition_fails_no_number_of_questions_follows_from_the_claim_itself() -> None:
    has_failed = Precondition("the model reads", lambda *_: Number(0.1, 0.05, 0.15, n=100, n_clusters=50), 0.5, ())
    finding = found(Number(0.5, 0.4, 0.6, n=100, n_clusters=50, mde=0.1), given=(has_failed,))
    assert finding.verdict.word == "INCONCLUSIVE"
    assert needed(finding) is None
    assert (
        needed_table({"row": [finding]}).rows[0][3]
        == "cannot be told: not shown that the model reads: 0.1 [0.05, 0.15], above 0.5 is required"
    )
