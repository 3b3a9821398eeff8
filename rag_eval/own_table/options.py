"""What `rag-eval table` is told: its own keys, and those of `python run.py` for every arm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_eval.errors import ConfigError
from rag_eval.report.commands.decide import constraints_of
from rag_eval.report.decision.constraints import Constraints
from rag_eval.report.priced_arms import sheet_named

ARMS = ("closed_book", "few_shot", "rag", "rag_format", "finetune", "finetune_format", "rag_finetune", "oracle")
FURTHER = ("rag_random",)  # of arms= alone
LOAD = ("queries_per_day", "updates_per_week", "p95_ms", "min_accuracy")
TERMS = {"utilisation": "0.5", "horizon_days": "365", "hardware": ""}  # of costs; "" = the sheet of the device
OWN = {"arms": "", "plan": "", "out": "reports/own", **dict.fromkeys(LOAD, ""), **TERMS}
CHOSEN_HERE = ("mode", "experiment", "latency")  # keys of run.py that the command itself decides
IN_PLACE = {"experiment_name": "own_table", "n_forgetting": "0"}  # of keys of run.py that are not given: no claim is about forgetting
MODEL = "generator=hf generator.model=Qwen/Qwen2.5-0.5B-Instruct generator.revision=<commit>, or generator=smollm2"
KEY = re.compile(r"[+~]*([\w.@/]+)=")


@dataclass(frozen=True)
class Options:
    """The command line."""

    arms: tuple[str, ...]
    is_named: bool  # whether arms= named them: then none may be left out
    is_plan_only: bool
    out: Path
    load: Constraints | None  # None = the map over loads only
    utilisation: float  # in (0, 1]
    horizon_days: float
    hardware: str  # price sheet; "" = that of the device
    overrides: tuple[str, ...]  # of run.py, without mode

    def of(self, mode: str) -> list[str]:
        """The overrides of an arm."""
        return [f"mode={mode}", *self.overrides]


def read(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Args:
        arguments: key=value.

    Returns:
        The options.

    Raises:
        ConfigError: if an argument is no key=value, a key is decided by the command itself, an arm does not exist, no data or no generator
            is named, the plan is to be made in a way that does not exist, or out= is no folder.
        UserError: if a number is missing or out of range, or there is no such price sheet.
    """
    given = dict(OWN)
    overrides: list[str] = []
    for one in arguments:
        key = _key(one)
        if key in OWN:
            given[key] = one.partition("=")[2]
        elif key in CHOSEN_HERE or key.startswith("latency."):
            raise ConfigError(f"{key}= is decided by rag-eval table itself; choose arms with arms=rag,finetune.")
        else:
            overrides.append(one)
    if given["plan"] not in ("", "only"):
        raise ConfigError(f"plan={given['plan']}: expected plan=only, which tells what would be run and stops.")
    _check_out(given["out"])
    _check_named(overrides)
    if given["hardware"]:
        sheet_named(given["hardware"])
    terms = _constraints(given, dict.fromkeys(LOAD, "1"))
    return Options(
        arms=_arms(given["arms"]),
        is_named=bool(given["arms"]),
        is_plan_only=given["plan"] == "only",
        out=Path(given["out"]),
        load=_constraints(given, {}) if any(given[name] for name in LOAD) else None,
        utilisation=terms.utilisation,
        horizon_days=terms.horizon_days,
        hardware=given["hardware"],
        overrides=(*(f"{key}={value}" for key, value in IN_PLACE.items() if not _has(overrides, key)), *overrides),
    )


def _key(argument: str) -> str:
    found = KEY.match(argument)
    if found is None:
        raise ConfigError(f"{argument}: expected key=value, as in dataset=folder.")
    return found[1]


def _has(overrides: Sequence[str], *keys: str) -> bool:
    return any(_key(one) in keys for one in overrides)


def _check_out(text: str) -> None:
    """Refuse a report that could not be written, before the runs that it is of.

    Args:
        text: the folder as given.

    Raises:
        ConfigError: if it is empty, or a file stands where a folder should.
    """
    if not text:
        raise ConfigError(f"out=: expected a folder, as in out={OWN['out']}.")
    if files := [one for one in (Path(text), *Path(text).parents) if one.exists() and not one.is_dir()]:
        raise ConfigError(f"out={text}: {files[0]} is a file; expected a folder.")


def _check_named(overrides: Sequence[str]) -> None:
    """Refuse a command without data, and one without a generator for data that the embedded model cannot read.

    Args:
        overrides: of run.py.

    Raises:
        ConfigError: if it is one.
    """
    data = next((one.partition("=")[2] for one in reversed(overrides) if _key(one) == "dataset"), None)
    if data is None:
        raise ConfigError("expected dataset=, as in dataset=folder dataset.documents=DOCS dataset.questions=QA.csv.")
    if data != "world" and not _has(overrides, "generator", "generator._target_"):
        raise ConfigError(
            f"the embedded model reads the invented world alone and would answer nothing about dataset={data}: give a generator, as "
            f"{MODEL}; or generator=tiny to run it all the same."
        )


def _arms(text: str) -> tuple[str, ...]:
    names = tuple(text.split(",")) if text else ARMS
    if unknown := [name for name in names if name not in (*ARMS, *FURTHER)]:
        raise ConfigError(f"arms={text}: there is no arm {unknown[0]!r}; choices: {', '.join((*ARMS, *FURTHER))}.")
    if len(set(names)) < len(names):
        raise ConfigError(f"arms={text}: expected every arm once.")
    return names


def _constraints(given: Mapping[str, str], standing_in: Mapping[str, str]) -> Constraints:
    """The load and the terms of costs."""
    return constraints_of({**given, "hardware": given["hardware"] or "by device", **standing_in})
