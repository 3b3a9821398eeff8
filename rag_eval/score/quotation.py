"""Questions that stand in a text word for word: case, punctuation and articles aside."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain

from rag_eval.score.normal_form import normalize
from rag_eval.score.words import length, segments

N_QUOTED = 4  # words of a question that stand in a text by copying rather than by chance


def quotations(texts: Mapping[str, str], questions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Which text holds which question word for word: their ids, lazily, text by text; questions of fewer than N_QUOTED words are left out.

    Characters of scripts without spaces are words, two of which count as one here.

    Args:
        texts: by id, as they are.
        questions: by id, as they are.
    """
    by_start: defaultdict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for id, question in questions.items():
        plain = normalize(question)
        words = segments(plain)
        if length(plain) >= N_QUOTED:
            by_start[tuple(words[:N_QUOTED])].append((id, f" {' '.join(words)} "))
    for holder, text in texts.items() if by_start else ():
        words = segments(normalize(text))
        starts = by_start.keys() & set(zip(*(words[at:] for at in range(N_QUOTED)), strict=False))
        whole = f" {' '.join(words)} " if starts else ""
        yield from ((holder, id) for id, asked in chain.from_iterable(by_start[start] for start in sorted(starts)) if asked in whole)
