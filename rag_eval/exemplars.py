"""Which solved questions a prompt shows: about others than are asked, the same in every arm, with the passages that answer them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_eval.errors import DataError
from rag_eval.types import Example, QADataset, Reading


def chosen(dataset: QADataset, n: int) -> tuple[Reading, ...]:
    """Exemplars spread evenly over entities or articles, and over the kinds of question.

    They are drawn from the first of these that has answered questions about enough clusters: reading exercises about other
    documents; questions about others than are asked (`dataset.others`) or, where there are none, training questions, so that arms
    which train on different ones show the same. Of those with passages, the half with the shorter ones is drawn from, so that
    exemplars leave room for the question's own passages; more than half where that is about too few clusters.

    Args:
        dataset: its test questions are never used.
        n: how many, each of another cluster.

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
    return _spread(_short(pool, n), n)


def n_available(dataset: QADataset) -> int:
    """How many exemplars a prompt can show at most."""
    return max(len(_by_cluster(one)) for one in _pools(dataset)) - 1


def _pools(dataset: QADataset) -> Sequence[list[Reading]]:
    exercises = [
        Reading(replace(one.example, cluster=f"exercise {one.example.cluster}"), one.documents)  # about nobody of the dataset
        for one in dataset.reading
        if one.example.answers
    ]
    return [_having_passages(exercises), _having_passages(_read(dataset, dataset.others or dataset.train))]


def _read(dataset: QADataset, examples: Sequence[Example]) -> list[Reading]:
    """Each answered question with the documents that hold its answer."""
    answered = [one for one in examples if one.answers]
    wanted = {id for one in answered for id in one.evidence}
    documents = {one.id: one for one in dataset.documents if one.id in wanted}
    return [Reading(one, tuple(documents[id] for id in one.evidence if id in documents)) for one in answered]


def _having_passages(readings: list[Reading]) -> list[Reading]:
    """Those with a passage; all where none has one."""
    return [one for one in readings if one.documents] or readings


def _short(readings: Sequence[Reading], n: int) -> list[Reading]:
    """In order, those no longer than the median, or than the least length above it up to which they are about n clusters."""
    shortest: dict[str, int] = {}
    for one in readings:
        shortest[one.example.cluster] = min(_length(one), shortest.get(one.example.cluster, _length(one)))
    median = sorted(map(_length, readings))[(len(readings) - 1) // 2]
    most = max(median, sorted(shortest.values())[n - 1])
    return [one for one in readings if _length(one) <= most]


def _length(reading: Reading) -> int:
    return sum(len(one.text) for one in reading.documents)


def _by_cluster(readings: Sequence[Reading]) -> dict[str, list[Reading]]:
    clusters: dict[str, list[Reading]] = {}
    for one in readings:
        clusters.setdefault(one.example.cluster, []).append(one)
    return clusters


def _spread(readings: Sequence[Reading], n: int) -> tuple[Reading, ...]:
    """One of each of n clusters, evenly over their names; which of a cluster's rotates, so that they differ in kind."""
    clusters = _by_cluster(readings)
    groups = [clusters[name] for name in sorted(clusters)][:: len(clusters) // n][:n]
    return tuple(group[at * len(group) // n] for at, group in enumerate(groups))
