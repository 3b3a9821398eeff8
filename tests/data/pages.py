"""What several pages of the invented world say alike, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from synthworld.corpus import Page, stating


def same_as(pages: Sequence[Page]) -> dict[str, list[str]]:
    """For each fact on home pages, by its id, the ids of all pages that give the same value to the same entity, in their order."""
    alike = stating(pages)
    homes = (page for page in pages if page.kind == "home")
    return {one.fact.id: [other.id for other in alike[one.fact.content]] for page in homes for one in page.written.stated}
