"""Text of documents and questions that is embedded."""

from __future__ import annotations

from rag_eval.types import Document, Example


def document_text(document: Document) -> str:
    """Title and text on separate lines; the text alone if there is no title or the text begins with it."""
    if not document.title or document.text.startswith(document.title):
        return document.text
    return f"{document.title}\n{document.text}"


def question_text(example: Example) -> str:
    """The question preceded by the earlier questions of its conversation, so that a follow-up question names its subject."""
    return " ".join([*(turn.question for turn in example.history), example.question])
