"""Arms that are trained, and what is claimed of them beforehand. Every world has a training of its own, with its own random numbers.

Adapters come from the cache, so arms that train on the same rows train once. Exposures are equal where phrasings or restatements
are swept: fewer of them are repeated more often.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from experiments.effects.arms import START, Arms, Overrides, searching
from experiments.effects.claims import Effect
from experiments.effects.continual import UNCHANGED, renamed
from experiments.effects.measures import EXACT, ByNumber, n_of, slope
from experiments.options import World
from rag_eval.report.claims.declare import MARGIN
from rag_eval.report.claims.values import ABSTAINS, HELD, Pools, Values, difference, estimate_of, gap, mean, values_of
from rag_eval.report.table import Cell, Column, Table, figure
from rag_eval.score.primary import EM
from rag_eval.stats.verdict import Claim
from rag_eval.types import Document
from synthworld.dataset import world

PHRASINGS = (1, 2, 3, 6)  # training questions a fact
RESTATED = (0, 2, 5, 10)  # texts that say the same as a document
RANKS = (1, 4, 16)
GOLD_SHARES = (0.4, 0.8, 1.0)
UNKNOWN = (0.0, 0.5, 0.9)
PASSES = 30  # over a question in one phrasing, and over each fact in whatever phrasings
UNTAUGHT = "dataset.questions.untaught_entities=0.5"
NOTHING = "dataset.questions.nothings=[unknown entity,unstated attribute]"
POPULAR = "dataset.popularity=1"
ALIKE = "dataset.distractors.sibling=1"
SEARCH = "retriever/embedder={embedder}"

UNASKED = "n_forgetting=0"
_LORA = ("adapter.rank=16", "adapter.alpha=16", "adapter.learning_rate=0.008", UNASKED)


def learning(passes: float, *more: str) -> Overrides:
    """Questions alone, each seen so many times."""
    return "mode=finetune", *_LORA, "adapter.data.reading_share=0", f"adapter.epochs={passes:g}", *more


def phrased(n: int, *more: str) -> Overrides:
    """So many phrasings of each question, every fact seen as often."""
    return learning(PASSES / n, f"dataset.n_phrasings={n}", *more)


def restated(n: int, *more: str) -> Overrides:
    """Documents of all entities and n restatements of each, as many texts for any n, beside questions about half of the entities."""
    mixed = ("adapter/data=mixed", "adapter.data.replay_share=0", "adapter.data.texts_per_question=3.3", "adapter.epochs=7")
    return "mode=finetune", *_LORA, *mixed, UNTAUGHT, "dataset.n_phrasings=2", f"dataset.n_restatements={n}", *more


def raft(share: float) -> Overrides:
    """Questions with passages, a share of them with the evidence."""
    return "mode=raft", *_LORA, "dataset.n_phrasings=1", f"adapter.data.gold_share={share}", "adapter.epochs=4", SEARCH


def _updated(*more: str) -> Overrides:
    return *learning(PASSES / 6), "dataset=update", "dataset.after.version=1", "dataset.before.version=0", START, *more


BASE = "finetune"

TRAINED: Arms = {
    **{BASE if n == PHRASINGS[-1] else f"finetune, {n} phrasings": (phrased(n),) for n in PHRASINGS},
    "finetune, grouped": (phrased(6, "adapter.data.order=grouped"),),
    **{f"finetune, {n} restatements": (restated(n),) for n in RESTATED},
    "finetune, no answer": (phrased(6, NOTHING),),
    "closed_book, no answer": (("mode=closed_book", NOTHING),),
    "finetune, reverse": (phrased(6, "dataset.questions.kinds=[reverse]"),),
    "oracle, reverse": (("mode=oracle", "dataset.questions.kinds=[reverse]"),),
    "finetune, popular": (restated(0, POPULAR),),
    "rag, popular": (searching(POPULAR, ALIKE),),
    **{f"finetune, known, {share:g} unknown": (learning(1, START, f"adapter.data.unknown_share={share:g}"),) for share in UNKNOWN},
    "finetune, half of the known": (learning(1, START, "dataset.n_phrasings=3"),),
    **{f"raft, gold in {share:g}": (raft(share),) for share in GOLD_SHARES},
    **{f"finetune, rank {rank}": (phrased(6, f"adapter.rank={rank}", f"adapter.alpha={rank}"),) for rank in RANKS[:-1]},
    "rag_finetune": (("mode=rag_finetune", *phrased(6)[1:], SEARCH),),
    "finetune, version before": (("mode=finetune_stale", *phrased(6)[1:], "dataset.version=1"),),
    "finetune, continued": (_updated(),),
    "finetune, continued, 10 % replay": (_updated("dataset.replay=0.1"),),
}
RESTATEMENTS = {n: f"finetune, {n} restatements" for n in RESTATED}
PHRASED = {n: BASE if n == PHRASINGS[-1] else f"finetune, {n} phrasings" for n in PHRASINGS}
RANKED = {rank: BASE if rank == RANKS[-1] else f"finetune, rank {rank}" for rank in RANKS}


def untaught(found: Pools, arm: str) -> list[str]:
    """Questions about entities that training asks nothing about: only their documents were trained on."""
    return [name for name, row in found[arm].rows.items() if "entity" not in str(row.get("seen", ""))]


def trend(arms: ByNumber, only: Callable[[Pools, str], list[str]] | None = None, measure: str = EM) -> Callable[[Pools], Values]:
    """Change of a score a doubling or a unit: the slope over what arms differ in."""

    def of(found: Pools) -> Values:
        whole = slope(arms, measure)(found)
        return whole.only(set(only(found, next(iter(arms.values()))))) if only else whole

    return of


def asymmetry(found: Pools) -> Values:
    """How much more reversing a question takes from the trained model than from who reads the evidence, by the fact that is asked for."""
    forward, backward = found[BASE], found["finetune, reverse"]
    reading, reading_back = found["oracle"], found["oracle, reverse"]
    pairs = [(name, name.replace("/test-forward-", "/test-reverse-")) for name in forward.rows]
    pairs = [(one, other) for one, other in pairs if other in backward.rows and one in reading.rows and other in reading_back.rows]
    names, others = [one for one, _ in pairs], [other for _, other in pairs]
    columns = (forward.column(EM, names), backward.column(EM, others))
    columns_read = (reading.column(EM, names), reading_back.column(EM, others))
    lost = [a - b - (c - d) for a, b, c, d in zip(*columns, *columns_read, strict=True)]
    return values_of(forward, lost, names, (-2.0, 2.0))


def popularity(arm: str, preset: World, only: Callable[[Pools, str], list[str]] | None = None) -> Callable[[Pools], Values]:
    """Slope of exact match over the base-2 logarithm of how many documents an entity has: its linear terms, whose mean it is.

    Both are taken from the mean of their world, which has an adapter of its own. The terms are those of least squares,
    slope + n (x - mean x) (y - fitted y) / Sxx, so that the clustered error of their mean is that of the slope (the delta method).
    """

    def of(found: Pools) -> Values:
        pool = found[arm]
        names = only(found, arm) if only else list(pool.rows)
        counts = {seed: n_documents(preset, seed) for seed in {_seed(name) for name in names}}
        worlds = np.array([_seed(name) for name in names])
        apart = _centred(np.array([math.log2(counts[_seed(name)][pool.rows[name]["cluster"]]) for name in names]), worlds)
        y = _centred(np.array(pool.column(EM, names)), worlds)
        spread = float(apart @ apart)
        if len(names) < 3 or np.isnan(y).any() or spread == 0 or not y.any():  # what never varies may be at its ceiling
            return values_of(pool, [math.nan] * len(names), names, None)
        slope_of = float(apart @ y) / spread
        terms = slope_of + len(y) * apart * (y - slope_of * apart) / spread
        return values_of(pool, terms.tolist(), names, None)

    return of


def _centred(values: NDArray[np.float64], worlds: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values less the mean of their world."""
    found = values.astype(np.float64)
    for world_of in np.unique(worlds):
        found[worlds == world_of] -= values[worlds == world_of].mean()
    return found


