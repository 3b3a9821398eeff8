"""Which chunks hold the evidence of a question that was given for whole documents.

By the first of four rules that says something about a document:
spans      the question's gold by characters
facts      the sentences that state the facts which a question of the invented world takes
answers    the places where an answer stands in the text, as folded.py compares them
document   nothing more is known: any chunk of the document stands for it
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from rag_eval.data.folded import Folded, folded
from rag_eval.data.world.asked_facts import asked_attributes
from rag_eval.score.spans import span_of
from rag_eval.types import Document, Example, Span

Rule = Literal["spans", "facts", "answers", "document"]  # from the exact one to the one that knows least
RULES: tuple[Rule, ...] = get_args(Rule)

Places = Mapping[Any, Sequence[Span]]  # what is needed -> where it stands; one of the places is enough


@dataclass(frozen=True)
class Part:
    """One thing that a prompt must hold, and the chunks that do."""

    own: tuple[str, ...]  # of the evidence itself; at least one
    twins: tuple[str, ...]  # of documents that say the same

    @property
    def holders(self) -> frozenset[str]:
        """All that hold it."""
        return frozenset((*self.own, *self.twins))


class Gold:
    """Carries the evidence of questions from documents over to their chunks."""

    def __init__(self, documents: Iterable[Document], chunks: Mapping[str, Sequence[Document]]) -> None:
        """
        Args:
            documents: whole.
            chunks: of each document's id, by start and by end, with their places in their meta.
        """
        self._documents = {document.id: document for document in documents}
        self._ids = {origin(document).source: document.id for document in self._documents.values()}
        self._chunks = {id: [(_place(one), one.id) for one in those] for id, those in chunks.items()}
        self._stated = {document.id: _stated(document) for document in self._documents.values()}
        self._folded: dict[str, Folded] = {}

    def carry(self, example: Example) -> Example:
        """The question with chunks for evidence, and the rule that found them as `meta["gold_by"]`.

        Where one of several chunks is enough, one is the evidence and the others stand for it (`same_as`). What a
        boundary cuts takes all of its pieces. Evidence that is not in the corpus stays as it is. With several evidence
        documents `gold_by` is the rule that knows least. Chunks that are enough only together with another do not count.
        """
        example = replace(example, grading=replace(example.grading, itself=self._own(example)))
        rules: list[Rule] = []
        parts: list[Part] = []
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
        """The chunks of the documents that are the question itself."""
        return tuple(chunk for id in example.grading.itself for _, chunk in self._chunks.get(id, ()))

    def _grades(self, example: Example, evidence: Iterable[str]) -> dict[str, float]:
        """A chunk is as relevant as its document."""
        documents = {chunk: id for id in self._gold(example) for _, chunk in self._chunks.get(id, ())}
        given = {chunk: example.grading.grades.get(documents.get(chunk, chunk)) for chunk in evidence}
        return {chunk: grade for chunk, grade in given.items() if grade is not None}

    def _gold(self, example: Example) -> list[str]:
        """Ids of the evidence documents, those in which only a span lies included."""
        spanned = [self._ids[span.source] for span in example.grading.spans if span.source in self._ids]
        return list(dict.fromkeys((*example.evidence, *spanned)))

    def _parts(self, example: Example, id: str) -> tuple[Rule, list[Part]]:
        """What the evidence document of this id has to give."""
        says_same = [twin for twin, ids in example.grading.same_as.items() if id in ids and twin in self._documents]
        document = self._documents.get(id)
        if document is None:  # others may hold what is needed although it is not there itself
            return "document", [Part((id,), tuple(one for twin in says_same for one in self._whole(self._said(example, twin, None))))]
        rule, places = self._places(example, document)
        found = []
        for needed, where in places.items():
            twins = tuple(one for twin in says_same for one in self._whole(self._said(example, twin, needed)))
            whole = self._whole(where)
            alone = [whole] if whole else [self._whole([piece]) for piece in self._pieces(where[0])]
            found += [Part(own, twins) for own in alone]
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
        """Where a document that says the same as some evidence says it."""
        document = self._documents[twin]
        facts = self._facts(example, document)
        if needed in facts:
            return facts[needed]
        if facts:
            return [place for places in facts.values() for place in places] if needed is None else ()
        return self._answers(example, document) or [place for place, _ in self._chunks[twin]]

    def _spans(self, example: Example, document: Document) -> Places:
        """The gold spans of which some chunk of the document holds a part."""
        chunks = [place for place, _ in self._chunks[document.id]]
        shared = [span for span in example.grading.spans if any(span.n_shared(place) for place in chunks)]
        return {span: bare for span in shared if (bare := self._bare(span))}

    def _facts(self, example: Example, document: Document) -> Places:
        """By the attributes that the question takes, the sentence of each that the document states."""
        asked = asked_attributes(example)
        return {name: [place] for name, place in self._stated[document.id].items() if name in asked}

    def _answers(self, example: Example, document: Document) -> list[Span]:
        """Where an answer stands; nowhere for yes and no, which name what is asked about without quoting it."""
        if example.grading.comparator == "yes_no_maybe":
            return []
        if document.id not in self._folded:
            self._folded[document.id] = folded(document.text)
        text = self._folded[document.id]
        places = sorted({text.place(start, end) for start, end in _occurrences(example.answers, text.text)})
        return [Span(origin(document).source, start, end) for start, end in places]

    def _whole(self, places: Iterable[Span]) -> tuple[str, ...]:
        """The chunks that hold one of these places from end to end, in order."""
        return tuple(dict.fromkeys(id for place in places for id in self._holding(place)))

    def _holding(self, place: Span) -> list[str]:
        chunks = self._chunks[self._ids[place.source]]
        at = bisect_right(chunks, place.start, key=lambda one: one[0].start)
        found = []
        while at and chunks[at - 1][0].end >= place.end:  # chunks are in the order of their ends too
            at -= 1
            found.append(chunks[at][1])
        return found[::-1]

    def _pieces(self, span: Span) -> Iterator[Span]:
        """A span that no chunk holds, in pieces of which each is held by some; spaces between chunks are left out."""
        at = span.start
        for place, _ in self._chunks[self._ids[span.source]]:
            start, end = max(at, place.start), min(place.end, span.end)
            if start < end:
                yield from self._bare(Span(span.source, start, end))
                at = end

    def _bare(self, span: Span) -> list[Span]:
        """The span without spaces at its ends; nothing where there is nothing else."""
        text = self._documents[self._ids[span.source]].text[span.start : span.end]
        start, end = span.start + len(text) - len(text.lstrip()), span.start + len(text.rstrip())
        return [Span(span.source, start, end)] if start < end else []


def origin(document: Document) -> Span:
    """Which stretch of which text a document is, by its meta; by default all of a text called like it.

    Raises:
        ValueError: if the document is empty, or its meta says something that is no span.
    """
    return span_of(document.meta) or Span(document.id, 0, len(document.text))


def facts_of(document: Document) -> list[Mapping[str, Any]]:
    """The facts that a document of the invented world states, with the places of their sentences; none of other documents."""
    facts = document.meta.get("facts", ())
    return list(facts) if isinstance(facts, list) and all(map(_is_fact, facts)) else []


def _is_fact(value: Any) -> bool:
    if not isinstance(value, Mapping) or "id" not in value:
        return False
    start, end = value.get("start"), value.get("end")
    return type(start) is int and type(end) is int and 0 <= start < end


def _stated(document: Document) -> dict[str, Span]:
    """Where a document of the invented world states a value of which attribute."""
    named = ((str(fact["id"]).split("."), fact) for fact in facts_of(document))
    return {id[1]: Span(origin(document).source, fact["start"], fact["end"]) for id, fact in named if len(id) > 1}


def _place(chunk: Document) -> Span:
    place = span_of(chunk.meta)
    if place is None:
        raise ValueError(f"chunk {chunk.id!r} must have source, start and end in its meta but has {sorted(chunk.meta)}.")
    return place


def _occurrences(answers: Iterable[str], text: str) -> list[tuple[int, int]]:
    """Where an answer stands between words, or where none does so, anywhere; all folded."""
    ways = [re.escape(way) for answer in answers if (way := folded(answer).text.strip())]
    as_words = [match.span() for way in ways for match in re.finditer(rf"(?<!\w){way}(?!\w)", text)]
    return as_words or [match.span() for way in ways for match in re.finditer(way, text)]


def _covered(parts: Sequence[Part]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Few chunks that hold all parts, and which others hold what one of these was taken for."""
    ids = list(dict.fromkeys(id for part in parts for id in part.own))
    taken: dict[str, list[Part]] = {}
    left = list(parts)
    while left:
        best = max(ids, key=lambda id: sum(id in part.own for part in left))
        taken[best] = [part for part in left if best in part.own]
        left = [part for part in left if best not in part.own]
    evidence = tuple(id for id in ids if id in taken)
    others = dict.fromkeys(id for part in parts for id in (*part.own, *part.twins) if id not in taken)
    stands_for = {id: tuple(one for one in evidence if all(id in part.holders for part in taken[one])) for id in others}
    return evidence, {id: those for id, those in stands_for.items() if those}
