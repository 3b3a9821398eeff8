"""The runs of a preset as a Hydra sweep, so that any launcher can make them: python -m experiments.table.sweep preset=ci

Writes conf/arm/table_PRESET/, a file for each run, and conf/experiment/table_PRESET.yaml, with which `python run.py -m
experiment=table_PRESET` makes the same runs as `python -m experiments preset=PRESET`: those that are plain runs. What starts from another
run's adapter, and measurements that are no runs, only that command makes; it takes from disk what the sweep has made.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.effects.arms import EXPERIMENT, START, Arms, Plan, settings_of
from experiments.options import choice, options_of
from experiments.study import ended
from experiments.table.command import Options as TableOptions
from experiments.table.command import arms_of, sweeps_of
from experiments.table.presets import PRESETS
from experiments.table.rows import ROWS
from rag_eval.conf_folder import conf_dir
from rag_eval.record.atomic_io import write_atomically

SHARED = ("tracking=", "experiment_name=", "output_dir=", "n_probe=")  # in the file of the experiment


@dataclass(frozen=True)
class Options:
    """Which preset."""

    preset: Annotated[str, choice(PRESETS)] = "ci"
    conf: Path = Path("conf")


@dataclass(frozen=True)
class Planned:
    """A run of a preset."""

    name: str  # of its file
    title: str
    settings: tuple[str, ...]  # overrides of `run.py`


def planned(preset: str) -> list[Planned]:
    """The runs of a preset that start from no other run, in the order in which the command makes them."""
    options = TableOptions(preset=preset)
    plan, size = options.plan, options.size
    first_world = replace(plan, seeds=plan.seeds[:1])
    return [*_runs(plan, arms_of(ROWS, size)), *_runs(first_world, sweeps_of(ROWS, size))]


def _runs(plan: Plan, arms: Arms) -> list[Planned]:
    return [
        Planned(_file_name(arm, seed, at, len(of_world)), f"{arm}, world {seed}", tuple(settings_of(plan, seed, overrides)))
        for arm, of_world in arms.items()
        for seed in plan.seeds
        for at, overrides in enumerate(of_world)
        if START not in overrides
    ]


def _file_name(arm: str, seed: int, at: int, n: int) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", f"{arm} world {seed}".lower())
    return words if n == 1 else f"{words}-{at + 1}"


def files(preset: str) -> dict[str, str]:
    """The files of a preset's sweep.

    Args:
        preset: its name.

    Returns:
        The text of each file by its path in conf/.
    """
    runs, group = planned(preset), f"arm/table_{preset}"
    texts = {f"{group}/{run.name}.yaml": _file(run, f"python run.py +{group}={run.name}") for run in runs}
    listed = ",".join(run.name for run in runs)
    experiment = f"""# @package _global_
# The runs of the table's preset {preset}, for any launcher: python run.py -m experiment=table_{preset}
defaults:
  - override /tracking: none
experiment_name: {EXPERIMENT}
n_probe: 0
hydra:
  sweeper:
    params:
      +{group}: {listed}
"""
    return texts | {f"experiment/table_{preset}.yaml": experiment}


def _file(run: Planned, command: str) -> str:
    chosen: list[str] = []
    values: dict[str, Any] = {}
    for override in OverridesParser.create().parse_overrides([one for one in run.settings if not one.startswith(SHARED)]):
        if "." not in override.key_or_group and (conf_dir() / override.key_or_group).is_dir():
            package = f"@{override.package}" if override.package else ""
            chosen.append(f"override /{override.key_or_group}{package}: {override.value()}")
        else:
            _put(values, override.key_or_group.split("."), override.value())
    text = yaml.safe_dump(values, sort_keys=False, width=140) if values else ""
    defaults = "\n".join(f"  - {one}" for one in chosen)
    return f"# @package _global_\n# {run.title}: {command}\ndefaults:\n{defaults}\n{text}"


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value


def write(options: Options) -> int:
    """Write the files, and remove those of runs that the preset no longer makes."""
    texts = files(options.preset)
    folder = options.conf / "arm" / f"table_{options.preset}"
    for path in folder.glob("*.yaml"):
        if path.relative_to(options.conf).as_posix() not in texts:
            path.unlink()
    for name, text in texts.items():
        (options.conf / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(options.conf / name, text)
    return 0


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit code."""
    return ended(lambda: write(options_of(argv, Options)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
