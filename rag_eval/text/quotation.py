"""Detection of questions that occur verbatim in a text, ignoring case, punctuation and articles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain

from rag_eval.text.normalize import normalize
from rag_eval.text.words import length, segments

N_QUOTED = 4  # minimum number of words of a question; shorter ones occur in texts by chance


def quotations(texts: Mapping[str, str], questions: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Find the texts that contain a question verbatim.

    Questions of fewer than `N_QUOTED` words are skipped. In scripts without spaces each character is a word, and two count as
    one here.

    Args:
        texts: texts by id, not normalised.
        questions: questions by id, not normalised.

    Yields:
        Pairs (text id, question id), text by text.
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
