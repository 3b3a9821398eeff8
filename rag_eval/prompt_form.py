"""Which form of the prompt a generator answers best in: chosen by a probe on dev questions before any arm is compared.

A model that was fine-tuned has learned the form of the answers; one that was not must be shown it. The probe asks the base model in each
style with and without exemplars, the passage that holds the answer among others, as in the prompt of an arm that retrieves: a form in
which a model reads one passage may fail with three. What is chosen holds for every arm, for it depends on the generator and the dataset
alone.
"""

from __future__ import annotations

import json
import logging
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rag_eval.adapt.none import NoAdapter
from rag_eval.config.build import build
from rag_eval.config.signature import signature
from rag_eval.exemplars import chosen, n_available
from rag_eval.prompt import PromptTemplate
from rag_eval.protocols import Cache, Generator, Retriever, Styled
from rag_eval.retrieve.none import NoRetriever
from rag_eval.retrieve.oracle import OracleDistract
from rag_eval.retrieve.random import RandomPick
from rag_eval.run_spec import Part, RunSpec
from rag_eval.score.answer import contains, em
from rag_eval.source import code_sha
from rag_eval.stats.estimate import estimate
from rag_eval.system import System
from rag_eval.text.normalize import normalize
from rag_eval.text.words import length
from rag_eval.types import Document, Estimate, Example, Form, QADataset, ReadingExercise, Style, Tried

log = logging.getLogger(__name__)

AUTO = "auto"
N_EXEMPLARS = (4, 8)  # of the candidates that show some
N_QUESTIONS = 40  # asked of each candidate, at most
FEWEST_QUESTIONS = 8  # below, the probe tells nothing
N_READ = 3  # passages of a question, gold and others: as many as conf/retriever gives to an arm
N_GOLD = 5  # of its evidence, at most, where that is more
FOUND = "form.json"


def formed(spec: RunSpec, dataset: QADataset) -> tuple[RunSpec, Form]:
    """Choose the form of the prompt where the configuration leaves it open.

    In a mode that studies exemplars their configured number stays; the style is that of the other arms.

    Args:
        spec: the checked run.
        dataset: the data as the system gets them.

    Returns:
        The run with the form in its prompt settings, and the form with the reason for it.

    Raises:
        DataError: if the dataset has too few solved questions for the configured exemplars.
    """
    given = spec.prompt
    style, n = given.get("style", "chat"), given.get("n_exemplars", 0)
    is_own = spec.mode.has_exemplars
    if n not in (AUTO, 0):
        chosen(dataset, n + 1)  # refused before a model is asked, if there are too few
    if AUTO not in (style, n):
        return spec, Form(style, n, "as configured")
    shown = AUTO if is_own else n
    wanted = [(one, many) for one, many in _candidates(spec.generator, dataset, shown) if style in (AUTO, one) and shown in (AUTO, many)]
    is_probed = len(wanted) > 1
    if is_probed:
        form = _probed(spec, wanted, dataset)
    elif wanted:
        form = Form(*wanted[0], "the only form that this generator and dataset allow")
    else:
        form = Form("chat" if style == AUTO else style, 0 if n == AUTO else n, "as configured, or the simplest: nothing to choose from")
    form = replace(form, style=form.style if style == AUTO else style, n_exemplars=form.n_exemplars if n == AUTO else n)
    if is_probed:
        log.warning("form of the prompt: style=%s, n_exemplars=%d (%s)", form.style, form.n_exemplars, form.why)
    return replace(spec, prompt=given.having(style=form.style, n_exemplars=form.n_exemplars)), form


def _candidates(part: Part, dataset: QADataset, n: int | str) -> list[tuple[Style, int]]:
    """The forms that may be chosen: chat only for a model with a chat template, exemplars only if the dataset has enough.

    Args:
        part: the generator.
        dataset: dataset from which exemplars are chosen.
        n: number of exemplars, as configured.

    Returns:
        Style and number of exemplars of each form, the simplest first.
    """
    if "styles" not in signature(part.target).methods or part.get("keeps_form"):  # told without loading a library
        return [("chat", 0)]
    generator: Styled = build(part)
    shown = [n] if isinstance(n, int) else [0, *(many for many in N_EXEMPLARS if many <= n_available(dataset))]
    return [(style, many) for style in generator.styles for many in shown]


