"""The admission gates of the embedded base model: what it must be able to read, and what it must not know.

    python -m experiments.admission                     # the shipped weights
    python -m experiments.admission model=build/tiny    # weights that are still training

Measured on worlds of unseen seeds: no disease and no fact of them was ever trained on.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

import rag_eval
from experiments.base_prompt import base_prompt
from rag_eval.data.world.language import Attribute, Split, attributes, majority_share, subject
from rag_eval.data.world.model import Disease, article, diseases
from rag_eval.generate.hf import HF
from rag_eval.prompt import Prompt
from rag_eval.score.answer import em
from rag_eval.score.estimate import estimate
from rag_eval.system import outcome
from rag_eval.types import Document, Estimate, Example, Prediction

SHIPPED = Path(rag_eval.__file__).parent / "assets" / "tiny"
SEEDS = (101, 102, 103)  # worlds that nothing was trained on
N_FACTS = 4  # that a passage states
Kind = Literal["answerable", "unknown entity", "unstated attribute"]


@dataclass(frozen=True)
class Gate:
    """A measure with the value that it must reach, or stay under."""

    name: str
    wanted: float
    is_ceiling: bool = False

    def holds(self, found: Estimate) -> bool:
        """Whether the mean reaches the wanted value."""
        return found.mean <= self.wanted if self.is_ceiling else found.mean >= self.wanted


GATES = (
    Gate("gold alone, EM", 0.95),
    Gate("gold among 2 distractors, EM", 0.90),
    Gate("gold among 4 distractors, EM", 0.80),
    Gate("unanswerable, says unknown", 0.80),
    Gate("gold alone, says unknown", 0.05, is_ceiling=True),
    Gate("closed book above the prior", 0.02, is_ceiling=True),
)


@dataclass(frozen=True)
class Probe:
    """A question with the passages that stand in its prompt."""

    example: Example
    documents: tuple[Document, ...]


def probes(seed: int, n: int, n_distractors: int, kind: Kind = "answerable", split: Split = "train") -> Iterator[Probe]:
    """n questions in test phrasings over one passage and n_distractors hard ones.

    Hard: about a disease of the same kind with another name, stating the same attributes.
    """
    rng = random.Random(f"admission/{seed}/{n_distractors}/{kind}")
    people = sorted(diseases(rng, 600, reserved=False), key=lambda one: one.name.split()[1])
    kinds = [list(group) for _, group in groupby(people, key=lambda one: one.name.split()[1])]
    for at in range(n):
        disease, stranger, *others = rng.sample(rng.choice(kinds), n_distractors + 2)
        stated = rng.sample(attributes(), N_FACTS + 1)
        asked, passages = stated[0], stated[:N_FACTS]
        if kind == "unstated attribute":
            asked = stated[N_FACTS]
        about = stranger if kind == "unknown entity" else disease
        documents = [_document(one, rng.sample(passages, N_FACTS), rng, split) for one in (disease, *others)]
        if kind == "unstated attribute":  # the distractors do state it, of themselves
            documents[1:] = [_document(one, [*rng.sample(passages, N_FACTS - 1), asked], rng, split) for one in others]
        answers = (disease.values[asked.name],) if kind == "answerable" else ()
        question = subject(rng.choice(asked.questions_of("test")), about.name)
        yield Probe(Example(str(at), question, answers, cluster=about.name), tuple(rng.sample(documents, len(documents))))


def _document(disease: Disease, stated: Sequence[Attribute], rng: random.Random, split: Split) -> Document:
    return Document(disease.name, article(disease, stated, rng, split), disease.name)


def measure(model: str, n: int, seeds: Sequence[int] = SEEDS) -> dict[str, Estimate]:
    """Every gate's measure over n questions a seed, clustered by seed and disease."""
    generator = HF(model, "float32", "auto", max_new_tokens=16, token_budget=16384)
    prompt = base_prompt()
    found = {}
    for n_distractors, name in ((0, "gold alone"), (2, "gold among 2 distractors"), (4, "gold among 4 distractors")):
        asked = [probe for seed in seeds for probe in probes(seed, n, n_distractors)]
        said = _answers(generator, prompt, asked)
        found[f"{name}, EM"] = _mean([em(one, probe.example) for one, probe in zip(said, asked, strict=True)], asked)
        found[f"{name}, says unknown"] = _mean([float(one.outcome == "abstained") for one in said], asked)
    unanswerable: tuple[Kind, ...] = ("unknown entity", "unstated attribute")
    asked = [probe for kind in unanswerable for seed in seeds for probe in probes(seed, n // 2, 2, kind)]
    found["unanswerable, says unknown"] = _mean([float(one.outcome == "abstained") for one in _answers(generator, prompt, asked)], asked)
    asked = [Probe(probe.example, ()) for seed in seeds for probe in probes(seed, n, 0)]
    prior = sum(majority_share(attribute.values) for attribute in attributes()) / len(attributes())
    said = _answers(generator, prompt, asked)
    found["closed book above the prior"] = _mean([em(one, probe.example) - prior for one, probe in zip(said, asked, strict=True)], asked)
    return found


def _answers(generator: HF, prompt: Prompt, asked: Sequence[Probe]) -> list[Prediction]:
    written = generator.generate([prompt.render(probe.example, probe.documents) for probe in asked])
    return [
        Prediction(
            probe.example.id, one.text, (), (), (), 0, "", one.n_prompt_tokens, one.n_output_tokens, {}, outcome(one), one.stop_reason
        )
        for probe, one in zip(asked, written, strict=True)
    ]


def _mean(values: Sequence[float], asked: Sequence[Probe]) -> Estimate:
    found = estimate(values, [probe.example.cluster for probe in asked], binary=min(values) >= 0, bounds=(-1.0, 1.0))
    if found is None:
        raise ValueError("no question was asked")
    return found


def show(found: dict[str, Estimate]) -> None:
    """Print every measure beside its gate."""
    table = Table("measure", "mean", "95 % interval", "n", "wanted", "holds")
    gates = {gate.name: gate for gate in GATES}
    for name, one in found.items():
        gate = gates.get(name)
        wanted = f"{'at most' if gate.is_ceiling else 'at least'} {gate.wanted}" if gate else ""
        table.add_row(
            name,
            f"{one.mean:.3f}",
            f"{one.low:.3f} to {one.high:.3f}",
            str(one.n),
            wanted,
            ("yes" if gate.holds(one) else "no") if gate else "",
        )
    Console().print(table)


def main() -> None:
    arguments = dict(one.split("=", 1) for one in sys.argv[1:])
    show(measure(arguments.get("model", str(SHIPPED)), int(arguments.get("n", 400))))


if __name__ == "__main__":
    main()
