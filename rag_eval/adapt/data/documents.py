"""Training on documents and their paraphrases with a loss on every token, as in pretraining."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import NonNegativeInt

from rag_eval.adapt.data.length_check import fits
from rag_eval.errors import ConfigError, DataError
from rag_eval.protocols import PromptWriter, Trainable
from rag_eval.text.spans import span_of
from rag_eval.types import Document, QADataset, TrainingRow, TrainingSet

_UNITS = re.compile(r"\S{1,40}\s*|\s+")  # units between which a text may be split


class Documents:
    """One row per document or paraphrase; a text longer than the context is split into several rows.

    Every row begins with the title. Windows of one text do not overlap, and no row contains two texts.

    With `order="grouped"` the texts of one cluster follow each other, which is reported to impair knowledge extraction (Allen-Zhu and Li
    2023, arXiv 2309.14316, and its replications): a negative control.
    """

    def __init__(self, has_originals: bool, n_restated: NonNegativeInt | None, order: Literal["shuffled", "grouped"]) -> None:
        """Configure the rows.

        Args:
            has_originals: whether the documents themselves are included.
            n_restated: number of paraphrases per document; None = all.
            order: "shuffled", or "grouped" to keep the texts of one cluster together in every epoch.

        Raises:
            ConfigError: if nothing is left to train on.
        """
        if n_restated == 0 and not has_originals:
            raise ConfigError("adapter.data.n_restated is 0 and has_originals is false: nothing is left to train on. Set one of them.")
        self.has_originals, self.n_restated, self.order = has_originals, n_restated, order
        self.keeps_order = order == "grouped"

    def training_set(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingSet:
        self._check(dataset)
        rng = random.Random(f"documents/{seed}")
        rows = list(self._rows(dataset, generator))
        rng.shuffle(rows)
        return TrainingSet(grouped(rows) if self.keeps_order else rows)

    def _rows(self, dataset: QADataset, generator: Trainable) -> Iterator[TrainingRow]:
        clusters = clusters_of(dataset)
        if self.has_originals:
            for one in dataset.documents:
                for window in _windows(one.title, one.text, generator):
                    yield TrainingRow("", window, clusters[one.id], "documents", one.id)
        about = {id: one for one in dataset.documents for id in (origin(one), one.id)}  # a chunk has the title of its document
        for id, texts in dataset.restated.items():
            for text in texts[: self.n_restated]:
                for window in _windows(about[id].title, text, generator):
                    yield TrainingRow("", window, clusters[about[id].id], "paraphrase", id)

    def _check(self, dataset: QADataset) -> None:
        if not dataset.documents:
            raise DataError(f"{dataset.name}: expected documents to train on, found none. Use adapter/data=qa.")
        n = self.n_restated or (0 if self.has_originals else 1)
        found = min(map(len, dataset.restated.values()), default=0)
        if found < n:
            raise DataError(
                f"{dataset.name}: expected {n} restatements of each document, found {found}. "
                f"Set dataset.n_restatements={n}, or adapter.data.n_restated lower."
            )


def grouped(rows: Sequence[TrainingRow]) -> list[TrainingRow]:
    """Rows reordered so that those of a cluster are contiguous; rows without a cluster keep their positions."""
    places = {row.cluster: at for at, row in reversed(list(enumerate(rows)))}
    together = iter(sorted((row for row in rows if row.cluster), key=lambda row: places[row.cluster]))
    return [next(together) if row.cluster else row for row in rows]


def clusters_of(dataset: QADataset) -> Mapping[str, str]:
    """Cluster of each document, by id.

    This is the cluster of the training questions whose evidence has the document's title only; else the title; else the id.

    Args:
        dataset: the dataset.

    Returns:
        Cluster names.
    """
    titles = {one.id: one.title or origin(one) for one in dataset.documents}
    asked: dict[str, str] = {}
    for example in dataset.train:
        found = {titles[id] for id in example.evidence if id in titles}
        if len(found) == 1:
            asked[found.pop()] = example.cluster
    return {id: asked.get(title) or title for id, title in titles.items()}


def origin(document: Document) -> str:
    """Id of the document that a chunk belongs to; the own id of a whole document."""
    try:
        place = span_of(document.meta)
    except ValueError:  # these words mean something else to its author
        place = None
    return place.source if place else document.id


def _windows(title: str, text: str, generator: Trainable) -> Iterator[str]:
    """The text under its title, halved recursively until each part fits the model; words are not split, except very long ones."""
    whole, units = _titled(title, text), _UNITS.findall(text)
    if len(units) < 2 or fits(TrainingRow("", whole), generator):
        yield whole
        return
    for half in (units[: len(units) // 2], units[len(units) // 2 :]):
        yield from _windows(title, "".join(half), generator)


def _titled(title: str, text: str) -> str:
    """Title and text on separate lines; the text alone if there is no title or the text begins with it."""
    return text if not title or text.startswith(title) else f"{title}\n{text}"
