"""Chunking: split documents into pieces that fit an embedder, between loading a dataset and building a system.

A chunk is a document with the id `<id>@<start>-<end>` and the text text[start:end] of its source, unchanged. The evidence of
questions is mapped to chunks by rag_eval.data.chunking.evidence_mapping.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from rag_eval.data.chunking.evidence_mapping import EvidenceMapping, facts_of, origin
from rag_eval.data.rows.visible import is_blank
from rag_eval.errors import DataError
from rag_eval.fingerprint import identified
from rag_eval.progress import progress
from rag_eval.protocols import Cache
from rag_eval.source import code_sha
from rag_eval.text.spans import span_of
from rag_eval.types import Document, Example, QADataset

_FILE = "pieces.jsonl"
_A_STEP = 64  # documents per update of the progress bar


@dataclass(frozen=True)
class Piece:
    """A span of a text."""

    start: int  # in characters, from 0
    end: int  # exclusive
    n_tokens: int  # tokens of the span tokenized on its own, without special tokens


class Cutter(Protocol):
    """Splits texts into pieces."""

    name: str  # kind of boundary and sizes, for the dataset's name

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the pieces: boundaries, sizes, tokenizer, versions. Part of cache keys."""
        ...

    def cut(self, text: str) -> list[Piece]:
        """Split a non-blank text.

        Args:
            text: text of a document.

        Returns:
            Pieces sorted by start and by end; together they cover every non-space character.

        Raises:
            ConfigError: if the maximum size cannot be kept.
        """
        ...


class NoChunker:
    """Keeps documents whole."""

    def chunk(self, dataset: QADataset) -> QADataset:
        """Return the dataset unchanged."""
        return dataset


class DocumentChunker:
    """Splits every document; a document that is short enough becomes one chunk."""

    def __init__(self, cutter: Cutter, cache: Cache) -> None:
        """Configure the chunker.

        Args:
            cutter: splits a text.
            cache: cache of the chunk boundaries between runs.
        """
        self._cutter = cutter
        self._cache = cache

    def chunk(self, dataset: QADataset) -> QADataset:
        """Replace documents by chunks and map every question's evidence to them.

        The counterpart of the result is the unchunked dataset, so that runs with and without chunks can be compared in one table.

        Args:
            dataset: dataset with whole documents.

        Returns:
            The chunked dataset.

        Raises:
            DataError: if a document is blank or already a part of another text, or two documents share a name.
            ConfigError: if the chunk size is too small for some text.
        """
        _check(dataset)
        kept = self._cache.build("chunks", self._key(dataset.documents), lambda folder: self._write(dataset.documents, folder))
        cut = zip(dataset.documents, _read(kept.path / _FILE), strict=True)
        chunks = {document.id: [_chunk(document, piece) for piece in pieces] for document, pieces in cut}
        gold = EvidenceMapping(dataset.documents, chunks)
        documents = tuple(chunk for those in chunks.values() for chunk in those)
        train, dev, test = (tuple(map(gold.carry, examples)) for examples in (dataset.train, dataset.dev, dataset.test))
        others = tuple(map(gold.carry, dataset.others)) if dataset.others_are_of_source else dataset.others
        chunked = replace(
            dataset,
            name=f"{dataset.name} in {self._cutter.name}",
            documents=documents,
            train=train,
            dev=dev,
            test=test,
            others=others,
            counterpart=dataset.counterpart or dataset.fingerprint,
        )
        return identified(chunked)

    def _key(self, documents: Sequence[Document]) -> Mapping[str, Any]:
        digest = hashlib.sha256()
        for document in documents:
            digest.update(json.dumps([document.id, document.text]).encode() + b"\n")
        return {"cutter": dict(self._cutter.identity()), "documents": digest.hexdigest(), "code": code_sha(__name__)}

    def _write(self, documents: Sequence[Document], folder: Path) -> None:
        """Write one line per document as soon as it is split."""
        with (folder / _FILE).open("w", encoding="utf-8") as file, progress("chunking", len(documents)) as advance:
            for at in range(0, len(documents), _A_STEP):
                step = documents[at : at + _A_STEP]
                file.writelines(json.dumps([asdict(piece) for piece in self._cutter.cut(one.text)]) + "\n" for one in step)
                advance(len(step))


@dataclass(frozen=True)
class Chunking:
    """Statistics of the chunks, for the run record."""

    n_documents: int  # number of source documents
    n_chunks: int  # number of chunks
    tokens_mean: float  # tokens of a chunk's text, without special tokens and title
    tokens_max: int
    gold_by: Mapping[str, int]  # number of questions per rule that mapped their evidence


def chunking(dataset: QADataset, questions: Sequence[Example]) -> Chunking | None:
    """Statistics of the chunks of a dataset; None if its documents are not chunked."""
    metas = [document.meta for document in dataset.documents]
    if not metas or not all("n_tokens" in meta and span_of(meta) for meta in metas):
        return None
    tokens = [meta["n_tokens"] for meta in metas]
    return Chunking(
        n_documents=len({meta["source"] for meta in metas}),
        n_chunks=len(metas),
        tokens_mean=statistics.fmean(tokens),
        tokens_max=max(tokens),
        gold_by=dict(sorted(Counter(example.meta["gold_by"] for example in questions if "gold_by" in example.meta).items())),
    )


def _check(dataset: QADataset) -> None:
    blank = [document.id for document in dataset.documents if is_blank(document.text)]
    if blank:
        raise DataError(
            f"{dataset.name}: {len(blank)} documents hold nothing that can be seen (first: {blank[0]!r}), of which there is no chunk. "
            "Leave them out, or use chunker=none."
        )
    parts = [document.id for document in dataset.documents if not _is_whole(document)]
    if parts:
        raise DataError(
            f"{dataset.name}: {len(parts)} documents are not whole by source, start and end of their meta (first: {parts[0]!r}). "
            "Give whole texts, or use chunker=none."
        )
    owners: dict[str, str] = {}
    for document in dataset.documents:
        for name in (document.id, origin(document).source):
            owner = owners.setdefault(name, document.id)
            if owner != document.id:
                raise DataError(
                    f"{dataset.name}: documents {owner!r} and {document.id!r} both go by {name!r}, as id or as source of their meta, so "
                    "that evidence could be of either. Give each a source of its own, or use chunker=none."
                )


def _is_whole(document: Document) -> bool:
    try:
        place = origin(document)
    except ValueError:
        return False
    return (place.start, place.end) == (0, len(document.text))


def _read(file: Path) -> Iterator[list[Piece]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield [Piece(**piece) for piece in json.loads(line)]


def _chunk(document: Document, piece: Piece) -> Document:
    """Chunk of a document. The document's meta is kept, except facts that the piece does not state completely."""
    place = {"source": origin(document).source, "start": piece.start, "end": piece.end, "n_tokens": piece.n_tokens}
    meta = {**document.meta, **place}
    if facts := facts_of(document):
        held = [fact for fact in facts if piece.start <= fact["start"] and fact["end"] <= piece.end]
        meta["facts"] = [{**fact, "start": fact["start"] - piece.start, "end": fact["end"] - piece.start} for fact in held]
    return Document(f"{document.id}@{piece.start}-{piece.end}", document.text[piece.start : piece.end], document.title, meta)
