"""The verdict on two arms, read by a strict and by a lenient score of the same answers.

A claim about right answers is put to a strict score, such as exact match, and to a lenient one, such as containment. Where they give it
different words, or different winners, the verdict is METRIC-DEPENDENT. Where the strict score measures the form of an arm's answers
(`score.form`), it decides nothing:

- no arm is known to keep the form: the claim is judged on the lenient score;
- the other arm keeps it: the arms differ in form, so that the verdict is METRIC-DEPENDENT, unless both scores leave the claim open
  or the lenient score is the one that was declared.

Over fewer than TOO_FEW_CLUSTERS clusters every claim is left open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_eval.report.contrast import ALPHA, TOO_FEW_CLUSTERS, Arm, Contrast, Declared, contrast, declare, pairs
from rag_eval.report.form import form_reason, keeps_some_form
from rag_eval.report.table import figure
from rag_eval.score.scoring import scoring_of
from rag_eval.stats.paired_tests import Equivalence, holm, tost_paired
from rag_eval.stats.verdict import Verdict, metric_dependent, undecided, verdict, winner


@dataclass(frozen=True)
class MeasureReading:
    """What one score says of two arms."""

    contrast: Contrast
    better: Verdict
    same: Verdict
    within: Equivalence | None  # the two one-sided tests behind `same`
    winner: str | None


@dataclass(frozen=True)
class Judgement:
    """The verdict on two arms."""

    said: Mapping[str, MeasureReading]  # by score, the declared one first, then those that it is read beside
    judged_on: str  # the score whose numbers decide; of a METRIC-DEPENDENT verdict the declared one
    better: Verdict
    same: Verdict
    winner: str | None
    reason: str  # why the strict score decides nothing; "" = it may

    @property
    def judged(self) -> MeasureReading:
        """What the deciding score says."""
        return self.said[self.judged_on]

    @property
    def is_dependent(self) -> bool:
        """Whether who is better depends on the score."""
        return self.better.word == "METRIC-DEPENDENT"


def judgements(arms: Sequence[Arm], declared: Declared) -> list[Judgement]:
    """Every pair, with intervals that hold for all of them at once (Bonferroni), so that no verdict is owed to their number."""
    of = pairs(arms)
    return [judge(*pair, declared, 1 - ALPHA / len(of)) for pair in of]


def adjusted_p(judged: Sequence[Judgement]) -> list[float | None]:
    """The p of no difference of each pair, corrected by Holm's method for how many pairs there are; None = not measured."""
    found = [one.judged.contrast.p for one in judged]
    adjusted = iter(holm([p for p in found if p is not None]))
    return [None if p is None else next(adjusted) for p in found]


def judge(first: Arm, second: Arm, declared: Declared, confidence: float = 0.95) -> Judgement:
    """The verdict on two arms.

    Args:
        first: arm that the second is compared with.
        second: arm that is claimed to be better.
        declared: the claims, and the score that they are about.
        confidence: level of the intervals.

    Returns:
        What each score says, and the verdict on both claims.
    """
    measure = declared.better.name
    beside = read_beside((first, second), measure)
    said = {measure: _said(first, second, declared, confidence)}
    said |= {name: _said(first, second, _also(declared, name, first, second), confidence) for name in beside if name != measure}
    if not beside or any(one.better.word == "NOT MEASURED" for one in said.values()):
        return as_said(said, measure)
    kept = [(arm, keeps_some_form(arm.run.record, beside[0])) for arm in (first, second)]
    reason = "; ".join(form_reason(arm.label, arm.run.record, beside[0]) for arm, keeps in kept if keeps is False)
    about = scoring_of(first.run.record, second.run.record).rests_on(measure)
    strict, lenient = (said[name] for name in beside)
    judged_on = beside[1] if reason and about != beside[1] else measure
    if reason and (about == beside[1] or all(not keeps for _, keeps in kept)):
        return as_said(said, judged_on, reason)
    is_open = strict.better.word == lenient.better.word == "INCONCLUSIVE"
    return _where_they_agree(said, judged_on if is_open else measure, strict, lenient, reason)


