"""A training that diverges stops, and leaves no adapter behind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from rag_eval.errors import EnvironmentFault


class StopOnNonFinite(TrainerCallback):  # type: ignore[misc]
    """Ends a training whose loss, or whose result, is no number any more."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, float] | None = None, **_: Any) -> None:
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise _diverged(f"the training loss became {loss}", state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        # The loss is logged every few steps only, and the last update comes after the last loss.
        if not all(bool(weight.isfinite().all()) for weight in model.parameters() if weight.requires_grad):
            raise _diverged("the trained weights are not finite", state.global_step)


def _diverged(what: str, step: int) -> EnvironmentFault:
    return EnvironmentFault(f"{what} at step {step}: lower adapter.learning_rate.")
