"""Which questions hang together because they share something, directly or through others."""

from __future__ import annotations

from collections.abc import Sequence


def linked(groups: Sequence[Sequence[str]]) -> list[str]:
    """For each group the name of its cluster: groups with a member in common are in one cluster, and so are those linked by others.

    Args:
        groups: of at least one member; a member is any text, such as the id of an article.

    Returns:
        The first member of the first group of each group's cluster, in the order of the groups.
    """
    above: dict[str, str] = {}  # each member to one that came earlier in its cluster; the first to itself
    rank: dict[str, int] = {}  # the order in which members came
    for group in groups:
        for member in group:
            rank.setdefault(member, len(rank))
            above.setdefault(member, member)
            earlier, later = sorted((_first(member, above), _first(group[0], above)), key=rank.__getitem__)
            above[later] = earlier
    return [_first(group[0], above) for group in groups]


def _first(member: str, above: dict[str, str]) -> str:
    """The first member of a cluster; ways to it are shortened as they are walked."""
    while above[member] != member:
        above[member] = above[above[member]]
        member = above[member]
    return member
