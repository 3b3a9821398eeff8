"""What is written outlasts a loss of power, and is never seen in part."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rag_eval.record.atomic_io import write_atomically
from rag_eval.record.journal import Journal
from tests.record.samples import prediction


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the system, in order: `sync` with the name of what is forced to the disk, `replace` with the name of the target."""
    asked: list[str] = []
    replace = os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: asked.append(f"sync {name_of(handle)}"))
    monkeypatch.setattr(os, "replace", lambda one, other: (asked.append(f"replace {Path(other).name}"), replace(one, other)))
    return asked


def name_of(handle: int) -> str:
    return Path(os.readlink(f"/proc/self/fd/{handle}")).name.partition(".tmp-")[0].removeprefix(".")


def test_a_file_is_on_the_disk_before_it_takes_the_place_of_the_old_one_and_its_folder_afterwards(done: list[str], tmp_path: Path) -> None:
    write_atomically(tmp_path / "run.json", "{}")
    assert done == ["sync run.json", "replace run.json", f"sync {tmp_path.name}"]
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_answers_are_on_the_disk_when_they_were_added_and_so_is_the_name_of_a_new_file(done: list[str], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "predictions.jsonl")
    journal.append([prediction("q1")])
    journal.append([prediction("q2")])
    assert done == ["sync predictions.jsonl", f"sync {tmp_path.name}", "sync predictions.jsonl"]
    assert list(journal.read()) == ["q1", "q2"]
