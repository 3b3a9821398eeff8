"""Which settings a real model of small size learns a few facts with: learning rate, rank, rows a step, and when to stop.

    python -m experiments.training_defaults                # SmolLM2-135M-Instruct: 20 facts in two phrasings, asked in a third

Keys: generator=smollm2, facts=20 (of the invented world), seed=0, runs=outputs, out=reports. One setting is tried at a time, the best
of it kept for the next, and every run ends when the training questions are learned; finished runs are taken from disk. Writes
training_defaults.md and training_defaults.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from experiments.options import Generator, whole
from experiments.study import Found, NotMade, Report, Run, Study, recorded
from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.facts import History
from rag_eval.record.load import RecordedRun
from rag_eval.report.table import Cell, Table, figure
from rag_eval.text.counted import counted
from rag_eval.types import Estimate, Example
from synthworld.dataset import world

TRAINED, HELD_OUT = (0, 1), 5  # phrasings of a fact that are trained on, and one that is asked
CONTAINS = "answer/contains"
START: Mapping[str, Any] = {"learning_rate": 0.001, "rank": 16, "batch_size": 8, "until_learned": 0.99}
TRIED: Mapping[str, Sequence[Any]] = {
    "learning_rate": (0.0002, 0.0005, 0.001, 0.002, 0.004),
    "rank": (8, 16, 64),
    "batch_size": (4, 8, 16),
}
STOPS = (0.9, 0.99)  # shares of the training questions that end a training
FULL = (0.0001, 0.0003)  # learning rates where every weight is trained
READING = """Each row is a training of its own, ended when {until:g} of the training questions are answered word for word, after 30 passes
at most; alpha is twice the rank. to 0.5, to 0.95: passes after which so much of them was learned. held out: the gold answer stands in
the answer to a question about the same fact in words that were not trained, with its 95 % interval. Best: learned, then held out, then
the fewer passes."""
WHEN = "The best of these, ended at other shares, and after twice the passes of the last."
ALL = "Every weight is trained (adapter=full), by learning rate."


STOP, LONGER, ALL_WEIGHTS = "until_learned", "longer", "all weights"  # what is tried after TRIED


@dataclass(frozen=True)
class Options:
    """Which model, how many facts, and where runs and reports are."""

    generator: Generator = "smollm2"
    facts: Annotated[int, whole(2)] = 20
    seed: int = 0
    runs: Path = Path("outputs")
    out: Path = Path("reports")


@dataclass(frozen=True)
class Trial:
    """What is tried in one training; the rest is the best of what was tried before."""

    setting: str  # of TRIED, or STOP, LONGER, ALL_WEIGHTS
    value: float

    def __str__(self) -> str:
        return f"{self.setting} {self.value:g}"


Trainings = Found[Trial, RecordedRun]


@dataclass(frozen=True)
class Tried:
    """One training."""

    settings: Mapping[str, Any]
    training: History
    estimates: Mapping[str, Estimate]
    cpu_s: float | None  # processor time of learning

    @property
    def rank(self) -> tuple[bool, float, float]:
        """What is better is greater."""
        return self.training.stopped != "max_epochs", self.estimates[CONTAINS].mean, -self.training.epochs

    def passes_to(self, share: float) -> str:
        """After how many passes so much was learned."""
        return next((f"{one.epoch:g}" for one in self.training.curve if one.share >= share), "-")


def trials() -> dict[str, list[Trial]]:
    """What is tried, in order, by what differs."""
    found = {name: [Trial(name, value) for value in values] for name, values in TRIED.items()}
    stops = [*(Trial(STOP, share) for share in STOPS), Trial(LONGER, 2)]
    return found | {STOP: stops, ALL_WEIGHTS: [Trial(ALL_WEIGHTS, rate) for rate in FULL]}


def runs(options: Options) -> list[Run[Trial, RecordedRun]]:
    """A training for each trial."""
    questions = written(options.runs, options.facts)
    return [_run(trial, questions, options) for of_one in trials().values() for trial in of_one]


def _run(trial: Trial, questions: Path, options: Options) -> Run[Trial, RecordedRun]:
    return Run(trial, lambda found: _trained(settings_of(trial, found), questions, options))


def settings_of(trial: Trial, found: Trainings) -> dict[str, Any]:
    """The settings of a trial, given the trainings before it."""
    best = best_of(found, trial.setting)
    if trial.setting == LONGER:
        return {**best, "epochs": trial.value * tried(Trial(STOP, STOPS[-1]), found).training.epochs}
    if trial.setting == ALL_WEIGHTS:
        return {**{name: value for name, value in best.items() if name != "rank"}, "learning_rate": trial.value}
    return {**best, trial.setting: trial.value}


def best_of(found: Trainings, before: str) -> dict[str, Any]:
    """The best of each setting that is tried before this one."""
    best = dict(START)
    for name, values in TRIED.items():
        if name == before:
            break
        best = dict(max((tried(Trial(name, value), found) for value in values), key=lambda one: one.rank).settings)
    return best


def tried(trial: Trial, found: Trainings) -> Tried:
    """How the training of a trial went.

    Args:
        trial: the trial.
        found: the finished trainings.

    Returns:
        Its settings, summary, estimates and processor seconds.

    Raises:
        NotMade: the summary of the training was not recorded.
    """
    record = found[trial].record
    training = record.facts.outcomes.training
    if training is None:
        raise NotMade(f"{trial}: how its training went was not recorded")
    return Tried(settings_of(trial, found), training, record.estimates, record.spends["learn"].cpu_seconds)


def written(runs: Path, n_facts: int) -> Path:
    """Write questions about facts of the invented world, spread over its entities, in phrasings for training and one for the test.

    Args:
        runs: folder of runs; the file is in training_defaults.
        n_facts: number of facts.

    Returns:
        The JSON lines file.

    Raises:
        EnvironmentFault: if it cannot be written.
    """
    known = world("ci", 0).train
    facts = list(dict.fromkeys(_fact(example) for example in known))
    chosen = set(facts[:: len(facts) // n_facts][:n_facts])
    rows = [_row(example) for example in known if _fact(example) in chosen and _phrasing(example) in {*TRAINED, HELD_OUT}]
    path = runs / "training_defaults" / f"facts-{n_facts}.jsonl"
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows))
    return path


def _fact(example: Example) -> str:
    return example.id.rpartition("-")[0]


def _phrasing(example: Example) -> int:
    return int(example.id.rpartition("-")[2])


def _row(example: Example) -> dict[str, Any]:
    split = "test" if _phrasing(example) == HELD_OUT else "train"
    return {"id": example.id, "question": example.question, "answers": example.answers, "cluster": example.cluster, "split": split}


def _trained(settings: Mapping[str, Any], questions: Path, options: Options) -> RecordedRun:
    data = ("dataset=jsonl", "dataset.documents=null", f"dataset.questions={questions}", "prompt.style=chat", "prompt.n_exemplars=0")
    own = ("tracking=none", "n_probe=0", "n_forgetting=0", "experiment_name=training_defaults", f"output_dir={options.runs}")
    kind = [f"adapter.alpha={2 * settings['rank']}"] if "rank" in settings else ["adapter=full"]
    who = (f"generator={options.generator}", f"seed={options.seed}", *kind)
    trained = [f"adapter.{name}={value}" for name, value in {"epochs": "null", **settings}.items()]
    return recorded(["mode=finetune", *data, *own, *who, *trained])


def section(title: str, reading: str, tried: Sequence[Tried]) -> Table:
    """A row for each training."""
    header = ("rate", "rank", "rows a step", "ended at", "passes", "steps", "to 0.5", "to 0.95", "learned", "held out", "n", "processor s")
    return Table(title, reading, header, tuple(map(_cells, tried)))


def _cells(one: Tried) -> tuple[Cell, ...]:
    training, settings, asked = one.training, one.settings, one.estimates[CONTAINS]
    curve = training.curve
    return (
        f"{settings['learning_rate']:g}",
        settings.get("rank", "all"),
        settings["batch_size"],
        counted(training.epochs, "pass", "passes") if training.until_learned is None else f"{training.until_learned:g}",
        f"{training.epochs:g}",
        training.n_steps,
        one.passes_to(0.5),
        one.passes_to(0.95),
        f"{curve[-1].share:.3f}" if curve else "-",
        figure(asked),
        asked.n,
        "-" if one.cpu_s is None else f"{one.cpu_s:.0f}",
    )


def report(_: Options, found: Trainings) -> Report:
    """A table for each setting, one for when to stop, one for all weights, and the curves of all trainings."""
    reading = READING.format(until=START["until_learned"])
    titles = {STOP: ("When to stop", WHEN), ALL_WEIGHTS: ("All weights", ALL)}
    made = {name: [tried(trial, found) for trial in of_one if trial in found] for name, of_one in trials().items()}
    sections = [section(*titles.get(name, (f"By {name.replace('_', ' ')}", reading)), those) for name, those in made.items()]
    curves = [{**one.settings, "curve": [asdict(lap) for lap in one.training.curve]} for those in made.values() for one in those]
    return Report(sections, more={"curves": curves})


STUDY = Study("training_defaults", "Training defaults", "experiments.training_defaults", Options, runs, report)
main = STUDY.main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
