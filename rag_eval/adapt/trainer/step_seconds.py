"""Seconds of single training steps, to tell beforehand how long a training takes."""

from __future__ import annotations

import time
from typing import Any

import torch
from datasets import disable_progress_bars, enable_progress_bars
from transformers import TrainerCallback

from rag_eval.adapt.trainer.job import TrainingJob, trainer_of


def step_seconds(lesson: TrainingJob, n_steps: int) -> list[float]:
    """Train for a few steps and throw the weights away.

    Args:
        lesson: the training job.
        n_steps: timed steps, at least 1. One more comes first and is not timed: it warms up.

    Returns:
        Wall time of each step in seconds; fewer than `n_steps` where the training is shorter.

    Raises:
        ConfigError: if the model lacks the target layers, or cannot be trained on these rows.
    """
    clock = _Clock(n_steps)
    disable_progress_bars()
    torch.set_flush_denormal(True)  # as in a training
    try:
        trainer_of(lesson, [clock]).train()
    finally:
        torch.set_flush_denormal(False)
        enable_progress_bars()
    return [after - before for before, after in zip(clock.ends, clock.ends[1:], strict=False)]


class _Clock(TrainerCallback):  # type: ignore[misc]
    """Notes when steps end, and stops the training after a number of them."""

    def __init__(self, n_steps: int) -> None:
        self._n_steps = n_steps
        self.ends: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.ends.append(time.perf_counter())
        if len(self.ends) > self._n_steps:
            control.should_training_stop = True
