"""What is asked of a system beside its questions: whether it learned, whether batching changes it, what an update costs."""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from rag_eval.errors import DataError
from rag_eval.meter import metered
from rag_eval.parts import Retriever
from rag_eval.record.facts import AskedAgain
from rag_eval.retrieve.kept import Kept
from rag_eval.retrieve.none import NoRetriever
from rag_eval.score.comparators import is_forced
from rag_eval.score.estimate import estimate
from rag_eval.score.primary import train_phrasing
from rag_eval.score.selftest import Score, below_chance, shuffled_scores
from rag_eval.system import System
from rag_eval.types import DISAGREEMENT, Document, Estimate, Example, Prediction, QADataset, QuestionScores, Spend

N_TRAIN_PROBE = 200  # training questions that a trained arm is asked again, in their training phrasing
N_EXACT_PROBE = 500  # questions by which an approximate search is compared with an exact one
PROBE_SHARE = 0.08  # of the time of all answers, for asking some of them again
ALONE = 3.0  # times a question's share of its batch that it is taken to need alone, before one was asked


def sample(examples: Sequence[Example], limit: int | None, fingerprint: str) -> tuple[Example, ...]:
    """A sample of the examples, in their order; the same for every arm and every run seed on one dataset."""
    if limit is None or limit >= len(examples):
        return tuple(examples)
    chosen = set(random.Random(f"limit/{fingerprint}").sample(range(len(examples)), limit))
    return tuple(example for at, example in enumerate(examples) if at in chosen)


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


def batch_disagreement(
    ready: System, predictions: Sequence[Prediction], questions: Sequence[Example], n: int
) -> tuple[dict[str, Estimate], AskedAgain]:
    """Share of a sample of answers that change when each question is asked alone, and how large the sample was.

    Greedy decoding is a function of the prompt, but sums in another order round differently, and a near tie then falls
    the other way. No more questions are asked than fit into a share of the time that all answers took.

    Args:
        ready: the learned system.
        predictions: its answers.
        questions: in the same order.
        n: how many to ask again, at most.

    Returns:
        No estimate where no model ran, or where one question alone takes more than that share.
    """
    if n == 0 or ready.generator.identity()["base_model"] is None:
        return {}, AskedAgain(0, 0)
    said = {one.example_id: one for one in predictions if one.outcome != "error"}
    probe = _in_any_order([example for example in questions if example.id in said])[:n]
    answers_s = sum(sum(one.seconds.values()) for one in predictions)
    left_s = PROBE_SHARE * answers_s if answers_s else math.inf
    alone_s = ALONE * answers_s / max(1, len(predictions))  # of the slowest so far
    changed: list[float] = []
    for example in probe:
        if alone_s > left_s:
            break
        begun = time.perf_counter()
        changed.append(float(ready.answer([example])[0].text != said[example.id].text))
        took_s = time.perf_counter() - begun
        left_s, alone_s = left_s - took_s, max(took_s, alone_s) if len(changed) > 1 else took_s
    one = "one more" if changed else "asking one alone"
    why = f"{one} would take over {PROBE_SHARE:.0%} of the {answers_s:.1f} s of the answers" if len(changed) < len(probe) else None
    found = estimate(changed, [example.cluster or example.id for example in probe[: len(changed)]], binary=True)
    return {} if found is None else {DISAGREEMENT: found}, AskedAgain(len(probe), len(changed), why)


def _in_any_order(examples: Sequence[Example]) -> list[Example]:
    """The examples in an order that is random, and the same for every arm and seed: each beginning of it is a sample."""
    return random.Random("batch").sample(list(examples), len(examples))


def against_exact(retriever: Retriever, predictions: Sequence[Prediction], questions: Sequence[Example], k: int) -> dict[str, Estimate]:
    """Share of what an exact search puts among the best k that was found there, by a sample; nothing where the search is exact."""
    probe = sample(questions, N_EXACT_PROBE, "exact")
    exact = retriever.exactly(probe) if isinstance(retriever, Kept) else None
    if exact is None:
        return {}
    retrieved = {one.example_id: set(one.retrieved[:k]) for one in predictions}
    wanted = [{hit.document.id for hit in one.hits[:k]} for one in exact]
    shares = [len(retrieved[one.id] & best) / len(best) for one, best in zip(probe, wanted, strict=True) if best]
    found = estimate(shares, [example.cluster or example.id for example in probe], binary=False)
    return {} if found is None else {f"retrieval/exact_recall_{k}": found}


def check_chance(
    metric: Score, primary: str, scored: Sequence[QuestionScores], predictions: Sequence[Prediction], questions: Sequence[Example]
) -> float | None:
    """The score that these answers would get on other questions: the level of knowing nothing about which is which.

    Args:
        metric: the primary one.
        primary: its tracked name.
        scored: one a question.
        predictions: of the same questions.
        questions: in the same order.

    Returns:
        None where it cannot be told.

    Raises:
        DataError: where the answer is one of few options and the score is significantly below that level, which no
            system reaches by not knowing; an index that is off by one does.
    """
    asked = [at for at, example in enumerate(questions) if example.is_answerable]
    examples, said = [questions[at] for at in asked], [predictions[at] for at in asked]
    if len({example.cluster for example in examples}) < 2:
        return None
    chance = shuffled_scores(metric, said, examples, seed=0)
    if all(map(math.isnan, chance)):
        return None
    forced = [at for at, example in enumerate(examples) if is_forced(example)]
    scores = [scored[asked[at]].score(primary) for at in forced]
    clusters = [examples[at].cluster for at in forced]
    gap = below_chance(scores, [chance[at] for at in forced], clusters) if forced else None
    if gap is not None:
        raise DataError(
            f"{primary} is {statistics.fmean(scores):.3f} on {len(forced)} questions with given options, {-gap.mean:.3f} below that of the "
            "same answers shuffled, which no system reaches by knowing nothing. Is the right option counted from 0 here and from 1 there?"
        )
    return statistics.fmean(level for level in chance if not math.isnan(level))


def update_spend(retriever: Retriever, documents: Sequence[Document], uses_cuda: bool) -> Spend | None:
    """What replacing one document takes, by doing it, with a text that no cache has; None where nothing is searched."""
    if retriever.context != "retrieved" or not documents:
        return None
    changed = replace(documents[0], text=f"{documents[0].text} Revised as {uuid4().hex}.")
    with metered(uses_cuda) as reading:
        retriever.add([changed])
    return reading.spend
