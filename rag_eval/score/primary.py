"""The scores that say whether an answer is right, by name, and which of them a run is judged by.

Exact match is strict: it also asks for the form of the gold answers. Containment is lenient: it asks for no form and rewards
long answers. Reports read one beside the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag_eval.errors import ConfigError

GROUP = "answer/"
EM, CONTAINS, F1 = f"{GROUP}em", f"{GROUP}contains", f"{GROUP}f1"
TITLES = {EM: "EM", CONTAINS: "contains", F1: "F1"}  # of the columns of a table of arms, in their order
STRICT = (EM, f"{GROUP}em_extracted", f"{GROUP}choice_text")  # they ask for the form of the gold answers, more or less
OF_WORDS = (F1, f"{GROUP}f1_extracted", f"{GROUP}recall", f"{GROUP}rouge_l")  # between strict and lenient
OF_ANSWERS = (*STRICT, *OF_WORDS, CONTAINS)
OF_OUTCOMES = ("outcome/right", "outcome/wrong")  # they follow from the primary score
DEFAULT = "em"

# Metrics that are 0 or 1 for every question, so that an answer with 1 is right and one with 0 is not.
BINARY = (
    *("rag_eval.score.answer.em", "rag_eval.score.answer.em_extracted", "rag_eval.score.answer.contains"),
    "rag_eval.score.choice.choice_text",
)


def check_primary(metrics: Mapping[str, str], name: str, where: str) -> None:
    """Refuse a primary score that is not scored, or that leaves open whether an answer is right.

    Args:
        metrics: the dotted function of each score of answers, by name.
        name: which of them is to be primary.
        where: what says so, for the error.

    Raises:
        ConfigError: in one line.
    """
    usable = [one for one, function in metrics.items() if function in BINARY]
    if name not in usable:
        fault = "is not scored" if name not in metrics else "is not 0 or 1 for every question and so leaves open which answers are right"
        instead = f"use one of {', '.join(usable)}" if usable else "nothing that is scored can be primary; choose other metrics"
        raise ConfigError(f"{where}={name}: {name} {fault}; {instead}.")


def chosen_primary(metrics: Mapping[str, Any], declared: str) -> str:
    """The name of the primary score: the user's choice, else what the dataset declares, else exact match, scored or not.

    Args:
        metrics: the checked group of settings.
        declared: of the dataset; "" = it declares none.

    Raises:
        ConfigError: if the dataset declares what the run's metrics do not score, or what is not 0 or 1.
    """
    if metrics["primary"] is not None:
        return str(metrics["primary"])
    if declared and metrics["answer"]:
        check_primary(metrics["answer"], declared, "the dataset's primary")
    return declared or DEFAULT


def primary_of(facts: Mapping[str, Any]) -> str:
    """The estimate that a run is judged by, from its recorded facts; earlier versions knew exact match alone."""
    return str(facts.get("comparison", {}).get("primary", EM))


def train_phrasing(primary: str) -> str:
    """The estimate of the primary score on training questions of a trained arm."""
    return f"{primary}_train_phrasing"


def strict_of(primary: str, measure: str = "") -> str:
    """The score that is read beside containment: the measure if it is strict, else the primary score, else exact match.

    Args:
        primary: of the runs.
        measure: what is compared; "" = nothing in particular.
    """
    return measure if measure in STRICT else EM if primary == CONTAINS else primary


def rests_on(measure: str, primary: str) -> str:
    """The score that a measure is, or follows from."""
    return primary if measure in OF_OUTCOMES else measure


def judges_answers(measure: str, primary: str) -> bool:
    """Whether a measure says how right answers are, in whatever form."""
    return measure in (*OF_ANSWERS, *OF_OUTCOMES, primary)
