"""Work in progress is kept state by state: each is complete or absent, and the last complete one is found."""

from __future__ import annotations

import logging
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from rag_eval.errors import EnvironmentFault
from rag_eval.record.cache import DirectoryCache
from rag_eval.record.checkpoint_store import CheckpointDirectory


def writes(text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "number").write_text(text)

    return write


def test_the_last_state_is_found_and_two_are_kept(tmp_path: Path) -> None:
    work = CheckpointDirectory(tmp_path / "work")
    assert work.last() is None
    for n in (5, 10, 15):
        work.save(n, writes(str(n)))
    last = work.last()
    assert last is not None
    assert (last / "number").read_text() == "15"
    assert sorted(path.name for path in work.path.iterdir()) == ["state-000000010", "state-000000015"]


def test_a_state_that_was_not_finished_is_none(tmp_path: Path) -> None:
    work = CheckpointDirectory(tmp_path / "work")
    work.save(1, writes("1"))

    def dies(folder: Path) -> None:
        (folder / "number").write_text("2")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work.save(2, dies)
    last = work.last()
    assert last is not None
    assert last.name == "state-000000001"
    assert [path.name for path in work.path.iterdir()] == ["state-000000001"]  # nothing of the other is left
    (work.path / ".tmp-0").mkdir()  # but of a process that was killed
    work.save(3, writes("3"))
    assert sorted(path.name for path in work.path.iterdir()) == ["state-000000001", "state-000000003"]


def test_a_disk_that_is_full_while_tensors_are_written_is_a_fault_and_no_state(tmp_path: Path) -> None:
    work = CheckpointDirectory(tmp_path / "work")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(EnvironmentFault, match="disk is full"):
            work.save(1, lambda folder: save_file({"a": np.zeros(1000)}, folder / "a.safetensors"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert not list(work.path.iterdir())


def test_states_of_a_builder_that_died_when_it_had_finished_go_with_the_next_use(tmp_path: Path) -> None:
    cache = DirectoryCache(str(tmp_path))
    cache.build("adapters", {"a": 1}, writes("whole"))
    work = cache.work("adapters", {"a": 1})
    work.save(1, writes("1"))
    assert cache.build("adapters", {"a": 1}, writes("not called")).is_hit
    assert not work.path.exists()


def test_a_damaged_state_is_said_and_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    work = CheckpointDirectory(tmp_path / "work")
    for n in (1, 2):
        work.save(n, writes("x"))
    (work.path / "state-000000002" / "number").write_text("y")
    with caplog.at_level(logging.WARNING):
        last = work.last()
    assert last is not None
    assert last.name == "state-000000001"
    assert "state-000000002: number was changed" in caplog.text


def test_work_survives_a_failed_build_and_goes_with_a_finished_one(tmp_path: Path) -> None:
    cache = DirectoryCache(str(tmp_path))

    def fails(folder: Path) -> None:
        cache.work("things", {"a": 1}).save(1, writes("half"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.build("things", {"a": 1}, fails)
    assert cache.work("things", {"a": 2}).last() is None

    def goes_on(folder: Path) -> float:
        last = cache.work("things", {"a": 1}).last()
        assert last is not None
        (folder / "whole").write_text((last / "number").read_text() * 2)
        return 7.0

    built = cache.build("things", {"a": 1}, goes_on)
    assert built.earlier_s == 7.0
    assert built.seconds is not None
    assert 7.0 < built.seconds < 8.0
    assert cache.work("things", {"a": 1}).last() is None
    assert cache.build("things", {"a": 1}, goes_on).earlier_s == 0.0
