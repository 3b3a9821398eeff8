"""What two or more runs got right: means, paired differences with their verdict, and where the difference comes from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from rag_eval.report.paired import decomposable, flip_figures, kitagawa_figures, parts_figures, shared
from rag_eval.report.recorded_run import RecordedRun
from rag_eval.report.sections import NOT_MEASURED, Cell, Figure, Section, figure, number
from rag_eval.score.answer import normalize
from rag_eval.score.attribution import CAUSES
from rag_eval.score.bootstrap import bootstrap_t_interval
from rag_eval.score.estimate import clustered_se, is_flat
from rag_eval.score.power import mde_from_se
from rag_eval.score.stats import benjamini_hochberg, holm, mcnemar, paired_difference, permutation_p, tost_paired
from rag_eval.score.summary import SIGNED
from rag_eval.score.verdict import Claim, Verdict, verdict
from rag_eval.types import PRIMARY, Estimate

SEED = 0  # of permutations and resamples
ALPHA = 0.05
N_RESAMPLES = 10_000
FEW_CLUSTERS = 30  # below, the interval of a difference is the cluster bootstrap-t


@dataclass(frozen=True)
class Arm:
    """A run and what it is called in the report."""

    label: str
    run: RecordedRun


@dataclass(frozen=True)
class Contrast:
    """One measure of two arms over the same questions."""

    first: Arm
    second: Arm
    measure: str
    difference: Estimate | None  # second - first
    mde: float | None  # the smallest difference that this comparison would have found
    p: float | None  # two-sided, by flipping signs of clusters
    confidence: float  # of the interval of the difference


@dataclass(frozen=True)
class Declared:
    """What is claimed of every pair before it is looked at."""

    better: Claim  # of second - first
    same: Claim  # that it is no further from 0 than a margin


LOWER_IS_BETTER = {
    "outcome/wrong",
    "outcome/abstained",
    "outcome/malformed",
    "abstain/answerable",
    "answer/distracted",
    "answer/stale",
}


def declare(measure: str, threshold: float, margin: float) -> Declared:
    """The two claims of a comparison.

    Args:
        measure: the score that is compared; of some, as the share of wrong answers, less is better.
        threshold: by how much the second arm must be better, at least 0.
        margin: what counts as no difference, above 0.
    """
    if measure in LOWER_IS_BETTER:
        better = Claim(measure, f"second better, that is lower, by more than {threshold:g}?", -threshold, "below")
    else:
        better = Claim(measure, f"second better by more than {threshold:g}?", threshold, "above")
    return Declared(better, Claim(measure, f"same within {margin:g}?", 0.0, "equivalent", margin))


def pairs(arms: Sequence[Arm]) -> list[tuple[Arm, Arm]]:
    """Every two arms, in order."""
    return list(combinations(arms, 2))


def measures(arms: Sequence[Arm]) -> list[str]:
    """Every score that some arm has, of its questions first."""
    return list(dict.fromkeys(name for arm in arms for name in arm.run.record.estimates))


def of_questions(arms: Sequence[Arm]) -> list[str]:
    """The scores that every arm has of the questions themselves, one by one."""
    return [name for name in measures(arms) if all(arm.run.has(name) for arm in arms)]


def contrast(first: Arm, second: Arm, measure: str, confidence: float = 0.95) -> Contrast:
    """The paired difference of a measure, over the questions that both runs were asked and that could be judged in both."""
    questions = shared([first.run, second.run])
    a, b = (arm.run.column(measure, questions.ids) for arm in (first, second))
    bounds = (-2.0, 2.0) if measure in SIGNED else (-1.0, 1.0)
    difference = paired_difference(a.tolist(), b.tolist(), questions.clusters, bounds, confidence)
    x = b - a
    judged = ~np.isnan(x)
    codes = np.unique(questions.codes[judged], return_inverse=True)[1] if judged.any() else questions.codes[:0]
    if difference is None or difference.n_clusters < 2:
        return Contrast(first, second, measure, difference, None, None, confidence)
    se = clustered_se(x[judged], codes)
    if difference.n_clusters < FEW_CLUSTERS and not is_flat(x[judged], se):
        low, high = bootstrap_t_interval(x[judged], codes, SEED, N_RESAMPLES, confidence)
        # An end that resamples do not limit keeps Student's t.
        low, high = (low if math.isfinite(low) else difference.low, high if math.isfinite(high) else difference.high)
        difference = replace(difference, low=max(bounds[0], low), high=min(bounds[1], high))
    p = permutation_p(x[judged].tolist(), codes.tolist(), SEED)
    mde = mde_from_se(se, difference.n_clusters - 1, alpha=1 - confidence) if se > 0 else None
    return Contrast(first, second, measure, difference, mde, p, confidence)


def means_section(arms: Sequence[Arm]) -> Section:
    """Every score of every arm, with how many questions could be judged."""
    rows: list[tuple[Cell, ...]] = [
        (title, *(arm.run.record.facts["counts"][key] for arm in arms), "")
        for title, key in (("questions", "n_questions"), ("of them answerable", "n_answerable"), ("could not be asked", "n_error"))
    ]
    for name in measures(arms):
        found = [arm.run.record.estimates.get(name) for arm in arms]
        sizes = dict.fromkeys(str(one.n) for one in found if one is not None)
        rows.append((name, *map(figure, found), " / ".join(sizes)))
    for title, key in (("prompt tokens a question", "prompt_mean"), ("output tokens a question", "output_mean")):
        rows.append((title, *(Figure((arm.run.record.facts.get("tokens") or {}).get(key)) for arm in arms), ""))
    reading = (
        "Means with 95 % intervals that take questions of one cluster as dependent. answer/* and outcome/* are over answerable "
        "questions; n is how many could be judged."
    )
    return Section("Scores", reading, ("measure", *(arm.label for arm in arms), "n"), tuple(rows))


def verdict_section(contrasts: Sequence[Contrast], declared: Declared) -> tuple[Section, dict[str, Verdict]]:
    """The declared comparison of every pair, corrected for how many there are."""
    adjusted = iter(holm([one.p for one in contrasts if one.p is not None]))
    rows: list[tuple[Cell, ...]] = []
    found: dict[str, Verdict] = {}
    for one in contrasts:
        name = f"{one.second.label} - {one.first.label}"
        found[name] = verdict(declared.better, one.difference, one.mde)
        p = next(adjusted) if one.p is not None else None
        rows.append(
            (
                name,
                figure(one.difference),
                Figure(one.mde),
                Figure(p),
                *_discordance(one),
                found[name].text,
                _equivalence(one, declared.same),
            )
        )
    header = (
        "pair",
        f"difference of {declared.better.name}",
        "MDE",
        "p (Holm)",
        "only first right",
        "only second right",
        "McNemar p",
        declared.better.text,
        declared.same.text,
    )
    reading = (
        f"Paired by question, clustered; {_simultaneous(len(contrasts))}. MDE: the smallest difference that this comparison finds with "
        "80 % power. p: signs of clusters flipped, Holm's correction over the pairs. McNemar's exact test ignores clusters and is "
        "shown for its counts. "
        "Same: two one-sided tests, that is an interval within the margin; the only ground for calling two arms the same."
    )
    return Section("The comparison declared beforehand", reading, header, tuple(rows)), found


def declared_contrasts(arms: Sequence[Arm], declared: Declared) -> list[Contrast]:
    """Every pair, with intervals that hold for all of them at once (Bonferroni), so that no verdict is owed to their number."""
    of = pairs(arms)
    return [contrast(*pair, declared.better.name, confidence=1 - ALPHA / len(of)) for pair in of]


def _simultaneous(n_pairs: int) -> str:
    return "intervals of 95 %" if n_pairs == 1 else f"intervals that hold for all {n_pairs} pairs at 95 % (Bonferroni)"


def exploratory_section(arms: Sequence[Arm], declared: str) -> Section:
    """Paired differences of every other measure, with the false discovery rate controlled."""
    others = [
        contrast(*pair, name) for pair in pairs(arms) for name in measures(arms) if name != declared and not name.startswith("probe/")
    ]
    known = [one for one in others if one.difference is not None]
    q = iter(benjamini_hochberg([one.p for one in known if one.p is not None]))
    rows = tuple(
        (
            one.measure,
            f"{one.second.label} - {one.first.label}",
            figure(one.difference),
            one.difference.n if one.difference else NOT_MEASURED,
            Figure(one.mde),
            Figure(next(q) if one.p is not None else None),
        )
        for one in known
    )
    reading = "Not declared beforehand: read as hints. q: Benjamini and Hochberg over this table."
    return Section("Other paired differences", reading, ("measure", "pair", "difference", "n", "MDE", "q"), rows)


def decomposition_section(arms: Sequence[Arm], measure: str) -> Section:
    """acc = h (1 - w_hit) + (1 - h)(1 - w_miss) of every arm."""
    questions = decomposable([arm.run for arm in arms], measure, shared([arm.run for arm in arms]))
    rows = tuple((arm.label, *(parts_figures(arm.run, measure, questions) if questions.ids else [Figure(None)] * 5)) for arm in arms)
    reading = (
        f"Over {len(questions.ids)} questions with known evidence. acc: mean of {measure}. h: share whose evidence all stood in the "
        "prompt, after what did not fit was left out, and before. w: mean of 1 - score where it did (hit) and did not (miss). "
        "acc = h (1 - w_hit) + (1 - h) (1 - w_miss) exactly."
    )
    return Section("Where answers come from", reading, ("arm", "acc", "h", "h before truncation", "w_hit", "w_miss"), rows)


def kitagawa_section(arms: Sequence[Arm], measure: str) -> Section:
    """The split of every pair's difference."""
    questions = decomposable([arm.run for arm in arms], measure, shared([arm.run for arm in arms]))
    rows = tuple(
        (f"{b.label} - {a.label}", *(kitagawa_figures(a.run, b.run, measure, questions) if questions.ids else [Figure(None)] * 4))
        for a, b in pairs(arms)
    )
    reading = (
        "The difference is the sum of the three terms: evidence in the prompt more often (retrieval), read better (reading), more known "
        "without it (fallback). Intervals of the terms: bootstrap over clusters."
    )
    return Section("Where the difference comes from", reading, ("pair", "difference", "retrieval", "reading", "fallback"), rows)


