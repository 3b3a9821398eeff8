"""Distributed training. Rank 0 runs the command line; ranks 1 to N-1 block on a TCPStore until rank 0 starts a training job.

Only rank 0 reads the configuration and writes files. The process group exists only during a training job, so that rank 0 evaluates
as a single process. Objects are pickled for transport between the processes, never to disk.
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

HANGS_AFTER = timedelta(minutes=10)  # timeout of collective operations
ENDS_AFTER = timedelta(days=14)  # timeout of waiting for a job
BEGUN = "begun"  # key of the number of jobs so far
TRAIN, END = "train", "end"  # values that announce a job or the end


class Diverged(EnvironmentFault):
    """A non-finite value in training. Raised by all ranks in the same step."""


def check_started(wanted: int) -> None:
    """Check that the number of processes is as configured and that each holds the whole model.

    Args:
        wanted: configured number of processes.

    Raises:
        ConfigError: if the number differs, or the weights are sharded (FSDP, DeepSpeed).
    """
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
def lead_training(lesson: Any) -> Iterator[None]:
    """Context of a training job in rank 0, which starts the same job in the other ranks. No effect with one process.

    Args:
        lesson: the job, which is sent to the other ranks.

    Yields:
        Nothing.
    """
    if n_processes() == 1:
        yield
        return
    at = _store().add(BEGUN, 1)
    _store().set(f"{at}", TRAIN)
    with _connected(at):
        broadcast(lesson)
        yield


def follow_trainings(train: Callable[[Any], object]) -> None:
    """Loop of ranks 1 to N-1: run each job until rank 0 announces the end.

    Args:
        train: runs a job.

    Raises:
        EnvironmentFault: if another process ended during a job.
    """
    for at in count(1):
        if _store().get(f"{at}").decode() == END:
            return
        with _connected(at):
            lesson = broadcast(None)
            try:
                train(lesson)
            except Diverged:
                continue  # reported by rank 0
            except UserError as error:
                log.error("process %d: %s", rank(), error)  # also reported by rank 0, unless caused by this machine


def end_trainings() -> None:
    """Announce the end to the other ranks."""
    _store().set(f"{_store().add(BEGUN, 1)}", END)


def world_size() -> int:
    """Number of processes in the current job; 1 outside of a job."""
    return dist.get_world_size() if dist.is_initialized() else 1


def broadcast(value: T) -> T:
    """Value of rank 0, broadcast to all ranks."""
    if world_size() == 1:
        return value
    held = [value]
    dist.broadcast_object_list(held, src=0, device=torch.device("cpu"))
    return held[0]


def all_gather(value: T) -> list[T]:
    """Values of all ranks, in order of rank."""
    if world_size() == 1:
        return [value]
    held: list[Any] = [None] * world_size()
    dist.all_gather_object(held, value)
    return held


@contextmanager
def _connected(at: int) -> Iterator[None]:
    """Process group of the at-th job. An error in one rank destroys the group, which ends the other ranks.

    Args:
        at: number of the job, from 1.

    Yields:
        Nothing.

    Raises:
        EnvironmentFault: if another process ended or timed out.
        DistError: for other errors, unchanged.
        RuntimeError: for other errors, unchanged.
    """
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
    """Store shared by all processes for their lifetime."""
    store, *_ = next(rendezvous("env://", timeout=ENDS_AFTER))
    return PrefixStore("rag_eval", store)
