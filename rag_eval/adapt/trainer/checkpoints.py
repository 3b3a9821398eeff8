"""Checkpoints of a training, from which it resumes bit by bit.

A checkpoint is taken at the beginning of a step, after its batch is drawn. The order of an epoch is drawn at its beginning, so the random
state is stored twice: at the beginning of the epoch and of the step. Nothing is pickled: tensors are stored as safetensors, the rest as
JSON.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback
from transformers.trainer import TRAINER_STATE_NAME

from rag_eval.adapt.trainer.divergence_check import check_finite
from rag_eval.adapt.trainer.early_stopping import EarlyStopping
from rag_eval.adapt.trainer.process_group import all_gather, broadcast
from rag_eval.adapt.trainer.until_learned import UntilLearned
from rag_eval.processes import rank
from rag_eval.protocols import CheckpointStore

log = logging.getLogger(__name__)

WEIGHTS, OPTIMIZER, RANDOM, BEST, REST = "weights", "optimizer", "random", "best", "rest.json"


Tensors = dict[str, torch.Tensor]


class Unsaved:
    """Checkpoint store of ranks that do not write."""

    def last(self) -> Path | None:
        return None

    def save(self, n: int, write: Callable[[Path], None]) -> None:
        """No effect; rank 0 saves."""


class Checkpoints(TrainerCallback):  # type: ignore[misc]
    """Saves the training state periodically and restores the last one: `trainer.train(resume_from_checkpoint=it.last)`."""

    def __init__(self, work: CheckpointStore, every: int, best: EarlyStopping, until: UntilLearned) -> None:
        """Find the last checkpoint.

        Args:
            work: store of the checkpoints.
            every: steps between checkpoints; 0 = none.
            best: state of early stopping.
            until: state of the learning criterion.
        """
        self.last = broadcast(work.last())
        self.earlier_s: float = _read(self.last)["seconds"] if self.last else 0.0  # training time of earlier attempts in seconds
        self._work, self._every, self._best, self._until = work, every, best, until
        self._left: Path | None = self.last  # checkpoint whose random state is not restored yet
        self._begun = time.perf_counter()
        self._random_of_epoch: Tensors = {}

    def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        if self.last is None:
            return
        weights = load_file(self.last / f"{WEIGHTS}.safetensors")
        with torch.no_grad():
            for name, weight in trained_weights(parts["model"]):
                weight.copy_(weights[name])
        _restore(parts["optimizer"], load_file(self.last / f"{OPTIMIZER}.safetensors"), _read(self.last)["learning_rates"])
        parts["lr_scheduler"].load_state_dict(_read(self.last)["scheduler"])
        self._best.restore(_read(self.last)["best"], load_file(self.last / f"{BEST}.safetensors"))
        self._until.restore(_read(self.last)["until"])
        log.warning("the training goes on from step %d of %d, where an earlier run kept its state", state.global_step, state.max_steps)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        if self._left:
            _set_random(load_file(self._left / f"{RANDOM}.safetensors"), "epoch")
        self._random_of_epoch = _random("epoch", model)

    def on_step_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        if self._left:
            _set_random(load_file(self._left / f"{RANDOM}.safetensors"), "step")
            self._left = None
        elif self._every and state.global_step and state.global_step % self._every == 0:
            check_finite(parts["model"], state.global_step)
            random = _of_all(self._random_of_epoch | _random("step", parts["model"]))
            self._work.save(state.global_step, lambda folder: self._write(folder, state, random, **parts))

    def _write(self, folder: Path, state: Any, random: Tensors, model: Any, optimizer: Any, lr_scheduler: Any, **_: Any) -> None:
        held = optimizer.state_dict()
        tensors = {
            WEIGHTS: dict(trained_weights(model)),
            OPTIMIZER: {f"{at}.{name}": value for at, values in held["state"].items() for name, value in values.items()},
            RANDOM: random,
            BEST: self._best.weights,
        }
        for name, those in tensors.items():
            save_file({key: value.detach().cpu().contiguous() for key, value in those.items()}, folder / f"{name}.safetensors")
        rest = {
            "learning_rates": [group["lr"] for group in held["param_groups"]],
            "scheduler": lr_scheduler.state_dict(),
            "best": self._best.numbers,
            "until": self._until.numbers,
            "seconds": self.earlier_s + time.perf_counter() - self._begun,
        }
        (folder / REST).write_text(json.dumps(rest), encoding="utf-8")
        state.save_to_json(str(folder / TRAINER_STATE_NAME))  # read by the trainer


def trained_weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Trainable weights by name."""
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def _restore(optimizer: Any, tensors: Mapping[str, torch.Tensor], learning_rates: list[float]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        at, _, name = key.partition(".")
        state.setdefault(int(at), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    groups = [{**group, "lr": rate} for group, rate in zip(groups, learning_rates, strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _random(when: str, model: Any) -> Tensors:
    """Random state of torch on the CPU, and on CUDA if the model is there; training uses no other generator."""
    has_cuda = model.device.type == "cuda"
    return {f"{when}.cpu": torch.get_rng_state(), **({f"{when}.cuda": torch.cuda.get_rng_state()} if has_cuda else {})}


def _of_all(random: Tensors) -> Tensors:
    """Random states of all ranks, prefixed by rank."""
    return {f"{at}.{name}": state for at, states in enumerate(all_gather(random)) for name, state in states.items()}


def _set_random(tensors: Mapping[str, torch.Tensor], when: str) -> None:
    when = f"{rank()}.{when}"
    torch.set_rng_state(tensors[f"{when}.cpu"])
    if f"{when}.cuda" in tensors:
        torch.cuda.set_rng_state(tensors[f"{when}.cuda"])


def _read(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / REST).read_text(encoding="utf-8")))
