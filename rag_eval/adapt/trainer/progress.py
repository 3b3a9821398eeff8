"""Progress of a training on the console: steps, rate, remaining time and last loss."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from transformers import TrainerCallback

from rag_eval.adapt.training_config import TrainingConfig
from rag_eval.progress import Advance, duration, progress
from rag_eval.text.counted import counted

N_TIMED = 3  # steps after which the duration is estimated; the first is a warm-up and not timed
TOLD_S = 5.0  # minimum remaining seconds for the estimate to be printed


class TrainingBar(TrainerCallback):  # type: ignore[misc]
    """Progress bar on standard error: `with TrainingBar(...) as bar`; it is removed when training ends or fails."""

    def __init__(self, schedule: TrainingConfig, n_asked: int) -> None:
        """Create the bar.

        Args:
            schedule: settings of the training.
            n_asked: questions of the learning criterion; 0 = none.
        """
        self._schedule, self._n_asked = schedule, n_asked
        self._open = ExitStack()
        self._advance: Advance | None = None
        self._n_done, self._begun, self._step_s = 0, 0.0, 0.0
        self._n_tokens, self._n_before = 0, 0  # tokens of an epoch; tokens seen before timing started
        self._loss = ""

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(self, *_: Any) -> None:
        self._open.close()

    def on_train_begin(self, args: Any, state: Any, control: Any, train_dataloader: Any = None, **_: Any) -> None:
        self._n_tokens = sum(map(len, train_dataloader.dataset["input_ids"]))
        self._advance = self._open.enter_context(progress("fine-tuning", state.max_steps, n_before=state.global_step))
        self._advance(0, line=self._plan(train_dataloader.dataset, state))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._advance is None:
            return
        self._n_done += 1
        if self._n_done == 1:
            self._begun, self._n_before = time.perf_counter(), state.num_input_tokens_seen
            self._advance(1, self._loss)
            return
        # seconds of a step of mean length, because batches of long rows come first
        token_s = (time.perf_counter() - self._begun) / max(1, state.num_input_tokens_seen - self._n_before)
        self._step_s = token_s * self._n_tokens * self._schedule.most_epochs / state.max_steps
        left_s = self._step_s * (state.max_steps - state.global_step)
        self._advance(1, f"{self._loss}, {self._step_s:.2g} s a step", left_s=left_s)
        if self._n_done == N_TIMED and left_s >= TOLD_S:
            self._advance(0, line=self._estimate(state, left_s), left_s=left_s)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            self._loss = f", loss {float(logs['loss']):.3f}"

    def _plan(self, rows: Any, state: Any) -> str:
        schedule = self._schedule
        n_learned = sum(sum(label >= 0 for label in labels) for labels in rows["labels"])
        most = "at most " if self._n_asked else ""
        asked = counted(self._n_asked, "training question is", "training questions are")
        until = f", until {schedule.until_learned:g} of {asked} learned" if self._n_asked else ""
        return (
            f"fine-tuning on {len(rows):,} rows of {self._n_tokens:,} tokens, {n_learned:,} of them learned: "
            f"{most}{counted(state.max_steps, 'step', 'steps')} in {counted(schedule.most_epochs, 'pass', 'passes')}{until}"
        )

    def _estimate(self, state: Any, left_s: float) -> str:
        a_pass = self._step_s * state.max_steps / self._schedule.most_epochs
        most = "at most " if self._n_asked else ""
        return f"fine-tuning: {self._step_s:.2g} s a step, {duration(a_pass)} a pass; {most}{duration(left_s)} left"
