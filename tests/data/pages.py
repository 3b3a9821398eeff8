"""What several pages of the invented world say alike, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.data.world.corpus import Page, stating


def same_as(pages: Sequence[Page]) -> dict[str, list[str]]:
    """For each fact on home pages, by its id, the ids of all pages that give the same value to the same entity, in their order."""
    ids = stating(pages)
    return {one.fact.id: ids[one.fact.content] for page in pages if page.kind == "home" for one in page.written.stated}
