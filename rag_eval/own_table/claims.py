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
    total_ratio,
    upfront_in_questions,
)
from rag_eval.report.claims.declare import ANY, MARGIN, RAG_CON, RAG_PRO, TUNED_CON, TUNED_PRO, above, below, declare, within
from rag_eval.report.claims.measures import answers, change, less_share, of, says_unknown, worth_of_evidence
from rag_eval.report.claims.numbers import ratio_of
from rag_eval.report.claims.timed import (
    BEFORE_MODEL,
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
ENOUGH = 0.8  # share of the oracle's score from which on data suffice
FEW, MANY = 10_000, 100_000  # questions a month
EVERY_DAY = 30.0  # updates a month
UTILISATIONS = (0.1, 0.5, 1.0)
USUAL = 0.5  # utilisation of claims on which it hardly acts
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
        declare(
            "customization/fine-tuning-knowledge",
            TUNED_PRO,
            "What fine-tuning gains is knowledge, not only the form of the answers.",
            above(0.2),
            "exact match of finetune - finetune_format, which was trained on questions about other documents",
            SOURCE,
            change("finetune_format", TUNED),
            ("finetune_format", TUNED),
        ),
        declare(
            "customization/fine-tuning-refusal",
            TUNED_CON,
            "Fine-tuning on answers removes the behaviour of saying that an answer is not known.",
            above(0.2),
            "unknown when unanswerable, closed_book - finetune",
            SOURCE,
            of(difference(TUNED, BARE, ABSTAINS)),
            (TUNED, BARE),
            metrics=ANY,
            given=(says_unknown(BARE, "the untrained model says unknown when unanswerable more often than training is claimed to remove"),),
        ),
        declare(
            "customization/fine-tuning-reading",
            TUNED_CON,
            "Fine-tuning without passages makes a model worse at reading them.",
            below(0.0),
            "exact match of rag_finetune - rag",
            SOURCE,
            change(RAG, "rag_finetune"),
            (RAG, "rag_finetune"),
        ),
        declare(
            "customization/rag-facts",
            RAG_PRO,
            "With the same corpus, RAG answers more questions about its facts than fine-tuning.",
            above(0.0),
            "exact match of rag - finetune",
            SOURCE,
            change(TUNED, RAG),
            (RAG, TUNED),
        ),
        declare(
            "customization/rag-knowledge",
            RAG_PRO,
            "What RAG gains comes from what it retrieves, not from having passages.",
            above(0.2),
            "exact match of rag - rag_random",
            SOURCE,
            change("rag_random", RAG),
            ("rag_random", RAG),
        ),
        declare(
            "customization/rag-errors",
            RAG_CON,
            "Where the search misses the evidence, the answer is wrong: errors of retrieval become errors of answers.",
            above(0.2),
            "exact match of rag, with - without the evidence in the prompt",
            SOURCE,
            worth_of_evidence(RAG),
            (RAG,),
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
        declare(
            "data-dependency/fine-tuning-hallucinates",
            TUNED_CON,
            "Asked what no document answers, the fine-tuned model makes up an answer and RAG says that it is not known.",
            above(0.2),
            "unknown when unanswerable, rag - finetune",
            SOURCE,
            of(difference(TUNED, RAG, ABSTAINS)),
            (TUNED, RAG),
            metrics=ANY,
            given=(says_unknown(RAG, "rag says unknown when unanswerable"),),
        ),
        declare(
            "data-dependency/rag-untrained",
            RAG_PRO,
            "From documents alone, without a training question, RAG reaches 80 % of the oracle.",
            above(0.0),
            "exact match of rag - 0.8 oracle",
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
        declare(
            "computational-cost/fine-tuning-question",
            TUNED_PRO,
            "A question costs less with the fine-tuned model than with retrieval",
            above(1.0),
            f"usd a question, rag / finetune, each with its share of a batch; utilisation {USUAL:g}, {prices}",
            SOURCE,
            by_month(question_ratio),
            both,
            "times",
            ANY,
        ),
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
        declare(
            "computational-cost/fine-tuning-upfront",
            TUNED_CON,
            f"What fine-tuning costs before the first question would pay for more than {FEW:,} of its questions",
            above(float(FEW)),
            f"usd of training, evaluation and a month of storage / usd a question, finetune; utilisation {USUAL:g}, {prices}",
            SOURCE,
            _in_batches((TUNED,), lambda found, _: upfront_in_questions(priced_pool(TUNED, found.arms[TUNED], USUAL, "", sheet))),
            (TUNED,),
            "questions",
            ANY,
        ),
        declare(
            "computational-cost/fine-tuning-retraining",
            TUNED_CON,
            f"With a retraining every day, {MANY:,} questions a month never pay for fine-tuning",
            below(EVERY_DAY),
            f"updates a month that fine-tuning bears before rag is cheaper, at {MANY:,} questions; utilisation {USUAL:g}, {prices}",
            SOURCE,
            by_month(partial(pays_until_updates, n_queries=MANY)),
            both,
            "updates a month",
            ANY,
        ),
        declare(
            "computational-cost/rag-few-questions",
            RAG_PRO,
            f"A month of {FEW:,} questions costs less with retrieval than with fine-tuning",
            below(1.0),
            f"usd in all, rag / finetune, at {FEW:,} questions a month without updates; utilisation {USUAL:g}, {prices}",
            SOURCE,
            by_month(partial(total_ratio, n_queries=FEW)),
            both,
            "times",
            ANY,
        ),
        declare(
            "computational-cost/rag-retrieval",
            RAG_CON,
            "Embedding a question and searching take more than a tenth of what a question costs with retrieval",
            above(0.1),
            "seconds of embedding and searching / all seconds of a question, rag, in batches",
            SOURCE,
            _in_batches((RAG,), _searching_share),
            (RAG,),
            "share",
            ANY,
        ),
        declare(
            "computational-cost/rag-right-answer",
            RAG_CON,
            f"At {MANY:,} questions a month a right answer costs more with retrieval than with fine-tuning",
            above(1.0),
            f"usd in all a right answer, rag / finetune; utilisation {USUAL:g}, {prices}",
            SOURCE,
            _in_batches(both, lambda found, metric: right_answer_ratio(*priced(found, USUAL, metric), n_queries=MANY)),
            both,
            "times",
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


def _searching_share(found: Results, _: str) -> Measured:
    """Share of the seconds of a question of rag, in batches, that embedding and searching take."""
    pool = found.arms[RAG]
    seconds = [pool.predictions[name].seconds for name in pool.rows]
    steps = [sum(one.get(stage, 0.0) for stage in BEFORE_MODEL) for one in seconds]
    return ratio_of(steps, [sum(one.values()) for one in seconds], [pool.clusters[name] for name in pool.rows])


def _adaptability() -> Sequence[TableClaim]:
    return (
        declare(
            "adaptability/fine-tuning-tailored",
            TUNED_PRO,
            "Once trained, and as long as nothing changes, the model wins against RAG or loses at most five points.",
            above(-MARGIN),
            "exact match of finetune - rag",
            SOURCE,
            change(RAG, TUNED),
            (RAG, TUNED),
            given=(answers(RAG, "rag answers its questions"),),
        ),
    )


def _inference_time() -> Sequence[TableClaim]:
    both = (RAG, TUNED)
    return (
        declare(
            "inference-time/fine-tuning-slowest-answers",
            TUNED_PRO,
            "The slowest answers come sooner from the fine-tuned model than with retrieval",
            above(1.0),
            "95th percentile from question to last token, rag / finetune, answers as they are",
            SOURCE,
            partial(_of_session, NATURAL, both, _p95_ratio),
            (NATURAL,),
            "times",
            ANY,
        ),
        declare(
            "inference-time/fine-tuning-equal-length",
            TUNED_PRO,
            "They do so too where all answers have the same length",
            above(1.0),
            "95th percentile from question to last token, rag / finetune, every answer as long as the recorded ones are on average",
            SOURCE,
            partial(_of_session, FORCED, both, _p95_ratio),
            (FORCED,),
            "times",
            ANY,
        ),
        declare(
            "inference-time/rag-retrieval",
            RAG_CON,
            "The retrieval step takes more than a tenth of the time of an answer",
            above(0.1),
            "seconds of embedding, searching and reranking / all, rag",
            SOURCE,
            partial(_of_session, NATURAL, (RAG,), lambda timed: retrieval_share(timed[RAG])),
            (NATURAL,),
            "share",
            ANY,
        ),
        declare(
            "inference-time/rag-gap",
            RAG_CON,
            "Most of the time by which rag is slower is spent in the retrieval step",
            above(0.5),
            "seconds of embedding, searching and reranking, rag - finetune / seconds in all, rag - finetune",
            SOURCE,
            partial(_of_session, NATURAL, both, lambda timed: retrieval_share_of_gap(timed[RAG], timed[TUNED])),
            (NATURAL,),
            "share",
            ANY,
            given=(
                Precondition(
                    SLOWER, partial(_of_session, NATURAL, both, lambda timed: mean_gap(timed[RAG], timed[TUNED])), 0.0, (NATURAL,)
                ),
            ),
        ),
        declare(
            "inference-time/rag-stages",
            RAG_CON,
            "How much slower rag is follows from its stages and tokens",
            within(1.0, 0.1),
            "mean seconds by which rag is slower than finetune: from the additive model / measured",
            SOURCE,
            partial(_of_session, NATURAL, both, lambda timed: predicted_by_measured(timed[RAG], timed[TUNED])),
            (NATURAL,),
            "times",
            ANY,
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
        declare(
            "scalability/fine-tuning-reading-time",
            TUNED_PRO,
            "A model that holds facts in its weights reads a question as fast as one that holds none",
            within(1.0, 0.1),
            "median seconds of reading the prompt, finetune / closed_book, one request at a time",
            SOURCE,
            partial(_of_session, NATURAL, (TUNED, BARE), lambda timed: prefill_ratio(timed[TUNED], timed[BARE])),
            (NATURAL,),
            "times",
            ANY,
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
