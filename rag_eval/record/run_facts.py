"""What run.json says of a run: what is known before it, and what its answers tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rag_eval.adapt.kept_history import history_of
from rag_eval.data.audit import audit, spelled
from rag_eval.data.chunk import chunking
from rag_eval.data.leakage import Overlap
from rag_eval.energy import idle_watts
from rag_eval.parts import PromptWriter, Telling
from rag_eval.prompt import Prompt
from rag_eval.record import identity
from rag_eval.retrieve.shelf import documents_sha
from rag_eval.retrieve.truncation import kept_truncation
from rag_eval.run_spec import RunSpec
from rag_eval.score.metric import of_runs
from rag_eval.score.scoring import Scoring
from rag_eval.score.summary import counts, searches_per_s, seconds, tokens
from rag_eval.system import Learned, System
from rag_eval.types import Example, Prediction, QADataset


def known_before(
    spec: RunSpec, dataset: QADataset, questions: Sequence[Example], system: System, prompt: PromptWriter, overlap: Overlap
) -> dict[str, Any]:
    """What is known of a run before anything is learned.

    Args:
        spec: with the form of the prompt chosen.
        dataset: as its system gets it.
        questions: that are asked.
        system: which has learned nothing yet.
        prompt: with its exemplars chosen.
        overlap: what the questions share with the training questions.
    """
    generator = system.generator.identity()
    solved = prompt.exemplars if isinstance(prompt, Prompt) and not spec.mode.has_exemplars else ()
    return {
        "mode": spec.mode.name,
        "context": spec.mode.context,
        "weights": spec.mode.weights,
        "seed": spec.seed,
        "choices": dict(spec.choices()),
        "comparison": identity.comparison(spec, dataset, questions, generator, [one.example.id for one in solved]),
        "base_weights": generator.get("base_weights"),
        "audit": {**audit(dataset, questions), **spelled(system.generator, dataset, questions), **overlap.counts()},
        "chunking": chunking(dataset, questions),
        "learned_from": dataset.fingerprint if _has_lessons(spec) else documents_sha(dataset.documents),
        "written": _written(spec, dataset),
        "git": identity.git(),
        "source": identity.code_of(spec),
        "versions": identity.versions(),
        "hardware": identity.hardware(system.generator.device),
        "idle_watts": vars(idle_watts(system.generator.device == "cuda")),
    }


def known_after(
    facts: Mapping[str, Any], ready: System, learned: Learned, said: Sequence[Prediction], asked: Sequence[Example]
) -> dict[str, Any]:
    """What learning and answering add to what was known.

    Args:
        facts: known before.
        ready: the system that answered.
        learned: how its learning went.
        said: the answers.
        asked: the questions, in the same order.
    """
    generator = ready.generator.identity()
    return {
        **facts,
        "comparison": {**facts["comparison"], "adapter_mode": generator.get("adapter_mode")},
        "prompting": generator.get("prompting"),
        "brings_prompting": generator.get("brings_prompting"),
        "counts": counts(said, asked),
        "seconds": seconds(said),
        "tokens": tokens(said),
        "truncation": kept_truncation(learned.index),
        "training": history_of(learned.adapter),
        "throughput": {"searches_per_s": searches_per_s(said)},
        "decoded": ready.generator.decoded() if isinstance(ready.generator, Telling) else None,
    }


def declarations(scoring: Scoring, spec: RunSpec) -> dict[str, Any]:
    """What every metric declares, by tracked name; reports read the scores of the run by it."""
    return {name: asdict(one) for name, one in {**scoring.declared, **of_runs(spec.metrics.run)}.items()}


def _has_lessons(spec: RunSpec) -> bool:
    """Whether the arm learns from training data, by training or from exemplars; the others have the documents at most."""
    return bool(spec.mode.weights != "base" or spec.prompt.get("n_exemplars", 0) > 0)


def _written(spec: RunSpec, dataset: QADataset) -> dict[str, Any] | None:
    """By whom the dataset's training data were written, if they were and the arm learns from training data."""
    if dataset.written is None or not _has_lessons(spec):
        return None
    return {"id": dataset.written.id, "is_hosted": dataset.written.is_hosted}
