"""The table "fine-tuning versus RAG": what is not yet recorded is run, every claim is judged, and the report is written.

    python -m experiments preset=ci          # minutes, the embedded model
    python -m experiments preset=laptop      # an hour, the embedded model
    python -m experiments preset=real        # hours, SmolLM2-135M-Instruct

Keys: preset=ci, rows= (names with commas between; all where none is given), runs=outputs, out=reports/table. Finished runs are taken
from disk, so the same command goes on after an interruption. Writes summary.md, summary.html with its figures, and table.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from experiments.effects.arms import ArmRun, Arms, Plan, pools, runs_of, trains
from experiments.effects.trained_arms import BASE, TRAINED
from experiments.options import choice, several
from experiments.study import Found, Report, Run, Study, form_notes
from experiments.table.claims import Finding, Results, judge
from experiments.table.html.summary import Summary, write_summary
from experiments.table.presets import PRESETS, Preset
from experiments.table.report import as_data, cells_section, claims_section
from experiments.table.row import Row
from experiments.table.rows import ROWS
from rag_eval.errors import ConfigError
from rag_eval.record.atomic_io import write_atomically
from rag_eval.record.load import RecordedRun
from rag_eval.recorded_texts import texts_of
from rag_eval.report.html.matrix import Block, comparable, matrix

NAMES = tuple(row.name for row in ROWS)
DATA = "table.json"


@dataclass(frozen=True)
class Options:
    """Which preset and rows, and where runs and reports are."""

    preset: Annotated[str, choice(PRESETS)] = "ci"
    rows: Annotated[tuple[str, ...], several(NAMES)] = NAMES
    runs: Path = Path("outputs")
    out: Path = Path("reports/table")

    @property
    def size(self) -> Preset:
        return PRESETS[self.preset]

    @property
    def plan(self) -> Plan:
        """What all runs in worlds have in common."""
        size = self.size
        return Plan(size.world, size.seeds, size.generator, size.embedder, self.runs, TRAINED[BASE][0], size.overrides)

    @property
    def chosen(self) -> Sequence[Row]:
        return [row for row in ROWS if row.name in self.rows]


def runs(options: Options) -> list[Run[Any, Any]]:
    """The runs of all rows, each once.

    Raises:
        ConfigError: if the generator cannot be trained.
    """
    if not trains(options.size.generator):
        raise ConfigError(f"generator={options.size.generator} has no weights to train; choose tiny, smollm2 or hf.")
    work = {run.key: run for row in options.chosen for run in row.work(options.size, options.plan)}
    return [*runs_of(options.plan, arms_of(options)), *work.values()]


def arms_of(options: Options) -> Arms:
    """The arms of all rows, by name.

    Raises:
        ValueError: if two rows give different settings to an arm of one name.
    """
    found: Arms = {}
    for row in options.chosen:
        for name, overrides in row.arms(options.size).items():
            if found.setdefault(name, overrides) != overrides:
                raise ValueError(f"{row.name}: the arm {name!r} has other settings in an earlier row.")
    return found


def results(found: Found[Any, Any]) -> Results:
    """The runs of arms pooled over worlds, and other measurements by name."""
    answered: Found[ArmRun, RecordedRun] = Found()
    work: Found[str, Any] = Found()
    for key, value in found.items():
        if isinstance(key, ArmRun):
            answered[key] = value
        else:
            work[key] = value
    for key, message in found.failed.items():
        (answered if isinstance(key, ArmRun) else work).failed[key] = message
    return Results(pools(answered), work)


def report(options: Options, found: Found[Any, Any]) -> Report:
    """The six rows with their verdicts, every claim, and the curves."""
    gathered, size = results(found), options.size
    findings: dict[str, list[Finding]] = {row.name: [judge(claim, gathered) for claim in row.claims(size)] for row in options.chosen}
    curves = {row.name: row.curves(size, gathered) for row in options.chosen}
    worlds = f"worlds: preset {size.world}, seeds {', '.join(map(str, size.seeds))}; embedder {size.embedder}"
    notes = [f"measured on: {size.measured_on}", worlds, *form_notes({name: pool.records for name, pool in gathered.arms.items()})]
    sections = [cells_section(findings), *(claims_section(name, those) for name, those in findings.items())]
    data = as_data(findings, curves, size)

    def files(out: Path, told: Sequence[str]) -> list[Path]:
        blocks = blocks_of(found)
        arms = {arm: run.record for block in reversed(blocks) for arm, run in block.runs.items()}
        page = Summary(STUDY.title, size.measured_on, findings, curves, matrix(blocks), arms, told)
        write_atomically(out / DATA, json.dumps({"schema_version": 1, "notes": list(told), **data}, indent=1, allow_nan=False) + "\n")
        return [*write_summary(page, out), out / DATA]

    return Report(sections, notes, data, files=files)


def blocks_of(found: Found[Any, Any]) -> list[Block]:
    """Of each world the runs whose answers stand side by side, the same arms in every world, with their texts."""
    worlds: dict[int, dict[str, RecordedRun]] = {}
    for key, run in found.items():
        if isinstance(key, ArmRun) and key.at == 0:
            worlds.setdefault(key.seed, {})[key.arm] = run
    chosen = comparable(next(iter(worlds.values()), {}))
    kept = {seed: {arm: runs[arm] for arm in chosen if arm in runs} for seed, runs in worlds.items()}
    return [
        Block(f"world {seed}" if len(kept) > 1 else "", runs, {arm: texts_of(run) for arm, run in runs.items()})
        for seed, runs in kept.items()
    ]


STUDY = Study("summary", "Fine-tuning versus RAG", "experiments", Options, runs, report)
main = STUDY.main
