"""What a reader must know before believing a comparison. Each note answers a known way of being misled; docs/validity.md lists them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rag_eval.record.run_record import RunRecord
from rag_eval.report.accuracy import Arm
from rag_eval.report.paired import shared
from rag_eval.report.runs import mismatches
from rag_eval.types import DISAGREEMENT, LEARNED, PRIMARY

ENOUGH_LEARNED = 0.95  # below, a trained arm is under-trained and says nothing about what fine-tuning can do
FEW_SEEDS = 3  # training seeds that a claim about a recipe needs
FEW_DISTRACTORS = 10  # documents beside the evidence; with fewer, finding it is no achievement
LEAK_MARGIN = 0.02  # by which the closed book may exceed the prior on invented facts
NOT_CHOICES = ("seed", "n_probe")  # last parts of the names of choices that make no other recipe


def notes(arms: Sequence[Arm], experiment: Sequence[RunRecord]) -> list[str]:
    """Every warning that applies to these arms.

    Args:
        arms: that are compared.
        experiment: every recorded run of their experiments, failed ones included.
    """
    found = [line for arm in arms for line in _of_arm(arm, experiment)]
    return [*dict.fromkeys([*found, *_of_data(arms), *_of_pairs(arms), *_of_tuning(arms, experiment), *_leak(experiment)])]


def siblings(record: RunRecord, experiment: Sequence[RunRecord]) -> list[RunRecord]:
    """The finished runs of the same recipe that it may be compared with: they differ in the seed at most. The last one of each."""
    mine = recipe(record)
    alike = (one for one in experiment if one.status == "FINISHED" and recipe(one) == mine and not mismatches([record, one]))
    return list({**{one.facts["seed"]: one for one in alike}, record.facts["seed"]: record}.values())


def configurations(mode: str, experiment: Sequence[RunRecord]) -> int:
    """How many recipes of a mode were tried, on whatever questions, failed ones included. Recorded answers are no trials."""
    return len({str(recipe(one)[1]) for one in experiment if one.mode == mode and not is_recorded(one)})


def is_recorded(record: RunRecord) -> bool:
    """Whether the answers are another system's."""
    return bool(record.facts["context"] == "recorded")


def recipe(record: RunRecord) -> tuple[str, dict[str, object], object]:
    """What makes a run what it is, apart from its seed."""
    choices = {name: value for name, value in record.facts["choices"].items() if name.rpartition(".")[2] not in NOT_CHOICES}
    comparison = record.facts["comparison"]
    return record.mode, choices, (comparison["dataset"], comparison["questions"], comparison["base_model"])


def _of_arm(arm: Arm, experiment: Sequence[RunRecord]) -> Iterator[str]:
    record = arm.run.record
    learned = record.estimates.get(LEARNED)
    if record.facts["weights"] == "trained":
        n = len(siblings(record, experiment))
        if n < FEW_SEEDS:
            yield f"{arm.label}: single-seed ({n} of {FEW_SEEDS} training seeds): intervals are of this adapter, not of the recipe"
        if learned is None:
            yield f"{arm.label}: whether it learned its training questions is not measured"
        elif learned.mean < ENOUGH_LEARNED:
            yield (
                f"{arm.label}: under-trained: {learned.mean:.3f} of its training questions right, below {ENOUGH_LEARNED}; "
                "it says nothing about what fine-tuning can do"
            )
        if not any(name.startswith("forgetting/") for name in record.estimates):
            yield f"{arm.label}: what it forgot is not measured"
    changed = record.estimates.get(DISAGREEMENT)
    if changed is not None and changed.mean > 0:
        yield f"{arm.label}: {changed.mean:.3f} of {changed.n} answers change when asked one by one: sums of a batch round differently"
    if changed is None and record.facts["comparison"]["base_model"] is not None:
        yield f"{arm.label}: whether batching changes its answers is not measured"
    cut = record.facts["counts"]["n_cut_answers"]
    if cut:
        yield f"{arm.label}: {cut} answers were cut at the limit of new tokens"
    if record.facts["counts"]["n_truncated_questions"]:
        yield f"{arm.label}: passages were left out of {record.facts['counts']['n_truncated_questions']} prompts because they did not fit"


def _of_data(arms: Sequence[Arm]) -> Iterator[str]:
    for audit in {str(arm.run.record.facts["audit"]): arm.run.record.facts["audit"] for arm in arms}.values():
        reached = audit["n_facts_in_corpus"]
        yield (
            f"knowledge: of {audit['n_facts']} facts asked, documents hold {'an unknown number' if reached is None else reached}, "
            f"training questions ask {audit['n_facts_in_training']}"
        )
        if audit["n_distractors_min"] is not None and audit["n_distractors_min"] < FEW_DISTRACTORS:
            beside = audit["n_distractors_min"]
            yield f"the corpus has {audit['n_documents']} documents, as few as {beside} beside the evidence: finding it is easy"
        if audit["n_shared_8_grams"]:
            yield f"{audit['n_shared_8_grams']} questions share eight words in a row with a training question"
        if audit["n_before_training"]:
            yield f"{audit['n_before_training']} questions are about a time before that of the last training question"


def _of_pairs(arms: Sequence[Arm]) -> Iterator[str]:
    first = arms[0]
    for other in arms[1:]:
        ids = shared([first.run, other.run]).ids
        n = sum(first.run.predictions[id].prompt_sha != other.run.predictions[id].prompt_sha for id in ids)
        if n:
            yield f"{first.label} and {other.label}: {n} of {len(ids)} prompts differ in more than passages and exemplars"
        em, f1 = (_gap(first, other, name) for name in (PRIMARY, "answer/contains"))
        if em * f1 < 0:
            yield f"{first.label} and {other.label}: strict and lenient scores ({PRIMARY}, answer/contains) rank them differently"


def _gap(first: Arm, other: Arm, name: str) -> float:
    a, b = (arm.run.record.estimates.get(name) for arm in (first, other))
    return b.mean - a.mean if a is not None and b is not None else 0.0


def _of_tuning(arms: Sequence[Arm], experiment: Sequence[RunRecord]) -> Iterator[str]:
    tried = {arm.run.record.mode: configurations(arm.run.record.mode, experiment) for arm in arms}
    for mode, n in tried.items():
        if n > 1:
            yield f"{n} configurations of {mode} were tried in this experiment: the best of them is better by luck too; choose on split=dev"
    if len(set(tried.values())) > 1:
        yield f"tuning differs: {', '.join(f'{n} configurations of {mode}' for mode, n in tried.items())}"


def _leak(experiment: Sequence[RunRecord]) -> Iterator[str]:
    """The gate of invented worlds: whoever was shown nothing must know no more than the commonest answer gives."""
    latest = {one.mode: one.estimates.get(PRIMARY) for one in experiment if one.status == "FINISHED"}
    closed, prior = latest.get("closed_book"), latest.get("prior")
    if closed is not None and prior is not None and closed.mean > prior.mean + LEAK_MARGIN:
        above = f"above the prior {prior.mean:.3f} by more than {LEAK_MARGIN}"
        yield f"leakage: closed_book {closed.mean:.3f} is {above}: the base model knows some answers"
