"""Who follows a world that changes, and at what price: a model trained on one version meets the next under several policies.

    python -m experiments.continual                                   # the embedded model on three worlds of preset ci
    python -m experiments.continual generator=scripted embedder=hashed seeds=0

Keys: preset=ci, seeds=0,1,2 (worlds), generator=tiny, embedder=minilm, runs=outputs, out=reports, given="" (more settings, with spaces
between them; adapter.* for those who train). Each cell is an ordinary run of version 1 over a run of version 0, so finished ones are taken
from disk. What the adapter or the generator cannot do is declared not measured. Writes continual.md and continual.json.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from experiments.study import ended, form_notes, options_of, provenance, seeds_of, write_report
from experiments.trained_folder import trained_folder
from rag_eval.config.compose import register_resolvers
from rag_eval.config.paths import conf_dir
from rag_eval.config.signature import signature
from rag_eval.data.world.source import past_of
from rag_eval.evaluate import evaluate
from rag_eval.progress import progress
from rag_eval.report.options import Options
from rag_eval.report.recorded_run import RecordedRun, read_run
from rag_eval.report.runs import is_under_trained
from rag_eval.report.sections import NOT_MEASURED, Cell, Figure, Section, figure
from rag_eval.score.comparators import compare
from rag_eval.score.estimate import estimate
from rag_eval.score.primary import EM
from rag_eval.score.stats import paired_difference
from rag_eval.types import Estimate, Example

DEFAULTS = {
    **{"preset": "ci", "seeds": "0,1,2", "generator": "tiny", "embedder": "minilm"},
    **{"given": "", "runs": "outputs", "out": "reports"},
}
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


def main(argv: Sequence[str]) -> int:
    """Run, print and write; returns the exit code."""
    return ended(lambda: _study(argv))


def _study(argv: Sequence[str]) -> None:
    options = options_of(argv, DEFAULTS)
    seeds = seeds_of(options["seeds"])
    with progress("runs", len(POLICIES) * len(seeds)) as advance:
        found = answered(options, seeds, advance)
    _write(found, options, seeds, "python -m experiments.continual " + " ".join(argv))


def answered(options: Options, seeds: Sequence[int], advance: Callable[[int], None]) -> dict[str, Answered | str]:
    """Every policy over all worlds, or why it is not measured."""
    register_resolvers()
    GlobalHydra.instance().clear()
    found: dict[str, Answered | str] = {}
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        parts = _parts(options)
        for policy in POLICIES:
            lacking = policy.lacking(parts)
            runs = [(seed, _run(policy, options, seed)) for seed in seeds] if not lacking else []
            found[policy.name] = lacking or pooled(runs, {seed: renamed(options["preset"], seed) for seed in seeds})
            advance(len(seeds))
    return found


def _parts(options: Options) -> dict[str, str]:
    cfg = compose("config", overrides=["mode=finetune", f"generator={options['generator']}", *options["given"].split()])
    return {name: cfg[name]["_target_"] for name in ("generator", "adapter")}


def _run(policy: Policy, options: Options, seed: int) -> RecordedRun:
    start = _adapter(options, seed) if "start" in policy.needs else ""
    given = [one.format(start=start, embedder=options["embedder"]) for one in policy.overrides]
    return read_run(Path(evaluate(_composed(given, options, seed, policy.trains)).directory))


def _adapter(options: Options, seed: int) -> str:
    """The folder of what was trained on the version before: that of `nothing`."""
    return trained_folder(_composed(["mode=finetune", f"dataset.version={VERSION - 1}"], options, seed, trains=True))


def _composed(overrides: Sequence[str], options: Options, seed: int, trains: bool) -> DictConfig:
    world = "dataset.after." if "dataset=update" in overrides else "dataset."
    common = [f"{world}preset={options['preset']}", f"{world}seed={seed}", f"{world}questions.nothings=[deleted fact]"]
    common += [f"generator={options['generator']}", "n_probe=0", "tracking=none", "experiment_name=continual"]
    given = [one for one in options["given"].split() if trains or not one.startswith("adapter.")]
    return compose("config", overrides=[*overrides, *common, f"output_dir={options['runs']}", *given])


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


def policies_section(found: Mapping[str, Answered | str], deleted: Mapping[str, str]) -> Section:
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
    return Section("Policies", READING, header, tuple(rows))


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


def _notes(found: Mapping[str, Answered | str], options: Options, command: str) -> list[str]:
    records = [run.record for one in found.values() if isinstance(one, Answered) for run in one.runs]
    return [
        *provenance(records, command),
        f"worlds: preset {options['preset']}, seeds {options['seeds']}, version {VERSION - 1} to {VERSION}; embedder {options['embedder']}",
        *(f"{NOT_MEASURED}: {name}: {one}" for name, one in found.items() if isinstance(one, str)),
        *form_notes({name: [run.record for run in one.runs] for name, one in found.items() if isinstance(one, Answered)}),
        *(f"under-trained: {name}: it says nothing about what training can do" for name in under_trained(found)),
    ]


def under_trained(found: Mapping[str, Answered | str]) -> list[str]:
    """The policies of which some adapter gives too few answers of its training questions."""
    measured = {name: one for name, one in found.items() if isinstance(one, Answered)}
    return [name for name, one in measured.items() if any(is_under_trained(run.record) for run in one.runs)]


def _write(found: Mapping[str, Answered | str], options: Options, seeds: Sequence[int], command: str) -> None:
    sections = [policies_section(found, deleted_values(options["preset"], seeds))]
    write_report(Path(options["out"]), "continual", "Continual learning", sections, _notes(found, options, command))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
