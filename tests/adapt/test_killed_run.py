"""`kill -9` at any moment of a training, then the same command again: the adapter of a run that was never killed, to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rag_eval.testing.models import write_random_model
from tests.adapt import killing

pytestmark = pytest.mark.train

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
    die: Callable[[], None]
    states: tuple[int, ...]  # that are complete
    n_unfinished: int  # folders of something that was being written
    again: tuple[int, ...]  # the steps that the same command makes afterwards


POINTS = (
    Point("before the first state", lambda: killing.die_after_step(1), (), 1, tuple(range(1, 10))),
    Point("between two states", lambda: killing.die_after_step(5), (2, 4), 1, tuple(range(5, 10))),
    Point("while a state is written", lambda: killing.die_while_a_state_is_written(2), (2,), 2, tuple(range(3, 10))),
    Point("before the cache has it", killing.die_when_the_adapter_is_written, (6, 8), 1, (9,)),
    Point("when the cache has it", killing.die_when_the_cache_has_it, (6, 8), 0, ()),
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
    """A folder with a run that was not killed, in `never`."""
    folder = tmp_path_factory.mktemp("killed")
    write_random_model(folder / "model")
    (folder / "questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in questions()))
    assert given(folder / "never") == 0, said(folder / "never")
    assert steps(folder / "never") == list(range(1, 10))
    return folder


def given(folder: Path, die: Callable[[], None] = killing.never) -> int:
    """How the command ended in this folder, and there may have died."""
    folder.mkdir(exist_ok=True)
    arguments = [*ARGUMENTS, f"generator.model={folder.parent / 'model'}", f"dataset.questions={folder.parent / 'questions.jsonl'}"]
    return killing.forked(lambda: killing.run(folder, arguments, die), folder / "log")


def said(folder: Path) -> str:
    return (folder / "log").read_text()


def steps(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "steps").read_text().split()]


def adapter(folder: Path) -> dict[str, bytes]:
    (found,) = (folder / "cache" / "adapters").glob("*/adapter_model.safetensors")
    return {name: found.with_name(name).read_bytes() for name in (found.name, "adapter_config.json", "training.json")}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_a_run_that_was_killed_ends_with_the_same_adapter_when_it_is_given_again(top: Path, point: Point) -> None:
    folder = top / point.name
    assert given(folder, point.die) == -9, said(folder)
    assert sorted(path.name for path in folder.rglob("state-*")) == [f"state-{n:09d}" for n in point.states]
    assert len(list((folder / "cache").rglob("*.tmp-*"))) == point.n_unfinished
    made = steps(folder)
    assert given(folder) == 0, said(folder)
    assert steps(folder) == [*made, *point.again]
    assert adapter(folder) == adapter(top / "never")
    assert not [path for path in (folder / "cache").rglob("*") if path.name.endswith(".work") or ".tmp-" in path.name]
