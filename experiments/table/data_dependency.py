"""Data dependency: how much data, of what kind and quality, until it works (section 2.2 of the protocol).

Fine-tuning is given phrasings of questions, restatements of documents, facts in groups, and wrong training answers; RAG a part of the
corpus, copies, passages about others, and false pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.effects.arms import ARMS, Arms, Plan, searching
from experiments.effects.measures import MISLED, ByNumber, slope
from experiments.effects.trained_arms import BASE, NOTHING, PASSES, PHRASED, RESTATEMENTS, TRAINED, learning, trend, untaught
from experiments.study import Run
from experiments.table.presets import Preset
from experiments.table.real_text import NAMED, RETRIEVER, K, recall, searches, work_of
from experiments.table.row import Curve, Point, Row, by_width
from rag_eval.report.claims.claim import Results, TableClaim
from rag_eval.report.claims.declare import ANY, BY_POWER, MARGIN, RAG_CON, RAG_PRO, TUNED_CON, TUNED_PRO, above, below, declare, within
from rag_eval.report.claims.measures import Only, answers, bend, by_metric, change, less_share, of, says_unknown, where
from rag_eval.report.claims.stated import ENOUGH, stated
from rag_eval.report.claims.values import ABSTAINS, difference, estimate_of, mean
from rag_eval.score.primary import EM

NAME = "Data dependency"
SHOWN_PHRASINGS, SHOWN_RESTATEMENTS = (1, 2, 6), (0, 2, 10)  # a training each
ORACLE_READS = answers("oracle", "the model answers from the evidence")
RAG_ANSWERS = answers("rag", "rag answers its questions")
RAG_SAYS_UNKNOWN = "rag says unknown when unanswerable"
NOISE = 0.2  # share of the facts whose training answers are wrong
RAG_NO_ANSWER = (searching(NOTHING),)


def covered(share: float) -> str:
    """Name of the arm that searches a part of the documents."""
    return f"rag, {share:g} of the documents"


def _part(share: float) -> Arms:
    return {covered(share): (searching("dataset=degraded", f"dataset.coverage={share:g}"),)}


HALF = covered(0.5)
HALF_OF_DOCUMENTS = _part(0.5)[HALF]
COVERED = {0.5: HALF, 0.75: covered(0.75), 1.0: "rag"}
AMONG = {0: "oracle", 2: "oracle among 2", 4: "oracle among 4"}
COPIES = "rag, copies"
NOISY = "finetune, wrong answers"
PHRASINGS = {n: PHRASED[n] for n in SHOWN_PHRASINGS}
TOLD = {n: RESTATEMENTS[n] for n in SHOWN_RESTATEMENTS}

LEAST: Arms = {
    **{name: ARMS[name] for name in ("oracle", "rag")},
    **{name: TRAINED[name] for name in (BASE, "finetune, no answer")},
    "rag, no answer": RAG_NO_ANSWER,
    HALF: HALF_OF_DOCUMENTS,
}
FURTHER: Arms = {
    **{name: ARMS[name] for name in ("oracle among 2", "oracle among 4", "rag, false pages")},
    **_part(0.75),
    COPIES: (searching("dataset.distractors.near_duplicate=1"),),
}
SWEPT: Arms = {
    **{name: TRAINED[name] for name in (*PHRASINGS.values(), *TOLD.values(), "finetune, grouped") if name != BASE},
    NOISY: (learning(PASSES / 6, "dataset=degraded", f"dataset.label_noise={NOISE:g}"),),
}


def work(size: Preset, plan: Plan) -> Sequence[Run[Any, Any]]:
    """Searches in real text, which the smallest preset leaves out."""
    return searches(plan) if size.is_wide else []


def claims(size: Preset) -> Sequence[TableClaim]:
    """What is claimed of both sides."""
    once = TOLD[0]
    in_phrasings = "one phrasing" if size.n_phrasings == 1 else f"{size.n_phrasings} phrasings"
    return (
        declare(
            "data-dependency/fine-tuning-enough",
            TUNED_PRO,
            f"With questions about every fact in {in_phrasings}, fine-tuning reaches 80 % of the oracle.",
            above(0.0),
            contrast="exact match of finetune - 0.8 oracle",
            source="2.2, D80",
            measure=less_share(BASE, ENOUGH, "oracle"),
            needs=(BASE, "oracle"),
            given=(ORACLE_READS,),
        ),
        declare(
            "data-dependency/fine-tuning-phrasings",
            TUNED_PRO,
            "The more phrasings of a question are trained, the more is known in others.",
            above(0.0),
            contrast=f"exact match a phrasing, slope over {', '.join(map(str, PHRASINGS))}, every fact seen as often",
            source="2.2; 2.7 H4; 3.6 E6",
            measure=by_metric(lambda metric: slope(PHRASINGS, metric)),
            needs=tuple(PHRASINGS.values()),
        ),
        declare(
            "data-dependency/fine-tuning-restatements",
            TUNED_PRO,
            "The more often documents are restated in training, the more of them is known.",
            above(0.0),
            contrast=f"exact match a restatement, slope over {', '.join(map(str, TOLD))}, entities that no training question is about",
            source="2.2; 2.7 H4; 3.6 E6",
            measure=by_metric(lambda metric: trend(TOLD, untaught, metric)),
            needs=tuple(TOLD.values()),
        ),
        stated(
            "data-dependency/fine-tuning-hallucinates",
            "2.2, hallucination rate; 2.7 H9; size as 3.6 E10",
            of(difference("finetune, no answer", "rag, no answer", ABSTAINS)),
            ("finetune, no answer", "rag, no answer"),
            given=(says_unknown("rag, no answer", RAG_SAYS_UNKNOWN),),
        ),
        declare(
            "data-dependency/fine-tuning-told-once",
            TUNED_CON,
            "Documents trained on without restatements stay below 80 % of the oracle.",
            below(0.0),
            contrast="exact match of finetune without restatements - 0.8 oracle, entities that no training question is about",
            source="2.2, refuting condition",
            measure=less_share(once, ENOUGH, "oracle", untaught),
            needs=(once, "oracle"),
            given=(ORACLE_READS,),
        ),
        declare(
            "data-dependency/fine-tuning-one-phrasing",
            TUNED_CON,
            "Questions trained in one phrasing stay below 80 % of the oracle in other phrasings.",
            below(0.0),
            contrast="exact match of finetune with one phrasing - 0.8 oracle",
            source="2.2, refuting condition",
            measure=less_share(PHRASINGS[1], ENOUGH, "oracle"),
            needs=(PHRASINGS[1], "oracle"),
            given=(ORACLE_READS,),
        ),
        declare(
            "data-dependency/fine-tuning-order",
            TUNED_CON,
            "Facts trained in groups, an entity at a time, are learned worse than the same facts shuffled.",
            above(0.0),
            contrast="exact match of finetune shuffled - grouped",
            source="2.2; 3.6 E5",
            measure=change("finetune, grouped", BASE),
            needs=("finetune, grouped", BASE),
        ),
        declare(
            "data-dependency/fine-tuning-label-noise",
            TUNED_CON,
            "Wrong training answers about a fifth of the facts cost at least half of that.",
            below(-NOISE / 2),
            contrast="exact match of finetune with wrong answers about 20 % of the facts - without",
            source="2.2, label noise",
            measure=change(BASE, NOISY),
            needs=(BASE, NOISY),
        ),
        stated("data-dependency/rag-untrained", "2.2, D80", less_share("rag", ENOUGH, "oracle"), ("rag", "oracle"), given=(ORACLE_READS,)),
        declare(
            "data-dependency/rag-copies",
            RAG_PRO,
            "RAG needs every fact once: a second document that states it changes nothing.",
            within(0.0, MARGIN),
            contrast="exact match of rag with a copy of each document in other words - without",
            source=f"2.2, copies per fact and refuting condition; {BY_POWER}",
            measure=change("rag", COPIES),
            needs=("rag", COPIES),
            given=(RAG_ANSWERS,),
        ),
        *(
            declare(
                f"data-dependency/rag-real-text-{name.lower()}",
                RAG_PRO,
                f"In real documents as they are, those of {name}, a lexical search finds the evidence of more than 80 % of the questions.",
                above(ENOUGH),
                contrast=f"recall@{K} of {RETRIEVER} over the passages of {name}; no model answers",
                source="2.2, works from raw documents; share as D80",
                measure=recall(name),
                needs=(work_of(name),),
                metrics=ANY,
            )
            for name in NAMED
        ),
        declare(
            "data-dependency/rag-coverage",
            RAG_CON,
            "What is missing in the corpus is missing in the answers: half of the documents cost over 20 points.",
            below(-0.2),
            contrast="exact match of rag with half of the documents - with all",
            source="2.2, coverage; size as 2.7 H3",
            measure=change("rag", HALF),
            needs=("rag", HALF),
            given=(RAG_ANSWERS,),
        ),
        declare(
            "data-dependency/rag-coverage-linear",
            RAG_CON,
            "The loss is in proportion to what is missing.",
            within(0.0, MARGIN),
            contrast="exact match of rag with 75 % of the documents - mean of those with 50 and 100 %",
            source=f"2.2, accuracy linear in coverage; {BY_POWER}",
            measure=bend((HALF, "rag"), COVERED[0.75]),
            needs=tuple(COVERED.values()),
            given=(RAG_ANSWERS,),
        ),
        declare(
            "data-dependency/rag-noise",
            RAG_CON,
            "Passages about other entities beside the evidence take from the answers.",
            below(0.0),
            contrast=f"exact match a passage, oracle among {', '.join(map(str, AMONG))} others",
            source="2.2, noise; 2.7 H8; 3.6 E9",
            measure=by_metric(lambda metric: slope(AMONG, metric)),
            needs=tuple(AMONG.values()),
            given=(ORACLE_READS,),
        ),
        declare(
            "data-dependency/rag-false-pages",
            RAG_CON,
            "A false page for each right one makes RAG wrong.",
            below(0.0),
            contrast="exact match of rag with false pages - without",
            source="2.2, contradiction rate; 3.6 E17",
            measure=change("rag", "rag, false pages"),
            needs=("rag", "rag, false pages"),
            given=(RAG_ANSWERS,),
        ),
        declare(
            "data-dependency/rag-repeats-false-pages",
            RAG_CON,
            "RAG repeats what false pages state.",
            above(0.05),
            contrast="false values in answers of rag with false pages",
            source="2.2, contradiction rate; 3.6 E17",
            measure=of(mean("rag, false pages", MISLED)),
            needs=("rag, false pages",),
            metrics=(EM,),
        ),
    )


def curves(_: Preset, found: Results) -> Sequence[Curve]:
    """Exact match against phrasings, restatements and wrong answers of training, and against coverage and noise of what is searched."""
    phrasings = {"finetune": PHRASINGS}
    restatements = {"finetune, entities without training questions": TOLD}
    noisy = {"finetune": {0.0: BASE, NOISE: NOISY}}
    plotted = (
        _curve("phrasings", "Phrasings of each training question", "phrasings of a fact in training", phrasings, found),
        _curve("restatements", "Restatements of each document", "restatements of a document in training", restatements, found, untaught),
        _curve("label-noise", "Wrong training answers", "share of the facts with wrong training answers", noisy, found),
        _curve("coverage", "Coverage of the corpus", "share of the documents that are searched", {"rag": COVERED}, found),
        _curve("noise", "Passages about others", "passages about other entities beside the evidence", {"oracle": AMONG}, found),
    )
    return [curve for curve in plotted if curve.series]


def _curve(id: str, title: str, x: str, series: Mapping[str, ByNumber], found: Results, only: Only | None = None) -> Curve:
    points = {name: _points(arms, found, only) for name, arms in series.items()}
    return Curve(f"data-dependency-{id}", title, x, "exact match", {name: those for name, those in points.items() if len(those) > 1})


def _points(arms: ByNumber, found: Results, only: Only | None) -> tuple[Point, ...]:
    """The points of the arms that were run, over the questions that all of them were asked."""
    run = {x: arm for x, arm in arms.items() if arm in found.arms}
    shared = set.intersection(*(set(found.arms[arm].rows) for arm in run.values())) if run else set()
    points = []
    for x, arm in sorted(run.items()):
        values = where(mean(arm, EM), only, arm) if only else mean(arm, EM)
        one = estimate_of(values(found.arms).only(shared))
        points += [] if one is None else [Point.of(x, one)]
    return tuple(points)


ROW = Row(NAME, claims, by_width(LEAST, FURTHER), work, curves, by_width({}, SWEPT))
