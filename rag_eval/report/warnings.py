"""What a reader must know before believing a table. Each note answers a known way of being misled; docs/validity.md lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from rag_eval.record.facts import Audit
from rag_eval.record.run_record import RunRecord
from rag_eval.record.selection import ENOUGH_LEARNED, is_under_trained, learned_by, mismatches
from rag_eval.record.serialize import canonical
from rag_eval.report.contrast import TOO_FEW_CLUSTERS, Arm, Contrast
from rag_eval.report.form import form_reason, keeps_other_form, keeps_some_form, right_by, two_scores
from rag_eval.report.knowledge import knowledge_note
from rag_eval.report.paired import shared
from rag_eval.run_spec import is_of_recipe
from rag_eval.score.scoring import scoring_of
from rag_eval.text.counted import counted
from rag_eval.types import DISAGREEMENT

FEW_SEEDS = 3  # training seeds that a claim about a recipe needs
FEW_DISTRACTORS = 10  # documents beside the evidence; with fewer, finding it is no achievement
LEAK_MARGIN = 0.02  # by which the closed book may exceed the prior on invented facts

Labelled = Sequence[tuple[str, RunRecord]]


def notes(labelled: Labelled, experiment: Sequence[RunRecord]) -> list[str]:
    """All warnings that follow from the records of some runs.

    Args:
        labelled: name and record of each run of a table.
        experiment: every recorded run of their experiments, failed runs included.

    Returns:
        The warnings, without repetitions.
    """
    found = [line for label, record in labelled for line in _of_run(label, record, experiment)]
    records = [record for _, record in labelled]
    return [
        *dict.fromkeys([*found, *_of_data(records), *_of_scores(labelled), *_of_tuning(records, experiment), *_leak(records, experiment)])
    ]


def cluster_notes(contrasts: Sequence[Contrast]) -> list[str]:
    """Where so few clusters were asked that no interval of theirs can be relied on."""
    few = {one.difference.n_clusters for one in contrasts if one.difference is not None and one.difference.n_clusters < TOO_FEW_CLUSTERS}
    return [f"only {n} clusters: intervals of so few hold roughly at best, so nothing is supported, refuted or won" for n in sorted(few)]


def prompt_notes(arms: Sequence[Arm]) -> list[str]:
    """Where two runs gave the model another prompt for the same question, passages and exemplars apart."""
    found = []
    for first, other in combinations(arms, 2):
        ids = shared([first.run, other.run]).ids
        n = sum(first.run.predictions[id].prompt_sha != other.run.predictions[id].prompt_sha for id in ids)
        if n:
            found.append(f"{first.label} and {other.label}: {n} of {len(ids)} prompts differ in more than passages and exemplars")
    return found


def siblings(record: RunRecord, experiment: Sequence[RunRecord]) -> list[RunRecord]:
    """The finished runs that differ from this one in the seed at most, of the same code and experiment; the last one of each seed."""
    alike = (
        one
        for one in experiment
        if one.status == "FINISHED"
        and one.experiment == record.experiment
        and recipe(one) == recipe(record)
        and one.facts.provenance.source == record.facts.provenance.source
        and not mismatches([record, one])
    )
    return list({**{one.facts.provenance.seed: one for one in alike}, record.facts.provenance.seed: record}.values())


def is_same_study(one: RunRecord, record: RunRecord) -> bool:
    """Whether a run is about the same dataset and base model, so that it can be a trial of the other."""
    mine, theirs = (each.facts.comparison for each in (one, record))
    return mine.dataset == theirs.dataset and mine.base_model == theirs.base_model


def is_recorded(record: RunRecord) -> bool:
    """Whether the answers are another system's."""
    return record.facts.provenance.context == "recorded"


def recipe(record: RunRecord) -> tuple[str, object, dict[str, object]]:
    """What makes a run what it is, apart from its seed and from what it is asked: arm, content that it learned from, settings."""
    choices = record.facts.provenance.choices
    return record.mode, record.facts.data.learned_from, {name: value for name, value in choices.items() if is_of_recipe(name)}


def _of_run(label: str, record: RunRecord, experiment: Sequence[RunRecord]) -> Iterator[str]:
    facts, counts = record.facts, record.facts.outcomes.counts
    if facts.provenance.is_trained:
        yield from _of_training(label, record, experiment)
    yield from _of_form(label, record)
    changed = record.estimates.get(DISAGREEMENT)
    if changed is not None and changed.mean > 0:
        yield f"{label}: {changed.mean:.3f} of {changed.n} answers change when asked one by one: sums of a batch round differently"
    if changed is None and facts.comparison.base_model is not None:
        why = None if facts.outcomes.asked_again is None else facts.outcomes.asked_again.why
        yield f"{label}: whether batching changes its answers is not measured{f': {why}' if why else ''}"
    if facts.outcomes.brings_prompting:
        yield f"{label}: is asked through the tokenizer or the chat template of its adapter, not the model's own"
    if counts.n_cut_answers:
        yield f"{label}: {counts.n_cut_answers} answers were cut at the limit of new tokens"
    if counts.n_truncated_questions:
        yield f"{label}: passages were left out of {counts.n_truncated_questions} prompts because they did not fit"


def _of_form(label: str, record: RunRecord) -> Iterator[str]:
    """Answers in another form than the gold ones, most often longer."""
    length, scoring = record.facts.outcomes.tokens.output_mean, scoring_of(record)
    tokens = "" if length is None else f"; they are {length:.1f} tokens long on average"
    if keeps_some_form(record) is False:
        yield f"{form_reason(label, record)}{tokens}; nobody wins or loses by it: read {scoring.label(scoring.lenient)}"
    elif keeps_other_form(record):
        yield f"{label}: most of its answers keep another form than the gold answers: {two_scores(record)}{tokens}"