def _probed(spec: RunSpec, wanted: Sequence[tuple[Style, int]], dataset: QADataset) -> Form:
    generator: Generator = build(spec.generator)
    exemplars = {n: chosen(dataset, n + 1) if n else () for n in {n for _, n in wanted}}
    for most in sorted(exemplars, reverse=True):  # exemplars leave fewer questions, the more they are
        of, asked = _asked(dataset, exemplars[most])
        if len(asked) >= FEWEST_QUESTIONS:
            break
    wanted = [one for one in wanted if one[1] <= most]
    if len(asked) < FEWEST_QUESTIONS:
        style, n = wanted[0]
        why = (
            f"not probed: {len(asked)} answered dev or training questions about others than the exemplars, at least {FEWEST_QUESTIONS} "
            "are needed; give rows split dev, or set dataset.split_by=question"
        )
        return Form(style, n, why)
    if len(wanted) == 1:
        return Form(*wanted[0], f"not probed: with exemplars fewer than {FEWEST_QUESTIONS} questions are left to ask")
    given: PromptTemplate = build(spec.prompt)
    cache: Cache = build(spec.cache)
    learned = [PromptTemplate(given.system, given.header, style, n, exemplars[n]) for style, n in wanted]
    retriever = _retriever(dataset, asked)
    found = [[hit.document for hit in one.hits] for one in retriever.search(asked)]
    prompts = _with_room(learned, generator, asked[0], found[0])
    key = {
        "generator": dict(generator.identity()),
        "device": generator.device,
        "prompts": [[one.system, one.header, one.style, one.n_exemplars, _sha(one.exemplars)] for one in prompts],
        "questions": _sha(asked),
        "passages": [_sha(documents) for documents in found],
        "code": code_sha(__name__, *spec.generator.modules(), *spec.prompt.modules()),
        "rule": [N_QUESTIONS, N_READ, N_GOLD],
        "torch": version("torch"),
        "transformers": version("transformers"),
    }

    def write(folder: Path) -> None:
        log.warning("form of the prompt: asking %d questions in each of %d forms, once for all arms", len(asked), len(prompts))
        tried = [_tried(generator, retriever, prompt, asked) for prompt in prompts]
        (folder / FOUND).write_text(json.dumps([asdict(one) for one in tried], ensure_ascii=False, indent=1), encoding="utf-8")

    kept = json.loads((cache.build("forms", key, write).path / FOUND).read_text(encoding="utf-8"))
    tried = tuple(
        Tried(**{**one, "contains": Estimate(**one["contains"]), "em": Estimate(**one["em"]), "answers": tuple(one["answers"])})
        for one in kept
    )
    passages = "with gold among others" if retriever.k else "without passages, for not all have evidence in the corpus"
    return choose(tried, statistics.fmean(_gold_words(one) for one in asked), f"{of} questions {passages}")


def _retriever(dataset: QADataset, asked: Sequence[Example]) -> Retriever:
    """Finds what the questions are asked with: their evidence among other documents; nothing where that of some is not in the corpus."""
    retriever: Retriever = NoRetriever()
    if _has_gold(dataset, asked):
        k = max(N_READ, min(N_GOLD, max(len(one.evidence) for one in asked)))
        retriever = OracleDistract(RandomPick(k, seed=0), k, seed=0)
    retriever.add(dataset.documents)
    return retriever


