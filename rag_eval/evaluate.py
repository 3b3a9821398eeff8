"""One run, from configuration to record: check, data, learn, answer, score, estimate, record, mirror."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rag_eval.config import build, check, function
from rag_eval.errors import DataError, Terminated
from rag_eval.meter import metered
from rag_eval.parts import Retriever
from rag_eval.record import identity
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.run_record import RunRecord
from rag_eval.record.tracker import is_mirrored
from rag_eval.retrieve.none import NoRetriever
from rag_eval.score.summary import Row, Scorer, counts, estimates, seconds
from rag_eval.system import Learned, System
from rag_eval.types import PRIMARY, Estimate, Example, Prediction, QADataset, RunResult, Spend

log = logging.getLogger(__name__)

CHUNK = 128  # questions answered between two entries of the journal
N_TRAIN_PROBE = 200  # training questions that a trained arm is asked again, in their training phrasing


def evaluate(cfg: DictConfig) -> RunResult:
    """Run what a configuration describes, resume it where it was interrupted, or return it where it is finished.

    Raises:
        RagEvalError: with the exit code of its kind; see rag_eval.errors.
    """
    settings = check(cfg)
    dataset: QADataset = build(settings["dataset"])
    questions = sample(dataset.test, settings["limit"], dataset.fingerprint)
    run_id = identity.run_id(settings, dataset, questions)
    directory = RunDirectory.open(Path(settings["output_dir"]), settings["experiment_name"], run_id)
    record = directory.finished()
    is_cached = record is not None
    if record is None:
        record = _run(settings, dataset, questions, directory)
    _mirror(settings, directory, record)
    return RunResult(
        str(directory.path.resolve()), run_id, record.status, record.estimates, {**record.facts, "spends": record.spends}, is_cached
    )


def sample(examples: Sequence[Example], limit: int | None, fingerprint: str) -> tuple[Example, ...]:
    """A sample of the examples, in their order; the same for every arm and every run seed on one dataset."""
    if limit is None or limit >= len(examples):
        return tuple(examples)
    chosen = set(random.Random(f"limit/{fingerprint}").sample(range(len(examples)), limit))
    return tuple(example for at, example in enumerate(examples) if at in chosen)


def _run(settings: Mapping[str, Any], dataset: QADataset, questions: Sequence[Example], directory: RunDirectory) -> RunRecord:
    system = System(**{name: build(settings[name]) for name in ("retriever", "prompt", "adapter", "generator")})
    _check_evidence(system.retriever, dataset, questions)
    _ = system.generator.max_prompt_tokens  # refused before anything is learned, if there is no room for a prompt
    facts = _facts(settings, dataset, questions, system)
    uses_cuda = facts["hardware"]["device"] == "cuda"
    directory.begin(OmegaConf.to_yaml(OmegaConf.create(dict(settings))), facts)
    try:
        with metered(uses_cuda) as learning:
            ready, learned = system.learn(dataset, settings["seed"])
        with metered(uses_cuda) as answering:
            predictions = _answer(ready, questions, directory)
        rows = _rows(settings, ready, predictions, questions)
        found = estimates(rows) | _learned_phrasings(settings, ready, dataset, directory)
        spends = _spends(learning.spend, learned, answering.spend, predictions)
        return directory.finish(rows, spends, found, {**facts, **_measured(predictions, questions)})
    except (KeyboardInterrupt, Terminated):
        _mirror(settings, directory, directory.end("KILLED", "ended by a signal"))
        raise
    except BaseException as error:
        _mirror(settings, directory, directory.end("FAILED", f"{type(error).__name__}: {error}"[:500]))
        raise


def _check_evidence(retriever: Retriever, dataset: QADataset, questions: Sequence[Example]) -> None:
    """Where the prompt is to hold the evidence, every answerable question has some, and the corpus holds it."""
    if not retriever.context.startswith("gold"):
        return
    known = {document.id for document in dataset.documents}
    lost = [one.id for one in questions if one.is_answerable and not (one.evidence and known.issuperset(one.evidence))]
    if lost:
        raise DataError(
            f"{dataset.name}: {len(lost)} of {len(questions)} questions have no evidence in the corpus (first: {lost[0]!r}), "
            "which this mode puts into the prompt. Mend their evidence ids or use another mode."
        )


def _learned_phrasings(settings: Mapping[str, Any], ready: System, dataset: QADataset, directory: RunDirectory) -> dict[str, Estimate]:
    """How well a trained arm answers what it was trained on, asked as in training: without passages."""
    if ready.adapter.weights != "trained":
        return {}
    probe = sample([example for example in dataset.train if example.is_answerable], N_TRAIN_PROBE, dataset.fingerprint)
    alone = replace(ready, retriever=NoRetriever())
    found = estimates(_rows(settings, alone, _answer(alone, probe, directory), probe))
    return {f"{PRIMARY}_train_phrasing": one for name, one in found.items() if name == PRIMARY}


def _answer(system: System, examples: Sequence[Example], directory: RunDirectory) -> list[Prediction]:
    """Answer what the journal does not hold yet, chunk by chunk. Loading and first calls fall into an untimed warm-up."""
    done = directory.predictions()
    left = [example for example in examples if example.id not in done]
    if left and len(left) < len(examples):
        log.warning("resuming: %d of %d questions were answered before", len(examples) - len(left), len(examples))
    if left:
        system.answer(left[:1])
    for chunk in _chunks(left, CHUNK):
        predictions = system.answer(chunk)
        directory.append(predictions)
        done |= {prediction.example_id: prediction for prediction in predictions}
    return [done[example.id] for example in examples]


def _chunks(examples: Sequence[Example], size: int) -> Iterator[Sequence[Example]]:
    return (examples[at : at + size] for at in range(0, len(examples), size))


def _rows(settings: Mapping[str, Any], system: System, predictions: Sequence[Prediction], examples: Sequence[Example]) -> list[Row]:
    """The scores of every question."""
    metrics, retriever = settings["metrics"], system.retriever
    answer = {name: function(target) for name, target in metrics["answer"].items()}
    scorer = Scorer(answer, metrics["retrieval_k"], retriever.depth, retriever.context)
    return [scorer.row(prediction, example) for prediction, example in zip(predictions, examples, strict=True)]


def _measured(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, Any]:
    """What is counted and timed beside the scores."""
    n = max(1, len(predictions))
    return {
        "counts": counts(predictions, examples),
        "seconds": seconds(predictions),
        "tokens": {
            "prompt_mean": sum(one.n_prompt_tokens for one in predictions) / n,
            "output_mean": sum(one.n_output_tokens for one in predictions) / n,
        },
    }


def _spends(learning: Spend, learned: Learned, answering: Spend, tested: Sequence[Prediction]) -> dict[str, Spend]:
    """Learn, and answer the test questions. What came from a cache adds the seconds that building it took, where they are known."""
    hits = [kept for kept in (learned.index, learned.adapter) if kept is not None and kept.is_hit]
    if hits:
        parts = [learning.seconds, *(kept.seconds for kept in hits)]
        known = [part for part in parts if part is not None]
        learned_s = sum(known) - sum(kept.waited_s for kept in hits) if len(known) == len(parts) else None
        learning = replace(learning, seconds=learned_s, device_seconds=None, cached=True)
    total = sum(sum(prediction.seconds.values()) for prediction in tested)
    return {
        "learn": learning,
        "answer": replace(answering, seconds=total, device_seconds=total if answering.device_seconds is not None else None),
    }


def _facts(settings: Mapping[str, Any], dataset: QADataset, questions: Sequence[Example], system: System) -> dict[str, Any]:
    generator = system.generator.identity()
    return {
        "mode": settings["mode"]["name"],
        "seed": settings["seed"],
        "choices": dict(_choices(settings)),
        "comparison": identity.comparison(settings, dataset, questions, generator),
        "git": identity.git(),
        "versions": identity.versions(),
        "hardware": identity.hardware(system.generator.device),
    }


def _choices(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The choices of a configuration under dotted names, lists as JSON, each target by its last name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            if name not in {"cache", "tracking", "metrics", "mode"}:
                yield from _choices(value, f"{prefix}{name}.")
        elif name == "_target_":
            yield prefix.rstrip("."), str(value).rpartition(".")[2]
        elif name not in {"output_dir", "debug", "experiment_name"}:
            yield f"{prefix}{name}", json.dumps(value) if isinstance(value, list) else value


def _mirror(settings: Mapping[str, Any], directory: RunDirectory, record: RunRecord) -> None:
    tracking = settings["tracking"]
    if tracking.get("uri") and not tracking.get("parent") and is_mirrored(directory.path, tracking["uri"]):
        return
    build(tracking).log(directory.path, record)
