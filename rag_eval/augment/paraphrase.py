"""Passages in other words, as far as they are worth training on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_eval.augment.prompts import STYLES, restatement_prompt
from rag_eval.augment.teacher import Reply, Teacher
from rag_eval.data.chunking.evidence_mapping import origin
from rag_eval.text.near_duplicates import alike
from rag_eval.text.normalize import normalize, without_articles
from rag_eval.text.quotation import quotations
from rag_eval.types import Document

KEPT = 0.5  # share of a passage's names and numbers that a restatement must hold; all of them would forbid spelling one out


@dataclass(frozen=True)
class Restated:
    """What came of asking."""

    texts: Mapping[str, tuple[str, ...]]  # by document id; documents without any are left out
    n_poor: int  # replies that were left out for what they are
    n_leaking: int  # of the others, those that hold a question that is asked
    replies: tuple[Reply, ...]  # all of them


def restatements(passages: Sequence[Document], teacher: Teacher, n: int, asked: Mapping[str, str]) -> Restated:
    """Let a model restate passages; poor restatements, and those that quote an asked question, are left out.

    Args:
        passages: passages with text.
        teacher: the writing model.
        n: number of restatements for each passage, one for each of the first n STYLES.
        asked: questions that no restatement may quote, by id.

    Returns:
        Restatements by document, numbers of those left out, and all replies.
    """
    wanted = [(passage, restatement_prompt(passage, style)) for passage in passages for style in STYLES[:n]]
    fits = teacher.fits([prompt for _, prompt in wanted])
    wanted = [one for one, fit in zip(wanted, fits, strict=True) if fit]
    replies = teacher.ask("restating", [prompt for _, prompt in wanted])
    known: dict[str, dict[str, str]] = {}
    found: defaultdict[str, list[str]] = defaultdict(list)
    n_poor = n_leaking = 0
    for (passage, _), reply in zip(wanted, replies, strict=True):
        if reply.stop_reason == "error":
            continue
        texts = known.setdefault(passage.id, {"": normalize(passage.text)})
        text = normalize(reply.text)
        if reply.stop_reason == "length" or not text or not keeps_names(passage.text, reply.text) or any(alike({"": text}, texts)):
            n_poor += 1
            continue
        texts[str(len(texts))] = text
        if any(quotations({"": reply.text}, asked)):
            n_leaking += 1
            continue
        found[origin(passage).source].append(reply.text.strip())
    return Restated({id: tuple(those) for id, those in found.items()}, n_poor, n_leaking, tuple(replies))


def keeps_names(passage: str, text: str) -> bool:
    """Whether a text holds KEPT of the names and numbers of a passage; true where the passage has none."""
    names, words = _names(passage), set(normalize(text).split())
    return len(names & words) >= KEPT * len(names)


def _names(text: str) -> set[str]:
    """Words with a digit, and words with a capital that do not begin a sentence; normalised."""
    words = text.split()
    before = ["."] + words[:-1]
    chosen = [
        word
        for word, last in zip(words, before, strict=True)
        if any(map(str.isdigit, word)) or (word.strip("(\"'“")[:1].isupper() and last[-1] not in ".!?:")
    ]
    return {name for name in map(without_articles, chosen) if name and " " not in name}
