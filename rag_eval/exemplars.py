"""Which solved questions a prompt shows: about others than are asked, the same in every arm, with the passages that answer them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from rag_eval.errors import DataError
from rag_eval.text.normalize import normalize
from rag_eval.text.spans import span_of
from rag_eval.types import Document, Example, QADataset, ReadingExercise, Turn


def chosen(dataset: QADataset, n: int) -> tuple[ReadingExercise, ...]:
    """Exemplars spread evenly over entities or articles, and over the kinds of question.

    They are drawn from the first of these that has answered questions about enough clusters: reading exercises about other
    documents; questions about others than are asked (`dataset.others`) or, where there are none, training questions, so that arms
    which train on different ones show the same. Of those with passages, the half with the shorter ones is drawn from, so that
    exemplars leave room for the question's own passages; all of them where neither half is about enough clusters.

    Args:
        dataset: its test questions, and questions in the same words, are never used.
        n: number of exemplars, each of another cluster.

    Returns:
        The exemplars with their passages.

    Raises:
        DataError: if there are not enough clusters.
    """
    pools = list(_pools(dataset))
    pool = next((one for one in pools if len(_by_cluster(one)) >= n), None)
    if pool is None:
        most = max(len(_by_cluster(one)) for one in pools)
        raise DataError(
            f"{dataset.name}: prompt.n_exemplars={n - 1} needs answered training questions about {n} entities or articles, "
            f"found {most}. Set prompt.n_exemplars lower, or give more training questions (dataset.train_share, dataset.split_by)."
        )
    return _spread(pool, n)


def n_available(dataset: QADataset) -> int:
    """How many exemplars a prompt can show at most."""
    return max(len(_by_cluster(one)) for one in _pools(dataset)) - 1


def _pools(dataset: QADataset) -> Sequence[list[ReadingExercise]]:
    exercises = [
        ReadingExercise(replace(one.example, cluster=f"exercise {one.example.cluster}"), one.documents)  # about nobody of the dataset
        for one in dataset.reading
        if one.example.answers
    ]
    elsewhere, solved = _having(exercises), _having(_read(dataset, _not_asked(dataset)))
    return [_short(elsewhere, {}), _short(solved, _lengths(dataset.documents)), elsewhere, solved]


def _not_asked(dataset: QADataset) -> list[Example]:
    """Solved questions that neither the test nor dev asks in the same words: the answer would be shown."""
    return [one for one in unasked(dataset, dataset.others or dataset.train) if one.answers]


def unasked(dataset: QADataset, examples: Iterable[Example]) -> list[Example]:
    """Those of some questions that neither the test nor dev asks in the same words."""
    asked = {_words(one) for one in (*dataset.test, *dataset.dev)}
    return [one for one in examples if _words(one) not in asked]


def _words(example: Example) -> tuple[tuple[Turn, ...], str]:
    return example.history, normalize(example.question)


def _read(dataset: QADataset, examples: Sequence[Example]) -> list[ReadingExercise]:
    """Each question with the documents that hold its answer."""
    wanted = {id for one in examples for id in one.evidence}
    documents = {one.id: one for one in dataset.documents if one.id in wanted}
    return [ReadingExercise(one, tuple(documents[id] for id in one.evidence if id in documents)) for one in examples]


def _having(readings: list[ReadingExercise]) -> list[ReadingExercise]:
    """In order, those with passages; those without only where none has any."""
    return [one for one in readings if one.documents] or readings


def _lengths(documents: Sequence[Document]) -> dict[str, int]:
    """Characters of each text, whole or in chunks: exemplars must not depend on whether an arm cuts its documents."""
    found: dict[str, int] = {}
    for one in documents:
        source, start = _place(one)
        found[source] = max(found.get(source, 0), start + len(one.text.rstrip()))
    return found


def _place(document: Document) -> tuple[str, int]:
    """The text that a document is or is cut from, and where it starts there."""
    try:
        span = span_of(document.meta)
    except ValueError:  # these words mean something else to its author
        span = None
    return (document.id, 0) if span is None else (span.source, span.start)


def _short(readings: list[ReadingExercise], lengths: Mapping[str, int]) -> list[ReadingExercise]:
    """In order, those whose texts are no longer than the median."""
    sizes = [sum(lengths.get(source, len(text)) for source, text in _texts(one).items()) for one in readings]
    median = sorted(sizes)[(len(sizes) - 1) // 2] if sizes else 0
    return [one for one, size in zip(readings, sizes, strict=True) if size <= median]


def _texts(reading: ReadingExercise) -> dict[str, str]:
    """The texts that its passages are of."""
    return {_place(one)[0]: one.text for one in reading.documents}


def _by_cluster(readings: Sequence[ReadingExercise]) -> dict[str, list[ReadingExercise]]:
    clusters: dict[str, list[ReadingExercise]] = {}
    for one in readings:
        clusters.setdefault(one.example.cluster, []).append(one)
    return clusters


def _spread(readings: Sequence[ReadingExercise], n: int) -> tuple[ReadingExercise, ...]:
    """One of each of n clusters, evenly over their names; which of a cluster's rotates, so that they differ in kind."""
    clusters = _by_cluster(readings)
    groups = [clusters[name] for name in sorted(clusters)][:: len(clusters) // n][:n]
    return tuple(group[at * len(group) // n] for at, group in enumerate(groups))
