"""What a right answer costs: metrics of a whole run, for `metrics.run`."""

from __future__ import annotations

from rag_eval.score.metric import Declaration, RunColumns, declares
from rag_eval.stats.interval import Interval
from rag_eval.stats.ratio import ratio_of_means


@declares(Declaration("cost", label="USD per right answer", better="lower", high=None, judges="run", gold_scores_1=False, is_column=True))
def usd_per_correct(run: RunColumns) -> Interval | None:
    """Cost of the answers over how many of them are right, with Fieller's interval over clusters.

    Of answering alone: what learning took and what storage costs depends on how many questions are asked, which a horizon tells
    (`cost_per_correct`). Questions whose cost or answer is not known are in neither sum.

    Args:
        run: columns over its questions.

    Returns:
        None where no question has both a price and a judged answer. Without a right answer the value is nan and nothing limits it.
    """
    return ratio_of_means(run.usd, run.right, run.clusters)
