"""The command line of `rag-eval table`: what it takes, and what it refuses before anything is read."""

from __future__ import annotations

import pytest

from rag_eval.errors import UserError
from rag_eval.own_table.options import ARMS, read

FOLDER = ("dataset=folder", "dataset.documents=DOCS", "dataset.questions=QA.csv", "generator=echo")


def test_own_keys_are_taken_and_all_others_are_those_of_a_run() -> None:
    options = read([*FOLDER, "arms=rag,finetune", "plan=only", "limit=5"])
    assert options.arms == ("rag", "finetune")
    assert options.is_plan_only
    assert options.of("rag") == ["mode=rag", "experiment_name=own_table", "n_forgetting=0", *FOLDER, "limit=5"]


def test_without_arms_all_of_the_table_are_run() -> None:
    assert read(FOLDER).arms == ARMS


def test_what_is_given_is_not_put_in_the_place_of() -> None:
    given = (*FOLDER, "experiment_name=mine", "n_forgetting=100")
    assert read(given).overrides == given


def test_a_load_is_given_in_whole_or_not_at_all() -> None:
    assert read(FOLDER).load is None
    load = read([*FOLDER, "queries_per_day=10", "updates_per_week=1", "p95_ms=900", "min_accuracy=0.5"]).load
    assert load is not None
    assert (load.queries_per_day, load.utilisation, load.horizon_days) == (10.0, 0.5, 365.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generator=echo",), "expected dataset="),
        (FOLDER[:3], "generator=tiny to run it all the same"),
        ((*FOLDER, "mode=rag"), "mode= is decided by rag-eval table"),
        ((*FOLDER, "latency=poisson"), "latency= is decided by rag-eval table"),
        ((*FOLDER, "latency.n_queries=5"), "latency.n_queries= is decided by rag-eval table"),
        ((*FOLDER, "out="), "out=: expected a folder"),
        ((*FOLDER, f"out={__file__}"), "is a file; expected a folder"),
        ((*FOLDER, f"out={__file__}/own"), "is a file; expected a folder"),
        ((*FOLDER, "-m"), "expected key=value"),
        ((*FOLDER, "arms=rag,rug"), "there is no arm 'rug'"),
        ((*FOLDER, "arms=rag,rag"), "every arm once"),
        ((*FOLDER, "plan=all"), "expected plan=only"),
        ((*FOLDER, "queries_per_day=10"), "updates_per_week="),
        ((*FOLDER, "utilisation=2"), "utilisation"),
        ((*FOLDER, "hardware=abacus"), "no such price sheet"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError) as refused:
        read(arguments)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
