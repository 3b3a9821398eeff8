"""Trainings in forked children that kill themselves with SIGKILL at a chosen moment; Python and torch start only once."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch

from rag_eval import evaluate  # noqa: F401  as hf, sweep and console: what a command imports is most of what its start takes
from rag_eval.adapt import lora
from rag_eval.adapt.trainer import checkpoints
from rag_eval.adapt.trainer.progress import TrainingBar
from rag_eval.generate import hf  # noqa: F401
from rag_eval.record import cache, checkpoint_store
from rag_eval.report import console  # noqa: F401
from rag_eval.track import sweep  # noqa: F401

RUN = Path(__file__).parents[2] / "run.py"
LONGEST_S = 300  # a child that hangs ends by a signal of its own


def forked(do: Callable[[], object], log: Path) -> int:
    """Do this in a child with one thread: its exit code, or the signal that ended it below zero. What it says stands in the log."""
    child = os.fork()
    if not child:
        _child(do, log)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _child(do: Callable[[], object], log: Path) -> NoReturn:
    code = 1
    try:
        signal.alarm(LONGEST_S)
        with log.open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
        torch.set_num_threads(1)
        do()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(folder: Path, arguments: list[str], die: Callable[[], None]) -> None:
    """`python run.py ARGUMENTS` in the folder, with a line in its file `steps` for each step of training that ends.

    Args:
        folder: of the command and all that it writes.
        arguments: of the command.
        die: one of the functions below, which says when.
    """
    os.chdir(folder)
    sys.argv = [str(RUN), *arguments]
    _at_step_end(lambda step: _noted(folder / "steps", step))
    die()
    runpy.run_path(str(RUN), run_name="__main__")


def never() -> None:
    """Not at all."""


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after_step(last: int) -> None:
    _at_step_end(lambda step: die() if step == last else None)


def die_while_a_state_is_written(n: int) -> None:
    """When half of the optimizer's file of the n-th state is on the disk."""
    save_file, n_seen = checkpoints.save_file, iter(range(1, n + 1))

    def halved(tensors: Any, path: Path) -> None:
        save_file(tensors, path)
        if path.stem == checkpoints.OPTIMIZER and next(n_seen) == n:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            die()

    checkpoints.save_file = halved


def die_before_a_state_is_sealed(n: int) -> None:
    """When everything of the state of this step is on the disk but its manifest."""
    seal = checkpoint_store.seal
    checkpoint_store.seal = lambda folder, files, facts: die() if facts["n"] == n else seal(folder, files, facts)


def die_before_the_adapter_is_written() -> None:
    """When training is over."""
    lora._save = die


def die_when_the_adapter_is_written() -> None:
    """When its files are on the disk and the cache does not have it yet."""
    save = lora._save

    def saved(*those: Any) -> None:
        save(*those)
        die()

    lora._save = saved


def die_when_the_cache_has_it() -> None:
    """When the adapter is in its place and the states of its training are still there."""
    rmtree = cache.shutil.rmtree
    cache.shutil.rmtree = lambda path, *a, **k: die() if str(path).endswith(".work") else rmtree(path, *a, **k)


def _at_step_end(do: Callable[[int], object]) -> None:
    on_step_end = TrainingBar.on_step_end

    def then(self: TrainingBar, args: Any, state: Any, control: Any, **parts: Any) -> None:
        on_step_end(self, args, state, control, **parts)
        do(state.global_step)

    TrainingBar.on_step_end = then


def _noted(file: Path, step: int) -> None:
    with file.open("a") as lines:
        lines.write(f"{step}\n")
