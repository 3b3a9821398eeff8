"""What replacing one document takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

from rag_eval.cost.meter import metered
from rag_eval.protocols import Retriever
from rag_eval.types import Document, Spend


def update_spend(retriever: Retriever, documents: Sequence[Document], uses_cuda: bool) -> Spend | None:
    """What replacing one document takes, by doing it, with a text that no cache has; None where nothing is searched."""
    if retriever.context != "retrieved" or not documents:
        return None
    changed = replace(documents[0], text=f"{documents[0].text} Revised as {uuid4().hex}.")
    with metered(uses_cuda) as reading:
        retriever.add([changed])
    return reading.spend
