"""Early stopping: the loss on dev questions is taken as training goes on, and the weights with the least of it are the result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from transformers import TrainerCallback

from rag_eval.adapt.together import Diverged


class BestOnDev(TrainerCallback):  # type: ignore[misc]
    """Holds the best weights found so far and ends a training that has not improved for a while."""

    def __init__(self, every: int, patience: int) -> None:
        """
        Args:
            every: steps between two losses on the dev questions; one more is taken of the last step, whatever ends it. 0 = none is taken.
            patience: how many losses in a row may be no better before training ends; 0 = it never ends early.
        """
        self._every, self._patience = every, patience
        self._loss, self._n_worse = math.inf, 0
        self.weights: dict[str, torch.Tensor] = {}  # those with the least loss; none before the first
        self.step: int | None = None  # after which they were so

    @property
    def numbers(self) -> dict[str, float | None]:
        """Everything but the weights, for JSON."""
        return {"loss": self._loss if self.weights else None, "n_worse": self._n_worse, "step": self.step}

    def restore(self, numbers: Mapping[str, Any], weights: dict[str, torch.Tensor]) -> None:
        """Go on from what an earlier attempt found."""
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
