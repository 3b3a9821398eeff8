"""The declared comparison of every pair, corrected for how many there are."""

from __future__ import annotations

import numpy as np

from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import Contrast
from rag_eval.report.judgement import Judgement, adjusted_p
from rag_eval.report.table import NOT_MEASURED, Cell, Column, Figure, Header, Table, Term, figure, number
from rag_eval.score.metric import Better
from rag_eval.stats.paired_tests import mcnemar

READING = """Paired by question, clustered; {intervals}. Measure, threshold and margin are as given on the command line: give them before
you look. MDE: the smallest difference that this comparison finds with 80 % power. p: of no difference, signs of clusters flipped, Holm's
correction over the pairs. McNemar's exact test ignores clusters and is shown for its counts; right: the score is 1, or 0
where less of it is better. Same: two one-sided tests, that is an interval within the margin; the only ground for calling two arms the same.
METRIC-DEPENDENT: exact match and containment give the claim different verdicts, or one arm's answers keep the form of the gold ones and the
other's do not."""
TESTS = (
    Column("design effect", place="where it fits"),
    Column("MDE"),
    Column("p (Holm)"),
    Column("only first right", place="where it fits"),
    Column("only second right", place="where it fits"),
    Column("McNemar p", place="where it fits"),
)


def tables(context: ReportContext) -> list[Table]:
    """One line a pair: the difference of every score that the verdict rests on, the tests, and both verdicts."""
    judged, declared = context.judged, context.declared
    names = list(dict.fromkeys(name for one in judged for name in one.said))
    rows: list[tuple[Cell, ...]] = []
    for one, p in zip(judged, adjusted_p(judged), strict=True):
        found = one.judged.contrast
        differences = [figure(one.said[name].contrast.difference) if name in one.said else Figure(None) for name in names]
        n: Cell = NOT_MEASURED if found.difference is None else f"{found.difference.n} ({found.difference.n_clusters})"
        tests = (Figure(found.deff), Figure(found.mde), Figure(p), *_discordance(found, context.scoring.of(one.judged_on).better))
        judged_on = Term(one.judged_on, context.label(one.judged_on))
        rows.append((found.name, *differences, n, judged_on, *tests, one.better.text, _equivalence(one)))
    differing = (Column(f"difference of {context.label(name)}", f"difference of {name}") for name in names)
    verdicts = (Column(claim.text, kind="text") for claim in (declared.better, declared.same))
    header: Header = ("pair", *differing, "n (clusters)", Column("tests of", kind="text"), *TESTS, *verdicts)
    reading = " ".join(READING.split()).format(intervals=simultaneous(len(judged)))
    return [Table("The declared comparison", reading, header, tuple(rows))]


def simultaneous(n_pairs: int) -> str:
    """What the intervals of so many pairs are, in words."""
    return "intervals of 95 %" if n_pairs == 1 else f"intervals that hold for all {n_pairs} pairs at 95 % (Bonferroni)"


def _discordance(one: Contrast, better: Better) -> tuple[Cell, Cell, Cell]:
    a, b = one.scores if better != "lower" else (1 - one.scores[0], 1 - one.scores[1])
    scores = np.concatenate([a, b])
    if one.difference is None or not np.isin(scores[~np.isnan(scores)], (0.0, 1.0)).all():
        return NOT_MEASURED, NOT_MEASURED, Figure(None, note="needs 0/1 scores")
    found = mcnemar(a.tolist(), b.tolist())
    return found.n_only_a, found.n_only_b, Figure(found.p)


def _equivalence(one: Judgement) -> str:
    found = one.judged.within
    return one.same.text if found is None or one.is_dependent else f"{one.same.text}, [{number(found.low)}, {number(found.high)}]"
