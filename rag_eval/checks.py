"""What must be so before a run starts: found while nothing is lost yet and no model is loaded."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from rag_eval.config.build import build
from rag_eval.data.leakage import Overlap, check_splits, overlap
from rag_eval.errors import DataError
from rag_eval.generate.multi_adapter import check_named
from rag_eval.replay.answer import Answers
from rag_eval.replay.resolve import Recogniser, resolved
from rag_eval.run_spec import RunSpec
from rag_eval.score.metric import metric
from rag_eval.score.self_check import gold_scores
from rag_eval.types import Example, QADataset

log = logging.getLogger(__name__)

GIVEN = ("none", "recorded")  # contexts that need no corpus


def check_questions(spec: RunSpec, dataset: QADataset, questions: Sequence[Example]) -> None:
    """Refuse a dataset that a run cannot be about.

    Args:
        spec: the checked run.
        dataset: the data as the system gets them.
        questions: the questions that are asked.

    Raises:
        DataError: if there is nothing to ask or to search; evidence is missing that the mode puts into the prompt; a question names no
            adapter although there are several; a question has no gold answers although answers are scored; a question is in train and in
            test or dev and `allow_overlap` does not name "questions"; or a metric does not give gold answers their full score.
    """
    if not questions:
        raise DataError(f"{dataset.name}: no question in split={spec.split}. Use split=test, or give rows of that split.")
    context = spec.mode.context
    if not dataset.documents and context not in GIVEN:
        raise DataError(f"{dataset.name} has no documents, and mode={spec.mode.name} needs some. Give documents or use another mode.")
    if context.startswith("gold"):
        _check_evidence(dataset, questions)
    if paths := spec.adapter.get("paths"):
        check_named(((one.id, one.meta) for one in (*dataset.train, *questions)), spec.adapter.params["by"], paths)
    bare = [one.id for one in questions if one.grading.retrieval_only]
    if bare and spec.metrics.answer:
        raise DataError(
            f"{dataset.name}: {len(bare)} of {len(questions)} questions have no gold answers (first: {bare[0]!r}), so that no answer "
            "could be judged. Use mode=retrieval."
        )
    check_splits(dataset, spec.allow_overlap)
    gold_scores({name: metric(target) for name, target in spec.metrics.answer.items()}, questions)


def check_adapter(spec: RunSpec) -> None:
    """Refuse an adapter folder whose tokenizer cannot be used to ask the model or to train it.

    Args:
        spec: the checked run.

    Raises:
        DataError: if the generator refuses the adapter, or the adapter that training starts from would be asked in another way.
    """
    path, paths, start = (spec.adapter.get(name) for name in ("path", "paths", "start"))
    if not (path or paths or start):
        return
    generator = build(spec.generator)
    if path:
        generator.with_adapter(path)
    if paths:
        generator.with_adapters(paths, spec.adapter.params["by"])
    if start:
        from rag_eval.adapt.warm_start import WarmStart  # peft is needed only here

        WarmStart(Path(start), spec.adapter.params["stacked"]).check_asked_alike(generator)


def _check_evidence(dataset: QADataset, questions: Sequence[Example]) -> None:
    known = {document.id for document in dataset.documents}
    lost = [one.id for one in questions if one.is_answerable and not (one.evidence and known.issuperset(one.evidence))]
    if lost:
        raise DataError(
            f"{dataset.name}: {len(lost)} of {len(questions)} questions have no evidence in the corpus (first: {lost[0]!r}), "
            "which this mode puts into the prompt. Mend their evidence ids or use another mode."
        )


def noted_overlap(dataset: QADataset, questions: Sequence[Example]) -> Overlap:
    """What the questions share with the training questions; a warning says how many are the same or nearly."""
    found = overlap(dataset, questions)
    kinds = (("the same as training questions", found.same, "="), ("near duplicates of training questions", found.near, "~"))
    for what, pairs, sign in kinds:
        if pairs:
            first = ", ".join(f"{one} {sign} {train}" for one, train in list(pairs.items())[:3])
            log.warning("%s: %d of %d questions are %s (first: %s)", dataset.name, len(pairs), len(questions), what, first)
    return found


def check_recorded(answers: Answers, dataset: QADataset, questions: Sequence[Example]) -> Answers:
    """Recognise the contexts of recorded answers, after checking that every question has an answer.

    Answers to unknown questions and contexts that are no documents are logged as warnings.

    Args:
        answers: recorded answers by question id.
        dataset: dataset with the documents and all questions.
        questions: the questions that are asked.

    Returns:
        The answers; contexts that are documents of the dataset have the ids of these.

    Raises:
        DataError: if a question has no answer.
    """
    missing = [example.id for example in questions if example.id not in answers]
    if missing:
        raise DataError(
            f"{dataset.name}: {len(missing)} of {len(questions)} questions have no recorded answer (first: {missing[0]!r}). "
            'Give one line for each; "prediction": null where the system gave none.'
        )
    recogniser, evidence = Recogniser(dataset.documents), {id for example in questions for id in example.evidence}
    recognised = resolved(answers, recogniser, evidence)
    contexts = [one for answer in recognised.values() for one in answer.contexts or ()]
    strange = [one for one in contexts if one.id not in recogniser.by_id and one.id not in evidence]
    if strange:
        log.warning(
            "%d of %d recorded contexts are no documents of the dataset (first: %r); whether they are evidence is not known",
            len(strange),
            len(contexts),
            strange[0].text[:60] or strange[0].id,
        )
    known = {example.id for part in (dataset.train, dataset.dev, dataset.test) for example in part}
    strangers = [id for id in answers if id not in known]
    if strangers:
        log.warning("%d recorded answers are to no question of %s (first: %r)", len(strangers), dataset.name, strangers[0])
    return recognised
