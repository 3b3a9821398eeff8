"""Connected components of groups that share members."""

from __future__ import annotations

from collections.abc import Sequence


def connected_components(groups: Sequence[Sequence[str]]) -> list[str]:
    """Name of the connected component of each group; groups that share a member, directly or transitively, are connected.

    Args:
        groups: groups of at least one member; a member is any string, such as the id of an article.

    Returns:
        For each group, the first member of the first group of its component.
    """
    above: dict[str, str] = {}  # parent of each member in the union-find forest; roots are their own parents
    rank: dict[str, int] = {}  # order of first appearance
    for group in groups:
        for member in group:
            rank.setdefault(member, len(rank))
            above.setdefault(member, member)
            earlier, later = sorted((_first(member, above), _first(group[0], above)), key=rank.__getitem__)
            above[later] = earlier
    return [_first(group[0], above) for group in groups]


def _first(member: str, above: dict[str, str]) -> str:
    """Root of a member's component, with path halving."""
    while above[member] != member:
        above[member] = above[above[member]]
        member = above[member]
    return member
