"""Equal vectors held once: graphs of neighbours lose other vectors behind many copies of one."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rag_eval.protocols import Numbers, Vectors
from rag_eval.retrieve.index.ties import Hits, in_order

DIGESTS, HELD_BY = "digests.npy", "held_by.npy"
SIZE = 16  # bytes of a digest: two of a billion vectors have the same one with a probability below 1e-20


class Copies:
    """Which vectors are equal to which that an index holds.

    Of equal vectors the first is held by the index; the others are found with it. In the links of a graph (HNSW, NSG) thousands of
    equal vectors, as of a licence text that stands in every document, are nearest to each other and leave no way to other vectors:
    findings/faiss_hnsw_duplicates.sh.
    """

    def __init__(self) -> None:
        """Begin without vectors."""
        self._held: dict[bytes, int] = {}  # number of the vector that is held, by digest
        self._others: dict[int, list[int]] = {}  # numbers of its copies in ascending order, by its number

    def __len__(self) -> int:
        return len(self._held) + sum(map(len, self._others.values()))

    def without_copies(self, numbers: Numbers, vectors: Vectors) -> tuple[Numbers, Vectors]:
        """Take notice of vectors.

        Args:
            numbers: int64 (n,).
            vectors: float32 (n, dim).

        Returns:
            Those that are equal to none before, which the index is to hold.
        """
        is_first = np.zeros(len(numbers), dtype=bool)
        for at, number in enumerate(numbers.tolist()):
            digest = blake2b((vectors[at] + 0.0).tobytes(), digest_size=SIZE).digest()  # -0.0 becomes 0.0
            held = self._held.setdefault(digest, number)
            is_first[at] = held == number
            if held != number:
                insort(self._others.setdefault(held, []), number)
        return numbers[is_first], vectors[is_first]

    def with_copies(self, scores: NDArray[np.float32], numbers: NDArray[np.int64], k: int) -> Hits:
        """Results of a search among the vectors that are held, each followed by its copies.

        Args:
            scores: float32 (n_queries, width), best first; higher is better.
            numbers: int64 (n_queries, width), -1 = missing.
            k: number of results of a query.

        Returns:
            Scores and numbers, both (n_queries, k), best first, equal scores by number; missing ones (-1) last.
        """
        if not self._others:
            return _of_width(scores, numbers, k)
        found = [self._copied(row, those, k) for row, those in zip(scores.tolist(), numbers.tolist(), strict=True)]
        width = max([k, *map(len, found)])
        every = np.full((len(found), width), -1, dtype=np.int64)
        its = np.full((len(found), width), -np.inf, dtype=np.float32)
        for at, row in enumerate(found):
            its[at, : len(row)], every[at, : len(row)] = [score for score, _ in row], [number for _, number in row]
        return _of_width(its, every, k)

    def save(self, folder: Path) -> None:
        """Write digests and copies into a folder."""
        held = np.array(list(self._held.values()), dtype=np.int64)
        digests = np.frombuffer(b"".join(self._held), dtype=np.uint8).reshape(len(held), SIZE)
        others = [(number, first) for first, those in self._others.items() for number in those]
        np.save(folder / DIGESTS, digests, allow_pickle=False)
        np.save(folder / HELD_BY, np.array([*((number, number) for number in held.tolist()), *others], dtype=np.int64), allow_pickle=False)

    def load(self, folder: Path) -> None:
        """Read what was saved."""
        digests = [row.tobytes() for row in np.load(folder / DIGESTS, allow_pickle=False)]
        pairs: list[list[int]] = np.load(folder / HELD_BY, allow_pickle=False).tolist()
        self._held = {digest: number for digest, (number, _) in zip(digests, pairs, strict=False)}
        self._others = {}
        for number, first in pairs[len(digests) :]:
            self._others.setdefault(first, []).append(number)

    def _copied(self, scores: Sequence[float], numbers: Sequence[int], k: int) -> list[tuple[float, int]]:
        """At least the best k results of one query with copies, fewer only if there are fewer."""
        found: list[tuple[float, int]] = []
        for score, number in zip(scores, numbers, strict=True):
            if len(found) >= k and score < found[-1][0]:
                break
            found += [(score, each) for each in sorted((number, *self._others.get(number, ())[:k]))[:k]]
        return found


def _of_width(scores: NDArray[np.float32], numbers: NDArray[np.int64], k: int) -> Hits:
    ordered, sorted_numbers = in_order(scores, numbers)
    return ordered[:, :k], sorted_numbers[:, :k]
