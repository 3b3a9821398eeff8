"""The runs that the effects of the invented world are measured with, pooled over several worlds.

An arm is one or more runs in each world; each is an ordinary run directory, so a second call takes finished ones from disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.effects.trained_folder import trained_folder
from experiments.options import World
from experiments.study import Found, Run, recorded
from rag_eval.config.compose import composed
from rag_eval.config.signature import signature
from rag_eval.record.load import RecordedRun
from rag_eval.report.claims.pool import Pool
from synthworld.documents import STYLES
from synthworld.questions import KINDS

EXPERIMENT = "effects"
N_OF_KIND = 20  # questions of each kind in a world, where there are as many
VERSIONS = (1, 2, 3)

Overrides = tuple[str, ...]
Arms = dict[str, tuple[Overrides, ...]]


@dataclass(frozen=True)
class Plan:
    """Which worlds, who answers, and what searches."""

    preset: World
    seeds: tuple[int, ...]
    generator: str
    embedder: str
    output_dir: Path
    base: Overrides = ()  # the training that those with START go on from
    more: Overrides = ()  # further settings of every run
    recipe: Overrides = ()  # settings of every training, in place of the arms' own; those of the world stand in `more` as well

    @property
    def overrides(self) -> Overrides:
        """What all runs have in common."""
        settings = (f"dataset.preset={self.preset}", "dataset.questions.nothings=[]", "n_probe=0", "tracking=none")
        return *settings, *self.more, f"experiment_name={EXPERIMENT}", f"output_dir={self.output_dir}"


@dataclass(frozen=True)
class ArmRun:
    """One run of an arm."""

    arm: str
    seed: int  # of the world
    at: int  # among the arm's runs in that world

    def __str__(self) -> str:
        return f"{self.arm}, world {self.seed}"


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


HOLDS_WORLD = {"dataset=update": "dataset.after", "dataset=degraded": "dataset.of"}  # where the settings of the world go
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


def trains(generator: str) -> bool:
    """Whether a generator of conf/generator has weights that can be trained."""
    return "with_adapter" in signature(composed([f"generator={generator}"])["generator"]["_target_"]).methods


def runs_of(plan: Plan, arms: Arms) -> list[Run[ArmRun, RecordedRun]]:
    """The runs of these arms in all worlds."""
    return [
        _run(plan, ArmRun(name, seed, at), overrides)
        for name, of_world in arms.items()
        for seed in plan.seeds
        for at, overrides in enumerate(of_world)
    ]


def _run(plan: Plan, one: ArmRun, overrides: Overrides) -> Run[ArmRun, RecordedRun]:
    def make(_: Found[ArmRun, RecordedRun]) -> RecordedRun:
        start = trained_folder(composed(settings_of(plan, one.seed, plan.base))) if START in overrides else ""
        return recorded(settings_of(plan, one.seed, overrides, start))

    return Run(one, make)


def settings_of(plan: Plan, seed: int, overrides: Overrides, start: str = "") -> list[str]:
    """The settings of one run; a training uses the seed of its world.

    Args:
        plan: what all runs have in common.
        seed: seed of the world.
        overrides: overrides of the arm.
        start: folder of the adapter that an arm with START continues.

    Returns:
        Overrides for the command line.
    """
    given = _by_recipe([one.format(embedder=plan.embedder, start=start) for one in overrides], plan.recipe)
    who = [] if overrides == PRIOR else [f"generator={plan.generator}"]
    who += [f"seed={seed}"] if any(one.startswith("adapter.") for one in given) else []
    common = [*plan.overrides, f"dataset.seed={seed}"]
    if overrides == PRIOR:
        common = [one for one in common if not one.startswith("generator.")]
    for dataset, node in HOLDS_WORLD.items():
        if dataset in given:
            common = [f"{node}." + one.removeprefix("dataset.") if one.startswith("dataset.") else one for one in common]
    return [*common, *given, *who]


def _by_recipe(given: list[str], recipe: Overrides) -> list[str]:
    """The settings of an arm; of one that is trained with those of the recipe in place of its own."""
    if not any(one.startswith("adapter.learning_rate=") for one in given):
        return given
    keys = {_key(one) for one in recipe}
    return [*(one for one in given if _key(one) not in keys), *(one for one in recipe if one.startswith("adapter."))]


def _key(override: str) -> str:
    return override.partition("=")[0]


def pools(found: Found[ArmRun, RecordedRun]) -> Found[str, Pool]:
    """The arms of which every run succeeded, over all worlds; the others have failed."""
    arms: Found[str, Pool] = Found()
    arms.failed |= {one.arm: message for one, message in found.failed.items()}
    runs: dict[str, list[tuple[ArmRun, RecordedRun]]] = {}
    for one, run in found.items():
        runs.setdefault(one.arm, []).append((one, run))
    arms |= {arm: _pooled(those) for arm, those in runs.items() if arm not in arms.failed}
    return arms


def _pooled(runs: Sequence[tuple[ArmRun, RecordedRun]]) -> Pool:
    named = {f"{one.seed}.{one.at}/{id}": (one.seed, id, run) for one, run in runs for id in run.rows}
    return Pool(
        rows={name: run.rows[id] for name, (_, id, run) in named.items()},
        predictions={name: run.predictions[id] for name, (_, id, run) in named.items()},
        clusters={name: f"{seed}/{run.rows[id]['cluster']}" for name, (seed, id, run) in named.items()},
        records=tuple(run.record for _, run in runs),
    )
