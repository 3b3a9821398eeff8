"""The score that says whether an answer is right: which one it may be, and which one a run is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rag_eval.errors import ConfigError
from rag_eval.score.metric import metric

GROUP = "answer/"
DEFAULT = "em"
TRAIN_PHRASING = "_train_phrasing"  # how the name of an estimate on training questions ends
EM, CONTAINS, F1 = (f"{GROUP}{name}" for name in (DEFAULT, "contains", "f1"))


def check_primary(metrics: Mapping[str, str], name: str, where: str) -> None:
    """Refuse a primary score that is not scored, or that leaves open whether an answer is right.

    Args:
        metrics: the dotted function of each score of answers, by name.
        name: which of them is to be primary.
        where: what says so, for the error.

    Raises:
        ConfigError: in one line.
    """
    usable = [one for one, target in metrics.items() if metric(target).tells_right]
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


def train_phrasing(primary: str) -> str:
    """The estimate of the primary score on training questions of a trained arm."""
    return f"{primary}{TRAIN_PHRASING}"
