from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_eval.errors import EnvironmentFault
from rag_eval.record.cache import DirectoryCache
from rag_eval.record.serialize import sha256_of

KEY = {"model": "m", "shape": [1, 2], "dtype": "float32"}
Caplog = pytest.LogCaptureFixture
SPAWN = multiprocessing.get_context("spawn")


def writer(text: str, calls: list[str] | None = None) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / "part").mkdir()
        (directory / "part" / "a.txt").write_text(text)
        (directory / "b.txt").write_text("b")
        if calls is not None:
            calls.append(text)

    return write


def test_a_second_call_finds_what_the_first_built(tmp_path: Path) -> None:
    cache = DirectoryCache(str(tmp_path))
    first = cache.build("index", KEY, writer("one"))
    second = cache.build("index", dict(reversed(KEY.items())), writer("two"))
    assert (first.is_hit, second.is_hit) == (False, True)
    assert second.path == first.path
    assert second.seconds == first.seconds is not None
    assert (second.path / "part" / "a.txt").read_text() == "one"


def test_another_key_or_kind_is_another_directory(tmp_path: Path) -> None:
    cache = DirectoryCache(str(tmp_path))
    paths = [cache.build(kind, key, writer("x")).path for kind, key in [("a", KEY), ("b", KEY), ("a", {**KEY, "dtype": "float16"})]]
    assert len(set(paths)) == 3


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans(), min_size=1), st.data())
def test_changing_any_field_of_a_key_changes_its_hash(key: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(key)))
    assert sha256_of({**key, name: [key[name]]}) != sha256_of(key)
    assert sha256_of(dict(reversed(key.items()))) == sha256_of(key)


@pytest.mark.parametrize("name", ["part/a.txt", "b.txt", "manifest.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "append", "delete"])
def test_a_damaged_file_is_set_aside_and_rebuilt(tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    cache = DirectoryCache(str(tmp_path))
    path = cache.build("index", KEY, writer("one")).path
    content = (path / name).read_bytes()
    flipped = bytes([content[0] ^ 1]) + content[1:]
    damaged = {"flip": flipped, "cut": content[:-2], "append": content + b"x", "delete": None}[damage]
    (path / name).unlink() if damaged is None else (path / name).write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        again = cache.build("index", KEY, writer("two"))
    assert not again.is_hit
    assert again.path == path
    assert (path / "part" / "a.txt").read_text() == "two"
    assert (tmp_path / "index" / f"{path.name}.corrupt-1").is_dir()
    assert "set aside" in caplog.text


def test_a_file_that_the_manifest_does_not_list_is_not_trusted(tmp_path: Path) -> None:
    cache = DirectoryCache(str(tmp_path))
    (cache.build("index", KEY, writer("one")).path / "extra").write_text("?")
    assert not cache.build("index", KEY, writer("two")).is_hit


def test_a_manifest_with_other_facts_is_not_trusted(tmp_path: Path) -> None:
    cache = DirectoryCache(str(tmp_path))
    manifest = cache.build("index", KEY, writer("one")).path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"seconds": ', '"seconds": 1'))
    assert not cache.build("index", KEY, writer("two")).is_hit


def test_a_failed_build_leaves_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "half").write_text("half")
        raise RuntimeError("broken")

    cache = DirectoryCache(str(tmp_path))
    with pytest.raises(RuntimeError, match="broken"):
        cache.build("index", KEY, fail)
    assert [path.suffix for path in (tmp_path / "index").iterdir()] == [".lock"]
    assert not cache.build("index", KEY, writer("one")).is_hit


def test_a_full_disk_is_named_with_its_path_and_free_bytes(tmp_path: Path) -> None:
    def fill(directory: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(directory / "vectors.npy"))

    with pytest.raises(EnvironmentFault, match=r"vectors\.npy: the disk is full \([\d,]+ bytes free\)"):
        DirectoryCache(str(tmp_path)).build("index", KEY, fill)


def test_a_file_over_the_size_limit_of_the_process_is_a_fault_and_no_entry(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(EnvironmentFault, match="disk is full"):
            DirectoryCache(str(tmp_path)).build("index", KEY, writer("x" * 2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert not [path for path in (tmp_path / "index").iterdir() if path.is_dir()]


def test_a_cache_that_is_a_file_is_a_fault_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(EnvironmentFault, match="cache"):
        DirectoryCache(str(tmp_path / "cache")).build("index", KEY, writer("x"))


def _build_together(root: str, barrier: Any, is_killed: bool) -> None:
    def write(directory: Path) -> None:
        with (Path(root) / "calls").open("a") as calls:
            calls.write("x")
        if is_killed:
            os.kill(os.getpid(), signal.SIGKILL)
        (directory / "large").write_bytes(os.urandom(8 << 20))  # takes long enough for the others to arrive
        (directory / "a").write_text("a")

    barrier.wait(60)
    cached = DirectoryCache(root).build("index", KEY, write)
    assert (cached.path / "a").read_text() == "a"


def test_processes_that_race_for_one_key_build_it_once(tmp_path: Path) -> None:
    barrier = SPAWN.Barrier(3)
    racers = [SPAWN.Process(target=_build_together, args=(str(tmp_path), barrier, False)) for _ in range(3)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert [racer.exitcode for racer in racers] == [0, 0, 0]
    assert (tmp_path / "calls").read_text() == "x"


def test_a_builder_killed_in_the_middle_leaves_a_free_lock_and_no_entry(tmp_path: Path) -> None:
    alone = SPAWN.Barrier(1)
    victim = SPAWN.Process(target=_build_together, args=(str(tmp_path), alone, True))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    assert list((tmp_path / "index").glob("*.tmp-*"))
    assert not DirectoryCache(str(tmp_path)).build("index", KEY, writer("one")).is_hit
    assert not list((tmp_path / "index").glob("*.tmp-*"))
