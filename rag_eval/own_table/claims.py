"""The claims of the table's six rows that can be judged on anybody's documents, with the thresholds of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from rag_eval.report.claims.claim import Measure, Measured, Missing, Precondition, Results, TableClaim
from rag_eval.report.claims.costs import (
    PricedPool,
    break_even_over,
    is_one_batch,
    pays_until_updates,
    priced_pool,
    question_ratio,
    right_answer_ratio,
    searching_share,
    total_ratio,
    upfront_in_questions,
)
from rag_eval.report.claims.declare import ANY, TUNED_PRO, above, below, declare
from rag_eval.report.claims.measures import answers, change, less_share, of, says_unknown, worth_of_evidence
from rag_eval.report.claims.stated import ENOUGH, FEW, MANY, USUAL, UTILISATIONS, stated
from rag_eval.report.claims.timed import (
    FORCED,
    NATURAL,
    SLOWER,
    Session,
    e2e_ratio,
    mean_gap,
    predicted_by_measured,
    prefill_ratio,
    retrieval_share,
    retrieval_share_of_gap,
)
from rag_eval.report.claims.values import ABSTAINS, difference
from rag_eval.stats.percentile import fewest

RAG, TUNED, BARE = "rag", "finetune", "closed_book"
P95 = 0.95
ROWS = ("Customization", "Data dependency", "Computational cost", "Adaptability", "Inference time", "Scalability")
SOURCE = "the claim of the table (python -m experiments), on your documents"


def judged(sheet: str) -> Mapping[str, Sequence[TableClaim]]:
    """The claims by row.

    Args:
        sheet: name of the price sheet by which costs are computed.

    Returns:
        In the order of the table.
    """
    return {
        "Customization": _customization(),
        "Data dependency": _data_dependency(),
        "Computational cost": _computational_cost(sheet),
        "Adaptability": _adaptability(),
        "Inference time": _inference_time(),
        "Scalability": _scalability(),
    }


def _customization() -> Sequence[TableClaim]:
    return (
        stated(
            "customization/fine-tuning-knowledge",
            SOURCE,
            change("finetune_format", TUNED),
            ("finetune_format", TUNED),
            contrast="exact match of finetune - finetune_format, which was trained on questions about other documents",
        ),
        stated(
            "customization/fine-tuning-refusal",
            SOURCE,
            of(difference(TUNED, BARE, ABSTAINS)),
            (TUNED, BARE),
            given=(says_unknown(BARE, "the untrained model says unknown when unanswerable more often than training is claimed to remove"),),
        ),
        stated("customization/fine-tuning-reading", SOURCE, change(RAG, "rag_finetune"), (RAG, "rag_finetune")),
        stated("customization/rag-facts", SOURCE, change(TUNED, RAG), (RAG, TUNED)),
        stated("customization/rag-knowledge", SOURCE, change("rag_random", RAG), ("rag_random", RAG)),
        stated(
            "customization/rag-errors",
            SOURCE,
            worth_of_evidence(RAG),
            (RAG,),
            contrast="exact match of rag, with - without the evidence in the prompt",
        ),
    )


def _data_dependency() -> Sequence[TableClaim]:
    return (
        declare(
            "data-dependency/fine-tuning-enough",
            TUNED_PRO,
            "With your training questions, fine-tuning reaches 80 % of the oracle.",
            above(0.0),
            "exact match of finetune - 0.8 oracle",
            SOURCE,
            less_share(TUNED, ENOUGH, "oracle"),
            (TUNED, "oracle"),
            given=(answers("oracle", "the model answers from the evidence"),),
        ),
        stated(
            "data-dependency/fine-tuning-hallucinates",
            SOURCE,
            of(difference(TUNED, RAG, ABSTAINS)),
            (TUNED, RAG),
            given=(says_unknown(RAG, "rag says unknown when unanswerable"),),
        ),
        stated(
            "data-dependency/rag-untrained",
            SOURCE,
            less_share(RAG, ENOUGH, "oracle"),
            (RAG, "oracle"),
            given=(answers("oracle", "the model answers from the evidence"),),
        ),
    )


def _computational_cost(sheet: str) -> Sequence[TableClaim]:
    def priced(found: Results, utilisation: float, measure: str = "") -> tuple[PricedPool, PricedPool]:
        rag, tuned = (priced_pool(name, found.arms[name], utilisation, measure, sheet) for name in (RAG, TUNED))
        return rag, tuned

    def by_month(of_both: Callable[[PricedPool, PricedPool], Measured]) -> Measure:
        return _in_batches(both, lambda found, _: of_both(*priced(found, USUAL)))

    both, prices = (RAG, TUNED), f"prices {sheet}"
    return (
        stated("computational-cost/fine-tuning-question", SOURCE, by_month(question_ratio), both, terms=prices),
        declare(
            "computational-cost/fine-tuning-pays",
            TUNED_PRO,
            f"Fine-tuning has paid within {MANY:,} questions a month",
            below(float(MANY)),
            "break-even: (usd before the first question, finetune - rag) / (usd a question, rag - finetune), paired; the interval spans "
            f"utilisation {', '.join(f'{one:g}' for one in UTILISATIONS)}; {prices}",
            SOURCE,
            _in_batches(both, lambda found, _: break_even_over([priced(found, one) for one in (USUAL, *UTILISATIONS)])),
            both,
            "questions a month",
            ANY,
        ),
        stated(
            "computational-cost/fine-tuning-upfront",
            SOURCE,
            _in_batches((TUNED,), lambda found, _: upfront_in_questions(priced_pool(TUNED, found.arms[TUNED], USUAL, "", sheet))),
            (TUNED,),
            terms=prices,
        ),
        stated(
            "computational-cost/fine-tuning-retraining", SOURCE, by_month(partial(pays_until_updates, n_queries=MANY)), both, terms=prices
        ),
        stated("computational-cost/rag-few-questions", SOURCE, by_month(partial(total_ratio, n_queries=FEW)), both, terms=prices),
        stated("computational-cost/rag-retrieval", SOURCE, _in_batches((RAG,), lambda found, _: searching_share(found.arms[RAG])), (RAG,)),
        stated(
            "computational-cost/rag-right-answer",
            SOURCE,
            _in_batches(both, lambda found, metric: right_answer_ratio(*priced(found, USUAL, metric), n_queries=MANY)),
            both,
            terms=prices,
        ),
    )


def _in_batches(names: Sequence[str], measure: Measure) -> Measure:
    """The measure, where these arms answered in several batches: all questions of one have the same seconds, which leaves no interval."""

    def measured(found: Results, metric: str) -> Measured:
        single = [name for name in names if is_one_batch(found.arms[name])]
        if single:
            return Missing(f"{' and '.join(single)}: all questions were answered in one batch, whose seconds have no interval")
        return measure(found, metric)

    return measured


def _adaptability() -> Sequence[TableClaim]:
    return (
        stated(
            "adaptability/fine-tuning-tailored",
            SOURCE,
            change(RAG, TUNED),
            (RAG, TUNED),
            given=(answers(RAG, "rag answers its questions"),),
        ),
    )


def _inference_time() -> Sequence[TableClaim]:
    both = (RAG, TUNED)
    return (
        stated("inference-time/fine-tuning-slowest-answers", SOURCE, partial(_of_session, NATURAL, both, _p95_ratio), (NATURAL,)),
        stated("inference-time/fine-tuning-equal-length", SOURCE, partial(_of_session, FORCED, both, _p95_ratio), (FORCED,)),
        stated(
            "inference-time/rag-retrieval",
            SOURCE,
            partial(_of_session, NATURAL, (RAG,), lambda timed: retrieval_share(timed[RAG])),
            (NATURAL,),
        ),
        stated(
            "inference-time/rag-gap",
            SOURCE,
            partial(_of_session, NATURAL, both, lambda timed: retrieval_share_of_gap(timed[RAG], timed[TUNED])),
            (NATURAL,),
            given=(
                Precondition(
                    SLOWER, partial(_of_session, NATURAL, both, lambda timed: mean_gap(timed[RAG], timed[TUNED])), 0.0, (NATURAL,)
                ),
            ),
        ),
        stated(
            "inference-time/rag-stages",
            SOURCE,
            partial(_of_session, NATURAL, both, lambda timed: predicted_by_measured(timed[RAG], timed[TUNED])),
            (NATURAL,),
        ),
    )


def _p95_ratio(timed: Session) -> Measured:
    """The 95th percentile of rag divided by that of the fine-tuned model, where there are as many requests as one needs."""
    n, least = len(timed[TUNED].timings), fewest(P95)
    return (
        e2e_ratio(timed[RAG], timed[TUNED], P95) if n >= least else Missing(f"{n} requests were timed, and a 95th percentile needs {least}")
    )


def _scalability() -> Sequence[TableClaim]:
    return (
        stated(
            "scalability/fine-tuning-reading-time",
            SOURCE,
            partial(_of_session, NATURAL, (TUNED, BARE), lambda timed: prefill_ratio(timed[TUNED], timed[BARE])),
            (NATURAL,),
        ),
    )


def _of_session(name: str, arms: tuple[str, ...], ratio: Callable[[Session], Measured], found: Results, _: str) -> Measured:
    """A ratio of a session in which all these arms were timed."""
    timed: Session = found.work[name]
    if absent := [arm for arm in arms if arm not in timed]:
        return Missing(found.lacking(tuple(absent)) or f"{', '.join(absent)}: not timed, because that would take long")
    try:
        return ratio(timed)
    except KeyError as error:
        return Missing(f"this generator does not tell the seconds of {error.args[0]}")
