"""Every file under conf/ says what it is, binds to the part that it names, and passes the check."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import open_dict

from rag_eval.conf_folder import conf_dir
from rag_eval.config.check import check
from rag_eval.config.compose import composed, register_resolvers
from rag_eval.config.modes import modes
from rag_eval.errors import ConfigError
from rag_eval.run_spec import RunSpec
from rag_eval.targets import is_ours

pytestmark = pytest.mark.flow

CONF = Path(__file__).parents[1] / "conf"
FILES = sorted(CONF.rglob("*.yaml"))
CONTENT = {path: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FILES}
ELSEWHERE = ("config.yaml", "mode", "experiment", "arm", "hardware", "recipe", "adapter/tuned")  # no choices, or checked by themselves
CHOICES = [path for path in FILES if not path.relative_to(CONF).as_posix().startswith(ELSEWHERE)]
PARTS = [path for path in FILES if "_target_" in CONTENT[path]]

NO_ARMS = ("replay", "retrieval", "rag_stale", "finetune_stale")  # no answers, or of a world that has changed
COMMAND = re.compile(r"(?:python run\.py|rag-eval latency) (?P<overrides>[^&]+)")
FIRST_LINE = ("python run.py", "rag-eval latency", "python -m rag_eval.report", "python -m experiments.recipes verify")


def choice(path: Path) -> str:
    return f"{path.parent.relative_to(CONF).as_posix()}={path.stem}"


def first_command(path: Path) -> list[str]:
    """The overrides of the command in a file's first line; of `mode=a,b` the first."""
    found = COMMAND.search(path.read_text(encoding="utf-8").splitlines()[0])
    assert found, f"{choice(path)}: the first line must end with a command, as in `# What it is: python run.py mode=rag {choice(path)}`."
    given = shlex.split(found["overrides"])
    return [one.partition(",")[0] if one.startswith("mode=") else one for one in given]


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
def test_the_command_in_a_first_line_uses_the_file_and_passes_the_check(path: Path) -> None:
    """The command names a mode, and the check compares the mode with what the classes of the parts declare."""
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=first_command(path), return_hydra_config=True)
    chosen = {(key.partition("@")[0].strip("/"), name) for key, name in cfg.hydra.runtime.choices.items()}
    assert (path.parent.relative_to(CONF).as_posix(), path.stem) in chosen, f"the command does not use the file; add {choice(path)} to it"
    with open_dict(cfg):
        del cfg["hydra"]
    try:
        check(cfg)
    except ConfigError as error:
        advice = "Mend the command in the first line of the file, or what the class of the part declares."
        pytest.fail(f"{choice(path)}: {error} {advice}", pytrace=False)


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
