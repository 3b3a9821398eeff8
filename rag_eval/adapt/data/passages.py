"""Passages of the corpus for reading exercises that are made of training questions.

An exercise shows documents that training is about anyway: evidence of training questions, other pieces of the same texts, and
documents that are called after their clusters. Where training is about clusters that are not tested, no exercise shows a document that
a test or dev question is about: exercises of questions in `others` (all that control runs train on), and of unanswerable questions where
no training question is about a tested cluster.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rag_eval.adapt.data.documents import origin
from rag_eval.text.quotation import quotations
from rag_eval.types import Document, Example, QADataset


class ExercisePassages:
    """Chooses the passages of exercises. Those of one question depend on seed, question and dataset, not on the other exercises."""

    def __init__(self, dataset: QADataset, n_documents: int, seed: int) -> None:
        """Find the documents that may be shown.

        Documents that contain a test or dev question verbatim are excluded, also if it is a training question as well.

        Args:
            dataset: the dataset.
            n_documents: passages of an exercise, evidence included; more if a question has more evidence, fewer if there are fewer.
            seed: seed of the choice and of the order.
        """
        self._n, self._seed = n_documents, seed
        self._others = frozenset(one.id for one in dataset.others)
        asked = (*dataset.test, *dataset.dev)
        trained, tested = _subjects(dataset, dataset.train), _subjects(dataset, asked)
        self._is_about_tested = not trained.clusters.isdisjoint(one.cluster for one in dataset.test)
        about = [one for one in dataset.documents if trained.has(one)]
        quoting = _quoting(about, [one for one in asked if not one.history])
        shown = [one for one in about if one.id not in quoting]
        clusters = _clusters_by_document(dataset.train)
        self._every = _Shelf.of(shown, clusters)
        self._apart = _Shelf.of([one for one in shown if not _is_tested(one, tested, trained)], clusters)

    def of(self, example: Example) -> tuple[Document, ...]:
        """Passages for a question, in random order.

        An answerable question gets its evidence, once. An unanswerable one gets a document about its cluster in its place; no document
        holds its answer. The other passages are alternately about something else and about the same, so that the mixture does not tell
        whether there is an answer.

        Args:
            example: a training question.

        Returns:
            The passages; () if not all of the evidence may be shown, or there is none.
        """
        is_apart = example.id in self._others or not (example.answers or self._is_about_tested)
        shelf = self._apart if is_apart else self._every
        gold = [shelf.by_id[id] for id in dict.fromkeys(example.evidence) if id in shelf.by_id] if example.answers else []
        if example.answers and len(gold) < max(1, len(set(example.evidence))):
            return ()
        rng = random.Random(f"reading exercise/{self._seed}/{example.id}")
        near, far = shelf.beside(example, gold, self._n, rng)
        passages = _alternating(gold, *((far, near) if gold else (near, far)), self._n)
        rng.shuffle(passages)
        return tuple(passages)


@dataclass(frozen=True)
class _Subjects:
    """What questions are about."""

    texts: frozenset[str]  # ids of the whole documents that are evidence
    titles: frozenset[str]  # of these documents
    clusters: frozenset[str]  # of the questions

    def has(self, document: Document) -> bool:
        named = (document.title, origin(document))
        return origin(document) in self.texts or not (self.titles.isdisjoint(named) and self.clusters.isdisjoint(named))


def _subjects(dataset: QADataset, examples: Sequence[Example]) -> _Subjects:
    wanted = {id for one in examples for id in one.holders}
    evidence = [one for one in dataset.documents if one.id in wanted]
    titles, clusters = {one.title for one in evidence}, {one.cluster for one in examples}
    return _Subjects(frozenset(map(origin, evidence)), frozenset(titles - {""}), frozenset(clusters - {""}))


def _quoting(documents: Sequence[Document], asked: Sequence[Example]) -> set[str]:
    """Ids of the documents that contain a question verbatim."""
    texts = {one.id: f"{one.title} {one.text}" for one in documents}
    return {id for id, _ in quotations(texts, {str(at): one.question for at, one in enumerate(asked)})}


def _is_tested(document: Document, tested: _Subjects, trained: _Subjects) -> bool:
    """Whether a document may be about what is tested. A title shared by evidence of both sides does not tell."""
    is_titled_so = document.title in tested.titles and origin(document) not in trained.texts
    return is_titled_so or document.title in tested.clusters or origin(document) in tested.texts | tested.titles | tested.clusters


def _clusters_by_document(examples: Iterable[Example]) -> Mapping[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for one in examples:
        for id in one.holders:
            found[id].add(one.cluster)
    return found


@dataclass(frozen=True)
class _Shelf:
    """Documents, also by id and by what they are about: title, text that they are of, and clusters whose questions they answer."""

    documents: Sequence[Document]  # of different texts
    by_id: Mapping[str, Document]
    by_name: Mapping[str, Sequence[Document]]

    @classmethod
    def of(cls, documents: Sequence[Document], clusters: Mapping[str, set[str]]) -> _Shelf:
        by_name: defaultdict[str, list[Document]] = defaultdict(list)
        for one in documents:
            for name in sorted({one.title, origin(one), *clusters.get(one.id, ())} - {""}):
                by_name[name].append(one)
        return cls(_of_different_texts(documents), {one.id: one for one in documents}, by_name)

    def beside(self, example: Example, gold: Sequence[Document], n: int, rng: random.Random) -> tuple[list[Document], list[Document]]:
        """At most n random documents each about the same as a question and about something else, none that holds its answer."""
        names = sorted({example.cluster, *(name for one in gold for name in (one.title, origin(one)))} - {""})
        same = {one.id: one for name in names for one in self.by_name.get(name, ())}
        left_out = example.holders.union(example.grading.itself)
        near = _of_different_texts(one for id, one in same.items() if id not in left_out)
        # Drawing n more than are excluded and then excluding them is uniform over the rest.
        drawn = rng.sample(self.documents, min(len(self.documents), n + len(same) + len(left_out)))
        far = [one for one in drawn if one.id not in same and one.id not in left_out]
        return rng.sample(near, min(n, len(near))), far[:n]


def _of_different_texts(documents: Iterable[Document]) -> list[Document]:
    found: dict[str, Document] = {}
    for one in documents:
        found.setdefault(one.text, one)
    return list(found.values())


def _alternating(first: Sequence[Document], one: Sequence[Document], other: Sequence[Document], n: int) -> list[Document]:
    """Documents of both kinds in turn behind the first, up to n of different texts."""
    chosen, sides = list(first), [list(one), list(other)]
    while len(chosen) < n and any(sides):
        document = (sides[0] or sides[1]).pop()
        if all(document.text != known.text for known in chosen):
            chosen.append(document)
            sides.reverse()
    return chosen
