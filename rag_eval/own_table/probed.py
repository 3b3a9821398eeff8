"""What was timed to tell how long an own table takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

N_QUESTIONS_TIMED = 3
N_STEPS_TIMED = 5
BARE, READING = "without passages", "with passages"  # kinds of arms


@dataclass(frozen=True)
class Training:
    """A training that one or more arms share."""

    arms: tuple[str, ...]
    n_rows: int
    batch_size: int
    epochs: float | None  # None = until the training questions are learned
    max_epochs: float


@dataclass(frozen=True)
class Probed:
    """What was timed on this machine."""

    device: str
    asked_s: Mapping[str, tuple[tuple[float, ...], ...]]  # by kind of arm, then by form of the prompt: seconds of single questions
    n_forms: int  # of the prompt, among which a probe is to choose; 1 = nothing is to be chosen
    n_form_questions: int  # asked in each of them
    indexed_s: tuple[float, ...]  # seconds a document
    n_documents: int
    step_s: tuple[float, ...]  # seconds of training steps
    trainings: tuple[Training, ...]
    refused: Mapping[str, str] = field(default_factory=dict)  # arms that cannot be trained on these data, with the reason
    notes: tuple[str, ...] = ()  # what could not be timed, and why