def read_beside(arms: Sequence[Arm], measure: str) -> tuple[str, ...]:
    """The strict and the lenient score that a measure is read beside; () where it does not judge answers or one is not scored."""
    scoring = scoring_of(*(arm.run.record for arm in arms))
    both = (scoring.strict(measure), scoring.lenient) if scoring.judges_answers(measure) else ()
    return both if all(arm.run.has(name) for arm in arms for name in both) else ()


def sentence(one: Judgement) -> str:
    """The verdict in words, with the number of every score that it rests on, and who is better if that can be said."""
    scoring = scoring_of(*(arm.run.record for arm in (one.judged.contrast.first, one.judged.contrast.second)))
    asked = _claim(one)
    differences = {name: f"{scoring.label(name)} {figure(said.contrast.difference)}" for name, said in one.said.items()}
    why = f" {one.reason}." if one.reason else ""
    if one.is_dependent:
        each = ", ".join(f"{differences[name]}: {said.better.text}" for name, said in one.said.items())
        return f"{asked}? {one.better.text}. Difference {each}; no winner is named.{why}"
    found = one.judged.contrast.difference
    beside = "".join(f", {text}" for name, text in differences.items() if name != one.judged_on)
    who = f"better: {one.winner}" if one.winner is not None else "nobody is better as far as these questions tell"
    is_few = found is not None and found.n_clusters < TOO_FEW_CLUSTERS
    few = f", with {found.n_clusters} clusters of the {TOO_FEW_CLUSTERS} that a verdict needs" if found is not None and is_few else ""
    return f"{asked} on {scoring.label(one.judged_on)}? {one.better.text}. Difference {figure(found)}{beside}; {who}{few}.{why}"


def _also(declared: Declared, name: str, first: Arm, second: Arm) -> Declared:
    """The same claims about another score."""
    better = scoring_of(first.run.record, second.run.record).of(name).better
    return declare(name, abs(declared.better.threshold), declared.same.margin or 0.0, better)


def _said(first: Arm, second: Arm, declared: Declared, confidence: float) -> MeasureReading:
    one = contrast(first, second, declared.better.name, confidence)
    if one.is_without_spread:
        return MeasureReading(one, undecided(declared.better, one.mde), undecided(declared.same, one.mde), None, None)
    a, b = one.scores
    found = tost_paired(a.tolist(), b.tolist(), one.questions.clusters, declared.same.margin or 0.0, one.bounds, alpha=1 - confidence)
    if one.difference is not None and one.difference.n_clusters < TOO_FEW_CLUSTERS:
        return MeasureReading(one, undecided(declared.better, one.mde), undecided(declared.same, one.mde), found, None)
    better = verdict(declared.better, one.difference, one.mde)
    same = verdict(declared.same, one.difference if found is not None else None, one.mde, found)
    names = (second.label, first.label) if declared.better.direction == "below" else (first.label, second.label)
    best = winner(one.difference, names) if one.difference is not None else None
    return MeasureReading(one, better, same, found, best)


def as_said(said: Mapping[str, MeasureReading], name: str, reason: str = "") -> Judgement:
    """The verdict by one score alone."""
    one = said[name]
    return Judgement(said, name, one.better, one.same, one.winner, reason)


def _where_they_agree(
    said: Mapping[str, MeasureReading], measure: str, strict: MeasureReading, lenient: MeasureReading, reason: str
) -> Judgement:
    """What a score says, claim by claim, where both scores say it; where form tells the arms apart, only what both leave open."""
    one = said[measure]
    better = one.better if strict.winner == lenient.winner or reason else None
    better = better if _agree(strict.better, lenient.better, reason) else None
    same = (lenient if reason else one).same if _agree(strict.same, lenient.same, reason) else None
    return Judgement(
        said,
        measure,
        better or metric_dependent(one.better.claim),
        same or metric_dependent(one.same.claim),
        one.winner if better and strict.winner == lenient.winner else None,
        reason,
    )


def _agree(strict: Verdict, lenient: Verdict, reason: str) -> bool:
    return strict.word == lenient.word and (not reason or strict.word == "INCONCLUSIVE")


def _claim(one: Judgement) -> str:
    """What is claimed, as a question without its end."""
    found = one.judged
    text = found.better.claim.text.removeprefix("second ").rstrip("?")
    return f"is {found.contrast.second.label} {text} than {found.contrast.first.label}"
