"""Who follows a world that changes, and at what price: a model trained on one version meets the next under several policies.

    python -m experiments.continual                                   # the embedded model on three worlds of preset ci
    python -m experiments.continual generator=scripted embedder=hashed seeds=0

Keys: preset=ci, seeds=0,1,2 (worlds), generator=tiny, embedder=minilm, runs=outputs, out=reports, given="" (more settings, with spaces
between them; adapter.* for those who train). Each cell is an ordinary run of version 1 over a run of version 0, so finished ones are taken
from disk. What the adapter or the generator cannot do is declared not measured. Writes continual.md and continual.json.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.effects.trained_folder import trained_folder
from experiments.options import Embedder, Generator, Seeds, World
from experiments.study import Found, Report, Run, Study, form_notes, recorded
from rag_eval.config.compose import composed
from rag_eval.config.signature import signature
from rag_eval.record.load import RecordedRun
from rag_eval.record.selection import is_under_trained
from rag_eval.report.table import NOT_MEASURED, Cell, Figure, Table, figure
from rag_eval.score.comparators import compare
from rag_eval.score.primary import EM
from rag_eval.stats.estimate import estimate
from rag_eval.stats.paired_tests import paired_difference
from rag_eval.types import Estimate, Example
from synthworld.dataset import past_of

VERSION = 1
UNCHANGED = ("locality", "retained")
NOTHING = "nothing"  # the policy that the others are compared with
READING = """The system of version 0 meets version 1. Exact match on what changed (update), on other facts about the same entities
(locality) and on everything else that was there before (retention); the share that gives the old value of what changed; the share that
still gives a value that was deleted. BWT: exact match on what did not change, after minus before. Newcomers, and what is asked under a
new name, are in none of these. Update, s: what following took once, over worlds; a policy that starts from an adapter takes that one as
given. Reading: change of exact match on the frozen reading set, base to adapted; every world is asked the same, so its interval is the
mean of theirs, which is not too narrow however they go together. Intervals of 95 % are of these adapters, one a world, and take questions
about one entity of one world as dependent."""


PolicyRun = tuple[str, int]  # name of the policy, seed of the world


@dataclass(frozen=True)
class Policy:
    """What is done when a new version arrives."""

    name: str
    overrides: tuple[str, ...]
    trains: bool = True
    needs: tuple[str, ...] = ()  # parameters of the adapter

    def lacking(self, cfg: Mapping[str, str]) -> str:
        """What the generator or the adapter would have to offer; "" = nothing."""
        if self.trains and "with_adapter" not in signature(cfg["generator"]).methods:
            return "the generator has no weights to train"
        model = signature(cfg["adapter"]).model
        missing = [name for name in self.needs if model is None or name not in model.model_fields]
        return f"the adapter has no {', '.join(missing)}" if missing else ""


def _continued(*more: str) -> tuple[str, ...]:
    return "mode=finetune", "dataset=update", f"dataset.after.version={VERSION}", f"dataset.before.version={VERSION - 1}", *more


FRESH = f"dataset.version={VERSION}"
START = "adapter.start='{start}'"
SEARCH = "retriever/embedder={embedder}"
POLICIES = (
    Policy(NOTHING, ("mode=finetune_stale", FRESH)),
    Policy("from scratch", ("mode=finetune", FRESH)),
    Policy("continue", _continued(START), needs=("start",)),
    Policy("continue, 10 % replay", _continued(START, "dataset.replay=0.1"), needs=("start",)),
    Policy("continue, 50 % replay", _continued(START, "dataset.replay=0.5"), needs=("start",)),
    Policy("stacked", _continued(START, "adapter.stacked=true"), needs=("start", "stacked")),
    Policy("rag, old index", ("mode=rag_stale", FRESH, SEARCH), trains=False),
    Policy("rag, indexed anew", ("mode=rag", FRESH, SEARCH), trains=False),
)


@dataclass(frozen=True)
class Answered:
    """The questions of a policy over all worlds."""

    rows: Mapping[str, Mapping[str, float | str | None]]  # scores by "world/question"
    texts: Mapping[str, str]  # by the same names
    clusters: Mapping[str, str]  # "world/entity"
    runs: tuple[RecordedRun, ...]

    def scores(self, measure: str, changes: Sequence[str]) -> dict[str, float]:
        """A score of the questions about what changed so, nan where it could not be judged."""
        rows = {name: row for name, row in self.rows.items() if row.get("change") in changes}
        return {name: math.nan if (value := row.get(measure)) is None else float(value) for name, row in rows.items()}


@dataclass(frozen=True)
class Options:
    """Which worlds, who answers, what searches, what else is set, and where runs and reports are."""

    preset: World = "ci"
    seeds: Seeds = (0, 1, 2)
    generator: Generator = "tiny"
    embedder: Embedder = "minilm"
    given: str = ""
    runs: Path = Path("outputs")
    out: Path = Path("reports")


def runs(options: Options) -> list[Run[PolicyRun, RecordedRun]]:
    """Each policy that the generator and the adapter can follow, in each world."""
    lacking = _lacking(options)
    return [_run(policy, options, seed) for policy in POLICIES if not lacking[policy.name] for seed in options.seeds]


def _lacking(options: Options) -> dict[str, str]:
    """By policy what the generator or the adapter would have to offer; "" = nothing."""
    cfg = composed(["mode=finetune", f"generator={options.generator}", *options.given.split()])
    parts = {name: cfg[name]["_target_"] for name in ("generator", "adapter")}
    return {policy.name: policy.lacking(parts) for policy in POLICIES}


def _run(policy: Policy, options: Options, seed: int) -> Run[PolicyRun, RecordedRun]:
    def make(_: Found[PolicyRun, RecordedRun]) -> RecordedRun:
        start = _adapter(options, seed) if "start" in policy.needs else ""
        given = [one.format(start=start, embedder=options.embedder) for one in policy.overrides]
        return recorded(_settings(given, options, seed, policy.trains))

    return Run((policy.name, seed), make)


def _adapter(options: Options, seed: int) -> str:
    """The folder of what was trained on the version before: that of `nothing`."""
    return trained_folder(composed(_settings(["mode=finetune", f"dataset.version={VERSION - 1}"], options, seed, trains=True)))


def _settings(overrides: Sequence[str], options: Options, seed: int, trains: bool) -> list[str]:
    world = "dataset.after." if "dataset=update" in overrides else "dataset."
    common = [f"{world}preset={options.preset}", f"{world}seed={seed}", f"{world}questions.nothings=[deleted fact]"]
    common += [f"generator={options.generator}", "n_probe=0", "tracking=none", "experiment_name=continual"]
    given = [one for one in options.given.split() if trains or not one.startswith("adapter.")]
    return [*overrides, *common, f"output_dir={options.runs}", *given]


def answered_by(options: Options, found: Found[PolicyRun, RecordedRun]) -> dict[str, Answered | str]:
    """By policy what was answered in all worlds, or why nothing was."""
    lacking = _lacking(options)
    names = {seed: renamed(options.preset, seed) for seed in options.seeds}
    failed = {name: f"world {seed} failed: {message}" for (name, seed), message in found.failed.items()}
    return {
        policy.name: lacking[policy.name]
        or failed.get(policy.name)
        or pooled([(seed, found[policy.name, seed]) for seed in options.seeds], names)
        for policy in POLICIES
    }


def pooled(runs: Sequence[tuple[int, RecordedRun]], renamed: Mapping[int, Collection[str]]) -> Answered:
    """The runs of a policy, one a world by its seed; an entity under a new name is not one about which nothing is new."""
    rows = {f"{seed}/{id}": _marked(row, renamed[seed]) for seed, run in runs for id, row in run.rows.items()}
    return Answered(
        rows=rows,
        texts={f"{seed}/{id}": run.predictions[id].text for seed, run in runs for id in run.rows},
        clusters={name: f"{name.partition('/')[0]}/{row['cluster']}" for name, row in rows.items()},
        runs=tuple(run for _, run in runs),
    )


def _marked(row: Mapping[str, Any], renamed: Collection[str]) -> Mapping[str, Any]:
    return {**row, "change": "renamed"} if row.get("change") in UNCHANGED and row["cluster"] in renamed else row


def renamed(preset: str, seed: int) -> frozenset[str]:
    """Ids of the entities that have another name since the version before."""
    return frozenset(event.entity_id for event in past_of(preset, seed).events if event.kind == "rename" and event.version == VERSION)


def score(one: Answered, changes: Sequence[str], measure: str = EM) -> Estimate | None:
    """The mean of a score over questions about what changed so."""
    scores = one.scores(measure, changes)
    return estimate(list(scores.values()), [one.clusters[name] for name in scores], binary=True)


def backward_transfer(before: Answered, after: Answered) -> Estimate | None:
    """Exact match on what did not change, after - before (Lopez-Paz and Ranzato 2017, of two tasks)."""
    first, second = (one.scores(EM, UNCHANGED) for one in (before, after))
    names = [name for name in first if name in second]
    return paired_difference([first[name] for name in names], [second[name] for name in names], [before.clusters[name] for name in names])


def leakage(one: Answered, deleted: Mapping[str, str]) -> Estimate | None:
    """Share of the questions about deleted facts, by name, that are answered with the deleted value."""
    names = [name for name in deleted if name in one.texts]
    leaks = [compare(one.texts[name], Example(name, "", (deleted[name],))) for name in names]
    return estimate(leaks, [one.clusters[name] for name in names], binary=True)


def deleted_values(preset: str, seeds: Sequence[int]) -> dict[str, str]:
    """The value of each deleted fact by "world/question"."""
    return {
        f"{seed}/test-deleted-fact-{entity.id}-{name}": entity.values[name]
        for seed in seeds
        for entity in past_of(preset, seed).at(VERSION)
        for name in entity.deleted
    }


def policies_section(found: Mapping[str, Answered | str], deleted: Mapping[str, str]) -> Table:
    """A row a policy."""
    header = ("policy", "update, s", "update", "old value", "locality", "retention", "BWT", "deleted value", "reading", "n changed")
    before = found[NOTHING]
    rows: list[tuple[Cell, ...]] = []
    for policy in POLICIES:
        one = found[policy.name]
        if isinstance(one, str):
            rows.append((policy.name, *[NOT_MEASURED] * (len(header) - 1)))
            continue
        transfer = backward_transfer(before, one) if isinstance(before, Answered) and policy.trains and policy.name != NOTHING else None
        success = score(one, ["canary"])
        rows.append(
            (
                policy.name,
                _seconds(policy, one),
                figure(success),
                figure(score(one, ["canary"], "answer/stale")),
                *(figure(score(one, [change])) for change in UNCHANGED),
                figure(transfer) if transfer else "-",
                figure(leakage(one, deleted)),
                forgotten([run.record.estimates.get("forgetting/reading_change") for run in one.runs]) if policy.trains else "-",
                0 if success is None else success.n,
            )
        )
    return Table("Policies", READING, header, tuple(rows))


def _seconds(policy: Policy, one: Answered) -> Cell:
    """Mean over the worlds; a policy that does not follow takes none."""
    if policy.name == NOTHING or "mode=rag_stale" in policy.overrides:
        return "-"
    taken = [run.record.spends["learn"].seconds for run in one.runs]
    return Figure(sum(known) / len(known) if (known := [one for one in taken if one is not None]) and len(known) == len(taken) else None)


def forgotten(changes: Sequence[Estimate | None]) -> Figure:
    """The mean over the worlds of what each adapter forgot, of the same questions: a mean of intervals holds the interval of the mean."""
    known = [change for change in changes if change is not None]
    if not known or len(known) < len(changes):
        return Figure(None)
    mean, low, high = (sum(getattr(change, name) for change in known) / len(known) for name in ("mean", "low", "high"))
    return Figure(mean, low, high, known[0].n, known[0].n_clusters)


def _notes(found: Mapping[str, Answered | str], options: Options) -> list[str]:
    seeds = ",".join(map(str, options.seeds))
    return [
        f"worlds: preset {options.preset}, seeds {seeds}, version {VERSION - 1} to {VERSION}; embedder {options.embedder}",
        *(f"{NOT_MEASURED}: {name}: {one}" for name, one in found.items() if isinstance(one, str)),
        *form_notes({name: [run.record for run in one.runs] for name, one in found.items() if isinstance(one, Answered)}),
        *(f"under-trained: {name}: it says nothing about what training can do" for name in under_trained(found)),
    ]


def under_trained(found: Mapping[str, Answered | str]) -> list[str]:
    """The policies of which some adapter gives too few answers of its training questions."""
    measured = {name: one for name, one in found.items() if isinstance(one, Answered)}
    return [name for name, one in measured.items() if any(is_under_trained(run.record) for run in one.runs)]


def report(options: Options, found: Found[PolicyRun, RecordedRun]) -> Report:
    """A table of the policies."""
    policies = answered_by(options, found)
    return Report([policies_section(policies, deleted_values(options.preset, options.seeds))], _notes(policies, options))


STUDY = Study("continual", "Continual learning", "experiments.continual", Options, runs, report)
main = STUDY.main
