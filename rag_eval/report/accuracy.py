"""What two or more runs got right: means, paired differences with their verdict, and where the difference comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from rag_eval.report.contrast import Arm, Contrast, Declared, contrast, measures, of_questions, pairs
from rag_eval.report.judgement import Judgement, sentence
from rag_eval.report.paired import decomposable, flip_figures, kitagawa_figures, parts_figures, shared
from rag_eval.report.sections import NOT_MEASURED, Cell, Figure, Section, figure, number
from rag_eval.score.attribution import CAUSES
from rag_eval.score.normal_form import normalize
from rag_eval.score.stats import benjamini_hochberg, holm, mcnemar
from rag_eval.score.summary import DISTRACTED, STALE
from rag_eval.types import QuestionScores


def means_section(arms: Sequence[Arm]) -> Section:
    """Every score of every arm, with how many questions could be judged."""
    outcomes = [arm.run.record.facts.outcomes for arm in arms]
    rows: list[tuple[Cell, ...]] = [
        ("questions", *(_count(one.counts.n_questions) for one in outcomes), ""),
        ("of them answerable", *(_count(one.counts.n_answerable) for one in outcomes), ""),
        ("could not be asked", *(_count(one.counts.n_error) for one in outcomes), ""),
    ]
    for name in [one for one in measures([arm.run for arm in arms]) if not one.startswith("strata/")]:  # they have a table of their own
        found = [arm.run.record.estimates.get(name) for arm in arms]
        sizes = dict.fromkeys(str(one.n) for one in found if one is not None)
        rows.append((name, *map(figure, found), " / ".join(sizes)))
    rows.append(("prompt tokens a question", *(Figure(one.tokens.prompt_mean) for one in outcomes), ""))
    rows.append(("output tokens a question", *(Figure(one.tokens.output_mean) for one in outcomes), ""))
    reading = (
        "Means with 95 % intervals that take questions of one cluster as dependent. answer/* and outcome/* are over answerable "
        "questions; n is how many could be judged."
    )
    return Section("Scores", reading, ("measure", *(arm.label for arm in arms), "n"), tuple(rows))


def _count(n: int | None) -> Cell:
    return Figure(None) if n is None else n


def verdict_section(judged: Sequence[Judgement], declared: Declared) -> tuple[Section, list[str]]:
    """The declared comparison of every pair, corrected for how many there are; and each in one sentence."""
    names = list(dict.fromkeys(name for one in judged for name in one.said))
    adjusted = iter(holm([one.judged.contrast.p for one in judged if one.judged.contrast.p is not None]))
    rows: list[tuple[Cell, ...]] = []
    for one in judged:
        found = one.judged.contrast
        differences = [figure(one.said[name].contrast.difference) if name in one.said else Figure(None) for name in names]
        n: Cell = NOT_MEASURED if found.difference is None else f"{found.difference.n} ({found.difference.n_clusters})"
        tests = (Figure(found.deff), Figure(found.mde), Figure(next(adjusted) if found.p is not None else None), *_discordance(found))
        rows.append((_name(found), *differences, n, one.judged_on, *tests, one.better.text, _equivalence(one)))
    tests_of = ("design effect", "MDE", "p (Holm)", "only first right", "only second right", "McNemar p")
    differing = tuple(f"difference of {name}" for name in names)
    header = ("pair", *differing, "n (clusters)", "tests of", *tests_of, declared.better.text, declared.same.text)
    reading = (
        f"Paired by question, clustered; {_simultaneous(len(judged))}. Measure, threshold and margin are as given on the command line: "
        "give them before you look. MDE: the smallest difference that this comparison finds with 80 % power. p: of no difference, signs of "
        "clusters flipped, Holm's correction over the pairs. McNemar's exact test ignores clusters and is shown for its counts. Same: two "
        "one-sided tests, that is an interval within the margin; the only ground for calling two arms the same. METRIC-DEPENDENT: exact "
        "match and containment give the claim different verdicts, or one arm's answers keep the form of the gold ones and the other's "
        "do not."
    )
    return Section("The declared comparison", reading, header, tuple(rows)), [sentence(one) for one in judged]


def _name(one: Contrast) -> str:
    return f"{one.second.label} - {one.first.label}"


def _simultaneous(n_pairs: int) -> str:
    return "intervals of 95 %" if n_pairs == 1 else f"intervals that hold for all {n_pairs} pairs at 95 % (Bonferroni)"


def exploratory_section(arms: Sequence[Arm], shown: Collection[str]) -> Section:
    """Paired differences of every measure but those that stand in the declared comparison, with the false discovery rate controlled."""
    others = [contrast(*pair, name) for pair in pairs(arms) for name in of_questions([arm.run for arm in pair]) if name not in shown]
    known = [one for one in others if one.difference is not None]
    q = iter(benjamini_hochberg([one.p for one in known if one.p is not None]))
    rows = tuple(
        (
            one.measure,
            _name(one),
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


def attribution_section(arms: Sequence[Arm], closed_book: Arm | None, right: str) -> Section:
    """Every answer that is not right, by the first place where its evidence was lost.

    Args:
        arms: one line each.
        closed_book: what the base model says without passages, if it was run.
        right: the score that is 1 for a right answer.
    """
    header = ("arm", "not right", *CAUSES, "distracted", "stale", "as closed book")
    rows = tuple(_attributed(arm, closed_book, right) for arm in arms)
    reading = (
        f"Right: {right} is 1. Causes sum to the answers that are not right. distracted: the answer stands in another passage of the "
        "prompt. stale: it was right once. as closed book: the evidence was there, and the answer is the one that the base model gives "
        "without passages."
    )
    return Section("Why answers are wrong", reading, header, rows)


def _attributed(arm: Arm, closed_book: Arm | None, right: str) -> tuple[Cell, ...]:
    if right not in arm.run.record.estimates:
        return (arm.label, Figure(None, note=f"needs {right}"), *[NOT_MEASURED] * (3 + len(CAUSES)))
    wrong = {id: one for id, one in arm.run.questions.items() if one.score(right) != 1}
    causes = Counter(one.cause for one in wrong.values() if one.cause is not None)
    if arm.run.record.facts.provenance.context == "none":
        return (arm.label, Figure(None, note="no passages"), *[NOT_MEASURED] * (3 + len(CAUSES)))
    stale = sum(one.score(STALE) == 1 for one in wrong.values()) if arm.run.has(STALE) else Figure(None)
    distracted = sum(one.score(DISTRACTED) == 1 for one in wrong.values())
    return (arm.label, causes.total(), *(causes[name] for name in CAUSES), distracted, stale, _overrides(arm, closed_book, wrong))


def _overrides(arm: Arm, closed_book: Arm | None, questions: Mapping[str, QuestionScores]) -> Cell:
    """Wrong answers that repeat the closed book's, though the evidence stood in the prompt."""
    if closed_book is None:
        return Figure(None)
    said = closed_book.run.predictions
    wrong = [id for id, one in questions.items() if one.cause == "in_prompt_unused" and id in said]
    return sum(
        arm.run.predictions[id].outcome == "answered" and normalize(arm.run.predictions[id].text) == normalize(said[id].text)
        for id in wrong
    )


def _discordance(one: Contrast) -> tuple[Cell, Cell, Cell]:
    a, b = one.scores
    scores = np.concatenate([a, b])
    if one.difference is None or not np.isin(scores[~np.isnan(scores)], (0.0, 1.0)).all():
        return NOT_MEASURED, NOT_MEASURED, Figure(None, note="needs 0/1 scores")
    found = mcnemar(a.tolist(), b.tolist())
    return found.n_only_a, found.n_only_b, Figure(found.p)


def _equivalence(one: Judgement) -> str:
    found = one.judged.within
    return one.same.text if found is None or one.is_dependent else f"{one.same.text}, [{number(found.low)}, {number(found.high)}]"
