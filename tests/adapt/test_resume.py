"""A training that was killed goes on when the same command is given again, and ends with the same adapter to the bit."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from rag_eval.adapt.trainer import checkpoints
from rag_eval.adapt.trainer.progress import TrainingBar
from rag_eval.testing.models import write_random_model
from rag_eval.types import Cached
from tests.adapt import killing
from tests.adapt.tiny_training import fit
from tests.claims import every

pytestmark = pytest.mark.train

# Twelve steps in three epochs of four batches. Dropout, dev and training questions draw random numbers and keep numbers of their own.
TRAINING = {"epochs": None, "max_epochs": 3.0, "batch_size": 2, "dropout": 0.1, "checkpoint_every": 3, "eval_every": 2, "patience": 100}
FILES = ("adapter_config.json", "adapter_model.safetensors", "training.json")

DIE = {
    "step": killing.die_after_step,
    "saving": killing.die_before_a_state_is_sealed,
    "end": lambda _: killing.die_before_the_adapter_is_written(),
}
POINTS = [("step", 5), ("saving", 6)]
MORE_POINTS = [("step", 1), ("step", 4), ("step", 8), ("step", 11), ("end", 0)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def uninterrupted(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Cached:
    return trained(tmp_path_factory.mktemp("uninterrupted"), base)


def trained(root: Path, base: Path) -> Cached:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return fit(root, base, **TRAINING)[1]
    finally:
        torch.set_num_threads(n_threads)


def kill(root: Path, base: Path, where: str, n: int) -> None:
    def dying() -> None:
        DIE[where](n)
        fit(root, base, **TRAINING)

    log = root.with_suffix(".log")
    assert killing.forked(dying, log) == -9, log.read_text()


def same(one: Cached, other: Cached) -> bool:
    return all((one.path / name).read_bytes() == (other.path / name).read_bytes() for name in FILES)


@pytest.mark.parametrize(("where", "n"), [*POINTS, *(pytest.param(*point, marks=pytest.mark.slow) for point in MORE_POINTS)])
def test_a_killed_training_goes_on_to_the_same_adapter(
    base: Path, tmp_path: Path, uninterrupted: Cached, where: str, n: int, caplog: pytest.LogCaptureFixture
) -> None:
    kill(tmp_path, base, where, n)
    left = [path.name for path in sorted(tmp_path.rglob("state-*"))]
    reached = {"step": n - 1, "saving": n - 1, "end": 11}[where]  # a state is of the beginning of the step after
    assert left == [f"state-{at:09d}" for at in range(3, reached + 1, 3)][-2:]
    kept = trained(tmp_path, base)
    assert same(kept, uninterrupted)
    assert (kept.earlier_s > 0) == bool(left)
    assert ("goes on from step" in caplog.text) == bool(left)
    assert kept.seconds is not None
    assert kept.seconds > kept.earlier_s
    assert not list(tmp_path.rglob("*.work"))  # and what was kept for it is gone


@pytest.mark.slow
def test_a_training_may_be_killed_again_and_again(base: Path, tmp_path: Path, uninterrupted: Cached) -> None:
    for where, n in (("step", 4), ("saving", 6), ("step", 10), ("end", 0)):
        kill(tmp_path, base, where, n)
    assert same(trained(tmp_path, base), uninterrupted)


def test_a_damaged_state_is_passed_over_for_the_one_before(
    base: Path, tmp_path: Path, uninterrupted: Cached, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rag_eval.adapt.lora._save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, base)
    monkeypatch.undo()
    before, last = sorted(tmp_path.rglob("state-*"))
    file = last / "optimizer.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    with caplog.at_level(logging.WARNING):
        kept = trained(tmp_path, base)
    assert f"{last.name}: optimizer.safetensors was changed; going on from the state before it" in caplog.text
    assert before.name == "state-000000006"
    assert same(kept, uninterrupted)


def test_what_was_best_before_is_remembered_and_so_is_how_long_it_has_been(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rising = {
        **TRAINING,
        "max_epochs": 20.0,
        "until_learned": 1.0,
        "learning_rate": 0.05,
        "rank": 16,
        "alpha": 64,
        "patience": 2,
        "checkpoint_every": 1,
    }
    reached: list[int] = []
    on_step_end, interrupt_at = TrainingBar.on_step_end, 0

    def watched(self: TrainingBar, args: Any, state: Any, control: Any, **parts: Any) -> None:
        on_step_end(self, args, state, control, **parts)
        reached.append(state.global_step)
        if state.global_step == interrupt_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingBar, "on_step_end", watched)
    whole = fit(tmp_path / "whole", base, **rising)[1]
    last = reached[-1]
    assert last < 80  # it was ended early, two losses after the best
    interrupt_at = last - 1
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", base, **rising)
    interrupt_at = 0
    kept = fit(tmp_path / "parts", base, **rising)[1]
    assert reached[-1] == last
    assert same(kept, whole)


def test_another_training_does_not_go_on_from_this_one(
    base: Path, tmp_path: Path, uninterrupted: Cached, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag_eval.adapt.lora._save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, base, **{**TRAINING, "dropout": 0.2})
    monkeypatch.undo()
    kept = trained(tmp_path, base)
    assert kept.earlier_s == 0
    assert same(kept, uninterrupted)


def test_a_state_of_a_machine_without_cuda_goes_on_where_there_is_some(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_eval.adapt.lora._save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, base)
    monkeypatch.undo()
    names = {name for path in tmp_path.rglob("state-*/random.safetensors") for name in load_file(path)}
    assert names == {"0.epoch.cpu", "0.step.cpu"}  # of the first process and the device that is trained on, whatever else there is
    monkeypatch.setattr(checkpoints.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(checkpoints.torch.cuda, "device_count", lambda: 1)
    state = load_file(next(tmp_path.rglob("state-*/random.safetensors")))
    checkpoints._set_random(state, "step")
    assert torch.equal(torch.get_rng_state(), state["0.step.cpu"])


def test_states_hold_no_pickle(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_eval.adapt.lora._save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, base)
    files = [path for path in tmp_path.rglob("state-*/*")]
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    assert len(files) == 2 * 7
    assert every(load_file(path) for path in files if path.suffix == ".safetensors")
