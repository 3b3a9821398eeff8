"""Claims that the table and a table of one's own documents both judge, stated once: id, cell, threshold, and what is compared."""

from __future__ import annotations

from dataclasses import dataclass

from rag_eval.report.claims.claim import Measure, Precondition, TableClaim
from rag_eval.report.claims.declare import ANY, MARGIN, RAG_CON, RAG_PRO, TUNED_CON, TUNED_PRO, Cell, Limit, above, below, declare, within
from rag_eval.score.primary import CONTAINS, EM

ENOUGH = 0.8  # share of the oracle's score from which on data suffice
FEW, MANY = 10_000, 100_000  # questions a month
EVERY_DAY = 30.0  # updates a month
UTILISATIONS = (0.1, 0.5, 1.0)
USUAL = 0.5  # utilisation of claims on which it hardly acts


@dataclass(frozen=True)
class Statement:
    """What is claimed, without how it is measured."""

    id: str
    cell: Cell
    text: str
    limit: Limit
    contrast: str  # "" = as the data allow
    unit: str = "share"
    metrics: tuple[str, ...] = (EM, CONTAINS)


_STATEMENTS = (
    Statement(
        "customization/fine-tuning-knowledge",
        TUNED_PRO,
        "What fine-tuning gains is knowledge, not only the form of the answers.",
        above(0.2),
        "",
    ),
    Statement(
        "customization/fine-tuning-refusal",
        TUNED_CON,
        "Fine-tuning on answers removes the behaviour of saying that an answer is not known.",
        above(0.2),
        "unknown when unanswerable, closed_book - finetune",
        metrics=(EM,),
    ),
    Statement(
        "customization/fine-tuning-reading",
        TUNED_CON,
        "Fine-tuning without passages makes a model worse at reading them.",
        below(0.0),
        "exact match of rag_finetune - rag",
    ),
    Statement(
        "customization/rag-facts",
        RAG_PRO,
        "With the same corpus, RAG answers more questions about its facts than fine-tuning.",
        above(0.0),
        "exact match of rag - finetune",
    ),
    Statement(
        "customization/rag-knowledge",
        RAG_PRO,
        "What RAG gains comes from what it retrieves, not from having passages.",
        above(0.2),
        "exact match of rag - rag_random",
    ),
    Statement(
        "customization/rag-errors",
        RAG_CON,
        "Where the search misses the evidence, the answer is wrong: errors of retrieval become errors of answers.",
        above(0.2),
        "",
    ),
    Statement(
        "data-dependency/fine-tuning-hallucinates",
        TUNED_CON,
        "Asked what no document answers, the fine-tuned model makes up an answer and RAG says that it is not known.",
        above(0.2),
        "unknown when unanswerable, rag - finetune",
        metrics=(EM,),
    ),
    Statement(
        "data-dependency/rag-untrained",
        RAG_PRO,
        "From documents alone, without a training question, RAG reaches 80 % of the oracle.",
        above(0.0),
        "exact match of rag - 0.8 oracle",
    ),
    Statement(
        "computational-cost/fine-tuning-question",
        TUNED_PRO,
        "A question costs less with the fine-tuned model than with retrieval",
        above(1.0),
        f"usd a question, rag / finetune, each with its share of a batch; utilisation {USUAL:g}",
        unit="times",
        metrics=ANY,
    ),
    Statement(
        "computational-cost/fine-tuning-upfront",
        TUNED_CON,
        f"What fine-tuning costs before the first question would pay for more than {FEW:,} of its questions",
        above(float(FEW)),
        f"usd of training, evaluation and a month of storage / usd a question, finetune; utilisation {USUAL:g}",
        unit="questions",
        metrics=ANY,
    ),
    Statement(
        "computational-cost/fine-tuning-retraining",
        TUNED_CON,
        f"With a retraining every day, {MANY:,} questions a month never pay for fine-tuning",
        below(EVERY_DAY),
        f"updates a month that fine-tuning bears before rag is cheaper, at {MANY:,} questions; utilisation {USUAL:g}",
        unit="updates a month",
        metrics=ANY,
    ),
    Statement(
        "computational-cost/rag-few-questions",
        RAG_PRO,
        f"A month of {FEW:,} questions costs less with retrieval than with fine-tuning",
        below(1.0),
        f"usd in all, rag / finetune, at {FEW:,} questions a month without updates; utilisation {USUAL:g}",
        unit="times",
        metrics=ANY,
    ),
    Statement(
        "computational-cost/rag-retrieval",
        RAG_CON,
        "Embedding a question and searching take more than a tenth of what a question costs with retrieval",
        above(0.1),
        "seconds of embedding and searching / all seconds of a question, rag, in batches",
        metrics=ANY,
    ),
    Statement(
        "computational-cost/rag-right-answer",
        RAG_CON,
        f"At {MANY:,} questions a month a right answer costs more with retrieval than with fine-tuning",
        above(1.0),
        f"usd in all a right answer, rag / finetune; utilisation {USUAL:g}",
        unit="times",
    ),
    Statement(
        "adaptability/fine-tuning-tailored",
        TUNED_PRO,
        "Once trained, and as long as nothing changes, the model wins against RAG or loses at most five points.",
        above(-MARGIN),
        "exact match of finetune - rag",
    ),
    Statement(
        "inference-time/fine-tuning-slowest-answers",
        TUNED_PRO,
        "The slowest answers come sooner from the fine-tuned model than with retrieval",
        above(1.0),
        "95th percentile from question to last token, rag / finetune, answers as they are",
        unit="times",
        metrics=ANY,
    ),
    Statement(
        "inference-time/fine-tuning-equal-length",
        TUNED_PRO,
        "They do so too where all answers have the same length",
        above(1.0),
        "95th percentile from question to last token, rag / finetune, every answer as long as the recorded ones are on average",
        unit="times",
        metrics=ANY,
    ),
    Statement(
        "inference-time/rag-retrieval",
        RAG_CON,
        "The retrieval step takes more than a tenth of the time of an answer",
        above(0.1),
        "seconds of embedding, searching and reranking / all, rag",
        metrics=ANY,
    ),
    Statement(
        "inference-time/rag-gap",
        RAG_CON,
        "Most of the time by which rag is slower is spent in the retrieval step",
        above(0.5),
        "seconds of embedding, searching and reranking, rag - finetune / seconds in all, rag - finetune",
        metrics=ANY,
    ),
    Statement(
        "inference-time/rag-stages",
        RAG_CON,
        "How much slower rag is follows from its stages and tokens",
        within(1.0, 0.1),
        "mean seconds by which rag is slower than finetune: from the additive model / measured",
        unit="times",
        metrics=ANY,
    ),
    Statement(
        "scalability/fine-tuning-reading-time",
        TUNED_PRO,
        "A model that holds facts in its weights reads a question as fast as one that holds none",
        within(1.0, 0.1),
        "median seconds of reading the prompt, finetune / closed_book, one request at a time",
        unit="times",
        metrics=ANY,
    ),
)
_BY_ID = {one.id: one for one in _STATEMENTS}


def stated(
    id: str,
    source: str,
    measure: Measure,
    needs: tuple[str, ...],
    *,
    given: tuple[Precondition, ...] = (),
    contrast: str = "",
    terms: str = "",
) -> TableClaim:
    """A claim of these statements.

    Args:
        id: of the statement.
        source: of the expected direction and the threshold.
        measure: from results to the number.
        needs: arms and measurements.
        given: what must hold for the number to say anything.
        contrast: what is compared, where the statement leaves it to the data.
        terms: added to what is compared, such as prices.

    Returns:
        The claim.

    Raises:
        KeyError: if there is no such statement.
    """
    one = _BY_ID[id]
    compared = ", ".join(part for part in (one.contrast or contrast, terms) if part)
    return declare(id, one.cell, one.text, one.limit, compared, source, measure, needs, one.unit, one.metrics, given=given)
