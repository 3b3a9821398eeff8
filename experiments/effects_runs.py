"""The runs that the effects of the invented world are measured with, pooled over several worlds.

An arm is one or more runs in each world; each is an ordinary run directory, so a second call takes finished ones from disk.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from experiments.trained_folder import trained_folder
from rag_eval.config.compose import register_resolvers
from rag_eval.config.paths import conf_dir
from rag_eval.config.signature import signature
from rag_eval.data.world.questions import KINDS
from rag_eval.data.world.writing import STYLES
from rag_eval.evaluate import evaluate
from rag_eval.record.run_record import RunRecord
from rag_eval.report.recorded_run import RecordedRun, read_run
from rag_eval.types import Prediction

EXPERIMENT = "effects"
N_OF_KIND = 20  # questions of each kind in a world, where there are as many
VERSIONS = (1, 2, 3)

Overrides = tuple[str, ...]
Arms = Mapping[str, tuple[Overrides, ...]]


@dataclass(frozen=True)
class Plan:
    """Which worlds, who answers, and what searches."""

    preset: str
    seeds: tuple[int, ...]
    generator: str
    embedder: str
    output_dir: str
    base: Overrides = ()  # the training that those with START go on from

    @property
    def overrides(self) -> Overrides:
        """What all runs have in common."""
        settings = (f"dataset.preset={self.preset}", "dataset.questions.nothings=[]", "n_probe=0", "tracking=none")
        return *settings, f"experiment_name={EXPERIMENT}", f"output_dir={self.output_dir}"


@dataclass(frozen=True)
class Pool:
    """The questions of an arm over all worlds."""

    rows: Mapping[str, Mapping[str, Any]]  # scores by "world.run/question"
    predictions: Mapping[str, Prediction]  # by the same names
    clusters: Mapping[str, str]  # "world/entity": questions about one entity of one world go together
    records: tuple[RunRecord, ...]

    def of_world(self, seed: int) -> Pool:
        """The questions of one world."""
        names = [name for name in self.rows if name.startswith(f"{seed}.")]
        kept = ({name: those[name] for name in names} for those in (self.rows, self.predictions, self.clusters))
        rows, predictions, clusters = kept
        return Pool(rows, predictions, clusters, self.records)

    def column(self, measure: str, names: Sequence[str]) -> list[float]:
        """One score of these questions, nan where it could not be judged."""
        return [math.nan if (value := self.rows[name].get(measure)) is None else float(value) for name in names]


def searching(*more: str) -> Overrides:
    """Who searches."""
    return "mode=rag", "retriever/embedder={embedder}", *more


def _changed(*more: str) -> tuple[Overrides, ...]:
    """Questions about what each version changed."""
    return tuple((*more, f"dataset.version={version}", "dataset.questions.changes=[canary]") for version in VERSIONS)


def _asked(kinds: Sequence[str]) -> Overrides:
    return f"dataset.questions.kinds=[{','.join(kinds)}]", f"dataset.questions.n_answerable={N_OF_KIND * len(kinds)}"


def _among(k: int) -> Overrides:
    return "mode=oracle_distract", "retriever/embedder@retriever.retriever.embedder={embedder}", f"retriever.k={k}"


START = "adapter.start='{start}'"
PRIOR = ("mode=prior",)  # the one arm that has no generator to choose
GROUPS = "dataset.questions.kinds=[list,count]"
TWO_HOP = "dataset.questions.kinds=[two_hop]"
FALSE = "dataset.distractors.counterfactual=1"
KEPT = "dataset.keep_old_documents=true"

ARMS: Arms = {
    "prior": (PRIOR,),
    "closed_book": (("mode=closed_book",),),
    "oracle": (("mode=oracle",),),
    "oracle among 2": (_among(3),),
    "oracle among 4": (_among(5),),
    "rag_random": (("mode=rag_random",),),
    "rag": (searching(),),
    "rag, changed": _changed(*searching()),
    "rag_stale, changed": _changed("mode=rag_stale", "retriever/embedder={embedder}"),
    "rag, changed, old pages kept": _changed(*searching(KEPT)),
    "oracle, groups, k=1": (("mode=oracle", GROUPS, "retriever.k=1"),),
    "oracle, groups, k=5": (("mode=oracle", GROUPS, "retriever.k=5"),),
    "rag, false pages": (searching(FALSE),),
    "closed_book, false pages": (("mode=closed_book", FALSE),),
    "oracle, two hops": (("mode=oracle", TWO_HOP, "retriever.k=5"),),
    "rag, two hops": (searching(TWO_HOP, "retriever.k=5"),),
    "oracle, all kinds": (
        ("mode=oracle", "retriever.k=5", *_asked([kind for kind in KINDS if kind != "as_of"])),
        ("mode=oracle", "retriever.k=5", *_asked(["as_of"]), "dataset.version=2"),  # before, nothing has a past
    ),
    "oracle, misprints": (("mode=oracle", "dataset.manner.misprints=0.1"),),
    "oracle, pronouns": (("mode=oracle", "dataset.manner.pronouns=0.5"),),
    "oracle, styles": (("mode=oracle", f"dataset.manner.styles=[{','.join(STYLES)}]"),),
    "rag, sibling pages": (searching("dataset.distractors.sibling=1"),),
    "rag, outdated pages": (searching("dataset.distractors.outdated=1"),),
}


def trains(plan: Plan) -> bool:
    """Whether who answers has weights that can be trained."""
    with _configuration():
        return "with_adapter" in signature(compose("config", overrides=[f"generator={plan.generator}"])["generator"]["_target_"]).methods


def n_runs(plan: Plan, arms: Arms) -> int:
    """How many runs the plan takes."""
    return len(plan.seeds) * sum(map(len, arms.values()))


def pools(plan: Plan, arms: Arms, advance: Callable[[int], None]) -> dict[str, Pool]:
    """These arms over all worlds; what is finished on disk is not run again. `advance(1)` after each run.

    Raises:
        RagEvalError: a run failed.
    """
    found = {}
    with _configuration():
        for name, of_world in arms.items():
            runs = []
            for seed in plan.seeds:
                for at, overrides in enumerate(of_world):
                    runs.append((seed, at, _run(plan, seed, overrides)))
                    advance(1)
            found[name] = _pooled(runs)
    return found


@contextmanager
def _configuration() -> Iterator[None]:
    register_resolvers()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


def _run(plan: Plan, seed: int, overrides: Overrides) -> RecordedRun:
    start = trained_folder(_composed(plan, seed, plan.base, "")) if START in overrides else ""
    return read_run(Path(evaluate(_composed(plan, seed, overrides, start)).directory))


def _composed(plan: Plan, seed: int, overrides: Overrides, start: str) -> DictConfig:
    """A training has the random numbers of its world's seed."""
    given = [one.format(embedder=plan.embedder, start=start) for one in overrides]
    who = [] if overrides == PRIOR else [f"generator={plan.generator}"]
    who += [f"seed={seed}"] if any(one.startswith("adapter.") for one in given) else []
    common = [*plan.overrides, f"dataset.seed={seed}"]
    if "dataset=update" in given:
        common = ["dataset.after." + one.removeprefix("dataset.") if one.startswith("dataset.") else one for one in common]
    return compose("config", overrides=[*common, *given, *who])


def _pooled(runs: Sequence[tuple[int, int, RecordedRun]]) -> Pool:
    named = {f"{seed}.{at}/{id}": (seed, id, run) for seed, at, run in runs for id in run.rows}
    return Pool(
        rows={name: run.rows[id] for name, (_, id, run) in named.items()},
        predictions={name: run.predictions[id] for name, (_, id, run) in named.items()},
        clusters={name: f"{seed}/{run.rows[id]['cluster']}" for name, (seed, id, run) in named.items()},
        records=tuple(run.record for _, _, run in runs),
    )