def flips_section(arms: Sequence[Arm], closed_book: Arm | None, measure: str) -> Section:
    """Rescue and harm, over the closed book where one was run, and of every pair."""
    versus = [(closed_book, arm) for arm in arms if closed_book is not None and arm.run.record.run_id != closed_book.run.record.run_id]
    rows: list[tuple[Cell, ...]] = []
    for a, b in [*versus, *(pair for pair in pairs(arms) if pair not in versus)]:
        rows.append((f"{b.label} over {a.label}", *flip_figures(a.run, b.run, measure, shared([a.run, b.run]))))
    if closed_book is None:
        rows.insert(0, ("each over closed_book", Figure(None, note="no closed_book run in the experiment"), Figure(None)))
    reading = "Rescue: mean score where the other is wrong. Harm: mean of 1 - score where the other is right."
    return Section("Rescue and harm", reading, ("pair", "rescue", "harm"), tuple(rows))


def attribution_section(arms: Sequence[Arm], closed_book: Arm | None) -> Section:
    """Every answer without full score, by the first place where its evidence was lost."""
    header = ("arm", "not right", *CAUSES, "distracted", "stale", "as closed book")
    rows = tuple(_attributed(arm, closed_book) for arm in arms)
    reading = (
        "Causes sum to the answers that are not right. distracted: the answer stands in another passage of the prompt. stale: it was right "
        "once. as closed book: the evidence was there, and the answer is the one that the base model gives without passages."
    )
    return Section("Why answers are wrong", reading, header, rows)


