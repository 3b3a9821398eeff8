"""A progress bar for training: steps, rate, time left and the last loss."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from transformers import TrainerCallback

from rag_eval.progress import Advance, progress


class TrainingBar(TrainerCallback):  # type: ignore[misc]
    """Follows the Trainer on standard error: `with TrainingBar() as bar`; it is taken down whatever ends the training."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._advance: Advance | None = None

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(self, *_: Any) -> None:
        self._open.close()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._advance = self._open.enter_context(progress("fine-tuning", state.max_steps, n_before=state.global_step))

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._advance is not None:
            self._advance(1)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs and self._advance is not None:
            self._advance(0, f", loss {float(logs['loss']):.3f}")
