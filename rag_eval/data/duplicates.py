"""Texts that say the same in nearly the same words, found without looking at every pair.

Two texts are near duplicates when the Jaccard similarity of their word 3-grams is at least SIMILAR; of texts of at most
SHORT words that of their words. Words are what spaces part, so in a script without spaces a text is one word and only equal
texts are duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

SIMILAR = 0.8  # Jaccard similarity of near duplicates
SHORT = 6  # words; a longer text has enough 3-grams to be told by them, and one of just so many is told by either
BLOCK = 2_000  # texts whose candidates are drawn at once
N_PAIRS = 4_000  # candidates that are verified at once
ROUNDING = 1e-9

Indices = NDArray[np.int64]


def alike(texts: Mapping[str, str], known: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Which known text each text equals; and of the others, which one each is a near duplicate of.

    Args:
        texts: by id, normalised.
        known: by id, normalised.

    Returns:
        Ids of known texts by ids of texts: of equal ones the first, of near ones the most similar.
    """
    first: dict[str, str] = {}
    for id, text in known.items():
        first.setdefault(text, id)
    same = {id: first[text] for id, text in texts.items() if text in first}
    others = [id for id in texts if id not in same]
    words, known_words = [texts[id].split() for id in others], [text.split() for text in first]
    ids = list(first.values())
    short = _nearest([_words(one) for one in words], [_words(one) for one in known_words])
    long = _nearest([_shingles(one) for one in words], [_shingles(one) for one in known_words])
    return same, {id: ids[max(a, b)] for id, a, b in zip(others, short, long, strict=True) if max(a, b) >= 0}


def _words(words: Sequence[str]) -> Set[str]:
    """The words of a short text; none of a longer one."""
    return set(words) if len(words) <= SHORT else set()


def _shingles(words: Sequence[str]) -> Set[str]:
    """The 3-grams of a text that has enough of them; none of a short one."""
    return set(map(" ".join, zip(words, words[1:], words[2:], strict=False))) if len(words) >= SHORT else set()


def _nearest(sets: Sequence[Set[str]], known: Sequence[Set[str]]) -> list[int]:
    """The place of the known set that each set is most similar to, the first of equal ones; -1 where none is similar enough.

    Exact, and quick because similar sets share one of their rarest features (prefix filter: Chaudhuri, Ganti and Kaushik
    2006; Bayardo, Ma and Srikant 2007): only pairs that do are counted.
    """
    best = np.full(len(sets), -1)
    columns = {feature: at for at, feature in enumerate(dict.fromkeys(chain.from_iterable(sets)))}
    sizes, known_sizes = _sizes(sets), _sizes(known)
    rows, known_rows = _matrix(sets, columns), _matrix(known, columns)
    rarity = np.argsort(np.argsort(np.bincount(known_rows.indices, minlength=len(columns)), kind="stable"))
    rare, known_rare = _rarest(rows, sizes, rarity), _rarest(known_rows, known_sizes, rarity).T.tocsr()
    pairs = [
        _verified(rows, known_rows, sizes, known_sizes, *candidates)
        for start in range(0, len(sets), BLOCK)
        for candidates in _candidates(rare[start : start + BLOCK] @ known_rare, start)
    ]
    if pairs:
        at, other, similarity = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        order = np.lexsort((other, -similarity))
        found, first = np.unique(at[order], return_index=True)
        best[found] = other[order][first]
    return [int(place) for place in best]


def _sizes(sets: Sequence[Set[str]]) -> Indices:
    return np.fromiter(map(len, sets), dtype=np.int64, count=len(sets))


def _matrix(sets: Sequence[Set[str]], columns: Mapping[str, int]) -> csr_array:
    """Sets as rows of ones, int32 (n_sets, n_columns); features without a column are left out."""
    drawn = [[columns[feature] for feature in one if feature in columns] for one in sets]
    starts = np.cumsum([0, *map(len, drawn)])
    indices = np.fromiter(chain.from_iterable(drawn), dtype=np.int64, count=int(starts[-1]))
    return csr_array((np.ones(len(indices), dtype=np.int32), indices, starts), shape=(len(sets), len(columns)))


def _rarest(rows: csr_array, sizes: Indices, rarity: Indices) -> csr_array:
    """The rows cut to so many of their rarest features that a similar set must share one; those without a column are the rarest."""
    held = np.diff(rows.indptr)
    n_rarest = sizes - np.ceil(SIMILAR * sizes - ROUNDING).astype(np.int64) + 1 - (sizes - held)
    owner = np.repeat(np.arange(len(sizes)), held)
    order = np.lexsort((rarity[rows.indices], owner))  # by row as before, rarest first
    place = np.arange(len(order)) - np.repeat(rows.indptr[:-1], held)
    kept = order[place < np.repeat(n_rarest, held)]
    return csr_array((rows.data[kept], (owner[kept], rows.indices[kept])), shape=rows.shape)


def _candidates(shared: csr_array, start: int) -> Iterator[tuple[Indices, Indices]]:
    """The places of pairs that share a rare feature, so many at a time as are verified at once."""
    pairs = shared.tocoo()
    at, other = (places.astype(np.int64) for places in pairs.coords)
    for begin in range(0, len(at), N_PAIRS):
        yield at[begin : begin + N_PAIRS] + start, other[begin : begin + N_PAIRS]


def _verified(
    rows: csr_array, known_rows: csr_array, sizes: Indices, known_sizes: Indices, at: Indices, other: Indices
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Those of the pairs that are similar enough, with how similar they are."""
    a, b = sizes[at], known_sizes[other]
    fits = np.minimum(a, b) >= SIMILAR * np.maximum(a, b) - ROUNDING
    at, other, a, b = at[fits], other[fits], a[fits], b[fits]
    n_shared = rows[at].multiply(known_rows[other]).sum(axis=1)
    similarity = n_shared / (a + b - n_shared)
    enough = similarity >= SIMILAR - ROUNDING
    return at[enough], other[enough], similarity[enough]
