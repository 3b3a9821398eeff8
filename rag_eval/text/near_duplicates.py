"""Near-duplicate detection without comparing all pairs.

Two texts are near duplicates if the Jaccard similarity of their word 3-grams is at least `SIMILAR`; for texts of at most
`SHORT` words, that of their words. Words are separated by white space, so in a script without spaces a text is one word and only
identical texts are duplicates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

SIMILAR = 0.8  # Jaccard similarity of near duplicates
SHORT = 6  # words; longer texts are compared by 3-grams, shorter ones by words, texts of exactly this length by both
BLOCK = 2_000  # texts per batch of candidate generation
N_PAIRS = 4_000  # candidate pairs verified per batch
ROUNDING = 1e-9

Indices = NDArray[np.int64]


def alike(texts: Mapping[str, str], known: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Match texts with known texts: identical ones, and near duplicates among the rest.

    Args:
        texts: by id, normalised.
        known: by id, normalised.

    Returns:
        Two mappings from ids of texts to ids of known texts: the first identical one, and the most similar near duplicate.
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
    """Words of a text of at most `SHORT` words; empty for a longer one."""
    return set(words) if len(words) <= SHORT else set()


def _shingles(words: Sequence[str]) -> Set[str]:
    """Word 3-grams of a text of at least `SHORT` words; empty for a shorter one."""
    return set(map(" ".join, zip(words, words[1:], words[2:], strict=False))) if len(words) >= SHORT else set()


def _nearest(sets: Sequence[Set[str]], known: Sequence[Set[str]]) -> list[int]:
    """Index of the most similar known set for each set, the first if several tie; -1 if none reaches `SIMILAR`.

    Exact, by prefix filtering (Chaudhuri, Ganti and Kaushik 2006; Bayardo, Ma and Srikant 2007): similar sets share one of their
    rarest features, so only pairs that do are compared.

    Args:
        sets: feature sets of the texts.
        known: feature sets of the known texts.

    Returns:
        One index per set.
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
    """Sets as rows of ones, int32 (n_sets, n_columns); features without a column are dropped."""
    drawn = [[columns[feature] for feature in one if feature in columns] for one in sets]
    starts = np.cumsum([0, *map(len, drawn)])
    indices = np.fromiter(chain.from_iterable(drawn), dtype=np.int64, count=int(starts[-1]))
    return csr_array((np.ones(len(indices), dtype=np.int32), indices, starts), shape=(len(sets), len(columns)))


def _rarest(rows: csr_array, sizes: Indices, rarity: Indices) -> csr_array:
    """Rows reduced to the prefix of rarest features that a similar set must share; features without a column are the rarest."""
    held = np.diff(rows.indptr)
    n_rarest = sizes - np.ceil(SIMILAR * sizes - ROUNDING).astype(np.int64) + 1 - (sizes - held)
    owner = np.repeat(np.arange(len(sizes)), held)
    order = np.lexsort((rarity[rows.indices], owner))  # by row as before, rarest first
    place = np.arange(len(order)) - np.repeat(rows.indptr[:-1], held)
    kept = order[place < np.repeat(n_rarest, held)]
    return csr_array((rows.data[kept], (owner[kept], rows.indices[kept])), shape=rows.shape)


def _candidates(shared: csr_array, start: int) -> Iterator[tuple[Indices, Indices]]:
    """Index pairs that share a rare feature, in batches of `N_PAIRS`."""
    pairs = shared.tocoo()
    at, other = (places.astype(np.int64) for places in pairs.coords)
    for begin in range(0, len(at), N_PAIRS):
        yield at[begin : begin + N_PAIRS] + start, other[begin : begin + N_PAIRS]


def _verified(
    rows: csr_array, known_rows: csr_array, sizes: Indices, known_sizes: Indices, at: Indices, other: Indices
) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """The pairs whose similarity reaches `SIMILAR`, with their similarity."""
    a, b = sizes[at], known_sizes[other]
    fits = np.minimum(a, b) >= SIMILAR * np.maximum(a, b) - ROUNDING
    at, other, a, b = at[fits], other[fits], a[fits], b[fits]
    n_shared = rows[at].multiply(known_rows[other]).sum(axis=1)
    similarity = n_shared / (a + b - n_shared)
    enough = similarity >= SIMILAR - ROUNDING
    return at[enough], other[enough], similarity[enough]
