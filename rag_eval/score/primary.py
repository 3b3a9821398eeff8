"""The primary score, which defines whether an answer is right: which metrics qualify, and which one a run uses."""

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
    """Check that a metric can be the primary score: it is computed, and is 0 or 1 for every question.

    Args:
        metrics: dotted function of each answer metric, by name.
        name: metric that is to be primary.
        where: the setting that names it, for the error message.

    Raises:
        ConfigError: if the metric is not computed or is not 0/1.
    """
    usable = [one for one, target in metrics.items() if metric(target).tells_right]
    if name not in usable:
        fault = "is not scored" if name not in metrics else "is not 0 or 1 for every question and so leaves open which answers are right"
        instead = f"use one of {', '.join(usable)}" if usable else "nothing that is scored can be primary; choose other metrics"
        raise ConfigError(f"{where}={name}: {name} {fault}; {instead}.")


def chosen_primary(metrics: Mapping[str, Any], declared: str) -> str:
    """Name of the primary score: the user's choice, else the dataset's, else exact match, even if that is not computed.

    Args:
        metrics: the validated `metrics` settings.
        declared: the dataset's primary score; "" if it declares none.

    Returns:
        The metric's name in the configuration.

    Raises:
        ConfigError: if the dataset's primary score is not computed or is not 0/1.
    """
    if metrics["primary"] is not None:
        return str(metrics["primary"])
    if declared and metrics["answer"]:
        check_primary(metrics["answer"], declared, "the dataset's primary")
    return declared or DEFAULT


def train_phrasing(primary: str) -> str:
    """Tracked name of the primary score on training questions of a trained arm."""
    return f"{primary}{TRAIN_PHRASING}"
