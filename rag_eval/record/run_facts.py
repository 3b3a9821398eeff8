"""The facts of a run, gathered: what is known before it, and what its answers tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rag_eval.adapt.training_history import history_of
from rag_eval.cost.energy import idle_watts
from rag_eval.data.audit import Audit, audit, spelled
from rag_eval.data.chunking.chunker import chunking
from rag_eval.data.leakage import Overlap
from rag_eval.prompt import PromptTemplate
from rag_eval.protocols import PromptWriter, Telling
from rag_eval.record import identity
from rag_eval.record.facts import (
    BaseWeights,
    Counts,
    DataAudit,
    Outcomes,
    Provenance,
    RunFacts,
    StageSeconds,
    Throughput,
    TokenMeans,
    WrittenData,
)
from rag_eval.record.serialize import from_plain
from rag_eval.retrieve.document_store import documents_sha
from rag_eval.retrieve.encoders.truncation import kept_truncation
from rag_eval.run_spec import RunSpec
from rag_eval.score.aggregate import counts, searches_per_s, seconds, tokens
from rag_eval.score.metric import Declaration, of_runs
from rag_eval.score.scoring import Scoring
from rag_eval.system import System
from rag_eval.types import Example, Form, KnowledgeBudget, Learned, Prediction, QADataset


def known_before(
    spec: RunSpec,
    dataset: QADataset,
    questions: Sequence[Example],
    system: System,
    prompt: PromptWriter,
    overlap: Overlap,
    form: Form | None = None,
    knowledge: KnowledgeBudget | None = None,
) -> RunFacts:
    """Facts of a run that are known before anything is learned.

    Args:
        spec: the run, with the form of its prompt chosen.
        dataset: the data as the system gets them.
        questions: the questions that are asked.
        system: the system, which has learned nothing yet.
        prompt: the prompt writer, with its exemplars chosen.
        overlap: what the questions share with the training questions.
        form: form of the prompt and how it was chosen; None = not recorded.
        knowledge: how many of the asked facts documents and training contain; None = nothing is trained on.

    Returns:
        The facts, without outcomes.
    """
    generator = system.generator.identity()
    solved = prompt.exemplars if isinstance(prompt, PromptTemplate) and not spec.mode.has_exemplars else ()
    weights = generator.get("base_weights")
    provenance = Provenance(
        mode=spec.mode.name,
        context=spec.mode.context,
        weights=spec.mode.weights,
        seed=spec.seed,
        choices=dict(spec.choices()),
        base_weights=None if weights is None else from_plain(BaseWeights, weights),
        git=identity.git(),
        source=identity.code_of(spec),
        versions=identity.versions(),
        hardware=identity.hardware(system.generator.device),
        idle_watts=idle_watts(system.generator.device == "cuda"),
        form=form,
    )
    data = DataAudit(
        audit=_audit(system, dataset, questions, overlap),
        chunking=chunking(dataset, questions),
        learned_from=dataset.fingerprint if _has_lessons(spec) else documents_sha(dataset.documents),
        written=_written(spec, dataset),
        knowledge=knowledge,
    )
    compared = identity.comparison(spec, dataset, questions, generator, [one.example.id for one in solved])
    return RunFacts(compared, provenance, data)


def known_after(facts: RunFacts, ready: System, learned: Learned, said: Sequence[Prediction], asked: Sequence[Example]) -> RunFacts:
    """Facts of a run, with what learning and answering add.

    Args:
        facts: facts known before the run.
        ready: the system that answered.
        learned: cache entries and history of its learning.
        said: the answers.
        asked: the questions, in the same order.

    Returns:
        The facts, with outcomes.
    """
    generator = ready.generator.identity()
    outcomes = Outcomes(
        prompting=generator.get("prompting"),
        brings_prompting=generator.get("brings_prompting"),
        counts=Counts(**counts(said, asked)),
        seconds={stage: StageSeconds(**one) for stage, one in seconds(said).items()},
        tokens=TokenMeans(**tokens(said)),
        truncation=kept_truncation(learned.index),
        training=history_of(learned.adapter),
        throughput=Throughput(searches_per_s(said)),
        decoded=ready.generator.decoded() if isinstance(ready.generator, Telling) else None,
    )
    return replace(facts, comparison=replace(facts.comparison, adapter_mode=generator.get("adapter_mode")), outcomes=outcomes)


def declarations(scoring: Scoring, spec: RunSpec) -> Mapping[str, Declaration]:
    """What every metric declares, by tracked name; reports read the scores of the run by it."""
    return {**scoring.declared, **of_runs(spec.metrics.run)}


def _audit(system: System, dataset: QADataset, questions: Sequence[Example], overlap: Overlap) -> Audit:
    counted: dict[str, Any] = {**spelled(system.generator, dataset, questions), **overlap.counts()}
    return replace(audit(dataset, questions), **counted)


def _has_lessons(spec: RunSpec) -> bool:
    """Whether the arm learns from training data, by training or from exemplars; the others have the documents at most."""
    return bool(spec.mode.weights != "base" or spec.prompt.get("n_exemplars", 0) > 0)


def _written(spec: RunSpec, dataset: QADataset) -> WrittenData | None:
    """By whom the dataset's training data were written, if they were and the arm learns from training data."""
    if dataset.written is None or not _has_lessons(spec):
        return None
    return WrittenData(dataset.written.id, dataset.written.is_hosted)
