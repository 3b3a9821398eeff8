"""Every file under conf/ says what it is, binds to the part that it names, and passes the check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir

from rag_eval.conf_folder import conf_dir
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.config.modes import modes
from rag_eval.run_spec import RunSpec
from rag_eval.targets import is_ours

pytestmark = pytest.mark.flow

CONF = Path(__file__).parents[1] / "conf"
FILES = sorted(CONF.rglob("*.yaml"))
CONTENT = {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}
ELSEWHERE = ("config.yaml", "mode", "experiment", "arm", "hardware", "recipe", "adapter/tuned")  # no choices, or checked by themselves
CHOICES = [path for path in FILES if not path.relative_to(CONF).as_posix().startswith(ELSEWHERE)]
PARTS = [path for path in FILES if "_target_" in CONTENT[path]]

# The mode that fits a choice; any mode fits the others.
FITS = {
    "retriever=dense": "rag",
    "retriever=bm25": "rag",
    "retriever=sparse": "rag",
    "retriever=hybrid": "rag",
    "retriever=reranked": "rag",
    "retriever=multi_query": "rag",
    "retriever=oracle": "oracle",
    "retriever=oracle_distract": "oracle_distract",
    "retriever=random": "rag_random",
    "retriever=all": "long_context",
    "adapter=lora": "finetune",
    "adapter=dora": "finetune",
    "adapter=rslora": "finetune",
    "adapter=qlora": "finetune",
    "adapter=full": "finetune",
    "adapter=given": "finetune",
    "adapter/data=raft": "raft",
    "adapter=majority": "prior",
    "retriever=recorded": "replay",
    "generator=replay": "replay",
    "replay=jsonl": "replay",
    "replay=lara": "replay",
}
GIVEN = {"replay.system": "rag"}  # keys without a value of their own that are not any text
# What a choice needs beside it: the part that it is a part of, or a value that a part inside it lacks.
NEEDS = {
    "retriever/encoder": ["retriever=sparse"],
    "retriever/reranker": ["retriever=reranked"],
    "retriever=sparse": ["retriever.encoder.model=given"],
    "dataset=generated": ["dataset.of.documents=given", "dataset.of.questions=given"],
}
NO_ARMS = ("replay", "retrieval", "rag_stale", "finetune_stale")  # no answers, or of a world that has changed
FIRST_LINE = ("python run.py", "rag-eval latency", "python -m rag_eval.report", "python -m experiments.recipes verify")


def choice(path: Path) -> str:
    return f"{path.parent.relative_to(CONF).as_posix()}={path.stem}"


def mode(path: Path) -> str:
    inside = path.relative_to(CONF).parts
    parts = {"retriever": "rag", "adapter": "finetune"}  # modes whose part has parts of its own
    return FITS.get(choice(path)) or (parts[inside[0]] if len(inside) == 3 else "closed_book")


def checked(*overrides: str) -> RunSpec:
    return check(composed(overrides))


def targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets(value)


def test_these_are_all_files_of_the_configuration() -> None:
    assert conf_dir() == CONF
    assert len(FILES) >= 60
    assert len(PARTS) >= 35
    assert len(CHOICES) >= len(PARTS) + 8  # those that build on others, and the metrics


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CONF).as_posix())
def test_a_file_begins_with_what_it_is_and_a_command_that_uses_it(path: Path) -> None:
    first, second, *_ = path.read_text(encoding="utf-8").splitlines()
    said = second if first == "# @package _global_" else first
    assert said.startswith("# ")
    assert any(command in said for command in FIRST_LINE)


@pytest.mark.parametrize("path", CHOICES, ids=choice)
def test_a_choice_composes_and_passes_the_check(path: Path) -> None:
    node = path.parent.relative_to(CONF).as_posix().replace("/", ".")
    missing = [f"{key}={GIVEN.get(key, 'given')}" for name, value in CONTENT[path].items() if value == "???" for key in [f"{node}.{name}"]]
    if mode(path) == "replay" and "replay.path=given" not in missing:
        missing += ["dataset=lara", "dataset.path=given"] if choice(path) == "replay=lara" else ["replay.path=given"]
    needed = [*NEEDS.get(choice(path).partition("=")[0], []), *NEEDS.get(choice(path), [])]
    found: Any = checked(f"mode={mode(path)}", *needed, choice(path), *missing).to_config()
    for name in node.split("."):
        found = found[name]
    assert found.get("_target_") == CONTENT[path].get("_target_", found.get("_target_"))


@pytest.mark.parametrize("name", [mode.name for mode in modes()])
def test_a_mode_composes_and_passes_the_check(name: str) -> None:
    assert checked(f"mode={name}", *(["replay.path=given"] if name == "replay" else [])).mode.name == name


def test_every_target_is_in_a_package_of_this_distribution() -> None:
    found = [target for content in CONTENT.values() for target in targets(content)]
    assert len(found) >= 28  # the parts and the callback of sweeps
    assert [target for target in found if not is_ours(target)] == []


def test_the_arms_are_all_modes_and_a_sweep_knows_them() -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=["experiment=arms"], return_hydra_config=True)
    assert sorted(cfg.hydra.sweeper.params.mode.split(",")) == sorted(mode.name for mode in modes() if mode.name not in NO_ARMS)
    assert cfg.experiment_name == "arms"
