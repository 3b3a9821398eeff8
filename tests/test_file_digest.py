"""A large file is read once as long as it stays as it is; a small one, or one that has just changed, every time."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from rag_eval import file_digest
from rag_eval.file_digest import LARGE, file_sha256

OLD = 1_700_000_000


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read so far."""
    found: list[Path] = []
    whole = file_digest._read
    monkeypatch.setattr(file_digest, "_read", lambda path: found.append(path) or whole(path))
    monkeypatch.setattr(file_digest, "SETTLED_S", -1.0)  # of files that a test has just written
    return found


def test_a_large_file_is_read_once_until_it_changes(tmp_path: Path, read: list[Path]) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"1" * LARGE)
    assert file_sha256(path) == file_sha256(path) == sha256(b"1" * LARGE).hexdigest()
    assert len(read) == 1
    path.write_bytes(b"2" * LARGE)
    assert file_sha256(path) == sha256(b"2" * LARGE).hexdigest()
    assert len(read) == 2


def test_other_bytes_with_the_size_and_the_time_of_before_are_seen(tmp_path: Path, read: list[Path]) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"1" * LARGE)
    os.utime(path, (OLD, OLD))
    before = file_sha256(path)
    path.write_bytes(b"2" * LARGE)
    os.utime(path, (OLD, OLD))
    assert file_sha256(path) != before  # the time of its last change of state is another


def test_a_small_file_is_read_every_time(tmp_path: Path, read: list[Path]) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"1")
    assert file_sha256(path) == file_sha256(path)
    assert len(read) == 2


def test_a_large_file_that_has_just_changed_is_read_again(tmp_path: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_digest, "SETTLED_S", 60.0)
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"1" * LARGE)
    assert file_sha256(path) == file_sha256(path)
    assert len(read) == 2
