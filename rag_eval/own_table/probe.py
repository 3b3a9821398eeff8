"""What a plan rests on: three questions without and with passages, a few documents indexed and five training steps, timed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from rag_eval.adapt.knowledge_budget import taught_by
from rag_eval.adapt.none import NoAdapter
from rag_eval.config.build import build
from rag_eval.errors import RagEvalError, UserError
from rag_eval.exemplars import n_available
from rag_eval.machine import cpu_name, has_gpu, n_cores
from rag_eval.own_table.arms import Arm
from rag_eval.own_table.probed import BARE, N_QUESTIONS_TIMED, N_STEPS_TIMED, READING, Probed, Training
from rag_eval.preparation import questions_of
from rag_eval.prompt_form import AUTO, FEWEST_QUESTIONS, N_EXEMPLARS, N_QUESTIONS
from rag_eval.protocols import Cache, Generator, PromptWriter, Retriever, Styled
from rag_eval.record.identity import run_id
from rag_eval.record.serialize import from_plain, to_plain
from rag_eval.retrieve.none import NoRetriever
from rag_eval.retrieve.random import RandomPick
from rag_eval.run_spec import RunSpec
from rag_eval.source import code_sha
from rag_eval.system import System
from rag_eval.types import QADataset, TrainingRow

N_INDEXED = 8  # documents of a timed part of an index
N_PASSAGES = 3  # of an arm that does not say how many it shows
FILE = "plan.json"

Item = TypeVar("Item")


def probed(arms: Mapping[str, Arm]) -> Probed:
    """Time the pieces that a plan is made of, or take what was timed before for the same runs on this machine.

    Args:
        arms: checked arms.

    Returns:
        Seconds of the pieces.

    Raises:
        RagEvalError: if the generator cannot be loaded or asked.
    """
    ids = {name: run_id(arm.spec, arm.dataset, questions_of(arm.spec, arm.dataset)) for name, arm in arms.items()}
    key = {"runs": ids, "code": code_sha(__name__), "machine": [cpu_name(), n_cores(), has_gpu()]}
    cache: Cache = build(next(iter(arms.values())).spec.cache)

    def write(folder: Path) -> None:
        (folder / FILE).write_text(json.dumps(to_plain(_timed(arms)), allow_nan=False), encoding="utf-8")

    kept = cache.build("plans", key, write)
    return from_plain(Probed, json.loads((kept.path / FILE).read_text(encoding="utf-8")))


def _timed(arms: Mapping[str, Arm]) -> Probed:
    first = next(iter(arms.values()))
    generator: Generator = build(first.spec.generator)
    forms = forms_of(first.spec, generator, first.dataset)
    prompts = [_prompt(first, form) for form in dict.fromkeys((forms[0], forms[-1]))]
    asked = {kind: tuple(_asked_s(arm, prompt, generator) for prompt in prompts) for kind, arm in _kinds(arms).items()}
    notes: list[str] = []
    rows, refused = _taught(arms, generator, prompts[0])
    step_s = _or_note(notes, "training steps", lambda: _step_s(arms, rows, generator, prompts[0])) if rows else ()
    searching = next((arm for arm in arms.values() if arm.spec.mode.context == "retrieved"), None)
    indexed_s = () if searching is None else _or_note(notes, "indexing", lambda: _indexed_s(searching))
    return Probed(
        device=generator.device,
        asked_s=asked,
        n_forms=len(forms),
        n_form_questions=_n_form_questions(first.dataset) if len(forms) > 1 else 0,
        indexed_s=indexed_s,
        n_documents=0 if searching is None else len(searching.dataset.documents),
        step_s=step_s,
        trainings=_trainings(arms, rows),
        refused=refused,
        notes=tuple(notes),
    )


def forms_of(spec: RunSpec, generator: Generator, dataset: QADataset) -> list[tuple[str, int]]:
    """The forms of the prompt that may be chosen, the shortest first: style and number of exemplars.

    Args:
        spec: with the prompt as configured.
        generator: that is asked.
        dataset: from which exemplars are chosen.

    Returns:
        At least one.
    """
    style, n = spec.prompt.get("style", "chat"), spec.prompt.get("n_exemplars", 0)
    styles, numbers = [style], [n]
    is_free = isinstance(generator, Styled) and not spec.generator.get("keeps_form")
    if style == AUTO:
        styles = list(generator.styles) if isinstance(generator, Styled) and is_free else ["chat"]
    if n == AUTO:
        numbers = [0, *(many for many in N_EXEMPLARS if many <= n_available(dataset))] if is_free else [0]
    return [(one, many) for many in numbers for one in styles]


def _n_form_questions(dataset: QADataset) -> int:
    """Questions that the choice of the form asks in each, at most."""
    pools = [[one for one in pool if one.answers] for pool in (dataset.dev, dataset.others or dataset.train)]
    return next((min(N_QUESTIONS, len(pool)) for pool in pools if len(pool) >= FEWEST_QUESTIONS), 0)


def _prompt(arm: Arm, form: tuple[str, int]) -> PromptWriter:
    made: PromptWriter = build(arm.spec.prompt.having(style=form[0], n_exemplars=form[1]))
    return made.learn(arm.dataset)


def _kinds(arms: Mapping[str, Arm]) -> dict[str, Arm]:
    """An arm of each kind."""
    found: dict[str, Arm] = {}
    for arm in arms.values():
        found.setdefault(READING if arm.has_passages else BARE, arm)
    return found


def _asked_s(arm: Arm, prompt: PromptWriter, generator: Generator) -> tuple[float, ...]:
    """Seconds of single questions, with passages picked at random where the arm shows some: nothing needs to be indexed for that."""
    retriever: Retriever = NoRetriever()
    if arm.has_passages:
        k = min(arm.spec.retriever.get("k") or N_PASSAGES, len(arm.dataset.documents))
        retriever = RandomPick(k, seed=0)
    retriever.add(arm.dataset.documents)
    system = System(retriever, prompt, NoAdapter(), generator)
    questions = spread(questions_of(arm.spec, arm.dataset), N_QUESTIONS_TIMED)
    system.warm_up(questions[:1])
    seconds = []
    for one in questions:
        begun = time.perf_counter()
        system.answer([one])
        seconds.append(time.perf_counter() - begun)
    return tuple(seconds)


def spread(items: Sequence[Item], n: int) -> list[Item]:
    """So many of them, evenly over their order; all where there are no more."""
    n = min(n, len(items))
    return [items[at * len(items) // n] for at in range(n)]


def _taught(arms: Mapping[str, Arm], generator: Generator, prompt: PromptWriter) -> tuple[dict[str, Sequence[TrainingRow]], dict[str, str]]:
    """Training rows by arm, and the arms that have none, with the reason."""
    rows: dict[str, Sequence[TrainingRow]] = {}
    refused: dict[str, str] = {}
    for name, arm in arms.items():
        if not arm.is_trained:
            continue
        try:
            taught = taught_by(build(arm.spec.adapter), generator, prompt, arm.dataset, arm.spec.seed)
        except UserError as error:
            refused[name] = f"cannot be trained on these data: {error}"
        else:
            rows |= {} if taught is None else {name: taught.rows}
    return rows, refused


def _trainings(arms: Mapping[str, Arm], rows: Mapping[str, Sequence[TrainingRow]]) -> tuple[Training, ...]:
    """The trainings: arms with the same rows and settings share one."""
    shared: dict[str, list[str]] = {}
    for name, taught in rows.items():
        settings = json.dumps([arms[name].spec.adapter.to_config(), [vars(one) for one in taught]], sort_keys=True, default=str)
        shared.setdefault(sha256(settings.encode()).hexdigest(), []).append(name)
    return tuple(_training(arms[names[0]], tuple(names), len(rows[names[0]])) for names in shared.values())


def _training(arm: Arm, names: tuple[str, ...], n_rows: int) -> Training:
    settings = arm.spec.adapter.params
    epochs = settings.get("epochs")
    return Training(names, n_rows, settings.get("batch_size", n_rows), epochs, settings.get("max_epochs") or epochs or 1.0)


def _step_s(arms: Mapping[str, Arm], rows: Mapping[str, Sequence[TrainingRow]], generator: Any, prompt: PromptWriter) -> tuple[float, ...]:
    from rag_eval.adapt.trainer.step_seconds import step_seconds  # loads the trainer

    name, taught = max(rows.items(), key=lambda one: len(one[1]))
    arm = arms[name]
    adapter: Any = build(arm.spec.adapter)
    lesson = adapter.with_rows(taught).training_job(generator, prompt, arm.dataset, arm.spec.seed)
    schedule = replace(lesson.schedule, eval_every=0, epochs=N_STEPS_TIMED + 1.0)  # enough passes, should one be a single step
    timed = replace(lesson, schedule=schedule)
    if not lesson.keeps_order:
        timed = replace(timed, rows=rows_to_time(lesson.rows, lesson.schedule.batch_size, N_STEPS_TIMED), keeps_order=True)
    return tuple(step_seconds(timed, N_STEPS_TIMED))


def rows_to_time(rows: Sequence[TrainingRow], batch_size: int, n_steps: int) -> list[TrainingRow]:
    """Rows whose steps take as long on average as those of all: a trainer that groups by length would begin with the longest alone.

    Args:
        rows: of the training.
        batch_size: rows a step.
        n_steps: steps to be timed.

    Returns:
        A batch of the longest rows, which warms up, then `n_steps` batches of rows of one length each, from long to short, evenly over all
        lengths. All rows, the longest first, where there are no more.
    """
    longest_first = sorted(rows, key=lambda one: len(one.prompt) + len(one.completion), reverse=True)
    batches = [longest_first[at : at + batch_size] for at in range(0, len(rows), batch_size)]
    if len(batches) > n_steps:
        batches = [batches[0], *(batches[(2 * at + 1) * len(batches) // (2 * n_steps)] for at in range(n_steps))]
    return [one for batch in batches for one in batch]


def _indexed_s(arm: Arm) -> tuple[float, ...]:
    """Seconds a document of an index, in parts of a few documents; the first part loads what embeds and is not counted."""
    documents = arm.dataset.documents
    size = max(1, min(N_INDEXED, math.ceil(len(documents) / (N_QUESTIONS_TIMED + 1))))
    chosen = spread(documents, size * (N_QUESTIONS_TIMED + 1))
    parts = [chosen[at : at + size] for at in range(0, len(chosen), size)]
    seconds = []
    with TemporaryDirectory() as folder:  # an index of a few documents is of no further use
        node = arm.spec.retriever.to_config()
        for part in parts:
            retriever: Retriever = build(_cached_in(node, folder))
            begun = time.perf_counter()
            retriever.add(part)
            seconds.append((time.perf_counter() - begun) / len(part))
    return tuple(seconds[1:] or seconds)


def _cached_in(node: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """The node of a part whose caches lie in another folder."""
    made = {name: _cached_in(value, folder) if isinstance(value, Mapping) else value for name, value in node.items()}
    return made | ({"root": folder} if str(made.get("_target_", "")).startswith("rag_eval.record.cache.") else {})


def _or_note(notes: list[str], what: str, of: Callable[[], tuple[float, ...]]) -> tuple[float, ...]:
    """What was timed; nothing, with a note, where it cannot be done: the run itself will say so again."""
    try:
        return of()
    except (RagEvalError, ValueError) as error:
        notes.append(f"{what} could not be timed: {error}")
        return ()
