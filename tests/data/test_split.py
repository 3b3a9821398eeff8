from collections import Counter

import pytest

from rag_eval.data.rows.split import by_cluster

NAMES = [f"article {at}" for at in range(40)]


@pytest.mark.parametrize(
    ("n_clusters", "train_share", "expected"),
    [
        (40, 0.5, {"train": 18, "dev": 2, "test": 20}),
        (40, 0.0, {"test": 40}),
        (40, 0.99, {"train": 35, "dev": 4, "test": 1}),  # something is left to test
        (40, 0.001, {"train": 1, "test": 39}),  # something is left to learn from
        (4, 0.5, {"train": 1, "dev": 1, "test": 2}),
        (2, 0.5, {"train": 1, "test": 1}),
        (1, 0.5, {"test": 1}),
    ],
)
def test_parts_have_the_sizes_asked_for(n_clusters: int, train_share: float, expected: dict[str, int]) -> None:
    assert Counter(by_cluster(NAMES[:n_clusters], train_share, seed=0).values()) == expected


def test_the_seed_and_nothing_else_decides() -> None:
    drawn = by_cluster(NAMES, 0.5, seed=1)
    assert by_cluster([*reversed(NAMES), *NAMES], 0.5, seed=1) == drawn
    assert by_cluster(NAMES, 0.5, seed=2) != drawn