def _attributed(arm: Arm, closed_book: Arm | None) -> tuple[Cell, ...]:
    if PRIMARY not in arm.run.record.estimates:
        return (arm.label, Figure(None, note=f"needs {PRIMARY}"), *[NOT_MEASURED] * (3 + len(CAUSES)))
    causes = Counter(str(row["cause"]) for row in arm.run.rows.values() if row.get("cause"))
    if arm.run.record.facts["context"] == "none":
        return (arm.label, Figure(None, note="no passages"), *[NOT_MEASURED] * (3 + len(CAUSES)))
    stale = sum(row.get("answer/stale") == 1 for row in arm.run.rows.values()) if arm.run.has("answer/stale") else Figure(None)
    distracted = sum(row.get("answer/distracted") == 1 for row in arm.run.rows.values())
    return (arm.label, causes.total(), *(causes[name] for name in CAUSES), distracted, stale, _overrides(arm, closed_book))


def _overrides(arm: Arm, closed_book: Arm | None) -> Cell:
    """Wrong answers that repeat the closed book's, though the evidence stood in the prompt."""
    if closed_book is None:
        return Figure(None)
    said = closed_book.run.predictions
    wrong = [id for id, row in arm.run.rows.items() if row.get("cause") == "in_prompt_unused" and id in said]
    return sum(
        arm.run.predictions[id].outcome == "answered" and normalize(arm.run.predictions[id].text) == normalize(said[id].text)
        for id in wrong
    )


def _discordance(one: Contrast) -> tuple[Cell, Cell, Cell]:
    questions = shared([one.first.run, one.second.run])
    a, b = (arm.run.column(one.measure, questions.ids) for arm in (one.first, one.second))
    scores = np.concatenate([a, b])
    if one.difference is None or not np.isin(scores[~np.isnan(scores)], (0.0, 1.0)).all():
        return NOT_MEASURED, NOT_MEASURED, Figure(None, note="needs 0/1 scores")
    found = mcnemar(a.tolist(), b.tolist())
    return found.n_only_a, found.n_only_b, Figure(found.p)


def _equivalence(one: Contrast, claim: Claim) -> str:
    questions = shared([one.first.run, one.second.run])
    a, b = (arm.run.column(one.measure, questions.ids) for arm in (one.first, one.second))
    found = tost_paired(a.tolist(), b.tolist(), questions.clusters, claim.margin or 0.0, alpha=1 - one.confidence)
    said = verdict(claim, one.difference if found is not None else None, one.mde, found)
    return said.text if found is None else f"{said.text}, [{number(found.low)}, {number(found.high)}]"