def _with_room(
    prompts: Sequence[PromptTemplate], generator: Generator, first: Example, documents: Sequence[Document]
) -> list[PromptTemplate]:
    """Leave out the forms whose exemplars take more than half of the prompt length that the model accepts.

    Args:
        prompts: one template for each form.
        generator: counts the tokens.
        first: question that is used to measure the length.
        documents: its passages.

    Returns:
        The remaining templates, those without exemplars always among them; all if none remains.
    """
    room = generator.max_prompt_tokens
    lengths = [generator.count_tokens([one.render(first, documents)])[0] for one in prompts]
    fitting = [one for one, length in zip(prompts, lengths, strict=True) if room is None or not one.n_shown or 2 * length <= room]
    return fitting or list(prompts)  # as many exemplars as are configured are shown


def choose(tried: Sequence[Tried], gold_words: float, asked: str) -> Form:
    """Choose the form whose answers contain the gold answer most often; among forms about as good, that with the answer lengths of gold.

    About as good is within one standard error of the best, the one-standard-error rule of Breiman et al. (1984): so few questions do not
    distinguish such forms. Equal lengths leave the first.

    Args:
        tried: results of each form, the simplest first.
        gold_words: mean number of words of the gold answers.
        asked: description of the questions and of how they were asked, for the reason.

    Returns:
        The form, with the reason and all results.
    """
    best = max((one.contains for one in tried), key=lambda one: one.mean)
    as_good = best.mean - math.sqrt(best.mean * (1 - best.mean) / best.n)
    near = [one for one in tried if one.contains.mean >= as_good]
    first = min(near, key=lambda one: abs(one.words - gold_words))
    others = "; ".join(_described(one) for one in tried if one is not first)
    why = f"of {len(tried)} forms on {first.contains.n} {asked}: {_described(first)}"
    return Form(first.style, first.n_exemplars, f"{why}; others: {others}", tuple(tried), gold_words)


def _described(one: Tried) -> str:
    return f"{one.style} with {one.n_exemplars} exemplars contains {one.contains.mean:.3f}, em {one.em.mean:.3f}, {one.words:.1f} words"


def _asked(dataset: QADataset, exemplars: Sequence[ReadingExercise]) -> tuple[str, list[Example]]:
    """Answered dev questions, else those that exemplars are drawn from, about others than the exemplars, evenly over their order.

    Before them stands which part of the dataset they are of.
    """
    shown = {one.example.cluster for one in exemplars}
    pools: list[tuple[str, Sequence[Example]]] = [
        ("dev", dataset.dev),
        ("further", dataset.others) if dataset.others else ("training", dataset.train),
    ]
    for part, pool in pools:
        fitting = [one for one in pool if one.answers and one.cluster not in shown]
        if len(fitting) >= FEWEST_QUESTIONS:
            n = min(N_QUESTIONS, len(fitting))
            return part, [fitting[at * len(fitting) // n] for at in range(n)]
    return "", []


def _tried(generator: Generator, retriever: Retriever, prompt: PromptTemplate, asked: Sequence[Example]) -> Tried:
    said = System(retriever, prompt, NoAdapter(), generator).answer(asked)
    clusters = [one.cluster or one.id for one in asked]
    scores = [[metric(one, example) for one, example in zip(said, asked, strict=True)] for metric in (contains, em)]
    held, equal = (estimate(those, clusters, binary=True) for those in scores)
    if held is None or equal is None:
        raise ValueError("answered questions can be judged")
    words = statistics.fmean(length(normalize(one.text)) for one in said)
    return Tried("plain" if prompt.style == "plain" else "chat", prompt.n_shown, held, equal, words, tuple(one.text for one in said[:5]))


def _has_gold(dataset: QADataset, asked: Sequence[Example]) -> bool:
    """Whether the evidence of every question is in the corpus."""
    known = {document.id for document in dataset.documents}
    return bool(known) and all(one.evidence and known.issuperset(one.evidence) for one in asked)


def _gold_words(example: Example) -> float:
    return statistics.fmean(length(normalize(answer)) for answer in example.answers) if example.answers else math.nan


def _sha(rows: Sequence[Any]) -> str:
    return sha256(json.dumps([asdict(one) for one in rows], ensure_ascii=False, sort_keys=True, default=list).encode()).hexdigest()
