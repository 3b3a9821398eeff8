"""What the invented world can show, with a model as it is and trained on it: declared effects, measured and judged.

    python -m experiments.effects                                  # the embedded model on three worlds of preset ci
    python -m experiments.effects generator=scripted embedder=hashed

Keys: preset=ci, seeds=0,1,2 (worlds), generator=tiny, embedder=minilm, runs=outputs, out=reports. Finished runs are taken from disk.
Writes effects.md and effects.json. Claims, thresholds and sources stand in experiments/effects_claims.py, those of
training in experiments/effects_trained.py; a generator that cannot be trained leaves these unmeasured.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.admission import READ_AT
from experiments.effects_claims import EFFECTS, Effect
from experiments.effects_measures import HELD, MISLED, STALE, Pools, Values, estimate_of, hops
from experiments.effects_runs import ARMS, Plan, Pool, n_runs, pools, trains
from experiments.effects_trained import BASE, TRAINED, raft_section, trained_effects
from experiments.study import ended, form_notes, options_of, provenance, seeds_of, write_report
from rag_eval.config.paths import conf_dir
from rag_eval.data.world.questions import KINDS
from rag_eval.data.world.source import PRESETS
from rag_eval.errors import UserError
from rag_eval.progress import progress
from rag_eval.report.options import Options
from rag_eval.report.runs import ENOUGH_LEARNED, is_under_trained, learned_by
from rag_eval.report.sections import NOT_MEASURED, Cell, Figure, Section, figure, number
from rag_eval.score.estimate import clustered_se, estimate, is_flat, judged
from rag_eval.score.power import mde_from_se
from rag_eval.score.primary import CONTAINS, EM
from rag_eval.score.verdict import verdict
from rag_eval.types import Estimate

DEFAULTS = {"preset": "ci", "seeds": "0,1,2", "generator": "tiny", "embedder": "minilm", "runs": "outputs", "out": "reports"}
NOT_SHOWN = "NOT SHOWN"
READING = f"""Each claim was declared with its threshold before a model was asked. Differences are paired by question; intervals of 95 %
take questions about one entity of one world as dependent; those of trained arms are of these adapters, one a world. SUPPORTED: the
whole interval is on the claimed side of the threshold, or, of "within", the 90 % interval inside the margin. REFUTED: none of it is.
INCONCLUSIVE: neither; MDE is the effect that would have been found. {NOT_SHOWN}: the model does not read that kind of question from
its evidence (exact match under {READ_AT:.2f}): it says nothing."""


@dataclass(frozen=True)
class Found:
    """An effect as it was measured."""

    effect: Effect
    estimate: Estimate | None
    worlds: tuple[float | None, ...]  # the mean in each world, in order; None = nothing could be judged there
    text: str  # the verdict


def main(argv: Sequence[str]) -> int:
    """Run, judge, print and write; returns the exit code."""
    return ended(lambda: _study(argv))


def _study(argv: Sequence[str]) -> None:
    options = options_of(argv, DEFAULTS)
    plan = plan_of(options)
    arms = ARMS | TRAINED if trains(plan) else ARMS
    with progress("runs", n_runs(plan, arms)) as advance:
        found = pools(plan, arms, advance)
    _write(found, plan, "python -m experiments.effects " + " ".join(argv), Path(options["out"]))


def plan_of(options: Options) -> Plan:
    """What the options ask for.

    Raises:
        UserError: if they name what does not exist.
    """
    for name, choices in _choices().items():
        if options[name] not in choices:
            raise UserError(f"{name}={options[name]} does not exist; choices: {', '.join(choices)}.")
    preset, generator, embedder, runs = (options[name] for name in ("preset", "generator", "embedder", "runs"))
    return Plan(preset, seeds_of(options["seeds"]), generator, embedder, runs, TRAINED[BASE][0])


def judge(effect: Effect, found: Pools, unread: Sequence[str], seeds: Sequence[int]) -> Found:
    """The number of an effect and what it says of the claim; nothing where the model does not read what it takes."""
    if not set(effect.arms) <= found.keys():
        return Found(effect, None, (None,) * len(seeds), verdict(effect.claim, None, None, None).text)
    values = effect.measure(found)
    one = estimate_of(values)
    said = verdict(effect.claim, one, _mde(values), estimate_of(values, confidence=0.90))
    lacking = [kind for kind in effect.needs if kind in unread]
    text = f"{NOT_SHOWN}: does not read {', '.join(lacking)}" if lacking else said.text
    behind = [arm for arm in effect.arms if any(is_under_trained(record) for record in found[arm].records)]
    text += f" (under-trained: {', '.join(behind)})" if behind else ""
    return Found(effect, one, tuple(_in_world(effect, found, seed) for seed in seeds), text)


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


def _mde(values: Values) -> float | None:
    codes, (x,) = judged(values.clusters, values.values)
    if not len(x) or codes.max() < 1:
        return None
    se = clustered_se(x, codes)
    return None if is_flat(x, se) else mde_from_se(se, int(codes.max()))


def _mean(pool: Pool, measure: str, names: Sequence[str] | None = None) -> Estimate | None:
    names = list(pool.rows) if names is None else names
    scores = pool.column(measure, names)
    return estimate(scores, [pool.clusters[name] for name in names], binary=all(one in (0.0, 1.0) or np.isnan(one) for one in scores))


def _choices() -> dict[str, list[str]]:
    """Options that name something, with what there is."""
    folders = {"generator": conf_dir() / "generator", "embedder": conf_dir() / "retriever" / "embedder"}
    return {"preset": list(PRESETS), **{name: sorted(file.stem for file in folder.glob("*.yaml")) for name, folder in folders.items()}}


def effects_section(found: Sequence[Found]) -> Section:
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
            _n(one.estimate),
            one.text,
        )
        for one in found
    )
    header = ("effect", "claim", "compared", "declared", "source", "found", "in each world", "n (entities)", "verdict")
    return Section("Effects", READING, header, rows)


def _threshold(effect: Effect) -> str:
    claim = effect.claim
    return f"within {claim.threshold:g} ± {claim.margin:g}" if claim.direction == "equivalent" else f"{claim.direction} {claim.threshold:g}"


def _n(found: Estimate | None) -> Cell:
    return 0 if found is None else f"{found.n} ({found.n_clusters})"


def kinds_section(kinds: Mapping[str, Estimate | None]) -> Section:
    """What the oracle gives of each kind of question."""
    rows = tuple(
        (kind, figure(one), _n(one), "-" if one is None else "yes" if one.mean >= READ_AT else "no") for kind, one in kinds.items()
    )
    reading = f"Exact match of the oracle with k = 5 where all evidence stood in the prompt. Read: a mean of {READ_AT:.2f} or more."
    return Section("Kinds of question", reading, ("kind", "EM", "n (entities)", "read"), rows)


def arms_section(found: Pools) -> Section:
    """Every arm by itself."""
    rows: list[tuple[Cell, ...]] = []
    for name, pool in found.items():
        figures = [figure(_mean(pool, measure)) for measure in (EM, CONTAINS, HELD, STALE, MISLED)]
        rows.append((name, *figures, learned(pool), len(pool.rows)))
    reading = "Means over all worlds. Evidence: it all stood in the prompt. Not measured: cannot be asked of this arm. "
    reading += f"Learned: EM on training questions, in each world; under {ENOUGH_LEARNED} an arm is under-trained."
    return Section("Arms", reading, ("arm", "EM", "contains", "evidence", "old value", "false value", "learned", "n"), tuple(rows))


def learned(pool: Pool) -> str:
    """Exact match on what each adapter was trained on; "-" where nothing was trained."""
    found = [learned_by(record) for record in pool.records]
    return " / ".join(NOT_MEASURED if one is None else number(one.mean) for one in found) if any(found) else "-"


def hops_section(found: Pools) -> Section:
    """How often rag finds the documents of a two-hop question."""
    names, first, second = hops(found)
    clusters = [found["rag, two hops"].clusters[name] for name in names]
    shares = {"first document": first, "second document": second, "both": first * second}
    rows: list[tuple[Cell, ...]] = [(title, figure(estimate(share.tolist(), clusters, binary=True))) for title, share in shares.items()]
    rows.append(("product of the first two", Figure(float(first.mean() * second.mean()) if names else None)))
    return Section("Two hops", f"In the prompt of rag, {len(names)} questions, k = 5.", ("what", "share"), tuple(rows))


def notes_of(found: Pools, plan: Plan, command: str) -> list[str]:
    """Where the numbers of a report come from."""
    records = [record for pool in found.values() for record in pool.records]
    worlds = f"worlds: preset {plan.preset}, seeds {', '.join(map(str, plan.seeds))}; embedder {plan.embedder}"
    return [*provenance(records, command), worlds, *form_notes({name: pool.records for name, pool in found.items()})]


def _write(found: Pools, plan: Plan, command: str, out: Path) -> None:
    kinds = read_kinds(found)
    unread = [kind for kind, one in kinds.items() if one is None or one.mean < READ_AT]
    judgements = [judge(effect, found, unread, plan.seeds) for effect in (*EFFECTS, *trained_effects(plan.preset))]
    sections = [effects_section(judgements), kinds_section(kinds), hops_section(found), raft_section(found), arms_section(found)]
    verdicts = {one.effect.claim.name: one.text for one in judgements}
    write_report(out, "effects", "Effects", sections, notes_of(found, plan, command), verdicts=verdicts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
