"""Early stopping on the dev loss; the weights with the lowest dev loss are the result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback

from rag_eval.adapt.trainer.process_group import Diverged


class EarlyStopping(TrainerCallback):  # type: ignore[misc]
    """Keeps the best weights so far and stops training without improvement."""

    def __init__(self, every: int, patience: int) -> None:
        """Configure early stopping.

        Args:
            every: steps between evaluations on the dev questions; the last step is also evaluated. 0 = no evaluation.
            patience: consecutive evaluations without improvement before training stops; 0 = no early stopping.
        """
        self._every, self._patience = every, patience
        self._loss, self._n_worse = math.inf, 0
        self.weights: dict[str, torch.Tensor] = {}  # weights with the lowest loss; empty before the first evaluation
        self.step: int | None = None  # step of these weights

    @property
    def numbers(self) -> dict[str, float | None]:
        """State without the weights, for JSON."""
        return {"loss": self._loss if self.weights else None, "n_worse": self._n_worse, "step": self.step}

    def restore(self, numbers: Mapping[str, Any], weights: dict[str, torch.Tensor]) -> None:
        """Restore the state of an interrupted training."""
        self._loss = math.inf if numbers["loss"] is None else numbers["loss"]
        self._n_worse, self.step, self.weights = numbers["n_worse"], numbers["step"], weights

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        is_last = control.should_training_stop or state.global_step == state.max_steps
        if self._every and (state.global_step % self._every == 0 or is_last):
            control.should_evaluate = True

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Mapping[str, float], model: Any = None, **_: Any) -> None:
        loss = metrics["eval_loss"]
        if not math.isfinite(loss):
            raise Diverged(f"the loss on the dev questions became {loss} at step {state.global_step}: lower adapter.learning_rate.")
        if loss < self._loss:
            self._loss, self._n_worse, self.step = loss, 0, state.global_step
            self.weights = {name: weight.detach().cpu().clone() for name, weight in model.named_parameters() if weight.requires_grad}
        else:
            self._n_worse += 1
            control.should_training_stop = control.should_training_stop or self._n_worse == self._patience

    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name in self.weights:
                    weight.copy_(self.weights[name])
