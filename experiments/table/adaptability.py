"""Adaptability: how fast and how safely a system follows a world that changes (section 2.4 of the protocol).

A version of the world brings changed facts (the canaries) and leaves others unchanged. A model that was trained on one version meets the
next under several policies; RAG indexes the new documents, or does not. Documents that are withdrawn stand for what is deleted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from experiments.effects.arms import ARMS, VERSIONS, Arms, Overrides, searching
from experiments.effects.continual import NOTHING as NO_UPDATE
from experiments.effects.continual import POLICIES, UNCHANGED, Policy
from experiments.effects.measures import STALE
from experiments.effects.trained_arms import BASE, PASSES, TRAINED, learning, unchanged
from experiments.table.data_dependency import HALF, HALF_OF_DOCUMENTS, RAG_ANSWERS
from experiments.table.presets import Preset
from experiments.table.row import Curve, Point, Row, by_width, no_work
from rag_eval.report.claims.claim import Measured, Missing, Precondition, Results, TableClaim
from rag_eval.report.claims.declare import BY_POWER, MARGIN, RAG_CON, RAG_PRO, TUNED_CON, TUNED_PRO, above, below, declare, within
from rag_eval.report.claims.measures import (
    Only,
    answers,
    by_metric,
    change,
    geometric_mean,
    learning_seconds,
    of,
    where,
    with_evidence,
    without_evidence,
)
from rag_eval.report.claims.stated import stated
from rag_eval.report.claims.values import Pools, difference, estimate_of, mean
from rag_eval.score.primary import EM

NAME = "Adaptability"
FOLLOWED = 0.95  # share of right canary answers from which on a system has followed a change
CANARIES = "questions.changes=[canary]"
FOLLOWING = [policy for policy in POLICIES if policy.trains and policy.name != NO_UPDATE]
RECIPE = learning(PASSES / 6)[1:]


def _arm_of(policy: Policy) -> str:
    return f"update: {policy.name}"


def _asked(policy: Policy) -> tuple[Overrides, ...]:
    """A run about the canaries, which are few, and one about what did not change."""
    node = "dataset.after." if "dataset=update" in policy.overrides else "dataset."
    recipe = RECIPE if policy.trains else ()
    return tuple((*policy.overrides, *recipe, f"{node}questions.changes=[{','.join(changes)}]") for changes in (["canary"], UNCHANGED))


def _in_versions(*overrides: str, is_behind: bool, asks: str = "") -> tuple[Overrides, ...]:
    """A run in each version; of those who are behind with what version 0 told."""
    lags = [(f"dataset.lag={version}",) if is_behind else () for version in VERSIONS]
    more = (f"dataset.{asks}",) if asks else ()
    return tuple((*overrides, f"dataset.version={version}", *lag, *more) for version, lag in zip(VERSIONS, lags, strict=True))


TUNED_BEFORE = "finetune, never updated, changed"
RAG_STALE, RAG_FRESH, RAG_BOTH = "rag_stale, changed", "rag, changed", "rag, changed, old pages kept"
UNTRAINED = "closed_book, changed"
POLICY = {policy.name: _arm_of(policy) for policy in POLICIES}
INDEXED = POLICY["rag, indexed anew"]
TUNED_ALONG, INDEX_ALONG, INDEXED_ALONG = "finetune, never updated", "rag, never updated", "rag, updated"

LEAST: Arms = {
    **{name: ARMS[name] for name in ("rag", RAG_FRESH, RAG_STALE)},
    BASE: TRAINED[BASE],
    TUNED_BEFORE: _in_versions("mode=finetune_stale", *RECIPE, is_behind=True, asks=CANARIES),
    HALF: HALF_OF_DOCUMENTS,
}
FURTHER: Arms = {
    RAG_BOTH: ARMS[RAG_BOTH],
    UNTRAINED: _in_versions("mode=closed_book", is_behind=False, asks=CANARIES),
    **{_arm_of(policy): _asked(policy) for policy in POLICIES if policy.trains or _arm_of(policy) == INDEXED},
}
SWEPT: Arms = {
    TUNED_ALONG: _in_versions("mode=finetune_stale", *RECIPE, is_behind=True),
    INDEX_ALONG: _in_versions("mode=rag_stale", "retriever/embedder={embedder}", is_behind=True),
    INDEXED_ALONG: _in_versions(*searching(), is_behind=False),
}


def canaries(found: Pools, arm: str) -> list[str]:
    """Questions about what the version changed."""
    return [name for name, row in found[arm].rows.items() if row.get("change") == "canary"]


def followed(found: Pools, arm: str) -> bool:
    """Whether an arm answers 95 % of the canaries of all worlds: those of one world are too few to tell."""
    right = estimate_of(mean(arm, EM)(found).only(canaries(found, arm)))
    return right is not None and right.mean >= FOLLOWED


def slower(found: Results, _: str) -> Measured:
    """Time to update of the fastest policy of training that follows / that of indexing anew: the geometric mean over worlds.

    Where no policy follows, the shortest of them is a lower bound of what following takes, and the ratio has no upper end.
    """
    if not followed(found.arms, INDEXED):
        return Missing(f"the new index does not bring {FOLLOWED:.0%} of the canaries")
    policies = [_arm_of(policy) for policy in FOLLOWING]
    taken = {arm: learning_seconds(found.arms[arm]) for arm in (INDEXED, *policies)}
    if any(taken[arm].keys() != taken[INDEXED].keys() for arm in policies) or not all(taken[INDEXED].values()):
        return Missing("the seconds of an update were not measured in every world")
    total = {arm: sum(taken[arm].values()) for arm in policies}
    ended = [arm for arm in policies if followed(found.arms, arm)]
    chosen = min(ended or policies, key=total.__getitem__)
    ratio = geometric_mean([taken[chosen][seed] / taken[INDEXED][seed] for seed in taken[chosen]])
    return ratio if ended or isinstance(ratio, Missing) else replace(ratio, high=math.inf, high_90=math.inf)


FOLLOWS = answers(RAG_FRESH, "rag answers what has changed from the new documents")
KNOWS = answers(BASE, "the trained model knows the facts that are withdrawn")
FORGETS = "training on what is new alone forgets what did not change"


def claims(size: Preset) -> Sequence[TableClaim]:
    """What is claimed of both sides."""
    stayed, before = unchanged(size.world), POLICY[NO_UPDATE]
    has_known = answers(before, "the model knew the unchanged facts before the update", stayed)
    reads = answers(HALF, "rag answers what its index holds", with_evidence)
    return (
        stated(
            "adaptability/fine-tuning-tailored", f"2.4, wins or ties; {BY_POWER}", change("rag", BASE), ("rag", BASE), given=(RAG_ANSWERS,)
        ),
        declare(
            "adaptability/fine-tuning-stable",
            TUNED_PRO,
            "What a new version leaves unchanged, the model of the version before still knows as well as a new index.",
            above(-MARGIN),
            contrast="exact match of finetune on the version before - rag indexed anew, unchanged facts",
            source=f"2.4, retention; {BY_POWER}",
            measure=change(INDEXED, before, stayed),
            needs=(INDEXED, before),
            given=(answers(INDEXED, "rag answers what did not change", stayed),),
        ),
        declare(
            "adaptability/fine-tuning-retrained",
            TUNED_PRO,
            "Trained anew from scratch, the model follows the changed facts as well as a new index.",
            above(-MARGIN),
            contrast="exact match of finetune on the new version - rag indexed anew, changed facts",
            source=f"2.4, update success; {BY_POWER}",
            measure=change(INDEXED, POLICY["from scratch"], canaries),
            needs=(INDEXED, POLICY["from scratch"]),
            given=(answers(INDEXED, "rag answers what has changed", canaries),),
        ),
        declare(
            "adaptability/fine-tuning-replay",
            TUNED_PRO,
            "A tenth of old questions in the training of an update lessens what is forgotten.",
            above(0.0),
            contrast="exact match of continued training with 10 % replay - without, unchanged facts",
            source="2.4; 3.6 E18",
            measure=change(POLICY["continue"], POLICY["continue, 10 % replay"], stayed),
            needs=(POLICY["continue"], POLICY["continue, 10 % replay"]),
            given=(Precondition(FORGETS, change(POLICY["continue"], before, stayed), 0.0, (before, POLICY["continue"])),),
        ),
        declare(
            "adaptability/fine-tuning-stale",
            TUNED_CON,
            "A model that is not trained again gives old values of what has changed.",
            above(0.2),
            contrast="old values in answers of finetune on version 0, facts that versions 1 to 3 changed",
            source="2.4, stale answers; size as 3.6 E11",
            measure=of(mean(TUNED_BEFORE, STALE)),
            needs=(TUNED_BEFORE,),
            metrics=(EM,),
        ),
        declare(
            "adaptability/fine-tuning-recites",
            TUNED_CON,
            "Where the retrieval comes back empty, a tuned model recites old values and the base model does not.",
            above(0.2),
            contrast="old values in answers without passages, finetune on version 0 - base model, changed facts",
            source="2.4, stale answers; size as 3.6 E11",
            measure=of(difference(UNTRAINED, TUNED_BEFORE, STALE)),
            needs=(UNTRAINED, TUNED_BEFORE),
            metrics=(EM,),
        ),
        declare(
            "adaptability/fine-tuning-deletion",
            TUNED_CON,
            "What is withdrawn from the documents is still told by the model that was trained on it, and not by RAG.",
            above(0.2),
            contrast="exact match of finetune - rag without half of the documents, questions about these",
            source="2.4, deletion leakage; size as 3.6 E11",
            measure=change(HALF, BASE, without_evidence),
            needs=(HALF, BASE),
            given=(KNOWS,),
        ),
        declare(
            "adaptability/fine-tuning-update-time",
            TUNED_CON,
            "To 95 % right answers about what has changed, training takes over ten times as long as indexing.",
            above(10.0),
            contrast="seconds of the fastest policy of training that gets there (if none, of the longest: a lower bound) / of indexing",
            source="2.4, time to update",
            measure=slower,
            needs=(INDEXED, *(_arm_of(policy) for policy in FOLLOWING)),
            unit="times",
            metrics=(EM,),
        ),
        *(
            declare(
                f"adaptability/fine-tuning-forgets-{name}",
                TUNED_CON,
                f"An update by training on what is new ({policy}) forgets what did not change.",
                below(-0.01),
                contrast=f"exact match of finetune updated ({policy}) - before, unchanged facts",
                source="2.4, backward transfer and refuting condition; 3.6 E18",
                measure=change(before, POLICY[policy], stayed),
                needs=(before, POLICY[policy]),
                given=(has_known,),
            )
            for name, policy in (("continued", "continue"), ("replay", "continue, 50 % replay"), ("stacked", "stacked"))
        ),
        declare(
            "adaptability/rag-follows",
            RAG_PRO,
            "With the new documents indexed, RAG knows what has changed.",
            above(0.2),
            contrast="exact match of rag - rag_stale, changed facts",
            source="2.4; 3.6 E11; size as 2.7 H3",
            measure=change(RAG_STALE, RAG_FRESH),
            needs=(RAG_STALE, RAG_FRESH),
        ),
        declare(
            "adaptability/rag-not-stale",
            RAG_PRO,
            "Where new documents replace the old ones, RAG gives old values in fewer than 5 % of the cases.",
            below(0.05),
            contrast="old values in answers of rag, changed facts",
            source="2.4, stale rate after an update",
            measure=of(mean(RAG_FRESH, STALE)),
            needs=(RAG_FRESH,),
            metrics=(EM,),
            given=(FOLLOWS,),
        ),
        declare(
            "adaptability/rag-deletion",
            RAG_PRO,
            "What is withdrawn from the index is not told any more.",
            below(0.05),
            contrast="exact match of rag without half of the documents, questions about these",
            source="2.4, deletion leakage; size as 3.6 E11",
            measure=by_metric(lambda metric: where(mean(HALF, metric), without_evidence, HALF)),
            needs=(HALF,),
            given=(reads,),
        ),
        declare(
            "adaptability/rag-stale-index",
            RAG_CON,
            "An index that is not updated makes RAG give old values.",
            above(0.2),
            contrast="old values in answers of rag_stale - rag, changed facts",
            source="2.4; 3.6 E11; size as 2.7 H3",
            measure=of(difference(RAG_FRESH, RAG_STALE, STALE)),
            needs=(RAG_STALE, RAG_FRESH),
            metrics=(EM,),
        ),
        declare(
            "adaptability/rag-stale-index-useless",
            RAG_CON,
            "On what is too recent for its index, RAG is worth no more than the base model alone.",
            within(0.0, MARGIN),
            contrast="exact match of rag_stale - closed_book, changed facts",
            source=f"2.4; 2.7 H11; {BY_POWER}",
            measure=change(UNTRAINED, RAG_STALE),
            needs=(UNTRAINED, RAG_STALE),
            given=(FOLLOWS,),
        ),
        declare(
            "adaptability/rag-old-pages",
            RAG_CON,
            "Old documents that stay beside the new ones take from the answers.",
            below(0.0),
            contrast="exact match of rag with old pages - without, changed facts",
            source="2.4, conflict of old and new documents; 3.4",
            measure=change(RAG_FRESH, RAG_BOTH),
            needs=(RAG_FRESH, RAG_BOTH),
            given=(FOLLOWS,),
        ),
        declare(
            "adaptability/rag-old-pages-stale",
            RAG_CON,
            "Old documents that stay beside the new ones bring old values back.",
            above(0.0),
            contrast="old values in answers of rag with old pages - without, changed facts",
            source="2.4, stale rate rises",
            measure=of(difference(RAG_FRESH, RAG_BOTH, STALE)),
            needs=(RAG_FRESH, RAG_BOTH),
            metrics=(EM,),
        ),
    )


def curves(size: Preset, found: Results) -> Sequence[Curve]:
    """Right answers and old values over versions, and what each policy reaches in what time."""
    along = {
        "finetune, never updated": {0: BASE, **dict.fromkeys(VERSIONS, TUNED_ALONG)},
        "rag, never updated": {0: "rag", **dict.fromkeys(VERSIONS, INDEX_ALONG)},
        "rag, indexed anew": {0: "rag", **dict.fromkeys(VERSIONS, INDEXED_ALONG)},
    }
    stayed = unchanged(size.world)
    plotted = (
        _over_versions("versions", "Right answers over versions", "exact match", along, EM, found),
        _over_versions("old-values", "Old values over versions", "share of answers with an old value", along, STALE, found),
        _by_time("policies-changed", "Changed facts by time to update", canaries, found),
        _by_time("policies-unchanged", "Unchanged facts by time to update", stayed, found),
    )
    return [curve for curve in plotted if curve.series]


def _over_versions(id: str, title: str, y: str, series: Mapping[str, Mapping[int, str]], measure: str, found: Results) -> Curve:
    points = {name: _points(arms, measure, found) for name, arms in series.items()}
    return Curve(f"adaptability-{id}", title, "version of the world", y, {name: those for name, those in points.items() if len(those) > 1})


def _points(arms: Mapping[int, str], measure: str, found: Results) -> tuple[Point, ...]:
    """One for each version, in the first world; the runs of an arm are those of versions 1, 2 and 3."""
    if any(arm not in found.arms for arm in arms.values()):
        return ()
    seed = min(int(name.partition(".")[0]) for name in found.arms[arms[VERSIONS[0]]].rows)
    points = []
    for version, arm in arms.items():
        run = f"{seed}.{max(0, version - 1)}/"
        one = estimate_of(mean(arm, measure)(found.arms).only({name for name in found.arms[arm].rows if name.startswith(run)}))
        points += [] if one is None else [Point.of(version, one)]
    return tuple(points)


def _by_time(id: str, title: str, only: Only, found: Results) -> Curve:
    """A point for each policy that does something."""
    series: dict[str, tuple[Point, ...]] = {}
    for policy in (*FOLLOWING, *(one for one in POLICIES if _arm_of(one) == INDEXED)):
        if (arm := _arm_of(policy)) in found.arms:
            one = estimate_of(where(mean(arm, EM), only, arm)(found.arms))
            seconds = list(learning_seconds(found.arms[arm]).values())
            series |= {policy.name: (Point.of(fmean(seconds), one),)} if one and seconds else {}
    return Curve(f"adaptability-{id}", title, "seconds of the update, mean over worlds", "exact match", series, log_x=True)


ROW = Row(NAME, claims, by_width(LEAST, FURTHER), no_work, curves, by_width({}, SWEPT))
