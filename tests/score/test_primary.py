"""Which score says whether an answer is right: the user's choice, else the dataset's, else exact match."""

from __future__ import annotations

import math

import pytest
import yaml

from rag_eval.conf_folder import conf_dir
from rag_eval.errors import ConfigError
from rag_eval.score.metric import Metric, metric
from rag_eval.score.primary import check_primary, chosen_primary
from rag_eval.types import Example, Grading, Likelihood, Prediction

ANSWER = "rag_eval.score.answer"
QA = {name: f"{ANSWER}.{name}" for name in ("em", "f1", "contains", "abstained")}


def chosen(primary: str | None, declared: str, answer: dict[str, str] = QA) -> str:
    return chosen_primary({"primary": primary, "answer": answer}, declared)


def test_the_users_choice_wins_over_the_datasets_and_the_datasets_over_exact_match() -> None:
    assert chosen(None, "") == "em"
    assert chosen(None, "contains") == "contains"
    assert chosen("em", "contains") == "em"
    assert chosen("contains", "") == "contains"


def test_where_no_answers_are_scored_nothing_that_is_declared_is_refused() -> None:
    assert chosen(None, "contains", {}) == "contains"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("f1", "f1 is not 0 or 1 for every question and so leaves open which answers are right; use one of em, contains."),
        ("abstained", "abstained is not 0 or 1 for every question and so leaves open which answers are right; use one of em, contains."),
        ("exact", "exact is not scored; use one of em, contains."),
    ],
)
def test_what_leaves_open_which_answers_are_right_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_primary(QA, name, "metrics.primary")
    assert str(refused.value) == f"metrics.primary={name}: {said}"
    with pytest.raises(ConfigError, match=f"the dataset's primary={name}: "):
        chosen(None, name)
    with pytest.raises(ConfigError, match="nothing that is scored can be primary; choose other metrics"):
        chosen(None, "em", {"f1": QA["f1"]})


def that_may_be_primary() -> dict[str, Metric]:
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in (conf_dir() / "metrics").glob("*.yaml")]
    targets = {target for file in files for target in file["answer"].values()}
    return {target: found for target in sorted(targets) if (found := metric(target)).tells_right}


def test_the_scores_that_may_be_primary_are_those_that_declare_to_tell_right_answers() -> None:
    assert {target.rpartition(".")[2] for target in that_may_be_primary()} == {"em", "em_extracted", "contains", "choice_text"}


@pytest.mark.parametrize("found", that_may_be_primary().values(), ids=list(that_may_be_primary()))
@pytest.mark.parametrize("text", ["north", "The north, or so.", "(a)", "", "unknown", "south"])
@pytest.mark.parametrize("grading", [Grading(choices=("north", "south")), Grading()])
def test_a_score_that_can_be_primary_is_0_or_1_or_cannot_be_judged(found: Metric, text: str, grading: Grading) -> None:
    ties = tuple(Likelihood(option, -1.0, -2.0) for option in grading.choices)
    said = Prediction("q", text, (), (), (), 0, "", 1, 1, {}, "answered", "stop", ties)
    score = found.function(said, Example("q", "Where?", ("north", "northwards") if not grading.choices else ("north",), grading=grading))
    assert score in (0.0, 1.0) or math.isnan(score)
