"""A progress bar for training: steps, rate, time left and the last loss."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback

REPORT_S = 30.0  # between lines where there is no terminal


class TrainingBar(TrainerCallback):  # type: ignore[misc]
    """Follows the Trainer on standard error: `with TrainingBar() as bar`; it is taken down whatever ends the training."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("fine-tuning"),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._begun = self._reported = 0.0

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._progress.start()
        self._begun = self._reported = time.perf_counter()
        self._task = self._progress.add_task("", total=state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=state.global_step)
        now = time.perf_counter()
        if not self._progress.console.is_terminal and now - self._reported >= REPORT_S:
            self._reported = now
            rate = state.global_step / (now - self._begun)
            left = (state.max_steps - state.global_step) / rate
            self._progress.console.print(
                f"fine-tuning: {state.global_step}/{state.max_steps} steps, {rate:.1f} a second, {left:.0f} s left"
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs and self._task is not None:
            self._progress.update(self._task, description=f"loss {logs['loss']:.3f}")
