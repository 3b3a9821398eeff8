"""What fine-tuning can do on the invented world when it is given every chance, beside retrieval: measured, with controls.

    python -m experiments.finetuning                # the embedded model on three worlds of preset ci, a training in each

Keys: preset=ci, seeds=0,1,2 (worlds and trainings), generator=tiny, embedder=minilm, runs=outputs, out=reports. Finished runs are taken
from disk, adapters from the cache; most are those of experiments.effects. Writes finetuning.md and finetuning.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from experiments.effects.arms import ARMS, ArmRun, Arms, Overrides, pools, runs_of, trains
from experiments.effects.continual import forgotten
from experiments.effects.isotonic import isotonic
from experiments.effects.measures import EXACT, n_of
from experiments.effects.report import Options, learned, notes_of, plan_of
from experiments.effects.trained_arms import BASE, PHRASED, RESTATEMENTS, SEARCH, TRAINED, UNASKED, phrased, untaught
from experiments.study import Found, Report, Run, Study, possible
from rag_eval.errors import ConfigError
from rag_eval.record.load import RecordedRun
from rag_eval.record.selection import ENOUGH_LEARNED
from rag_eval.report.claims.pool import Pool
from rag_eval.report.claims.values import HELD, Pools, Values, difference, estimate_of, mean
from rag_eval.report.table import Cell, Figure, Table, figure, number
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.stats.estimate import estimate
from rag_eval.types import Estimate

RECIPE = "mixed"
MIXED: Overrides = (
    *("adapter/data=mixed", "adapter.data.texts_per_question=0.3", "adapter.data.replay_share=0.05", "dataset.n_restatements=5"),
    *("adapter.rank=16", "adapter.alpha=16", "adapter.learning_rate=0.008", "adapter.epochs=5"),
)
OTHERS: Arms = {
    f"finetune, {RECIPE}": (("mode=finetune", *MIXED),),
    f"rag_finetune, {RECIPE}": (("mode=rag_finetune", *MIXED, SEARCH),),
    "finetune_format": (("mode=finetune_format", *phrased(6)[1:]),),
    "finetune_permuted": (("mode=finetune_permuted", *phrased(6)[1:]),),
}
SHARED = ("prior", "closed_book", "oracle", "rag")
SIDES = (
    *("prior", "closed_book", "finetune_format", "finetune_permuted", BASE, f"finetune, {RECIPE}"),
    *("rag", "rag_finetune", f"rag_finetune, {RECIPE}", "raft, gold in 0.8", "oracle"),
)
SWEEPS = ("finetune, grouped", *PHRASED.values(), *RESTATEMENTS.values())
READING = f"""Exact match on test questions, about facts that training asks about in other phrasings. Intervals of 95 % take questions
about one entity of one world as dependent and are of these adapters; recipe: the same mean with what differs between worlds, each with
a training of its own, as all that varies (Student's t, one degree of freedom fewer than worlds). Learned: exact match on a sample of
the training questions, in each world; under {ENOUGH_LEARNED} a run says nothing about what fine-tuning can do. Forgot: change of exact
match on the frozen reading set, base to trained. finetune: questions in six phrasings, nothing else. {RECIPE}: documents, five
restatements of each, questions in six phrasings, a twentieth of reading exercises. raft: questions in one phrasing, with passages."""
SWEEP = """Every fact is seen as often in each row. Rising line: the isotonic fit to the means; explained: its share of the variation
between rows; p: how often shuffling the rows within entities gives as good a fit (10,000 shuffles), of these adapters."""


def runs(options: Options) -> list[Run[ArmRun, RecordedRun]]:
    """The runs of every arm of the report.

    Args:
        options: options of the study.

    Returns:
        The runs.

    Raises:
        ConfigError: if the generator has no weights to train.
    """
    if not trains(options.generator):
        raise ConfigError(f"generator={options.generator} has no weights to train; choose tiny or hf.")
    return runs_of(plan_of(options), arms_of())


def arms_of() -> Arms:
    """Every arm of the report; what it forgot is asked of those without passages."""
    known = ARMS | TRAINED | OTHERS
    asked = {name: tuple(tuple(one for one in overrides if one != UNASKED) for overrides in known[name]) for name in (BASE, *OTHERS)}
    return {name: known[name] for name in dict.fromkeys((*SHARED, *SIDES, *SWEEPS))} | asked


def sides_section(found: Pools) -> Table:
    """Both sides, with their controls."""
    header = ("arm", EXACT, "contains", "recipe", "less rag", "in each world", "learned", "forgot", "evidence", "n (entities)")
    rows = tuple(_side(name, found) for name in SIDES if name in found)
    return Table("Both sides", READING, header, rows)


def _side(name: str, found: Pools) -> tuple[Cell, ...]:
    pool = found[name]
    score, lenient, held = (estimate_of(mean(name, measure)(found)) for measure in (EM, CONTAINS, HELD))
    apart: Cell = "-" if name == "rag" else figure(estimate_of(difference("rag", name)(found)))
    scores = (figure(score), figure(lenient), figure(_recipe(mean(name)(found))), apart)
    return name, *scores, _in_each(pool), learned(pool), _forgot(pool), figure(held), n_of(score)


def _recipe(values: Values) -> Estimate | None:
    """The mean with worlds, and so trainings, as what varies; None = a single world tells nothing of others."""
    worlds = [name.partition(".")[0] for name in values.names]
    return estimate(values.values, worlds, binary=False, bounds=values.bounds) if len(set(worlds)) > 1 else None


def _in_each(pool: Pool) -> str:
    return " / ".join(number(record.estimates[EM].mean) for record in pool.records)


def _forgot(pool: Pool) -> Cell:
    found = [record.estimates.get("forgetting/reading_change") for record in pool.records]
    return forgotten(found) if any(record.facts.provenance.is_trained for record in pool.records) else "-"


def sweep_section(title: str, what: str, found: Pools, arms: Mapping[int, str], only: Callable[[Pools, str], list[str]] | None) -> Table:
    """Exact match by a number that arms differ in, with the isotonic test."""
    first = next(iter(arms.values()))
    names = only(found, first) if only else list(found[first].rows)
    scores = np.array([found[arm].column(EM, names) for arm in arms.values()])
    clusters = [found[first].clusters[name] for name in names]
    test = isotonic(scores, clusters)
    rows: list[tuple[Cell, ...]] = []
    for (n, arm), fitted in zip(arms.items(), test.fitted, strict=True):
        values = mean(arm)(found).only(set(names))
        one = estimate_of(values)
        rows.append((str(n), figure(one), figure(_recipe(values)), number(fitted), learned(found[arm]), n_of(one)))
    rows.append(("explained", Figure(test.explained), "", f"p = {test.p:.2g}", "", ""))
    return Table(title, SWEEP, (what, EXACT, "recipe", "rising line", "learned", "n (entities)"), tuple(rows))


def order_section(found: Pools) -> Table:
    """Facts an entity at a time, and shuffled."""
    names = ("finetune, grouped", BASE)
    rows = [_row_of_order(name, mean(name)(found), learned(found[name])) for name in names]
    rows.append(_row_of_order("shuffled - grouped", difference(*names)(found), ""))
    reading = "The same questions in six phrasings: all about one entity in a row, or shuffled."
    return Table("Order", reading, ("arm", EXACT, "learned", "n (entities)"), tuple(rows))


def _row_of_order(name: str, values: Values, learned: str) -> tuple[Cell, ...]:
    one = estimate_of(values)
    return name, figure(one), learned, n_of(one)


def report(options: Options, found: Found[ArmRun, RecordedRun]) -> Report:
    """Both sides, the sweeps and the order of the questions."""
    arms = pools(found)
    about = "Restatements of a document, entities that no training question is about"
    sections = possible(
        partial(sides_section, arms),
        partial(sweep_section, "Phrasings of a question", "phrasings", arms, PHRASED, None),
        partial(sweep_section, about, "restatements", arms, RESTATEMENTS, untaught),
        partial(order_section, arms),
    )
    return Report(sections, notes_of(arms, options))


STUDY = Study("finetuning", "Fine-tuning", "experiments.finetuning", Options, runs, report)
main = STUDY.main
