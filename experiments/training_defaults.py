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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from experiments.study import ended, options_of, provenance, write_report
from rag_eval.config.compose import register_resolvers
from rag_eval.config.paths import conf_dir
from rag_eval.data.world.source import world
from rag_eval.errors import UserError
from rag_eval.evaluate import evaluate
from rag_eval.progress import progress
from rag_eval.record.disk import write_atomically, writing
from rag_eval.report.recorded_run import read_run
from rag_eval.report.sections import Cell, Section, figure
from rag_eval.types import Example

DEFAULTS = {"generator": "smollm2", "facts": "20", "seed": "0", "runs": "outputs", "out": "reports"}
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


@dataclass(frozen=True)
class Tried:
    """One training."""

    settings: Mapping[str, Any]
    directory: str
    facts: Mapping[str, Any]
    estimates: Mapping[str, Any]
    cpu_s: float | None  # processor time of learning

    @property
    def training(self) -> Mapping[str, Any]:
        """How it went."""
        return dict(self.facts["training"])

    @property
    def rank(self) -> tuple[bool, float, float]:
        """What is better is greater."""
        return self.training["stopped"] != "max_epochs", self.estimates[CONTAINS].mean, -self.training["epochs"]

    def passes_to(self, share: float) -> str:
        """After how many passes so much was learned."""
        return next((f"{one['epoch']:g}" for one in self.training["curve"] if one["share"] >= share), "-")


def main(argv: Sequence[str]) -> int:
    """Train, print and write; returns the exit code."""
    return ended(lambda: _study(argv))


def _study(argv: Sequence[str]) -> None:
    options = options_of(argv, DEFAULTS)
    if not options["facts"].isdecimal() or int(options["facts"]) < 2:
        raise UserError(f"facts: expected a whole number of at least 2, got {options['facts'][:40]!r}.")
    questions = written(Path(options["runs"]), int(options["facts"]))
    best, tried = dict(START), {}
    with progress("trainings", sum(map(len, TRIED.values())) + len(STOPS) + 1 + len(FULL)) as advance:
        for name, values in TRIED.items():
            tried[name] = []
            for value in values:
                tried[name].append(_trained({**best, name: value}, questions, options))
                advance(1)
            best = dict(max(tried[name], key=lambda one: one.rank).settings)
        stopped = [_trained({**best, "until_learned": share}, questions, options) for share in STOPS]
        longer = {**best, "epochs": 2 * stopped[-1].training["epochs"]}
        stopped.append(_trained(longer, questions, options))
        advance(len(stopped))
        of_all = {name: value for name, value in best.items() if name != "rank"}
        whole = [_trained({**of_all, "learning_rate": rate}, questions, options) for rate in FULL]
        advance(len(whole))
    _write(
        tried,
        {("When to stop", WHEN): stopped, ("All weights", ALL): whole},
        " ".join(["python -m experiments.training_defaults", *argv]),
        Path(options["out"]),
    )


def written(runs: Path, n_facts: int) -> Path:
    """The file of questions: facts of the invented world, spread over its entities, in phrasings to train on and one to ask.

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


def _trained(settings: Mapping[str, Any], questions: Path, options: Mapping[str, str]) -> Tried:
    register_resolvers()
    data = ("dataset=jsonl", "dataset.documents=null", f"dataset.questions={questions}", "prompt.style=chat", "prompt.n_exemplars=0")
    own = ("tracking=none", "n_probe=0", "n_forgetting=0", "experiment_name=training_defaults", f"output_dir={options['runs']}")
    kind = [f"adapter.alpha={2 * settings['rank']}"] if "rank" in settings else ["adapter=full"]
    who = (f"generator={options['generator']}", f"seed={options['seed']}", *kind)
    trained = [f"adapter.{name}={value}" for name, value in {"epochs": "null", **settings}.items()]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("config", overrides=["mode=finetune", *data, *own, *who, *trained])
    found = evaluate(cfg)
    return Tried(settings, found.directory, found.facts, found.estimates, found.facts["spends"]["learn"].cpu_seconds)


def section(title: str, reading: str, tried: Sequence[Tried]) -> Section:
    """A row for each training."""
    header = ("rate", "rank", "rows a step", "ended at", "passes", "steps", "to 0.5", "to 0.95", "learned", "held out", "n", "processor s")
    return Section(title, reading, header, tuple(map(_cells, tried)))


def _cells(one: Tried) -> tuple[Cell, ...]:
    training, settings, asked = one.training, one.settings, one.estimates[CONTAINS]
    curve = training["curve"]
    return (
        f"{settings['learning_rate']:g}",
        settings.get("rank", "all"),
        settings["batch_size"],
        f"{training['epochs']:g} passes" if training["until_learned"] is None else f"{training['until_learned']:g}",
        f"{training['epochs']:g}",
        training["n_steps"],
        one.passes_to(0.5),
        one.passes_to(0.95),
        f"{curve[-1]['share']:.3f}" if curve else "-",
        figure(asked),
        asked.n,
        "-" if one.cpu_s is None else f"{one.cpu_s:.0f}",
    )


def _write(tried: Mapping[str, Sequence[Tried]], more: Mapping[tuple[str, str], Sequence[Tried]], command: str, out: Path) -> None:
    reading = READING.format(until=START["until_learned"])
    titled = {(f"By {name.replace('_', ' ')}", reading): those for name, those in tried.items()} | dict(more)
    sections = [section(*title, those) for title, those in titled.items()]
    every = [one for those in titled.values() for one in those]
    curves = [{**one.settings, "curve": one.training["curve"]} for one in every]
    records = [read_run(Path(one.directory)).record for one in every]
    write_report(out, "training_defaults", "Training defaults", sections, provenance(records, command), curves=curves)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