def _of_training(label: str, record: RunRecord, experiment: Sequence[RunRecord]) -> Iterator[str]:
    n = len(siblings(record, experiment))
    if n < FEW_SEEDS:
        yield f"{label}: single-seed ({n} of {FEW_SEEDS} training seeds): intervals are of this adapter, not of the recipe"
    learned = learned_by(record)
    if learned is None:
        yield f"{label}: whether it learned its training questions is not measured"
    elif is_under_trained(record):
        yield (
            f"{label}: under-trained: {learned.mean:.3f} of its training questions right, below {ENOUGH_LEARNED}; "
            "it says nothing about what fine-tuning can do"
        )
    if (knowledge := record.facts.data.knowledge) is not None:
        yield f"{label}: {knowledge_note(knowledge)}"
    if not any(name.startswith("forgetting/") for name in record.estimates):
        yield f"{label}: what it forgot is not measured"


def _of_data(records: Sequence[RunRecord]) -> Iterator[str]:
    for audit in dict.fromkeys(record.facts.data.audit for record in records):
        if audit is None:
            continue
        reached = audit.n_facts_in_corpus
        yield (
            f"knowledge: of {audit.n_facts} facts asked, documents hold {'an unknown number' if reached is None else reached}; "
            f"{audit.n_facts_in_training} are asked in the training questions of this dataset, which only trained arms see"
        )
        beside = audit.n_distractors_min
        if beside is not None and beside < FEW_DISTRACTORS:
            yield f"the corpus has {audit.n_documents} documents, as few as {beside} beside the evidence: finding it is easy"
        if audit.n_shared_8_grams:
            yield f"{audit.n_shared_8_grams} questions share eight words in a row with a training question"
        yield from (f"{n} questions {what}" for what, n in _overlaps(audit).items() if n)
        n_documents, n_questions = audit.n_documents_with_control_tokens or 0, audit.n_questions_with_control_tokens or 0
        if n_documents or n_questions:
            documents, questions = counted(n_documents, "document", "documents"), counted(n_questions, "question", "questions")
            yield f"{documents} and {questions} spell a control token of the model: it is given to it as text"
        if audit.n_before_training:
            yield f"{audit.n_before_training} questions are about a time before that of the last training question"


def _overlaps(audit: Audit) -> Mapping[str, int | None]:
    """How many questions share something with what was trained on or is searched, by what that means."""
    return {
        "stand word for word in the training questions: a trained arm may know them; see scores by overlap": audit.n_same_questions,
        "are near duplicates of training questions; see scores by overlap": audit.n_near_questions,
        "stand word for word in a document: finding it is easy": audit.n_quoted_questions,
    }


def _of_scores(labelled: Labelled) -> Iterator[str]:
    for (label, first), (other_label, other) in combinations(labelled, 2):
        scoring = scoring_of(first, other)
        gaps = {scoring.label(name): _gap(first, other, name) for name in scoring.asking("form", "words", "content")}
        for_first, for_other = [name for name, gap in gaps.items() if gap < 0], [name for name, gap in gaps.items() if gap > 0]
        if for_first and for_other:
            yield (
                f"scores rank {label} and {other_label} differently: {', '.join(for_first)} for the first, {', '.join(for_other)} "
                "for the second; mind the length of answers"
            )


def _gap(first: RunRecord, other: RunRecord, name: str) -> float:
    a, b = (record.estimates.get(name) for record in (first, other))
    return b.mean - a.mean if a is not None and b is not None else 0.0


def _of_tuning(records: Sequence[RunRecord], experiment: Sequence[RunRecord]) -> Iterator[str]:
    """How many settings of each arm were tried; those asked other questions, as on split=dev, are effort but no luck on these."""
    tried: dict[str, int] = {}
    tried_here: dict[str, int] = {}
    for record in records:
        same = [one for one in experiment if one.mode == record.mode and is_same_study(one, record) and not is_recorded(one)]
        asked = [one for one in same if one.facts.comparison.questions == record.facts.comparison.questions]
        tried[record.mode], tried_here[record.mode] = (len({canonical(recipe(one)) for one in those}) for those in (same, asked))
    for mode, n in tried_here.items():
        if n > 1:
            yield f"{n} configurations of {mode} were tried on these questions: the best of them is better by luck too; choose on split=dev"
    if len(set(tried.values())) > 1 and 0 not in tried.values():
        yield f"tuning differs: {', '.join(f'{n} configurations of {mode}' for mode, n in tried.items())}"


def _leak(records: Sequence[RunRecord], experiment: Sequence[RunRecord]) -> Iterator[str]:
    """The gate of invented worlds: whoever was shown nothing must know no more than the commonest answer gives."""
    fitting = [one for one in experiment if one.status == "FINISHED" and not mismatches([*records, one])]
    latest = {one.mode: one for one in fitting}
    if not {"closed_book", "prior"} <= latest.keys():
        return
    both = (latest["closed_book"], latest["prior"])
    measure = right_by(both, latest["prior"].facts.comparison.primary)
    closed, prior = (latest[mode].estimates.get(measure) for mode in ("closed_book", "prior"))
    if closed is not None and prior is not None and closed.mean > prior.mean + LEAK_MARGIN:
        above = f"above the prior {prior.mean:.3f} by more than {LEAK_MARGIN}"
        yield f"leakage: closed_book {closed.mean:.3f} is {above}, by {scoring_of(*both).label(measure)}: the base model knows some answers"
