"""The table "fine-tuning versus RAG": what is not yet recorded is run, every claim is judged, and the report is written.

    python -m experiments preset=ci          # minutes, the embedded model
    python -m experiments preset=laptop      # about an hour, the embedded model
    python -m experiments preset=real        # up to eight hours, SmolLM2-135M-Instruct

How many runs and trainings that is, and how long they take, is told before the first.

Keys: preset=ci, rows= (names with commas between; all where none is given), runs=outputs, out=reports/table. Finished runs are taken
from disk, so the same command goes on after an interruption. Writes summary.md, summary.html with its figures, and table.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from experiments.effects.arms import ArmRun, Arms, Plan, pools, runs_of, trains
from experiments.effects.trained_arms import BASE, TRAINED
from experiments.options import choice, several
from experiments.study import Found, Report, Run, Study, form_notes
from experiments.table.forecast import forecast
from experiments.table.presets import PRESETS, Preset
from experiments.table.row import Row
from experiments.table.rows import ROWS
from rag_eval.errors import ConfigError
from rag_eval.record.load import RecordedRun
from rag_eval.recorded_texts import texts_of
from rag_eval.report.claims.claim import Finding, Results, judge
from rag_eval.report.claims.html.summary import Summary, write_summary
from rag_eval.report.claims.loads import ARMS as SIDES
from rag_eval.report.claims.loads import loads
from rag_eval.report.claims.tables import as_data, cells_section, claims_section
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
        return Plan(size.world, size.seeds, size.generator, size.embedder, self.runs, TRAINED[BASE][0], size.overrides, size.recipe)

    @property
    def chosen(self) -> Sequence[Row]:
        return [row for row in ROWS if row.name in self.rows]


def runs(options: Options) -> list[Run[Any, Any]]:
    """The runs of all rows, each once.

    Args:
        options: of the command.

    Returns:
        Arms in every world, then sweeps in the first, then other measurements.

    Raises:
        ConfigError: if the generator cannot be trained.
    """
    if not trains(options.size.generator):
        raise ConfigError(f"generator={options.size.generator} has no weights to train; choose tiny, smollm2 or hf.")
    plan, size = options.plan, options.size
    first_world = replace(plan, seeds=plan.seeds[:1])
    work = {run.key: run for row in options.chosen for run in row.work(size, plan) if str(run.key) not in size.left_out}
    return [*runs_of(plan, arms_of(options.chosen, size)), *runs_of(first_world, sweeps_of(options.chosen, size)), *work.values()]


def arms_of(rows: Sequence[Row], size: Preset) -> Arms:
    """The arms that are run in every world.

    Args:
        rows: of the table.
        size: what each of them runs.

    Returns:
        The overrides of each run, by the name of the arm.

    Raises:
        ValueError: if two rows give different settings to an arm of one name.
    """
    found = _together(rows, lambda row: row.arms(size))
    return {name: overrides for name, overrides in found.items() if name not in (*size.left_out, *size.first_world)}


def sweeps_of(rows: Sequence[Row], size: Preset) -> Arms:
    """The arms that are run in the first world alone.

    Args:
        rows: of the table.
        size: what each of them runs.

    Returns:
        The overrides of each run, by the name of the arm; without arms that some row runs in every world.

    Raises:
        ValueError: if two rows give different settings to an arm of one name.
    """
    everywhere = arms_of(rows, size)
    found = _together(rows, lambda row: row.sweeps(size) | row.arms(size))
    return {name: overrides for name, overrides in found.items() if name not in (*everywhere, *size.left_out)}


def _together(rows: Sequence[Row], of: Callable[[Row], Arms]) -> Arms:
    found: Arms = {}
    for row in rows:
        for name, overrides in of(row).items():
            if found.setdefault(name, overrides) != overrides:
                raise ValueError(f"{row.name}: the arm {name!r} has other settings in an earlier row.")
    return found


def left_out(options: Options) -> dict[str, str]:
    """The arms and measurements of a wide preset that this one does not run, with the reason."""
    wide = replace(options.size, is_wide=True, left_out=(), first_world=())
    work = [str(run.key) for row in options.chosen for run in row.work(wide, options.plan)]
    names = {*arms_of(options.chosen, wide), *sweeps_of(options.chosen, wide), *work} - {named_in(run) for run in runs(options)}
    instead = "it would take too long" if options.size.is_wide else "presets with sweeps do"
    return {name: f"preset={options.preset} does not run {name!r}; {instead}" for name in sorted(names)}


def named_in(run: Run[Any, Any]) -> str:
    """The name by which a claim needs what a run gives: of its arm, or its own."""
    return run.key.arm if isinstance(run.key, ArmRun) else str(run.key)


def results(found: Found[Any, Any], left_out: Mapping[str, str]) -> Results:
    """Sort what the runs gave into arms and other measurements.

    Args:
        found: what the runs gave.
        left_out: names of what is not run, with the reason.

    Returns:
        The runs of arms pooled over worlds, and other measurements by name.
    """
    answered: Found[ArmRun, RecordedRun] = Found()
    work: Found[str, Any] = Found()
    for key, value in found.items():
        if isinstance(key, ArmRun):
            answered[key] = value
        else:
            work[key] = value
    for key, message in found.failed.items():
        (answered if isinstance(key, ArmRun) else work).failed[key] = message
    return Results(pools(answered), work, left_out)


def report(options: Options, found: Found[Any, Any]) -> Report:
    """The six rows with their verdicts, every claim, and the curves."""
    gathered, size = results(found, left_out(options)), options.size
    findings: dict[str, list[Finding]] = {row.name: [judge(claim, gathered) for claim in row.claims(size)] for row in options.chosen}
    curves = {row.name: row.curves(size, gathered) for row in options.chosen}
    worlds = f"worlds: preset {size.world}, seeds {', '.join(map(str, size.seeds))}; embedder {size.embedder}"
    notes = [f"measured on: {size.measured_on}", worlds, *form_notes({name: pool.records for name, pool in gathered.arms.items()})]
    sections = [cells_section(findings), *(claims_section(name, those) for name, those in findings.items())]

    def files(out: Path, told: Sequence[str]) -> list[Path]:
        blocks = blocks_of(found)
        arms = {arm: run.record for block in reversed(blocks) for arm, run in block.runs.items()}
        by_load = loads(first_world(found, size.seeds[0]))
        return write_summary(Summary(STUDY.title, size.measured_on, findings, curves, matrix(blocks), arms, told, by_load), out)

    return Report(sections, notes, {"preset": size.name, **as_data(findings, curves, size.measured_on)}, files=files, data_file=DATA)


def first_world(found: Mapping[object, object], seed: int) -> dict[str, RecordedRun]:
    """The runs of both sides in a world.

    Args:
        found: what the runs of the table gave.
        seed: of the world.

    Returns:
        The runs by arm; without those that failed.
    """
    return {arm: run for arm in SIDES if isinstance(run := found.get(ArmRun(arm, seed, 0)), RecordedRun)}


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


def before(options: Options) -> str:
    """How much is run, and how long that takes."""
    made, size = runs(options), options.size
    n_other = sum(not isinstance(run.key, ArmRun) for run in made)
    return forecast(size, arms_of(options.chosen, size), sweeps_of(options.chosen, size), n_other).text


STUDY = Study("summary", "Fine-tuning versus RAG", "experiments", Options, runs, report, before)
main = STUDY.main
