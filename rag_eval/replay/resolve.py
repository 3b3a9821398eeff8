"""Recorded contexts to documents: by id, by text, or as passages of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from rag_eval.replay.answer import Answers, RecordedAnswer
from rag_eval.types import Document


class Recogniser:
    """Documents by id and by text, so that a recorded context is recognised."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.by_id = {document.id: document for document in documents}
        self.by_text = {_words(document.text): document for document in self.by_id.values()}


def resolved(answers: Answers, recogniser: Recogniser, evidence: Collection[str]) -> dict[str, RecordedAnswer]:
    """Give recorded contexts that are documents of the corpus their ids.

    A context without text is an id if the corpus or the evidence of a question has it, and else a passage itself. A passage with the text
    of a document is that document; one with the id of a document keeps the recorded text. Any other passage is given an id made from its
    text, which no evidence has.

    Args:
        answers: recorded answers by question id.
        recogniser: documents of the corpus.
        evidence: ids of documents that contain an answer, whether there is a corpus or not.

    Returns:
        The answers by question id; contexts that were not recorded remain None.
    """

    def one(context: Document) -> Document:
        if not context.text:
            if context.id in recogniser.by_id or context.id in evidence:
                return recogniser.by_id.get(context.id, context)
            context = Document(made_id(context.id), context.id)
        if context.id in recogniser.by_id or context.id in evidence:
            return context
        return recogniser.by_text.get(_words(context.text), context)

    return {
        id: answer if answer.contexts is None else replace(answer, contexts=tuple(map(one, answer.contexts)))
        for id, answer in answers.items()
    }


def passages(answers: Mapping[str, RecordedAnswer]) -> dict[str, Document]:
    """Every context that is known by text, by id."""
    return {context.id: context for answer in answers.values() for context in answer.contexts or () if context.text}


def made_id(text: str) -> str:
    """The id of a passage that came without one."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _words(text: str) -> str:
    return " ".join(text.split())
