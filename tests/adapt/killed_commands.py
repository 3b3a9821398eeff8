"""`python run.py ...` in forked children, so that Python and torch start once: python -m tests.adapt.killed_commands JOBS, from the root.

JOBS is a JSON file, a list of {folder, arguments, point}: where the command runs, what it is given, where it kills itself with
SIGKILL ("" = nowhere). Each job's end stands in its folder afterwards: `ends`, a line for each, and `steps`, one for each step
of training that was made.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from rag_eval.adapt import checkpoints, lora
from rag_eval.adapt.progress import TrainingBar
from rag_eval.generate import merge  # noqa: F401  its imports are most of what a start takes
from rag_eval.record import cache

RUN = Path(__file__).parents[2] / "run.py"


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after_steps(folder: Path, last: int | None) -> None:
    """Note every step that ends, and die after this one."""
    on_step_end = TrainingBar.on_step_end

    def noted(self: TrainingBar, args: Any, state: Any, control: Any, **parts: Any) -> None:
        on_step_end(self, args, state, control, **parts)
        with (folder / "steps").open("a") as file:
            file.write(f"{state.global_step}\n")
        if state.global_step == last:
            die()

    TrainingBar.on_step_end = noted


def while_a_state_is_written(n: int) -> None:
    """Die when half of the optimizer's file of the n-th state is on the disk."""
    save_file, n_seen = checkpoints.save_file, iter(range(1, n + 1))

    def halved(tensors: Any, path: Path) -> None:
        save_file(tensors, path)
        if path.stem == checkpoints.OPTIMIZER and next(n_seen) == n:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            die()

    checkpoints.save_file = halved


def when_the_adapter_is_written() -> None:
    """Die when its files are on the disk and the cache does not have it yet."""
    save = lora._save

    def saved(*those: Any) -> None:
        save(*those)
        die()

    lora._save = saved


def when_the_cache_has_it() -> None:
    """Die when the adapter is in its place and the states of its training are still there."""
    rmtree = cache.shutil.rmtree
    cache.shutil.rmtree = lambda path, *a, **k: die() if str(path).endswith(".work") else rmtree(path, *a, **k)


def run(folder: Path, arguments: list[str], point: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    sys.argv = [str(RUN), *arguments]
    after_steps(folder, {"before the first state": 1, "between two states": 5}.get(point))
    if point == "while a state is written":
        while_a_state_is_written(2)
    elif point == "before the cache has it":
        when_the_adapter_is_written()
    elif point == "when the cache has it":
        when_the_cache_has_it()
    runpy.run_path(str(RUN), run_name="__main__")


def forked(folder: Path, arguments: list[str], point: str) -> int:
    """The exit code, or the signal below zero."""
    child = os.fork()
    if not child:
        torch.set_num_threads(1)
        try:
            run(folder, arguments, point)
        except SystemExit as end:
            sys.stdout.flush()
            os._exit(int(end.code or 0))
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for job in json.loads(Path(sys.argv[1]).read_text()):
        ended = forked(Path(job["folder"]), job["arguments"], job["point"])
        states = sorted(path.name for path in Path(job["folder"]).rglob("state-*"))
        n_unfinished = len(list(Path(job["folder"], "cache").rglob("*.tmp-*")))
        with Path(job["folder"], "ends").open("a") as file:
            file.write(json.dumps({"code": ended, "states": states, "n_unfinished": n_unfinished}) + "\n")
