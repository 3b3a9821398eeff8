"""How well a trained arm answers what it was trained on, asked as in training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rag_eval.probes.sample import sample
from rag_eval.retrieve.none import NoRetriever
from rag_eval.score.primary import train_phrasing
from rag_eval.system import System
from rag_eval.types import Estimate, Example, Prediction, QADataset

N_TRAIN_PROBE = 200  # training questions that a trained arm is asked again, in their training phrasing


def learned_phrasings(
    ready: System,
    dataset: QADataset,
    answer: Callable[[System, Sequence[Example]], list[Prediction]],
    score: Callable[[System, Sequence[Prediction], Sequence[Example]], Mapping[str, Estimate]],
    primary: str,
) -> dict[str, Estimate]:
    """How well a trained arm answers what it was trained on, asked as in training: without passages.

    Args:
        ready: the learned system.
        dataset: its training questions are those that the arm was trained on in that way.
        answer: how questions are answered.
        score: how answers are scored.
        primary: the score that is kept.

    Returns:
        Nothing where there is no such question.
    """
    if ready.adapter.weights != "trained":
        return {}
    probe = sample([example for example in dataset.train if example.is_answerable], N_TRAIN_PROBE, dataset.fingerprint)
    if not probe:
        return {}
    alone = replace(ready, retriever=NoRetriever())
    found = score(alone, answer(alone, probe), probe)
    return {train_phrasing(primary): found[primary]} if primary in found else {}
