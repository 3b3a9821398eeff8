"""How much a preset runs and how long that takes, told before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from experiments.effects.arms import START, Arms, Overrides
from experiments.table.presets import Pace, Preset
from rag_eval.progress import duration

READING = ("mode=rag", "mode=rag_random", "mode=rag_stale", "mode=rag_finetune", "mode=oracle", "mode=oracle_distract")
OTHER_ROWS = ("mode=finetune_format", "mode=finetune_permuted", "mode=raft")  # modes that train on other rows
NOT_TRAINED_ON = ("mode=", "retriever", "n_forgetting=", "dataset.questions.nothings=")
CANARIES = 0.2  # share of the questions of a run that asks about what a version changed alone
CONTINUED = 0.3  # share of a training that one takes which goes on from another, about what is new and a part of the old


@dataclass(frozen=True)
class Forecast:
    """What a preset runs where nothing is on disk."""

    n_runs: int
    n_trainings: int
    n_other: int  # measurements that are no runs
    seconds: float | None  # None = the pace of the preset was not measured

    @property
    def text(self) -> str:
        """In a line."""
        taken = "how long they take was not measured" if self.seconds is None else f"about {duration(self.seconds)} on two cores"
        trainings = "1 training" if self.n_trainings == 1 else f"{self.n_trainings} trainings"
        counted = f"{self.n_runs} runs, {trainings} among them, and {self.n_other} other measurements"
        return f"{counted}: {taken}; what is on disk is taken from there"


def forecast(preset: Preset, arms: Arms, sweeps: Arms, n_other: int) -> Forecast:
    """Count the runs and the trainings of a preset.

    Args:
        preset: its worlds, its recipe and its pace.
        arms: that are run in every world.
        sweeps: that are run in the first world.
        n_other: number of measurements that are no runs.

    Returns:
        The counts; trainings on the same rows of one world count once, for adapters come from the cache.
    """
    runs = [(seed, one) for seed in preset.seeds for of_world in arms.values() for one in of_world]
    runs += [(preset.seeds[0], one) for of_world in sweeps.values() for one in of_world]
    trainings = {(seed, key): one for seed, one in runs if (key := trained_on(one))}
    seconds = None if preset.pace is None else _seconds(preset, preset.pace, [one for _, one in runs], trainings.values())
    return Forecast(len(runs), len(trainings), n_other, seconds)


def trained_on(overrides: Overrides) -> frozenset[str]:
    """The settings that decide what an arm trains and on which rows; empty = it trains nothing of its own."""
    if not any(one.startswith("adapter.learning_rate=") for one in overrides):
        return frozenset()
    kept = {one for one in overrides if not one.startswith(NOT_TRAINED_ON) or one in OTHER_ROWS}
    asked = {one for one in kept if ".changes=" in one or (".kinds=" in one and "house" not in one)}
    return frozenset(_of_its_version(overrides, kept - asked))


def _of_its_version(overrides: Overrides, kept: set[str]) -> set[str]:
    """With the version of the documents that are trained on in place of that which is asked about."""
    settings = dict(one.split("=", 1) for one in overrides)
    version = int(settings.get("dataset.version", 0))
    lag = int(settings.get("dataset.lag", 1 if settings.get("mode") == "finetune_stale" else 0))
    others = {one for one in kept if not one.startswith(("dataset.version=", "dataset.lag=", "dataset.n_phrasings=6"))}
    return others | {f"version {version - lag}"}


def _seconds(preset: Preset, pace: Pace, runs: Sequence[Overrides], trainings: Iterable[Overrides]) -> float:
    answered = sum((pace.reading if any(setting in READING for setting in one) else pace.asking) * _asked(one) for one in runs)
    return pace.training * sum(_size(preset, one) for one in trainings) + answered + pace.other


def _asked(overrides: Overrides) -> float:
    """How many questions a run asks, in runs of the usual number."""
    return CANARIES if any(one.endswith(".changes=[canary]") for one in overrides) else 1.0


def _size(preset: Preset, overrides: Overrides) -> float:
    """How long a training takes, in trainings on plain questions about a world; house style adds a question a fact."""
    if START in overrides:
        return CONTINUED
    return 1 + any("house" in one for one in overrides) / preset.n_phrasings
