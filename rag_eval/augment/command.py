"""Training questions from documents: compose, ask, filter, price, write. The command line's `rag-eval lessons`."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rag_eval.augment.generate import AugmentedData, augment
from rag_eval.augment.prompts import STYLES
from rag_eval.augment.teacher import Teacher
from rag_eval.conf_folder import conf_dir
from rag_eval.config.build import build, dataset_of
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.config.signature import signature
from rag_eval.config.suggest import suggest
from rag_eval.cost.prices import Price, read_sheet, writing_price
from rag_eval.data.chunking.evidence_mapping import origin
from rag_eval.errors import ConfigError
from rag_eval.protocols import Arriving, Generator
from rag_eval.record.atomic_io import locked, write_atomically, writing
from rag_eval.record.manifest import seal
from rag_eval.record.serialize import to_plain
from rag_eval.run_spec import RunSpec
from rag_eval.source import code_sha
from rag_eval.types import Document, QADataset, Spend

ROOM = {"stop": [], "max_new_tokens": 512}  # of a generator that writes pages instead of short answers, where it has such a setting


@dataclass(frozen=True)
class Plan:
    """What is to be made, and where it goes."""

    out: Path
    n_questions: int = 5  # asked for, of each passage
    n_restated: int = 3  # restatements of each passage
    n_documents: int | None = None  # a seeded sample of so many; None = all
    hardware: str | None = None  # a sheet of conf/hardware; None = nothing is priced
    utilisation: float = 1.0  # of a machine that is paid by the hour


@dataclass(frozen=True)
class Made:
    """What was made, and what that took."""

    lessons: AugmentedData
    spend: Spend
    price: Price | None  # None = no sheet was named


def read_plan(arguments: Sequence[str]) -> tuple[Plan, list[str]]:
    """Split the arguments into a plan and the configuration of a run.

    Args:
        arguments: overrides as `name=value`; `out` is required.

    Returns:
        The plan, and the arguments that are keys of a run's configuration.

    Raises:
        ConfigError: if a value of the plan is missing or out of range.
    """
    names = Plan.__dataclass_fields__.keys()
    own = {name: value for name, _, value in (one.partition("=") for one in arguments) if name in names}
    others = [one for one in arguments if one.partition("=")[0] not in names]
    if not own.get("out"):
        raise ConfigError("out= is missing: give the folder to write to.")
    return Plan(
        out=Path(own["out"]),
        n_questions=_whole(own, "n_questions", Plan.n_questions, 0, 100),
        n_restated=_whole(own, "n_restated", Plan.n_restated, 0, len(STYLES)),
        n_documents=_whole(own, "n_documents", 0, 1, 10**9) if "n_documents" in own else None,
        hardware=_sheet(own["hardware"]) if "hardware" in own else None,
        utilisation=_share(own.get("utilisation", "1")),
    ), others


def make(plan: Plan, arguments: Sequence[str]) -> Made:
    """Make the lessons of a plan, from the documents and by the generator of a configuration, and write them.

    Args:
        plan: what is made.
        arguments: overrides of a run's configuration; its test and dev questions are excluded from the lessons.

    Returns:
        Lessons, spend of the model and price.

    Raises:
        RagEvalError: as a run does.
    """
    spec = _spec(arguments)
    sheet = read_sheet(conf_dir() / "hardware" / f"{plan.hardware}.yaml") if plan.hardware else None
    dataset = dataset_of(spec)
    documents = _sample(dataset, plan.n_documents)
    with writing(plan.out):
        plan.out.mkdir(parents=True, exist_ok=True)
    generator, prompt = build(spec.generator), build(spec.prompt)
    with locked(plan.out / "lessons.lock", f"lessons in {plan.out}"):
        teacher = Teacher(generator, plan.out / "replies.jsonl")
        found = augment(teacher, prompt, documents, (*dataset.test, *dataset.dev), plan.n_questions, plan.n_restated)
        price = writing_price(teacher.spend, isinstance(generator, Arriving), sheet, plan.utilisation) if sheet else None
        made = Made(found, teacher.spend, price)
        _write(plan, made, dataset, generator)
    return made


def _spec(arguments: Sequence[str]) -> RunSpec:
    """The checked configuration, with room for pages where the command line does not say otherwise."""
    mode = [] if any(one.startswith("mode=") for one in arguments) else ["mode=closed_book"]
    spec = check(composed([*mode, *arguments]))
    model = signature(spec.generator.target).model
    given = {one.lstrip("+").partition("=")[0] for one in arguments}
    room = {name: value for name, value in ROOM.items() if model and name in model.model_fields and f"generator.{name}" not in given}
    prompt = spec.prompt.having(style="chat", n_exemplars=0)  # what is written has no form that exemplars would show
    return replace(spec, generator=spec.generator.having(**room), prompt=prompt)


def _sample(dataset: QADataset, n: int | None) -> list[Document]:
    """The documents that have text, or all chunks of a sample of them.

    Args:
        dataset: dataset with the documents; seeds the sample by its fingerprint.
        n: number of documents before chunking; None = all.

    Returns:
        Documents or chunks, in the order of the dataset.

    Raises:
        ConfigError: if no document has text.
    """
    sources = [(one, origin(one).source) for one in dataset.documents if one.text.strip()]
    ids = list(dict.fromkeys(source for _, source in sources))
    if not ids:
        raise ConfigError(f"{dataset.name} has no documents to make questions of.")
    chosen = set(ids if n is None or n >= len(ids) else random.Random(f"lessons/{dataset.fingerprint}").sample(ids, n))
    return [one for one, source in sources if source in chosen]


def _write(plan: Plan, made: Made, dataset: QADataset, generator: Generator) -> None:
    questions: list[dict[str, Any]] = [
        {"id": one.id, "question": one.question, "answers": one.answers, "evidence": one.evidence, "cluster": one.cluster, "split": "train"}
        for one in made.lessons.questions
    ]
    restated: list[dict[str, Any]] = [{"document": id, "text": text} for id, texts in made.lessons.restated.items() for text in texts]
    files = [plan.out / "lessons.jsonl", plan.out / "restated.jsonl"]
    for path, rows in zip(files, (questions, restated), strict=True):
        write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    facts = {
        "documents": dataset.counterpart or dataset.fingerprint,
        "dataset_name": dataset.name,
        "generator": generator.identity(),
        "is_hosted": isinstance(generator, Arriving),
        "n_questions": plan.n_questions,
        "n_restated": plan.n_restated,
        "counts": to_plain(made.lessons.counts),
        "spend": to_plain(made.spend),
        "hardware": plan.hardware,
        "utilisation": plan.utilisation,
        "price": None if made.price is None else to_plain(made.price),
        "source": code_sha(__name__),
    }
    seal(plan.out, files, facts)


def _whole(own: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    if name not in own:
        return default
    if not own[name].isdecimal() or not low <= int(own[name]) <= high:
        raise ConfigError(f"{name}: expected a whole number from {low} to {high}, got {own[name]!r}.")
    return int(own[name])


def _share(value: str) -> float:
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 0 < found <= 1:
        raise ConfigError(f"utilisation: expected a share above 0 and at most 1, got {value!r}.")
    return found


def _sheet(name: str) -> str:
    known = sorted(path.stem for path in (conf_dir() / "hardware").glob("*.yaml"))
    if name not in known:
        raise ConfigError(f"hardware={name} does not exist{suggest(name, known)}")
    return name
