"""The report of an own table: the six rows with their claims, the arms, what more questions would tell, and the decision."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag_eval.errors import UserError
from rag_eval.made import Found
from rag_eval.own_table.arms import Arms
from rag_eval.own_table.claims import RAG, ROWS, TUNED, judged
from rag_eval.own_table.needed import n_of, needed_table
from rag_eval.own_table.not_judged import REASONS, not_judged
from rag_eval.own_table.options import Options
from rag_eval.own_table.plan import Plan, plan_table
from rag_eval.own_table.work import results
from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.load import RecordedRun
from rag_eval.recorded_texts import texts_of
from rag_eval.report.arms_table import arms_table
from rag_eval.report.claims.claim import Finding, Results, judge
from rag_eval.report.claims.costs import PricedPool, priced_pool, totals
from rag_eval.report.claims.html.summary import Summary, write_summary
from rag_eval.report.claims.loads import loads
from rag_eval.report.claims.stated import USUAL
from rag_eval.report.claims.tables import as_data, cells_section, claims_section, declared
from rag_eval.report.claims.timed import FORCED, NATURAL
from rag_eval.report.curve import Curve, Point
from rag_eval.report.decision.candidate import Candidate
from rag_eval.report.decision.constraints import Constraints
from rag_eval.report.decision.decision import winner_map
from rag_eval.report.decision.study import QUERIES, UPDATES, Study, decided, recorded_study
from rag_eval.report.decision.tables import map_table
from rag_eval.report.form import right_by
from rag_eval.report.html.matrix import Block, comparable, matrix
from rag_eval.report.markdown import as_markdown
from rag_eval.report.plain import as_json
from rag_eval.report.provenance import form_notes, provenance
from rag_eval.report.table import Column, Figure, Table
from rag_eval.stats.interval import Interval

TITLE = "Fine-tuning versus RAG, on your documents"
QUESTIONS = (100, 1_000, 10_000, 100_000, 1_000_000)  # a month, of the curve
ANY_P95 = Interval(0.0, 0.0, 0.0, 0, 0)  # where no p95 is asked for, one that was not measured keeps no arm out


@dataclass(frozen=True)
class Reported:
    """What is printed and written."""

    shown: list[Table]  # in the terminal: claims with a number alone
    sections: list[Table]
    notes: list[str]
    findings: Mapping[str, Sequence[Finding]]
    summary: Summary
    data: Mapping[str, object]

    def write(self, out: Path) -> list[Path]:
        """Write summary.html, summary.md, table.json and the figures.

        Args:
            out: folder; made if it does not exist.

        Returns:
            The files and the folder of figures.

        Raises:
            EnvironmentFault: if the folder cannot be written.
        """
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
        page = write_summary(self.summary, out)
        write_atomically(out / "summary.md", as_markdown(TITLE, self.sections, self.notes))
        write_atomically(out / "table.json", json.dumps(self.data, indent=1, allow_nan=False) + "\n")
        return [*page, out / "summary.md", out / "table.json"]


def reported(options: Options, arms: Arms, plan: Plan, made: Found[str, Any], command: str) -> Reported:
    """The report.

    Args:
        options: of the command.
        arms: what was run and what was left out.
        plan: what was told beforehand.
        made: what the runs gave.
        command: as it was given.

    Returns:
        Tables, page and data.
    """
    left_out = lacking(options, arms, plan)
    found = results(made, left_out)
    answered = {name: run for name, run in made.items() if isinstance(run, RecordedRun)}
    records = {name: run.record for name, run in answered.items()}
    findings = findings_of(found, plan.sheet.name)
    curves = {name: _curves(found, plan.sheet.name) if name == "Computational cost" else [] for name in ROWS}
    decision, decision_notes = _decision(options, plan, answered)
    others = [needed_table(findings), left_out_table(found), plan_table(plan)]
    tables = [arms_table(list(records.values()), title="The arms"), *decision, *others]
    measured_on = _measured_on(arms)
    notes = [
        *provenance(list(records.values()), command),
        f"measured on: {measured_on}",
        *division(arms),
        *form_notes({name: [record] for name, record in records.items()}),
        *decision_notes,
        *plan.notes,
        *(f"failed: {name}: {message}" for name, message in made.failed.items()),
    ]
    shown = comparable(answered)
    block = Block("", {name: answered[name] for name in shown}, {name: texts_of(answered[name]) for name in shown})
    by_load = loads(answered, plan.sheet.name)
    summary = Summary(TITLE, measured_on, findings, curves, matrix([block]), records, notes, by_load, tables)
    sections = [cells_section(findings), *tables, *(claims_section(name, those) for name, those in findings.items())]
    data = {"schema_version": 1, "notes": notes, **as_data(findings, curves, measured_on), "sections": as_json(tables)}
    return Reported([*tables[:-2], cells_section(findings), numbers_table(findings)], sections, notes, findings, summary, data)


def findings_of(found: Results, sheet: str) -> dict[str, list[Finding]]:
    """Every claim of the six rows, judged, or not measured with the name of what it lacks.

    Args:
        found: what was measured.
        sheet: name of the price sheet.

    Returns:
        By row, in the order of the table.
    """
    claims, others = judged(sheet), not_judged()
    return {row: [judge(claim, found) for claim in (*claims[row], *others.get(row, ()))] for row in ROWS}


def lacking(options: Options, arms: Arms, plan: Plan) -> dict[str, str]:
    """Names of what was not run or cannot be measured on such data, with the reason."""
    absent = {name: f"{name} is not run; arms={','.join((*options.arms, name))} does" for name in _wanted() if name not in arms.arms}
    why = f"of {TUNED} and {RAG} not both are run" if len(arms.arms) and plan.session else "there are too few questions, or no arm, to time"
    sessions = {name: f"{name}: {why}" for name in (NATURAL, FORCED)}
    asked = any(arm.spec.n_forgetting for arm in arms.arms.values())
    forgetting = (
        {} if asked else {"forgetting": "what training made the model forget is not asked, which takes long; n_forgetting=100 does"}
    )
    return {**REASONS, **forgetting, **sessions, **absent, **arms.left_out}


def _wanted() -> set[str]:
    return {name for claims in judged("laptop_cpu").values() for claim in claims for name in claim.needs} - {NATURAL, FORCED}


def _measured_on(arms: Arms) -> str:
    first = next(iter(arms.arms.values()))
    model = str(first.spec.generator.get("model") or first.spec.generator.target.rpartition(".")[2])
    name = Path(model).name if Path(model).exists() else model
    return f"{first.dataset.name}: {first.n_questions} questions about {first.n_clusters} clusters; {name}"


def division(arms: Arms) -> list[str]:
    """How the questions are divided."""
    most = max((arm.dataset for arm in arms.arms.values()), key=lambda one: len(one.train))
    parts = f"{len(most.test)} test, {len(most.train)} train, {len(most.others)} are others, {len(most.dev)} are dev"
    by = next((one for one in arms.overrides if "split_by=" in one), "as the source divides them")
    return [f"questions: {parts} ({by}); every arm is asked the same"]


def numbers_table(findings: Mapping[str, Sequence[Finding]]) -> Table:
    """The claims that have a number, a line each; the files have all of them with what was compared.

    Args:
        findings: of each row.

    Returns:
        The table.
    """
    rows = tuple(
        (one.claim.id, declared(one), Figure(one.number.mean, one.number.low, one.number.high), n_of(one), one.verdict.text)
        for those in findings.values()
        for one in those
        if one.number is not None
    )
    texts = {title: Column(title, kind="text") for title in ("claim", "declared", "verdict")}
    return Table("Claims with a number", "", (texts["claim"], texts["declared"], "found", "n (clusters)", texts["verdict"]), rows)


def left_out_table(found: Results) -> Table:
    """What was not measured, by name, with the reason."""
    failed = {name: f"failed: {message}" for those in (found.arms, found.work) for name, message in those.failed.items()}
    rows = tuple((name, why) for name, why in {**found.left_out, **failed}.items() if name not in found.arms and name not in found.work)
    return Table("What is left out", "", (Column("what", kind="text"), Column("why", kind="text")), rows)


def _curves(found: Results, sheet: str) -> list[Curve]:
    """What a month costs by its number of questions."""
    series = {name: _totals(priced_pool(name, found.arms[name], USUAL, "", sheet)) for name in (RAG, TUNED) if name in found.arms}
    known = {name: points for name, points in series.items() if len(points) > 1}
    title = f"Cost of a month by its number of questions, utilisation {USUAL:g}"
    return [Curve("cumulative-cost", title, "questions a month", "usd in all", known, log_x=True, log_y=True)] if known else []


def _totals(arm: PricedPool) -> tuple[Point, ...]:
    known = ((n, totals(arm, n)) for n in QUESTIONS)
    return tuple(Point(n, *total) for n, total in known if total is not None)


def _decision(options: Options, plan: Plan, runs: Mapping[str, RecordedRun]) -> tuple[list[Table], list[str]]:
    """The decision under the constraints that were given, or the map over loads alone."""
    if not runs:
        return [], ["decision: no arm answered"]
    try:
        folder = next(iter(runs.values())).folder.parent
        study = recorded_study(folder.parent, folder.name, [str(run.folder) for run in runs.values()])
        if options.load is not None:
            made = decided(study, options.load, plan.sheet.name)
            return made.tables, [f"decision: {made.sentence}", *made.notes]
        return _map(options, plan, study)
    except UserError as error:
        return [], [f"decision: {error}"]


def _map(options: Options, plan: Plan, study: Study) -> tuple[list[Table], list[str]]:
    candidates = [replace(one, p95_ms=ANY_P95) for one in study.candidates(plan.sheet.name, right_by(study.records, study.scoring.primary))]
    least = accuracy_of_best(candidates)
    terms = Constraints(1.0, 0.0, 1.0, least, options.utilisation, options.horizon_days)
    note = (
        f"answer by load: the arm that costs least and is shown to be right in at least {least:.3f} of the questions, the lower end of the "
        f"interval of the most accurate arm; any p95 is accepted; utilisation {options.utilisation:g}, sheet {plan.sheet.name}, "
        f"{options.horizon_days:g} days. queries_per_day=, updates_per_week=, p95_ms= and min_accuracy= decide for your load"
    )
    return [map_table(winner_map(candidates, terms, QUERIES, UPDATES))], [note]


def accuracy_of_best(candidates: Sequence[Candidate]) -> float:
    """The lower end of the interval of the most accurate arm; 0 where none was judged."""
    judged_ones = [one.accuracy for one in candidates if one.accuracy is not None]
    return max(0.0, max(judged_ones, key=lambda one: one.mean).low) if judged_ones else 0.0
