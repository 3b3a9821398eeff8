"""What the invented world can show, with a model as it is and trained on it: declared effects, measured and judged.

    python -m experiments.effects                                  # the embedded model on three worlds of preset ci
    python -m experiments.effects generator=scripted embedder=hashed

Keys: preset=ci, seeds=0,1,2 (worlds), generator=tiny, embedder=minilm, runs=outputs, out=reports. Finished runs are taken from disk.
Writes effects.md and effects.json. Claims, thresholds and sources stand in experiments/effects/claims.py, those of
training in experiments/effects/trained_arms.py; a generator that cannot be trained leaves these unmeasured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from experiments.effects.arms import ARMS, ArmRun, Plan, pools, runs_of, trains
from experiments.effects.claims import EFFECTS, Effect
from experiments.effects.measures import EXACT, MISLED, STALE, hops, n_of
from experiments.effects.trained_arms import BASE, TRAINED, raft_section, trained_effects
from experiments.options import Embedder, Generator, Seeds, World
from experiments.study import Found, NotMade, Report, Run, Study, form_notes, possible
from experiments.tiny_model.admission import READ_AT
from rag_eval.record.load import RecordedRun
from rag_eval.record.selection import ENOUGH_LEARNED, is_under_trained, learned_by
from rag_eval.report.claims.pool import Pool
from rag_eval.report.claims.values import HELD, Pools, estimate_of, mde_of
from rag_eval.report.table import NOT_MEASURED, Cell, Column, Figure, Header, Table, figure, number
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.stats.estimate import estimate
from rag_eval.stats.verdict import verdict
from rag_eval.types import Estimate
from synthworld.questions import KINDS

NOT_SHOWN = "NOT SHOWN"
READING = f"""Each claim was declared with its threshold before a model was asked. Differences are paired by question; intervals of 95 %
take questions about one entity of one world as dependent; those of trained arms are of these adapters, one a world. SUPPORTED: the
whole interval is on the claimed side of the threshold, or, of "within", the 90 % interval inside the margin. REFUTED: none of it is.
INCONCLUSIVE: neither; MDE is the effect that would have been found. {NOT_SHOWN}: the model does not read that kind of question from
its evidence (exact match under {READ_AT:.2f}): it says nothing."""


@dataclass(frozen=True)
class Options:
    """Which worlds, who answers, what searches, and where runs and reports are."""

    preset: World = "ci"
    seeds: Seeds = (0, 1, 2)
    generator: Generator = "tiny"
    embedder: Embedder = "minilm"
    runs: Path = Path("outputs")
    out: Path = Path("reports")


@dataclass(frozen=True)
class Judged:
    """An effect as it was measured."""

    effect: Effect
    estimate: Estimate | None
    worlds: tuple[float | None, ...]  # the mean in each world, in order; None = nothing could be judged there
    text: str  # the verdict


def plan_of(options: Options) -> Plan:
    """What all runs have in common."""
    return Plan(options.preset, options.seeds, options.generator, options.embedder, options.runs, TRAINED[BASE][0])


def runs(options: Options) -> list[Run[ArmRun, RecordedRun]]:
    """Those of every arm; of the trained ones where the generator can be trained."""
    return runs_of(plan_of(options), ARMS | TRAINED if trains(options.generator) else ARMS)


def judge(effect: Effect, found: Pools, unread: Sequence[str], seeds: Sequence[int]) -> Judged:
    """The number of an effect and what it says of the claim; nothing where the model does not read what it takes, or an arm is missing."""
    if not set(effect.arms) <= found.keys():
        return _not_measured(effect, len(seeds))
    try:
        values = effect.measure(found)
    except NotMade:
        return _not_measured(effect, len(seeds))
    one = estimate_of(values)
    said = verdict(effect.claim, one, mde_of(values), estimate_of(values, confidence=0.90))
    lacking = [kind for kind in effect.needs if kind in unread]
    text = f"{NOT_SHOWN}: does not read {', '.join(lacking)}" if lacking else said.text
    behind = [arm for arm in effect.arms if any(is_under_trained(record) for record in found[arm].records)]
    text += f" (under-trained: {', '.join(behind)})" if behind else ""
    return Judged(effect, one, tuple(_in_world(effect, found, seed) for seed in seeds), text)


def _not_measured(effect: Effect, n_worlds: int) -> Judged:
    return Judged(effect, None, (None,) * n_worlds, verdict(effect.claim, None, None, None).text)


def _in_world(effect: Effect, found: Pools, seed: int) -> float | None:
    one = estimate_of(effect.measure({name: pool.of_world(seed) for name, pool in found.items()}))
    return None if one is None else one.mean


def read_kinds(found: Pools) -> dict[str, Estimate | None]:
    """Exact match of each kind of question over those whose evidence stood in the oracle's prompt; None = there are none.

    Counts of one, which take one document, are left out: the constant answer 1 would pass for counting.
    """
    pool = found["oracle, all kinds"]
    held = [name for name, row in pool.rows.items() if row[HELD] == 1.0]
    counted = [name for name in held if pool.rows[name].get("kind") != "count" or len(pool.predictions[name].in_prompt) > 1]
    return {kind: _mean(pool, EM, [name for name in counted if pool.rows[name].get("kind") == kind]) for kind in KINDS}


def _mean(pool: Pool, measure: str, names: Sequence[str] | None = None) -> Estimate | None:
    names = list(pool.rows) if names is None else names
    scores = pool.column(measure, names)
    return estimate(scores, [pool.clusters[name] for name in names], binary=all(one in (0.0, 1.0) or np.isnan(one) for one in scores))


def effects_section(found: Sequence[Judged]) -> Table:
    """The table of hypotheses with what was found."""
    rows = tuple(
        (
            one.effect.claim.name,
            one.effect.claim.text,
            one.effect.compared,
            _threshold(one.effect),
            one.effect.source,
            figure(one.estimate),
            " / ".join("-" if mean is None else number(mean) for mean in one.worlds),
            n_of(one.estimate),
            one.text,
        )
        for one in found
    )
    texts = (Column(title, kind="text") for title in ("claim", "compared", "declared", "source"))
    header: Header = ("effect", *texts, "found", "in each world", "n (entities)", Column("verdict", kind="text"))
    return Table("Effects", READING, header, rows)


def _threshold(effect: Effect) -> str:
    claim = effect.claim
    return f"within {claim.threshold:g} ± {claim.margin:g}" if claim.direction == "equivalent" else f"{claim.direction} {claim.threshold:g}"


def kinds_section(kinds: Mapping[str, Estimate | None]) -> Table:
    """What the oracle gives of each kind of question."""
    rows = tuple(
        (kind, figure(one), n_of(one), "-" if one is None else "yes" if one.mean >= READ_AT else "no") for kind, one in kinds.items()
    )
    reading = f"Exact match of the oracle with k = 5 where all evidence stood in the prompt. Read: a mean of {READ_AT:.2f} or more."
    return Table("Kinds of question", reading, ("kind", EXACT, "n (entities)", "read"), rows)


def arms_section(found: Pools) -> Table:
    """Every arm by itself."""
    rows: list[tuple[Cell, ...]] = []
    for name, pool in found.items():
        figures = [figure(_mean(pool, measure)) for measure in (EM, CONTAINS, HELD, STALE, MISLED)]
        rows.append((name, *figures, learned(pool), len(pool.rows)))
    reading = "Means over all worlds. Evidence: it all stood in the prompt. Not measured: cannot be asked of this arm. "
    reading += f"Learned: exact match on training questions, in each world; under {ENOUGH_LEARNED} an arm is under-trained."
    return Table("Arms", reading, ("arm", EXACT, "contains", "evidence", "old value", "false value", "learned", "n"), tuple(rows))


def learned(pool: Pool) -> str:
    """Exact match on what each adapter was trained on; "-" where nothing was trained."""
    found = [learned_by(record) for record in pool.records]
    return " / ".join(NOT_MEASURED if one is None else number(one.mean) for one in found) if any(found) else "-"


def hops_section(found: Pools) -> Table:
    """How often rag finds the documents of a two-hop question."""
    names, first, second = hops(found)
    clusters = [found["rag, two hops"].clusters[name] for name in names]
    shares = {"first document": first, "second document": second, "both": first * second}
    rows: list[tuple[Cell, ...]] = [(title, figure(estimate(share.tolist(), clusters, binary=True))) for title, share in shares.items()]
    rows.append(("product of the first two", Figure(float(first.mean() * second.mean()) if names else None)))
    return Table("Two hops", f"In the prompt of rag, {len(names)} questions, k = 5.", ("what", "share"), tuple(rows))


def notes_of(found: Pools, options: Options) -> list[str]:
    """The worlds of a report, and the arms whose exact match measures form."""
    worlds = f"worlds: preset {options.preset}, seeds {', '.join(map(str, options.seeds))}; embedder {options.embedder}"
    return [worlds, *form_notes({name: pool.records for name, pool in found.items()})]


def report(options: Options, found: Found[ArmRun, RecordedRun]) -> Report:
    """Every claim judged, and what the judgements rest on."""
    arms = pools(found)
    kinds = read_kinds(arms)
    unread = [kind for kind, one in kinds.items() if one is None or one.mean < READ_AT]
    judgements = [judge(effect, arms, unread, options.seeds) for effect in (*EFFECTS, *trained_effects(options.preset))]
    sections = possible(
        partial(effects_section, judgements),
        partial(kinds_section, kinds),
        partial(hops_section, arms),
        partial(raft_section, arms),
        partial(arms_section, arms),
    )
    return Report(sections, notes_of(arms, options), {"verdicts": {one.effect.claim.name: one.text for one in judgements}})


STUDY = Study("effects", "Effects", "experiments.effects", Options, runs, report)
main = STUDY.main
