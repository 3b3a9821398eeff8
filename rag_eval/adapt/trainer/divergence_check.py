"""Detection of divergence: training stops at the first non-finite loss or gradient, names the rows, and saves no adapter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rag_eval.adapt.trainer.completion_loss import Inputs
from rag_eval.adapt.trainer.micro_batches import MicroBatchTrainer, lengths_of
from rag_eval.adapt.trainer.process_group import Diverged, all_gather
from rag_eval.types import TrainingRow

N_SAID = 8  # maximum number of rows in a message
KINDS = ("loss", "gradient")


@dataclass(frozen=True)
class Fault:
    """A non-finite value in a step of one process."""

    kind: int  # index in KINDS; the loss has precedence, because gradients are averaged over processes
    value: float
    shown: Sequence[str]  # rows of the process's batch


class FiniteTrainer(MicroBatchTrainer):
    """Trainer that raises before an optimizer step with non-finite values; callbacks have no access to the loss of a step."""

    rows: Sequence[TrainingRow] = ()  # training rows, in the order of train_dataset

    def training_step(self, model: Any, inputs: Inputs, num_items_in_batch: Any = None) -> torch.Tensor:
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        found = (loss.item(), torch.nn.utils.get_total_norm(gradients).item())
        fault = next((Fault(at, value, self._shown(inputs)) for at, value in enumerate(found) if not math.isfinite(value)), None)
        faults = [one for one in all_gather(fault) if one is not None]
        if faults:
            raise self._diverged([one for one in faults if one.kind == min(other.kind for other in faults)])
        return loss

    def _load_from_checkpoint(self, *_: Any) -> None:
        """No effect: `Checkpoints` restores the weights."""

    def _shown(self, inputs: Inputs) -> list[str]:
        """Names of the training rows in a batch, identified by their tokens."""
        shown = set(_sequences(inputs))
        tokens = enumerate(self.train_dataset["input_ids"][: len(self.rows)])
        return [self.rows[at].id or f"number {at} ({self.rows[at].source})" for at, ids in tokens if tuple(ids) in shown]

    def _diverged(self, faults: Sequence[Fault]) -> Diverged:
        names = [name for one in faults for name in one.shown]
        more = f" and {len(names) - N_SAID} more" if len(names) > N_SAID else ""
        shown = f" with the training rows {', '.join(names[:N_SAID])}{more}"
        return _diverged(f"the training {KINDS[faults[0].kind]} became {faults[0].value}", self.state.global_step + 1, shown)


def check_finite(model: Any, step: int) -> None:
    """Check that all trainable weights are finite.

    Args:
        model: the model.
        step: current step, for the error message.

    Raises:
        Diverged: if one is not.
    """  # noqa: DOC501 (a helper builds the exception)
    if not all(bool(weight.isfinite().all()) for weight in model.parameters() if weight.requires_grad):
        raise _diverged("the trained weights are not finite", step, "")


def _sequences(inputs: Inputs) -> Iterator[tuple[int, ...]]:
    """Token ids of each row of a batch, without padding."""
    ids = inputs["input_ids"]
    if "attention_mask" in inputs:
        yield from (tuple(row[mask.bool()].tolist()) for row, mask in zip(ids, inputs["attention_mask"], strict=True))
        return
    yield from (tuple(row.tolist()) for row in torch.split(ids[0], lengths_of(inputs)))


def _diverged(what: str, step: int, shown: str) -> Diverged:
    return Diverged(f"{what} at step {step}{shown}: lower adapter.learning_rate{' or mend these rows' if shown else ''}.")
