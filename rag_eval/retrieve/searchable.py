"""What of a document and of a question is embedded."""

from __future__ import annotations

from rag_eval.types import Document, Example


def document_text(document: Document) -> str:
    """The text under its title, unless there is no title or the text begins with it."""
    if not document.title or document.text.startswith(document.title):
        return document.text
    return f"{document.title}\n{document.text}"


def question_text(example: Example) -> str:
    """The question after the earlier questions of its conversation, so that a follow-up names what it is about."""
    return " ".join([*(turn.question for turn in example.history), example.question])
