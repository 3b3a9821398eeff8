"""A hub model is known by its commit, also where the configuration names a branch or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

from rag_eval.errors import DataError, EnvironmentFault
from rag_eval.models.hub_commit import commit_of, pinned
from rag_eval.run_spec import Part
from tests.test_conf import checked

COMMIT, NEWER = "a" * 40, "b" * 40


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the hub that holds owner/model at main."""
    refs = tmp_path / "models--owner--model" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return refs


def online(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def model_info(self: Any, model: str, *, revision: str, timeout: float) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(sha=answer)

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)


def test_offline_a_branch_is_the_commit_of_the_copy_on_this_machine(hub_cache: Path) -> None:
    assert commit_of("owner/model", None) == commit_of("owner/model", "main") == COMMIT
    with pytest.raises(DataError, match="owner/model at other is not on this machine"):
        commit_of("owner/model", "other")
    with pytest.raises(DataError, match="owner/none at main is not on this machine"):
        commit_of("owner/none", None)


def test_a_commit_is_taken_as_it_is_and_nobody_is_asked(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch, RuntimeError("asked"))
    assert commit_of("owner/none", NEWER) == NEWER


def test_online_the_hub_says_where_the_branch_stands_now(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch, NEWER)
    assert commit_of("owner/model", None) == NEWER


def test_a_hub_that_does_not_answer_leaves_the_copy_or_is_a_fault_of_the_machine(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    online(monkeypatch, ConnectionError("no way"))
    assert commit_of("owner/model", None) == COMMIT
    with pytest.raises(EnvironmentFault, match="does not say which commit main is: ConnectionError"):
        commit_of("owner/none", None)


def test_every_hub_model_of_a_configuration_is_pinned_and_folders_stay(hub_cache: Path, tmp_path: Path) -> None:
    spec = checked("mode=rag")
    embedder = Part("E", {"model": "owner/model", "revision": "main"})
    given = replace(
        spec,
        generator=Part("G", {"model": "owner/model", "revision": None, "dtype": "float32"}),
        retriever=Part("R", {"parts": {"one": embedder}, "k": 3}),
        adapter=Part("A", {"model": str(tmp_path), "revision": None}),
        prompt=Part("P", {"model": "owner/model"}),
    )
    found = pinned(given)
    assert found.generator == Part("G", {"model": "owner/model", "revision": COMMIT, "dtype": "float32"})
    assert found.retriever == Part("R", {"parts": {"one": embedder.having(revision=COMMIT)}, "k": 3})
    assert (found.adapter, found.prompt) == (given.adapter, given.prompt)
