"""The sweep of the smallest preset: its files are those that the preset gives, and compose to the same runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.table.sweep import Options, files, planned, write
from rag_eval.conf_folder import conf_dir
from rag_eval.config.compose import composed

pytestmark = pytest.mark.flow

FILES = files("ci")
RUNS = {run.name: run for run in planned("ci")}
GROUP = "arm/table_ci"


def test_the_files_are_those_that_the_preset_gives() -> None:
    folder = conf_dir() / GROUP
    there = {f"{GROUP}/{path.name}" for path in folder.iterdir()} | {"experiment/table_ci.yaml"}
    assert len(RUNS) == 20
    assert there == set(FILES), "python -m experiments.table.sweep preset=ci"
    assert {name: (conf_dir() / name).read_text(encoding="utf-8") for name in FILES} == FILES, "python -m experiments.table.sweep preset=ci"


def test_the_sweep_composes_to_the_settings_of_the_preset() -> None:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        sweep = compose("config", overrides=["experiment=table_ci"], return_hydra_config=True).hydra.sweeper.params
        assert sweep[f"+{GROUP}"].split(",") == list(RUNS)
        for name, run in RUNS.items():
            made = compose("config", overrides=["experiment=table_ci", f"+{GROUP}={name}"])
            assert OmegaConf.to_container(made) == OmegaConf.to_container(composed(run.settings)), name


def test_files_of_runs_that_are_no_longer_made_go(tmp_path: Path) -> None:
    old = tmp_path / GROUP / "old.yaml"
    old.parent.mkdir(parents=True)
    old.write_text("", encoding="utf-8")
    assert write(Options("ci", tmp_path)) == 0
    assert not old.exists()
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.yaml")} == set(FILES)