def n_documents(preset: World, seed: int) -> Mapping[str, int]:
    """How many documents of the popular world are about each entity, by its id."""
    return Counter(fact.partition(".")[0] for one in world(preset, seed, popularity=1.0).documents for fact in _about(one))


def _about(document: Document) -> set[str]:
    return {fact["id"].partition(".")[0] for fact in document.meta["facts"]}


def _seed(name: str) -> int:
    return int(name.partition(".")[0])


def unchanged(preset: World) -> Callable[[Pools, str], list[str]]:
    """Questions about what the new version left as it was, of entities that kept their names."""

    def of(found: Pools, arm: str) -> list[str]:
        rows = found[arm].rows
        names = {seed: renamed(preset, seed) for seed in {_seed(name) for name in rows}}
        return [name for name, row in rows.items() if row.get("change") in UNCHANGED and row["cluster"] not in names[_seed(name)]]

    return of


def _effect(claim: Claim, source: str, compared: str, measure: Callable[[Pools], Values], *arms: str) -> Effect:
    return Effect(claim, source, compared, measure, needs=(), arms=arms)


def trained_effects(preset: World) -> tuple[Effect, ...]:
    """What is claimed of training on worlds of a preset."""
    single, many = RESTATEMENTS[RESTATED[0]], RESTATEMENTS[RESTATED[-1]]
    stayed = unchanged(preset)
    before, after, replayed = "finetune, version before", "finetune, continued", "finetune, continued, 10 % replay"
    return (
        _effect(
            Claim("E4 texts", "documents told once cannot be asked for, told many times they can", 0.5, "above"),
            "3.6 E4; 2.2",
            "exact match of 10 restatements - 0, entities that no training question is about",
            gap(single, many, untaught),
            single,
            many,
        ),
        _effect(
            Claim("E4 questions", "one phrasing of a question is far below six", 0.5, "above"),
            "3.6 E4",
            "exact match of finetune with 6 phrasings - 1, other phrasings asked",
            gap(PHRASED[1], BASE),
            PHRASED[1],
            BASE,
        ),
        _effect(
            Claim("E5", "facts in groups, an entity at a time, are learned worse than shuffled", 0.0, "above"),
            "3.6 E5; 4 M9",
            "exact match of finetune - grouped",
            gap("finetune, grouped", BASE),
            "finetune, grouped",
            BASE,
        ),
        _effect(
            Claim("E6 texts", "the more restatements, the more is known", 0.0, "above"),
            "3.6 E6; 2.7 H4",
            "exact match a restatement, slope over 0, 2, 5, 10, entities that no training question is about",
            trend(RESTATEMENTS, untaught),
            *RESTATEMENTS.values(),
        ),
        _effect(
            Claim("E6 questions", "the more phrasings, the more is known in others", 0.0, "above"),
            "3.6 E6; 2.7 H4",
            "exact match a phrasing, slope over 1, 2, 3, 6",
            trend(PHRASED),
            *PHRASED.values(),
        ),
        _effect(
            Claim("E7 training", "what is written about more often is known better after training", 0.0, "above"),
            "3.6 E7; 2.7 H10",
            "exact match a doubling of the documents about an entity, finetune on them, entities that no training question is about",
            popularity("finetune, popular", preset, untaught),
            "finetune, popular",
        ),
        _effect(
            Claim("E7 search", "not so with a search among pages of like names", 0.0, "equivalent", MARGIN),
            "3.6 E7; 2.7 H10",
            "exact match a doubling of the documents about an entity, rag",
            popularity("rag, popular", preset),
            "rag, popular",
        ),
        _effect(
            Claim("E8 mixture", "going on with unknown facts in place of known ones, it knows less of the known", 0.0, "below"),
            "3.6 E8; P4",
            "exact match a unit of the share, slope over 0, 0.5, 0.9, one more pass over as many questions",
            trend({share: f"finetune, known, {share:g} unknown" for share in UNKNOWN}),
            *(f"finetune, known, {share:g} unknown" for share in UNKNOWN),
        ),
        _effect(
            Claim("E8 unknown", "unknown facts beside known ones take from these", 0.0, "below"),
            "3.6 E8; P4",
            "exact match of one more pass over half of the known questions, as many unknown beside them - none",
            difference("finetune, half of the known", "finetune, known, 0.5 unknown"),
            "finetune, half of the known",
            "finetune, known, 0.5 unknown",
        ),
        _effect(
            Claim("E10", "training on answers takes away saying that something is not known", 0.2, "above"),
            "3.6 E10; 2.7 H9",
            "abstentions of closed_book - finetune, unanswerable questions",
            difference("finetune, no answer", "closed_book, no answer", ABSTAINS),
            "finetune, no answer",
            "closed_book, no answer",
        ),
        _effect(
            Claim("E12", "a fact learned one way cannot be asked the other way, but read it can", 0.2, "above"),
            "3.6 E12; 2.7 H12",
            "exact match of forward - reverse, finetune less oracle, the same facts",
            asymmetry,
            BASE,
            "finetune, reverse",
            "oracle, reverse",
        ),
        _effect(
            Claim("E15", "a higher rank holds more facts", 0.0, "above"),
            "3.6 E15; 2.7 H15",
            "exact match a doubling of the rank, slope over 1, 4, 16",
            trend({math.log2(rank): arm for rank, arm in RANKED.items()}),
            *RANKED.values(),
        ),
        _effect(
            Claim("E16", "an adapter trained without passages takes from reading them", 0.0, "below"),
            "3.6 E16; 2.7 H5",
            "exact match of rag_finetune - rag",
            difference("rag", "rag_finetune"),
            "rag_finetune",
        ),
        _effect(
            Claim("E18 forgets", "training on what is new alone forgets what was known", 0.0, "below"),
            "3.6 E18",
            "exact match of finetune continued - version before, unchanged facts",
            gap(before, after, stayed),
            before,
            after,
        ),
        _effect(
            Claim("E18 replay", "a tenth of old questions helps against it", 0.0, "above"),
            "3.6 E18",
            "exact match of continued with 10 % replay - without, unchanged facts",
            gap(after, replayed, stayed),
            after,
            replayed,
        ),
    )


def raft_section(found: Pools) -> Table:
    """What the share of training rows with the evidence does: reported, not judged."""
    rows = tuple(_row_of_raft(share, arm, found) for share in GOLD_SHARES if (arm := f"raft, gold in {share:g}") in found)
    reading = (
        "Training rows with the evidence among the passages, by share; no optimum is expected. Exact match - rag is paired by question."
    )
    return Table("RAFT", reading, ("share with gold", EXACT, Column("exact match - rag", "EM - rag"), "evidence", "n (entities)"), rows)


def _row_of_raft(share: float, arm: str, found: Pools) -> tuple[Cell, ...]:
    score = estimate_of(mean(arm)(found))
    apart, held = estimate_of(difference("rag", arm)(found)), estimate_of(mean(arm, HELD)(found))
    return f"{share:g}", figure(score), figure(apart), figure(held), n_of(score)
