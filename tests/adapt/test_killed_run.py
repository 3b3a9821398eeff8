"""`kill -9` at any moment of a training, then the same command again: the adapter of a run that was never killed, to the bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rag_eval.testing.models import write_random_model
from tests.adapt.killed_commands import RUN

# Nine steps in three epochs of three; most states stand in the middle of one. Dropout, dev and training questions draw and keep numbers.
TRAINING = (
    *("adapter.max_epochs=3", "adapter.batch_size=4", "adapter.rank=2", "adapter.dropout=0.1", "adapter.eval_every=2"),
    *("adapter.checkpoint_every=2", "adapter.data.reading_share=0"),
)
ARGUMENTS = (
    *("mode=finetune", "tracking=none", "n_probe=0", "n_forgetting=0", "dataset=jsonl", "dataset.documents=null"),
    *("generator=hf", "generator.dtype=float32", "generator.device=cpu", "generator.max_new_tokens=2", *TRAINING),
)


@dataclass(frozen=True)
class Point:
    """Where a run is killed, and what is on the disk then."""

    name: str
    states: tuple[int, ...]  # that are complete
    n_unfinished: int  # folders of something that was being written
    again: tuple[int, ...]  # the steps that the same command makes afterwards


POINTS = (
    Point("before the first state", (), 1, tuple(range(1, 10))),
    Point("between two states", (2, 4), 1, tuple(range(5, 10))),
    Point("while a state is written", (2,), 2, tuple(range(3, 10))),
    Point("before the cache has it", (6, 8), 1, (9,)),
    Point("when the cache has it", (6, 8), 0, ()),
)


def questions() -> list[dict[str, Any]]:
    split = {"train": 10, "dev": 3, "test": 2}
    return [
        {
            "id": f"{name}-{at}",
            "question": f"{name} what {'very ' * (at % 3)}is {at}?",
            "answers": ["liver", "lung"][at % 2 :],
            "split": name,
        }
        for name, n in split.items()
        for at in range(n)
    ]


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that was not killed, and for each point one that was, and then given again."""
    folder = tmp_path_factory.mktemp("killed")
    write_random_model(folder / "model")
    (folder / "questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions()))
    arguments = [*ARGUMENTS, f"generator.model={folder / 'model'}", f"dataset.questions={folder / 'questions.jsonl'}"]
    ways = [("never", "")] + [(point.name, way) for point in POINTS for way in (point.name, "")]
    jobs = [{"folder": str(folder / name), "arguments": arguments, "point": way} for name, way in ways]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.adapt.killed_commands", str(folder / "jobs.json")],
        cwd=RUN.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert ended.returncode == 0, ended.stderr
    assert (ends(folder / "never")[0]["code"], steps(folder / "never")) == (0, list(range(1, 10))), ended.stderr
    return folder


def ends(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "ends").read_text().splitlines()]


def steps(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "steps").read_text().split()]


def adapter(folder: Path) -> dict[str, bytes]:
    (found,) = (folder / "cache" / "adapters").glob("*/adapter_model.safetensors")
    return {name: found.with_name(name).read_bytes() for name in (found.name, "adapter_config.json", "training.json")}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_a_run_that_was_killed_ends_with_the_same_adapter_when_it_is_given_again(top: Path, point: Point) -> None:
    folder = top / point.name
    killed, again = ends(folder)
    assert (killed["code"], again["code"]) == (-9, 0)
    assert killed["states"] == [f"state-{n:09d}" for n in point.states]
    assert killed["n_unfinished"] == point.n_unfinished
    made = steps(folder)
    assert made[len(made) - len(point.again) :] == list(point.again)
    assert adapter(folder) == adapter(top / "never")
    assert not [path for path in (folder / "cache").rglob("*") if path.name.endswith(".work") or ".tmp-" in path.name]
