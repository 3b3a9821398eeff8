"""Fixtures of the whole suite: a run from the command line in this process, in a folder of its own, without a tracking store."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from synthworld import dataset
from tests.commands import Ended
from tests.tiers import TIERS, Watch, is_heavy, tier
from tests.worlds import world

os.environ.setdefault("OMP_NUM_THREADS", "1")  # processes side by side, each with all threads, slow each other many times
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


MODULES = pytest.StashKey[int]()  # how many were loaded when memory was last frozen


def freeze(config: pytest.Config) -> None:
    """Leave everything that is loaded by now out of every later garbage collection.

    Trainers and latency measurements collect all of memory each time; over the modules of the whole suite that takes half a second.
    """
    gc.collect()
    gc.freeze()
    config.stash[MODULES] = len(sys.modules)


WATCH = Watch()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m unit` does not even load the files that other tests need heavy libraries for."""
    is_test = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if config.option.markexpr == "unit" and is_test and is_heavy(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    without = pytest.mark.skip(reason="RAG_EVAL_DATA names no folder of real data")
    for item in items:
        item.add_marker(tier(item))
        if "real" in item.keywords and not os.environ.get("RAG_EVAL_DATA"):
            item.add_marker(without)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Watch a test and what sets it up, to the end of its call."""
    WATCH.begin(next(mark.name for mark in item.iter_markers() if mark.name in TIERS))
    try:
        return (yield)
    finally:
        WATCH.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield
    if found := WATCH.found:
        pytest.fail(
            f"{item.nodeid} is marked or taken for {WATCH.tier} and {' and '.join(found)}: mark the test or its file, see tests/tiers.py"
        )


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    gc.disable()
    found = yield
    freeze(session.config)
    gc.enable()
    return found


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Freeze again when the tests before this one have loaded a library."""
    if len(sys.modules) > item.config.stash[MODULES] + 100:
        freeze(item.config)


@pytest.fixture(autouse=True, scope="session")
def repeated_work(request: pytest.FixtureRequest) -> Iterator[None]:
    """Do once in a session what every command does for itself; commands in processes of their own show that they can.

    Configurations are composed (tests/composing.py), and the invented world is drawn (tests/worlds.py). Nor is a file of a test made to
    outlast a loss of power, which takes milliseconds each time; tests/record/test_atomic_io.py shows that those of users are.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.config.option.markexpr != "unit":  # these compose nothing, and do not wait until Hydra is loaded
            from tests.composing import share_compositions

            share_compositions(patch)
        patch.setattr(dataset, "world", world)
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """`command("mode=rag", ...)` runs the command line in an empty folder."""
    from rag_eval.cli.run import run

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, tracking: str = "none") -> Ended:
        capfd.readouterr()
        code = run([*arguments, f"tracking={tracking}"])
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return call
