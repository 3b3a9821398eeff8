"""One of several processes that train together, for their tests: `accelerate launch -m tests.adapt.together_worker ROOT BASE CASES HOW`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from rag_eval.adapt.data.qa import QA
from rag_eval.adapt.trainer.distributed_trainer import DistributedTrainer
from rag_eval.adapt.trainer.divergence_check import FiniteTrainer
from rag_eval.adapt.trainer.job import take_part
from rag_eval.adapt.trainer.process_group import all_gather, end_trainings
from rag_eval.errors import RagEvalError
from rag_eval.processes import n_processes, rank
from rag_eval.types import TrainingSet
from tests.adapt.tiny_training import fitted, full, hf, lora


class Ordered:
    """Questions that are trained on in their order."""

    keeps_order = True

    def training_set(self, *given: Any) -> TrainingSet:
        return QA(0.0).training_set(*given)


class Uneven(Ordered):
    """Of the first batch, the first process's rows begin with different words and the second's alike."""

    def training_set(self, *given: Any) -> TrainingSet:
        rows = super().training_set(*given).rows
        return TrainingSet([replace(row, prompt=f"{row.id} {row.prompt}") if at < 3 else row for at, row in enumerate(rows)])


# Batches of six rows of eight: the second of an epoch holds two, so the second process is shown none of them.
BASIC = {"batch_size": 6, "epochs": 3.0}
CASES: dict[str, dict[str, Any]] = {
    "by length, losses on dev": {**BASIC, "eval_every": 2, "patience": 100},
    "in order": {**BASIC, "data": Ordered()},
    "one begins alike": {**BASIC, "data": Uneven()},
    "in parts": {**BASIC, "batch_tokens": 40},
    "until learned": {**BASIC, "epochs": None, "max_epochs": 3.0},
    "packed": {**BASIC, "packing": True},
    "gradients recomputed": {**BASIC, "gradient_checkpointing": True},
    "pissa": {**BASIC, "init": "pissa"},
    "all weights": {**BASIC, "learning_rate": 0.001},
    "no such layers": {**BASIC, "target_modules": ["nothing"]},
    "dropout": {**BASIC, "batch_size": 2, "dropout": 0.1, "checkpoint_every": 3, "eval_every": 2, "patience": 100},
}


def fit(root: Path, base: Path, case: str, n: int) -> Path:
    """The folder of what was trained."""
    make = full if case == "all weights" else lora
    return fitted(make(root, **CASES[case], n_processes=n), hf(base))[1].path


@contextmanager
def recorded(steps: list[dict[str, Any]]) -> Iterator[None]:
    """Notes the rows and the loss of every step, and the losses on dev, of all processes together."""
    step, on_dev = FiniteTrainer.training_step, DistributedTrainer.log

    def noted(self: Any, model: Any, inputs: Any, n_items: Any = None) -> torch.Tensor:
        loss = step(self, model, inputs, n_items)
        rows = [name for names in all_gather(self._shown(inputs)) for name in names]
        losses = all_gather(loss.item())
        steps.append({"rows": sorted(rows), "loss": sum(losses) / len(losses), "shares": all_gather(bool(self.shares))})
        return loss

    def noted_on_dev(self: Any, logs: dict[str, float], *rest: Any) -> None:
        if "eval_loss" in logs:
            steps.append({"eval_loss": logs["eval_loss"]})
        on_dev(self, logs, *rest)

    with mock.patch.object(FiniteTrainer, "training_step", noted), mock.patch.object(FiniteTrainer, "log", noted_on_dev):
        yield


@contextmanager
def failing(how: Mapping[str, Any]) -> Iterator[None]:
    """Lets a process be killed at the beginning of a step, or have a loss that is no number."""
    compute, step = FiniteTrainer.compute_loss, FiniteTrainer.training_step

    def at_fault(trainer: Any) -> bool:
        return bool(rank() == how.get("rank") and trainer.state.global_step + 1 == how["step"])

    def killed(self: Any, *given: Any) -> torch.Tensor:
        if how.get("end") == "killed" and at_fault(self):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *given)

    def no_number(self: Any, *given: Any, **named: Any) -> Any:
        loss = compute(self, *given, **named)
        return loss * float("nan") if how.get("end") == "nan" and at_fault(self) else loss

    with mock.patch.object(FiniteTrainer, "training_step", killed), mock.patch.object(FiniteTrainer, "compute_loss", no_number):
        yield


def main(root: Path, base: Path, cases: list[str], how: Mapping[str, Any]) -> None:
    """Train each case in turn; the first process writes what happened."""
    torch.set_num_threads(1)
    steps: list[dict[str, Any]] = []
    with recorded(steps), failing(how):
        if rank():
            take_part()
            return
        found = {}
        for case in cases:
            steps.clear()
            try:
                found[case] = {"path": str(fit(root, base, case, n_processes())), "steps": list(steps)}
            except RagEvalError as error:
                found[case] = {"error": str(error)}
        (root / "found.json").write_text(json.dumps(found), encoding="utf-8")
        if n_processes() > 1:
            end_trainings()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4]))
