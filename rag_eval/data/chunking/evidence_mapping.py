"""Mapping of evidence from whole documents to their chunks.

For each document the first applicable rule is used:
spans      the gold character spans of the question
facts      the sentences that state the facts used by a question of the synthetic world
answers    the places where an answer occurs in the text, compared as in folded_text.py
document   fallback: any chunk of the document counts as evidence
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from rag_eval.data.chunking.folded_text import Folded, folded
from rag_eval.data.sources.world import asked_attributes
from rag_eval.text.spans import span_of
from rag_eval.types import Document, Example, Span

Rule = Literal["spans", "facts", "answers", "document"]  # from most to least precise
RULES: tuple[Rule, ...] = get_args(Rule)

Places = Mapping[Any, Sequence[Span]]  # required item -> its occurrences, any one of which is sufficient


@dataclass(frozen=True)
class EvidencePart:
    """One required piece of evidence and the chunks that contain it."""

    own: tuple[str, ...]  # chunk ids of the evidence document itself; at least one
    twins: tuple[str, ...]  # chunk ids of equivalent documents

    @property
    def holders(self) -> frozenset[str]:
        """All chunks that contain it."""
        return frozenset((*self.own, *self.twins))


class EvidenceMapping:
    """Maps the evidence of questions from documents to their chunks."""

    def __init__(self, documents: Iterable[Document], chunks: Mapping[str, Sequence[Document]]) -> None:
        """Index the documents and their chunks.

        Args:
            documents: whole documents.
            chunks: chunks of each document by document id, sorted by start and by end, with their spans in their meta.
        """
        self._documents = {document.id: document for document in documents}
        self._ids = {origin(document).source: document.id for document in self._documents.values()}
        self._chunks = {id: [(_place(one), one.id) for one in those] for id, those in chunks.items()}
        self._stated = {document.id: _stated(document) for document in self._documents.values()}
        self._folded: dict[str, Folded] = {}

    def carry(self, example: Example) -> Example:
        """Replace the evidence of a question by chunks.

        If any one of several chunks is sufficient, one of them is the evidence and the others are equivalents (`same_as`). A passage
        that is cut by a chunk boundary requires all of its pieces. Evidence that is not in the corpus is kept. Chunks that are
        sufficient only in combination are not considered.

        Args:
            example: question with documents as evidence.

        Returns:
            The question with chunks as evidence, and with `meta["gold_by"]` set to the rule used, the least precise one if there
            are several evidence documents.
        """
        example = replace(example, grading=replace(example.grading, itself=self._own(example)))
        rules: list[Rule] = []
        parts: list[EvidencePart] = []
        for id in self._gold(example):
            rule, found = self._parts(example, id)
            rules += [rule] if id in self._documents else []
            parts += found
        if not parts:
            return example
        evidence, same_as = _covered(parts)
        meta = {**example.meta, **({"gold_by": max(rules, key=RULES.index)} if rules else {})}
        grading = replace(example.grading, same_as=same_as, grades=self._grades(example, evidence))
        return replace(example, evidence=evidence, meta=meta, grading=grading)

    def _own(self, example: Example) -> tuple[str, ...]:
        """Chunks of the documents that are the question itself."""
        return tuple(chunk for id in example.grading.itself for _, chunk in self._chunks.get(id, ()))

    def _grades(self, example: Example, evidence: Iterable[str]) -> dict[str, float]:
        """Relevance grades of chunks: those of their documents."""
        documents = {chunk: id for id in self._gold(example) for _, chunk in self._chunks.get(id, ())}
        given = {chunk: example.grading.grades.get(documents.get(chunk, chunk)) for chunk in evidence}
        return {chunk: grade for chunk, grade in given.items() if grade is not None}

    def _gold(self, example: Example) -> list[str]:
        """Ids of the evidence documents, including those referenced only by a span."""
        spanned = [self._ids[span.source] for span in example.grading.spans if span.source in self._ids]
        return list(dict.fromkeys((*example.evidence, *spanned)))

    def _parts(self, example: Example, id: str) -> tuple[Rule, list[EvidencePart]]:
        """Rule used for one evidence document, and the required pieces with their chunks."""
        says_same = [twin for twin, ids in example.grading.same_as.items() if id in ids and twin in self._documents]
        document = self._documents.get(id)
        if document is None:  # equivalent documents may be in the corpus although this one is not
            return "document", [
                EvidencePart((id,), tuple(one for twin in says_same for one in self._whole(self._said(example, twin, None))))
            ]
        rule, places = self._places(example, document)
        found = []
        for needed, where in places.items():
            twins = tuple(one for twin in says_same for one in self._whole(self._said(example, twin, needed)))
            whole = self._whole(where)
            alone = [whole] if whole else [self._whole([piece]) for piece in self._pieces(where[0])]
            found += [EvidencePart(own, twins) for own in alone]
        return rule, found

    def _places(self, example: Example, document: Document) -> tuple[Rule, Places]:
        if spans := self._spans(example, document):
            return "spans", spans
        if facts := self._facts(example, document):
            return "facts", facts
        if answers := self._answers(example, document):
            return "answers", {"answer": answers}
        return "document", {"document": [place for place, _ in self._chunks[document.id]]}

    def _said(self, example: Example, twin: str, needed: Any) -> Sequence[Span]:
        """Occurrences of a required item in a document that is equivalent to some evidence."""
        document = self._documents[twin]
        facts = self._facts(example, document)
        if needed in facts:
            return facts[needed]
        if facts:
            return [place for places in facts.values() for place in places] if needed is None else ()
        return self._answers(example, document) or [place for place, _ in self._chunks[twin]]

    def _spans(self, example: Example, document: Document) -> Places:
        """Gold spans that overlap a chunk of the document."""
        chunks = [place for place, _ in self._chunks[document.id]]
        shared = [span for span in example.grading.spans if any(span.n_shared(place) for place in chunks)]
        return {span: bare for span in shared if (bare := self._bare(span))}

    def _facts(self, example: Example, document: Document) -> Places:
        """For each attribute used by the question, the sentence of the document that states it."""
        asked = asked_attributes(example)
        return {name: [place] for name, place in self._stated[document.id].items() if name in asked}

    def _answers(self, example: Example, document: Document) -> list[Span]:
        """Occurrences of an answer in the document; none for yes and no, which are not quoted from the text."""
        if example.grading.comparator == "yes_no_maybe":
            return []
        if document.id not in self._folded:
            self._folded[document.id] = folded(document.text)
        text = self._folded[document.id]
        places = sorted({text.place(start, end) for start, end in _occurrences(example.answers, text.text)})
        return [Span(origin(document).source, start, end) for start, end in places]

    def _whole(self, places: Iterable[Span]) -> tuple[str, ...]:
        """Ids of the chunks that contain one of the spans completely, in order."""
        return tuple(dict.fromkeys(id for place in places for id in self._holding(place)))

    def _holding(self, place: Span) -> list[str]:
        chunks = self._chunks[self._ids[place.source]]
        at = bisect_right(chunks, place.start, key=lambda one: one[0].start)
        found = []
        while at and chunks[at - 1][0].end >= place.end:  # chunks are also sorted by end
            at -= 1
            found.append(chunks[at][1])
        return found[::-1]

    def _pieces(self, span: Span) -> Iterator[Span]:
        """Pieces of a span that no chunk contains completely, each contained in a chunk; white space between chunks is skipped."""
        at = span.start
        for place, _ in self._chunks[self._ids[span.source]]:
            start, end = max(at, place.start), min(place.end, span.end)
            if start < end:
                yield from self._bare(Span(span.source, start, end))
                at = end

    def _bare(self, span: Span) -> list[Span]:
        """The span without leading and trailing white space; empty if nothing remains."""
        text = self._documents[self._ids[span.source]].text[span.start : span.end]
        start, end = span.start + len(text) - len(text.lstrip()), span.start + len(text.rstrip())
        return [Span(span.source, start, end)] if start < end else []


def origin(document: Document) -> Span:
    """Span of the source text that a document covers, from its meta; by default all of a source with the document's id.

    Args:
        document: a document or chunk.

    Returns:
        The span.

    Raises:
        ValueError: if the document is empty, or its meta has an invalid span.
    """
    return span_of(document.meta) or Span(document.id, 0, len(document.text))


def facts_of(document: Document) -> list[Mapping[str, Any]]:
    """Facts of a document of the synthetic world, with the spans of their sentences; [] for other documents."""
    facts = document.meta.get("facts", ())
    return list(facts) if isinstance(facts, list) and all(map(_is_fact, facts)) else []


def _is_fact(value: Any) -> bool:
    if not isinstance(value, Mapping) or "id" not in value:
        return False
    start, end = value.get("start"), value.get("end")
    return type(start) is int and type(end) is int and 0 <= start < end


def _stated(document: Document) -> dict[str, Span]:
    """Span of the sentence that states each attribute in a document of the synthetic world."""
    named = ((str(fact["id"]).split("."), fact) for fact in facts_of(document))
    return {id[1]: Span(origin(document).source, fact["start"], fact["end"]) for id, fact in named if len(id) > 1}


def _place(chunk: Document) -> Span:
    place = span_of(chunk.meta)
    if place is None:
        raise ValueError(f"chunk {chunk.id!r} must have source, start and end in its meta but has {sorted(chunk.meta)}.")
    return place


def _occurrences(answers: Iterable[str], text: str) -> list[tuple[int, int]]:
    """Occurrences of an answer as whole words or, if there is none, anywhere; compared in folded form."""
    ways = [re.escape(way) for answer in answers if (way := folded(answer).text.strip())]
    as_words = [match.span() for way in ways for match in re.finditer(rf"(?<!\w){way}(?!\w)", text)]
    return as_words or [match.span() for way in ways for match in re.finditer(way, text)]


def _covered(parts: Sequence[EvidencePart]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Small set of chunks that contains all parts (greedy set cover), and the equivalents of each selected chunk."""
    ids = list(dict.fromkeys(id for part in parts for id in part.own))
    taken: dict[str, list[EvidencePart]] = {}
    left = list(parts)
    while left:
        best = max(ids, key=lambda id: sum(id in part.own for part in left))
        taken[best] = [part for part in left if best in part.own]
        left = [part for part in left if best not in part.own]
    evidence = tuple(id for id in ids if id in taken)
    others = dict.fromkeys(id for part in parts for id in (*part.own, *part.twins) if id not in taken)
    stands_for = {id: tuple(one for one in evidence if all(id in part.holders for part in taken[one])) for id in others}
    return evidence, {id: those for id, those in stands_for.items() if those}
