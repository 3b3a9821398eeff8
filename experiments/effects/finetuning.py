"""What fine-tuning can do on the invented world when it is given every chance, beside retrieval: measured, with controls.

    python -m experiments.finetuning                # the embedded model on three worlds of preset ci, a training in each

Keys: preset=ci, seeds=0,1,2 (worlds and trainings), generator=tiny, embedder=minilm, runs=outputs, out=reports. Finished runs are taken
from disk, adapters from the cache; most are those of experiments.effects. Writes finetuning.md and finetuning.json.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.effects.arms import ARMS, Arms, Overrides, Plan, Pool, n_runs, pools, trains
from experiments.effects.continual import forgotten
from experiments.effects.isotonic import isotonic
from experiments.effects.measures import HELD, Pools, Values, difference, estimate_of, mean
from experiments.effects.report import DEFAULTS, learned, notes_of, plan_of
from experiments.effects.trained_arms import BASE, PHRASED, RESTATEMENTS, SEARCH, TRAINED, UNASKED, phrased, untaught
from experiments.study import ended, options_of, write_report
from rag_eval.errors import ConfigError
from rag_eval.progress import progress
from rag_eval.report.runs import ENOUGH_LEARNED
from rag_eval.report.sections import Cell, Figure, Section, figure, number
from rag_eval.score.estimate import estimate
from rag_eval.score.primary import CONTAINS, EM
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


def main(argv: Sequence[str]) -> int:
    """Run, print and write; returns the exit code."""
    return ended(lambda: _study(argv))


def _study(argv: Sequence[str]) -> None:
    options = options_of(argv, DEFAULTS)
    plan = plan_of(options)
    if not trains(plan):
        raise ConfigError(f"generator={plan.generator} has no weights to train; choose tiny or hf.")
    arms = arms_of()
    with progress("runs", n_runs(plan, arms)) as advance:
        found = pools(plan, arms, advance)
    _write(found, plan, "python -m experiments.finetuning " + " ".join(argv), Path(options["out"]))


def arms_of() -> Arms:
    """Every arm of the report; what it forgot is asked of those without passages."""
    known = ARMS | TRAINED | OTHERS
    asked = {name: tuple(tuple(one for one in overrides if one != UNASKED) for overrides in known[name]) for name in (BASE, *OTHERS)}
    return {name: known[name] for name in dict.fromkeys((*SHARED, *SIDES, *SWEEPS))} | asked


def sides_section(found: Pools) -> Section:
    """Both sides, with their controls."""
    header = ("arm", "EM", "contains", "recipe", "less rag", "in each world", "learned", "forgot", "evidence", "n (entities)")
    rows = tuple(_side(name, found) for name in SIDES)
    return Section("Both sides", READING, header, rows)


def _side(name: str, found: Pools) -> tuple[Cell, ...]:
    pool = found[name]
    score, lenient, held = (estimate_of(mean(name, measure)(found)) for measure in (EM, CONTAINS, HELD))
    apart: Cell = "-" if name == "rag" else figure(estimate_of(difference("rag", name)(found)))
    n = "0" if score is None else f"{score.n} ({score.n_clusters})"
    scores = (figure(score), figure(lenient), figure(_recipe(mean(name)(found))), apart)
    return name, *scores, _in_each(pool), learned(pool), _forgot(pool), figure(held), n


def _recipe(values: Values) -> Estimate | None:
    """The mean with worlds, and so trainings, as what varies; None = a single world tells nothing of others."""
    worlds = [name.partition(".")[0] for name in values.names]
    return estimate(values.values, worlds, binary=False, bounds=values.bounds) if len(set(worlds)) > 1 else None


def _in_each(pool: Pool) -> str:
    return " / ".join(number(record.estimates[EM].mean) for record in pool.records)


def _forgot(pool: Pool) -> Cell:
    found = [record.estimates.get("forgetting/reading_change") for record in pool.records]
    return forgotten(found) if any(record.facts["weights"] == "trained" for record in pool.records) else "-"


def sweep_section(title: str, what: str, found: Pools, arms: Mapping[int, str], only: Callable[[Pools, str], list[str]] | None) -> Section:
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
        rows.append(
            (
                str(n),
                figure(one),
                figure(_recipe(values)),
                number(fitted),
                learned(found[arm]),
                0 if one is None else f"{one.n} ({one.n_clusters})",
            )
        )
    rows.append(("explained", Figure(test.explained), "", f"p = {test.p:.2g}", "", ""))
    return Section(title, SWEEP, (what, "EM", "recipe", "rising line", "learned", "n (entities)"), tuple(rows))


def order_section(found: Pools) -> Section:
    """Facts an entity at a time, and shuffled."""
    names = ("finetune, grouped", BASE)
    rows: list[tuple[Cell, ...]] = [(name, figure(estimate_of(mean(name)(found))), learned(found[name])) for name in names]
    rows.append(("shuffled - grouped", figure(estimate_of(difference(*names)(found))), ""))
    return Section(
        "Order", "The same questions in six phrasings: all about one entity in a row, or shuffled.", ("arm", "EM", "learned"), tuple(rows)
    )


def _write(found: Pools, plan: Plan, command: str, out: Path) -> None:
    sections = [
        sides_section(found),
        sweep_section("Phrasings of a question", "phrasings", found, PHRASED, None),
        sweep_section(
            "Restatements of a document, entities that no training question is about", "restatements", found, RESTATEMENTS, untaught
        ),
        order_section(found),
    ]
    write_report(out, "finetuning", "Fine-tuning", sections, notes_of(found, plan, command))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
