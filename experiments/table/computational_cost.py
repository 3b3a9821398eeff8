"""Computational cost: what is paid before the first question and for each, and from when on fine-tuning pays.

Thresholds are those of section 2.3 of the protocol. Questions of a month are those that its expectations name: 10,000, below which what
comes before the first question is expected to dominate, and 100,000, from which fine-tuning is said to pay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from experiments.effects.arms import ARMS, Arms, Plan
from experiments.effects.trained_arms import BASE, TRAINED
from experiments.study import Run
from experiments.table.index_sizes import BUILDING, N_BUILDS, Building, building
from experiments.table.presets import Preset
from experiments.table.row import Curve, Point, Row
from rag_eval.report.claims.claim import Measured, Missing, Results, TableClaim
from rag_eval.report.claims.costs import (
    PricedPool,
    break_even,
    break_even_over,
    pays_until_updates,
    priced_pool,
    question_ratio,
    right_answer_ratio,
    searching_share,
    total_ratio,
    totals,
    upfront_in_questions,
)
from rag_eval.report.claims.declare import ANY, RAG_PRO, TUNED_PRO, above, below, declare
from rag_eval.report.claims.measures import training_seconds
from rag_eval.report.claims.numbers import of_repetitions, ratio_of
from rag_eval.report.claims.stated import FEW, MANY, USUAL, UTILISATIONS, stated

RAG = "rag"
LISTED = ", ".join(f"{utilisation:g}" for utilisation in UTILISATIONS)
QUESTIONS = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)  # of the curve
SOURCE = "protocol 2.3"


def _priced(found: Results, utilisation: float, measure: str = "") -> tuple[PricedPool, PricedPool]:
    """rag and the fine-tuned arm."""
    rag, tuned = (priced_pool(name, found.arms[name], utilisation, measure) for name in (RAG, BASE))
    return rag, tuned


def tuned_question_is_cheaper(found: Results, _: str) -> Measured:
    """What a question costs with rag, divided by what it costs with the fine-tuned model."""
    return question_ratio(*_priced(found, USUAL))


def break_even_over_utilisations(found: Results, _: str) -> Measured:
    """From how many questions a month on fine-tuning pays, with an interval that holds those at all utilisations."""
    return break_even_over([_priced(found, utilisation) for utilisation in (USUAL, *UTILISATIONS)])


def upfront(found: Results, _: str) -> Measured:
    """What fine-tuning costs before the first question, in its own questions."""
    return upfront_in_questions(_priced(found, USUAL)[1])


def updates_borne(found: Results, _: str) -> Measured:
    """How many retrainings a month fine-tuning bears before rag is cheaper."""
    return pays_until_updates(*_priced(found, USUAL), n_queries=MANY)


def training_by_indexing(found: Results, _: str) -> Measured:
    """Seconds of a training, the mean over worlds taken as exact, divided by those of embedding and indexing the same documents."""
    trained_s = training_seconds(found.arms[BASE])
    if isinstance(trained_s, Missing):
        return trained_s
    built: Building = found.work[BUILDING]
    return of_repetitions(ratio_of([trained_s] * len(built.seconds), built.seconds, range(len(built.seconds))))


def few_questions_in_all(found: Results, _: str) -> Measured:
    """What a month of few questions costs with rag, divided by what it costs with the fine-tuned model."""
    return total_ratio(*_priced(found, USUAL), n_queries=FEW)


def retrieval_share(found: Results, _: str) -> Measured:
    """Share of the seconds of a rag question, in batches, that embedding and searching take."""
    return searching_share(found.arms[RAG])


def right_answer_is_dearer(found: Results, metric: str) -> Measured:
    """What a right answer costs in all with rag, divided by what it costs with the fine-tuned model, in a month of many questions."""
    return right_answer_ratio(*_priced(found, USUAL, metric), n_queries=MANY)


def claims(_: Preset) -> Sequence[TableClaim]:
    """The claims of the row."""
    both = (RAG, BASE)
    return (
        stated(
            "computational-cost/fine-tuning-question",
            f"{SOURCE}: refuted if a question costs no more with rag",
            tuned_question_is_cheaper,
            both,
        ),
        declare(
            "computational-cost/fine-tuning-pays",
            TUNED_PRO,
            f"Fine-tuning has paid within {MANY:,} questions a month, whatever share of its hours the machine works",
            below(float(MANY)),
            "break-even: (usd before the first question, finetune - rag) / (usd a question, rag - finetune), paired by question; "
            f"the interval spans those at utilisation {LISTED}. They are nearly one: utilisation divides the price of "
            "machine time before the first question and for each alike, and only storage is paid by the hour",
            f"{SOURCE}: price lists put the break-even at tens to hundreds of thousands of questions",
            break_even_over_utilisations,
            both,
            "questions a month",
            ANY,
        ),
        stated(
            "computational-cost/fine-tuning-upfront",
            f"{SOURCE}: what comes before the first question dominates below 10,000 to 1,000,000 questions",
            upfront,
            (BASE,),
        ),
        stated(
            "computational-cost/fine-tuning-retraining", f"{SOURCE}: an update a day is the fastest that it foresees", updates_borne, both
        ),
        declare(
            "computational-cost/rag-indexing",
            RAG_PRO,
            "Training takes at least ten times as long as embedding and indexing the same documents",
            above(10.0),
            f"seconds of training, mean over worlds / seconds of embedding and indexing, {N_BUILDS} times without a cache",
            "protocol 2.3 and 2.4: at least ten times",
            training_by_indexing,
            (BASE, BUILDING),
            "times",
            ANY,
        ),
        stated(
            "computational-cost/rag-few-questions",
            f"{SOURCE}: what comes before the first question dominates below 10,000 to 1,000,000 questions",
            few_questions_in_all,
            both,
        ),
        stated("computational-cost/rag-retrieval", f"{SOURCE}: ten per cent of the cost count as no difference", retrieval_share, (RAG,)),
        stated("computational-cost/rag-right-answer", f"{SOURCE}: cost per correct answer", right_answer_is_dearer, both),
    )


def arms(_: Preset) -> Arms:
    """Runs of both sides."""
    return {RAG: ARMS[RAG], BASE: TRAINED[BASE]}


def work(_: Preset, plan: Plan) -> Sequence[Run[Any, Any]]:
    """How long the index is built."""
    return [building(plan)]


def curves(_: Preset, found: Results) -> Sequence[Curve]:
    """Cumulative cost against questions, with the break-even and its interval."""
    if found.lacking((RAG, BASE)):
        return []
    rag, tuned = _priced(found, USUAL)
    series = {arm.cost.name: _totals(arm) for arm in (rag, tuned)}
    turning = break_even(rag, tuned)[0]
    ends = [x for x in (turning.low, turning.value, turning.high) if x is not None and 0 < x < math.inf]
    band = tuple(Point(x, total[0]) for x in ends if (total := totals(rag, x)) is not None)
    series |= {"break-even with its 95 % interval": band} if turning.verdict == "from" and band else {}
    title = f"Cost of a month by its number of questions, utilisation {USUAL:g}"
    return [Curve("cumulative-cost", title, "questions a month", "usd in all", series, log_x=True, log_y=True)]


def _totals(arm: PricedPool) -> tuple[Point, ...]:
    known = ((n, totals(arm, n)) for n in QUESTIONS)
    return tuple(Point(n, *total) for n, total in known if total is not None)


ROW = Row("Computational cost", claims, arms, work, curves)
