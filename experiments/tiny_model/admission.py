"""The admission gates of the embedded base model: what it must be able to read, and what it must not know.

    python -m experiments.admission                     # the shipped weights
    python -m experiments.admission model=build/world   # weights that are still training

Measured on worlds of unseen seeds: no entity and no fact of them was ever trained on.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from rich.console import Console
from rich.table import Table

import rag_eval
from experiments.options import options_of, whole
from experiments.study import ended
from experiments.tiny_model.base_prompt import base_prompt
from rag_eval.generate.hf import HF
from rag_eval.prompt import PromptTemplate
from rag_eval.score.answer import abstained, em
from rag_eval.stats.estimate import estimate
from rag_eval.system import outcome
from rag_eval.types import Document, Estimate, Example, Grading, Prediction
from synthworld.documents import DocumentStyle, write
from synthworld.knowledge import plain
from synthworld.model import Entity, Fact, facts_of, inhabitants
from synthworld.names import TYPES
from synthworld.questions import KINDS, Kind
from synthworld.reading_exercises import Course, exercises
from synthworld.templates import Attribute, Split, attributes, named

SHIPPED = Path(rag_eval.__file__).parent / "assets" / "tiny"
SEEDS = (101, 102, 103)  # worlds that nothing was trained on
N_FACTS = 3  # that a passage states
N_PEOPLE = 100  # of each type in a world
READ_AT = 0.80  # mean from which on a kind of question counts as read
OF_KIND = "kind: "  # begins the names of measures of one kind
Measured = Kind | Literal["false premise"]
UNTRAINED: tuple[Kind, ...] = ("house", "mean")  # left out of the training
MEASURED: tuple[Measured, ...] = (*(kind for kind in KINDS if kind not in UNTRAINED), "false premise")
# What the shipped weights read: presets for them ask nothing else.
READ: tuple[Measured, ...] = ("forward", "paraphrase", "two_hop", "three_hop", "boolean", "choice", "true_premise", "number", "long")
ALONE = ("1",)  # of most counts over few passages: a constant answer would pass for counting
Asked = Literal["answerable", "unknown entity", "unstated attribute"]


@dataclass(frozen=True)
class Options:
    """Which weights, and how many questions a seed and gate."""

    model: str = str(SHIPPED)
    n: Annotated[int, whole(2, 999_999)] = 400


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
    Gate("gold alone, exact match", 0.95),
    Gate("gold among 2 distractors, exact match", 0.90),
    Gate("gold among 4 distractors, exact match", 0.80),
    Gate("unanswerable, says unknown", 0.80),
    Gate("gold alone, says unknown", 0.05, is_ceiling=True),
    Gate("closed book above the prior", 0.02, is_ceiling=True),
)


@dataclass(frozen=True)
class Probe:
    """A question with the passages that stand in its prompt."""

    example: Example
    documents: tuple[Document, ...]


def probes(seed: int, n: int, n_distractors: int, kind: Asked = "answerable", split: Split = "train") -> Iterator[Probe]:
    """n plain questions in test phrasings over one passage and n_distractors hard ones, the six types in turn.

    Hard: about another entity of the type, stating the same attributes.
    """
    rng = random.Random(f"admission/{seed}/{n_distractors}/{kind}")
    people = inhabitants(random.Random(f"admission/{seed}"), dict.fromkeys(TYPES, N_PEOPLE), {}, reserved=False)
    for at in range(n):
        group = [one for one in people if one.type == TYPES[at % len(TYPES)]]
        entity, stranger, *others = rng.sample(group, n_distractors + 2)
        pool = attributes(entity.type)
        stated = rng.sample(pool, min(N_FACTS + 1, len(pool)))
        asked, passages = stated[0], stated[: len(stated) - 1]
        if kind == "unstated attribute":
            asked = stated[-1]
        about = stranger if kind == "unknown entity" else entity
        documents = [_document(one, rng.sample(passages, len(passages)), rng, split) for one in (entity, *others)]
        if kind == "unstated attribute":  # the distractors do state it, of themselves
            documents[1:] = [_document(one, [*rng.sample(passages, len(passages) - 1), asked], rng, split) for one in others]
        answers = (about.values[asked.name],) if kind == "answerable" else ()
        question = plain(Fact(about, asked, ""), "test", rng)
        grading, meta = Grading(asked.comparator), {"attribute": asked.name}
        example = Example(str(at), question, answers, cluster=about.name, meta=meta, grading=grading)
        yield Probe(example, tuple(rng.sample(documents, len(documents))))


def _document(entity: Entity, stated: Sequence[Attribute], rng: random.Random, split: Split) -> Document:
    return Document(entity.id, write(facts_of(entity, stated), DocumentStyle(), rng, split).text, entity.name)


def of_kind(seed: int, n: int, kind: Measured) -> Iterator[Probe]:
    """n questions of a kind in test phrasings, over three passages of three facts and those that they lead to."""
    wanted: dict[Kind, float] = {"true_premise" if kind == "false premise" else kind: 1.0}
    course = Course(reserved=False, splits=("test",), kinds=wanted, unanswerable_share=0.0, linked_share=1.0, disease_share=0.5)
    if kind == "false premise":  # a tenth of what has no answer
        course = replace(course, unanswerable_share=1.0)
    if kind == "as_of":
        course = replace(course, linked_share=0.0, dated_share=1.0)
    yield from itertools.islice(_asked(seed, kind, course, 100 * n), n)


def _asked(seed: int, kind: Measured, course: Course, n_tries: int) -> Iterator[Probe]:
    for at in range(n_tries):
        rng = random.Random(f"admission/{seed}/{kind}/{at}")
        (one,) = exercises(rng, course, n_documents=3, n_entities=3, n_facts=3, n_questions=1)
        if one.asked.kind == kind and one.example.answers != ALONE:
            yield Probe(replace(one.example, id=f"{at}", cluster=f"{seed}/{at}"), one.reading.documents)


def measure(model: str, n: int, seeds: Sequence[int] = SEEDS) -> dict[str, Estimate]:
    """Every gate's measure over n questions a seed, clustered by entity."""
    generator = HF(model, "float32", "auto", max_new_tokens=48, token_budget=16384)
    prompt = base_prompt()
    found = {}
    for n_distractors, name in ((0, "gold alone"), (2, "gold among 2 distractors"), (4, "gold among 4 distractors")):
        asked = [probe for seed in seeds for probe in probes(seed, n, n_distractors)]
        said = _answers(generator, prompt, asked)
        found[f"{name}, exact match"] = _mean([em(one, probe.example) for one, probe in zip(said, asked, strict=True)], asked)
        found[f"{name}, says unknown"] = _mean([float(one.outcome == "abstained") for one in said], asked)
    unanswerable: tuple[Asked, ...] = ("unknown entity", "unstated attribute")
    asked = [probe for kind in unanswerable for seed in seeds for probe in probes(seed, n // 2, 2, kind)]
    found["unanswerable, says unknown"] = _mean([float(one.outcome == "abstained") for one in _answers(generator, prompt, asked)], asked)
    asked = [Probe(probe.example, ()) for seed in seeds for probe in probes(seed, n, 0)]
    said = _answers(generator, prompt, asked)
    found["closed book above the prior"] = _mean(
        [em(one, probe.example) - _prior(probe) for one, probe in zip(said, asked, strict=True)], asked
    )
    return found


def measure_kinds(model: str, n: int, seeds: Sequence[int] = SEEDS) -> dict[str, Estimate]:
    """How well every kind that was trained is answered, over n questions a seed, each with passages of its own.

    Exact match; of questions with a false premise, the share of "unknown".
    """
    generator, prompt = HF(model, "float32", "auto", max_new_tokens=48, token_budget=16384), base_prompt()
    found = {}
    for kind in MEASURED:
        asked = [probe for seed in seeds for probe in of_kind(seed, n, kind)]
        score = abstained if kind == "false premise" else em
        said = _answers(generator, prompt, asked)
        found[f"{OF_KIND}{kind}"] = _mean([score(one, probe.example) for one, probe in zip(said, asked, strict=True)], asked)
    return found


def read(found: Mapping[str, Estimate]) -> set[str]:
    """The kinds that are read, of what measure_kinds found."""
    return {name.removeprefix(OF_KIND) for name, one in found.items() if one.mean >= READ_AT}


def _prior(probe: Probe) -> float:
    """Chance to guess the answer of a question that asks for a value: values are drawn uniformly."""
    return 1 / (len(named(probe.example.meta["attribute"]).values) or N_PEOPLE)


def _answers(generator: HF, prompt: PromptTemplate, asked: Sequence[Probe]) -> list[Prediction]:
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
        holds = ("yes" if gate.holds(one) else "no") if gate else ""
        if name.startswith(OF_KIND):
            holds = "read" if one.mean >= READ_AT else "not read"
        table.add_row(name, f"{one.mean:.3f}", f"{one.low:.3f} to {one.high:.3f}", str(one.n), wanted, holds)
    Console().print(table)


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns the exit code, after one line on an expected failure."""
    return ended(lambda: _main(options_of(argv, Options)))


def _main(options: Options) -> int:
    show(measure(options.model, options.n) | measure_kinds(options.model, max(1, options.n // 4)))
    return 0
