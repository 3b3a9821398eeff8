"""Several processes train one model. The first runs the command; the others wait for a training, take part in it, and wait again.

Nobody but the first reads the configuration or writes anything. The processes are connected for the time of a training only,
so that the first answers questions as if it were alone. What they tell each other is pickled on its way, never on disk.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import count
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from rag_eval.errors import ConfigError, EnvironmentFault, UserError
from rag_eval.processes import deals_weights_out, n_processes, rank

log = logging.getLogger(__name__)

T = TypeVar("T")

HANGS_AFTER = timedelta(minutes=10)  # that one waits for another in the midst of a training
ENDS_AFTER = timedelta(days=14)  # that the others wait for the first to begin one
BEGUN = "begun"  # the number of trainings so far
TRAIN, END = "train", "end"  # what the first says of the next one


class Diverged(EnvironmentFault):
    """A training came to numbers that are none. All of its processes raise this in the same step."""


def check_started(wanted: int) -> None:
    """Raises ConfigError unless there are as many processes as are to train, each with the whole model."""
    if deals_weights_out():
        raise ConfigError(
            "accelerate was told to deal the weights out to the processes (FSDP, DeepSpeed and the like), which is not verified yet; "
            "expected the whole model in each: start with accelerate launch --multi_gpu."
        )
    if wanted != n_processes():
        raise ConfigError(
            f"adapter.n_processes is {wanted}, but this command was started as {n_processes()} and the cache does not hold the adapter: "
            f"start it with accelerate launch --num_processes {wanted}, or leave adapter.n_processes out."
        )


@contextmanager
def led(lesson: Any) -> Iterator[None]:
    """Around a training in the first process: the others begin the same one. Nothing where there are no others."""
    if n_processes() == 1:
        yield
        return
    at = _store().add(BEGUN, 1)
    _store().set(f"{at}", TRAIN)
    with _connected(at):
        shared(lesson)
        yield


def follow(train: Callable[[Any], object]) -> None:
    """What the others do: `train` what the first gives, until it says that there is no more.

    Raises:
        EnvironmentFault: if another process ended in the midst of a training.
    """
    for at in count(1):
        if _store().get(f"{at}").decode() == END:
            return
        with _connected(at):
            lesson = shared(None)
            try:
                train(lesson)
            except Diverged:
                continue  # the first says it
            except UserError as error:
                log.error("process %d: %s", rank(), error)  # so does the first, unless what it finds on its machine differs


def dismiss() -> None:
    """The first process's last word to the others."""
    _store().set(f"{_store().add(BEGUN, 1)}", END)


def n_together() -> int:
    """How many processes take part in the training that this one is in the midst of."""
    return dist.get_world_size() if dist.is_initialized() else 1


def shared(value: T) -> T:
    """The first process's value, in all that train together."""
    if n_together() == 1:
        return value
    held = [value]
    dist.broadcast_object_list(held, src=0, device=torch.device("cpu"))
    return held[0]


def gathered(value: T) -> list[T]:
    """The values of all that train together, in the order of their numbers."""
    if n_together() == 1:
        return [value]
    held: list[Any] = [None] * n_together()
    dist.all_gather_object(held, value)
    return held


@contextmanager
def _connected(at: int) -> Iterator[None]:
    """Connects all processes for their at-th training. An error that is not of all of them cuts the connection, which ends the others."""
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    store = PrefixStore(f"training {at}", _store())
    try:
        dist.init_process_group(backend, store=store, rank=rank(), world_size=n_processes(), timeout=HANGS_AFTER)
        yield
    except (dist.DistError, RuntimeError) as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise EnvironmentFault(
                "another process of the training ended or hangs; what it printed says why. The same command goes on from the last state."
            ) from error
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


@cache
def _store() -> Any:
    """What all processes see from their start to their end."""
    store, *_ = next(rendezvous("env://", timeout=ENDS_AFTER))
    return PrefixStore("rag_eval", store)
