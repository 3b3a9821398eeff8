"""One run, from configuration to record: check, data, learn, answer, score, estimate, record, mirror."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rag_eval.adapt.budget import asked_as_trained, budget, taught_rows
from rag_eval.adapt.kept_history import history_of
from rag_eval.checks import check_adapter, check_questions, check_recorded, noted_overlap
from rag_eval.config.build import build, dataset_of, function, system_of
from rag_eval.config.check import check
from rag_eval.data.audit import audit, spelled
from rag_eval.data.chunk import chunking
from rag_eval.data.leakage import Overlap
from rag_eval.energy import idle_watts
from rag_eval.errors import Terminated
from rag_eval.forgetting.measure import forgotten
from rag_eval.form import Form, formed
from rag_eval.generate.auto_dtype import AUTO, dtype_of
from rag_eval.generate.gguf.folder import is_gguf
from rag_eval.hub import pinned
from rag_eval.meter import Reading, metered
from rag_eval.parts import Cache, Cached, PromptWriter, Retriever, Searching, Telling
from rag_eval.parts import Row as TrainingRow
from rag_eval.probes import against_exact, batch_disagreement, check_chance, learned_phrasings, sample, update_spend
from rag_eval.prompt import Prompt
from rag_eval.record import identity
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.run_record import RunRecord
from rag_eval.record.tracker import is_mirrored
from rag_eval.recorded.answer import Answers
from rag_eval.recorded.resolve import passages
from rag_eval.retrieve.kept import Kept
from rag_eval.retrieve.shelf import documents_sha
from rag_eval.retrieve.truncation import kept_truncation
from rag_eval.run_spec import RunSpec
from rag_eval.score.outcome import check_sum
from rag_eval.score.primary import chosen_primary
from rag_eval.score.summary import Row, Scorer, counts, estimates, searches_per_s, seconds, tokens
from rag_eval.system import Learned, System
from rag_eval.types import Example, Prediction, QADataset, RunResult, Spend

log = logging.getLogger(__name__)

CHUNK = 128  # questions answered between two entries of the journal


def evaluate(cfg: DictConfig) -> RunResult:
    """Run what a configuration describes, resume it where it was interrupted, or return it where it is finished.

    Raises:
        RagEvalError: with the exit code of its kind; see rag_eval.errors.
    """
    spec, dataset, form = prepared(cfg)
    answers = build(spec.replay) if spec.replay else {}  # read first: a run is known by its files
    questions = _questions(spec, dataset)
    run_id = identity.run_id(spec, dataset, questions)
    directory = RunDirectory.open(Path(spec.output_dir), spec.experiment_name, run_id)
    record = directory.finished()
    is_cached = record is not None
    if record is None:
        record = _run(spec, dataset, questions, answers, directory, form)
    mirror(spec, directory, record)
    return RunResult(
        str(directory.path.resolve()), run_id, record.status, record.estimates, {**record.facts, "spends": record.spends}, is_cached
    )


def prepared(cfg: DictConfig) -> tuple[RunSpec, QADataset, Form]:
    """A checked run whose hub models are commits, with its primary score and the form of its prompt; its dataset; that form.

    Raises:
        ConfigError: if it is no configuration, or the dataset declares a primary score that cannot be one.
        DataError: if an adapter of a folder brings a tokenizer that does not go with the model, or the run cannot be about this dataset.
    """
    spec = pinned(check(cfg))
    check_adapter(spec)
    dataset = dataset_of(spec)
    spec = replace(spec, metrics=replace(spec.metrics, primary=chosen_primary(vars(spec.metrics), dataset.primary)))
    check_questions(spec, dataset, _questions(spec, dataset))  # first, for what follows may load a model
    spec, form = formed(_with_dtype(spec), dataset)
    return spec, dataset, form


def _questions(spec: RunSpec, dataset: QADataset) -> tuple[Example, ...]:
    """Those that are asked."""
    asked = dataset.test if spec.split == "test" else dataset.dev
    return sample(asked, spec.limit, dataset.counterpart or dataset.fingerprint)


def _with_dtype(spec: RunSpec) -> RunSpec:
    """The run with a number format in place of its generator's `auto`: it decides the result, so a run is known by it."""
    generator = spec.generator
    if generator.get("dtype") != AUTO:
        return spec
    model = generator.params["model"]
    made = build(generator).dtype if is_gguf(model) else None  # the sizes of a file are known once it is dequantised
    dtype = made or dtype_of(model, generator.get("revision"), generator.params["device"], build(spec.cache))
    return replace(spec, generator=generator.having(dtype=dtype))


def _run(
    spec: RunSpec, dataset: QADataset, questions: Sequence[Example], answers: Answers, directory: RunDirectory, form: Form
) -> RunRecord:
    system = system_of(spec)
    overlap = noted_overlap(dataset, questions)
    if spec.replay:
        answers = check_recorded(answers, dataset, questions)
    _ = system.generator.max_prompt_tokens  # refused before anything is learned, if there is no room for a prompt
    prompt = system.prompt.learn(dataset)
    _ = system.generator.count_tokens([prompt.render(one, ()) for one in questions])  # or if its chat template cannot put one
    taught = taught_rows(system.adapter, system.generator, prompt, dataset, spec.seed)
    facts = {
        **_facts(spec, dataset, questions, system, overlap, prompt),
        "form": asdict(form),
        "knowledge": None if taught is None else budget(replace(dataset, test=tuple(questions)), taught),
    }
    directory.begin(OmegaConf.to_yaml(OmegaConf.create(spec.to_config())), facts)
    readings: dict[str, Reading] = {}
    try:
        return _measure(spec, system, dataset, questions, overlap.strata, answers, directory, facts, taught, readings)
    except (KeyboardInterrupt, Terminated):
        mirror(spec, directory, directory.end("KILLED", "ended by a signal", _spent(readings)))
        raise
    except BaseException as error:
        mirror(spec, directory, directory.end("FAILED", f"{type(error).__name__}: {error}"[:500], _spent(readings)))
        raise


def _measure(
    spec: RunSpec,
    system: System,
    dataset: QADataset,
    questions: Sequence[Example],
    strata: Mapping[str, str],
    answers: Answers,
    directory: RunDirectory,
    facts: Mapping[str, Any],
    taught: Sequence[TrainingRow] | None,
    readings: dict[str, Reading],
) -> RunRecord:
    """Learn, answer, score, probe and finish; `readings` holds what was spent so far, however this ends."""
    uses_cuda = facts["hardware"]["device"] == "cuda"
    with metered(uses_cuda) as readings["learn"]:
        ready, learned = system.learn(dataset, spec.seed)
    with metered(uses_cuda) as readings["load"]:
        answered_before = _warm_up(ready, questions, directory)
    retriever = keeping(ready.retriever, dataset, build(spec.cache))
    with metered(uses_cuda) as readings["answer"]:
        predictions = _answer(replace(ready, retriever=retriever), questions, directory)
    reused = answered_before + (retriever.reused_s if isinstance(retriever, Kept) else 0.0)
    metrics = {name: function(target) for name, target in spec.metrics.answer.items()}
    primary = facts["comparison"]["primary"]
    documents = {document.id: document for document in dataset.documents}
    others = passages(answers)

    def rows_of(asked: System, said: Sequence[Prediction], examples: Sequence[Example]) -> list[Row]:
        scorer = Scorer(
            metrics, spec.metrics.retrieval_k, asked.retriever.depth, asked.retriever.context, documents, others, strata, primary
        )
        return [scorer.row(prediction, example) for prediction, example in zip(said, examples, strict=True)]

    rows = rows_of(ready, predictions, questions)
    check_sum([row for row in rows if row["is_answerable"] and not math.isnan(row.get(primary, math.nan))])
    judging = metrics.get(str(spec.metrics.primary))
    chance = None if judging is None else check_chance(judging, primary, rows, predictions, questions)
    with metered(uses_cuda) as readings["probe"]:
        found = estimates(rows, primary) | learned_phrasings(
            ready,
            asked_as_trained(dataset, taught),
            lambda alone, probe: _answer(alone, probe, directory),
            lambda alone, said, probe: estimates(rows_of(alone, said, probe), primary),
            primary,
        )
        disagreement, again = batch_disagreement(ready, predictions, questions, spec.n_probe)
        found |= disagreement
        found |= forgotten(system, ready, spec.n_forgetting, build(spec.cache))
        found |= against_exact(retriever, predictions, questions, min(max(spec.metrics.retrieval_k), ready.retriever.depth))
    spends = _spent(readings) | {
        "learn": _by_all(_learning(readings["learn"].spend, learned), learned.adapter, spec.adapter.get("n_processes", 1)),
        "answer": _answering(readings["answer"].spend, predictions, reused),
    }
    if spec.replay:
        spends = {"answer": _elsewhere(spends["answer"])}
    update = update_spend(ready.retriever, dataset.documents, uses_cuda)
    if update is not None:
        spends["update"] = update
    if dataset.written is not None and facts["written"]:
        spends["data_generation"] = dataset.written.spend
    asked_through = ready.generator.identity()
    comparison = {**facts["comparison"], "adapter_mode": asked_through.get("adapter_mode")}
    measured = {
        "comparison": comparison,
        "prompting": asked_through.get("prompting"),
        "brings_prompting": asked_through.get("brings_prompting"),
        "counts": counts(predictions, questions),
        "seconds": seconds(predictions),
        "tokens": tokens(predictions),
        "truncation": kept_truncation(learned.index),
        "training": history_of(learned.adapter),
        "throughput": {"searches_per_s": searches_per_s(predictions)},
        "chance": chance,
        "asked_again": asdict(again),
        "decoded": ready.generator.decoded() if isinstance(ready.generator, Telling) else None,
    }
    return directory.finish(rows, spends, found, {**facts, **measured})


def keeping(retriever: Retriever, dataset: QADataset, cache: Cache) -> Retriever:
    """The retriever of a ready system, its finds kept if it searches by content."""
    if not isinstance(retriever, Searching):
        return retriever
    return Kept(retriever, dataset.documents, documents_sha(dataset.documents), cache)


def _spent(readings: Mapping[str, Reading]) -> dict[str, Spend]:
    return {name: reading.spend for name, reading in readings.items()}


def _warm_up(system: System, examples: Sequence[Example], directory: RunDirectory) -> float:
    """Load and make the first calls, untimed, if something is left to answer. Returns the seconds that earlier answers took."""
    done = directory.predictions()
    left = [example for example in examples if example.id not in done]
    if left and len(left) < len(examples):
        log.warning("resuming: %d of %d questions were answered before", len(examples) - len(left), len(examples))
    if left:
        system.warm_up(left[:1])
    return sum(sum(done[example.id].seconds.values()) for example in examples if example.id in done)


def _answer(system: System, examples: Sequence[Example], directory: RunDirectory) -> list[Prediction]:
    """Answer what the journal does not hold yet, chunk by chunk."""
    done = directory.predictions()
    for chunk in _chunks([example for example in examples if example.id not in done], CHUNK):
        predictions = system.answer(chunk)
        directory.append(predictions)
        done |= {prediction.example_id: prediction for prediction in predictions}
    return [done[example.id] for example in examples]


def _chunks(examples: Sequence[Example], size: int) -> Iterator[Sequence[Example]]:
    return (examples[at : at + size] for at in range(0, len(examples), size))


def _learning(spend: Spend, learned: Learned) -> Spend:
    """What learning took. What came from a cache adds the seconds that building it took, where they are known.

    So does what an interrupted attempt had done.
    """
    kept = [one for one in (learned.index, learned.adapter) if one is not None]
    spend = replace(spend, stored_bytes=sum(one.n_bytes for one in kept) if kept else None)
    hits = [one for one in kept if one.is_hit]
    earlier = sum(one.earlier_s for one in kept if not one.is_hit)
    if not hits and not earlier:
        return spend
    if spend.seconds is None or any(one.seconds is None for one in hits):
        seconds, reused = None, None
    else:
        reused = sum(one.seconds for one in hits if one.seconds is not None) + earlier
        seconds = spend.seconds + reused - sum(one.waited_s for one in hits)
    held = seconds if spend.device_seconds is not None else None
    return Spend(seconds, held, peak_bytes=spend.peak_bytes, stored_bytes=spend.stored_bytes, cached=bool(hits), reused_s=reused)


def _by_all(spend: Spend, adapter: Cached | None, n_processes: int) -> Spend:
    """What learning took of all processes that trained: each held its device; what was counted in the first alone is no number."""
    if n_processes == 1 or adapter is None:
        return spend
    others_s = None if adapter.seconds is None else (n_processes - 1) * adapter.seconds
    held = None if spend.device_seconds is None or others_s is None else spend.device_seconds + others_s
    return replace(spend, device_seconds=held, cpu_seconds=None, device_joules=None)


def _answering(spend: Spend, predictions: Sequence[Prediction], reused_s: float) -> Spend:
    """What answering took: the sum over the questions, whichever process did it; energy where this one did all."""
    is_timed = all(prediction.seconds for prediction in predictions)
    total = sum(sum(prediction.seconds.values()) for prediction in predictions) if is_timed else None
    spend = replace(
        spend,
        seconds=total,
        device_seconds=total if spend.device_seconds is not None else None,
        n_prompt_tokens=_total([one.n_prompt_tokens for one in predictions]),
        n_output_tokens=_total([one.n_output_tokens for one in predictions]),
    )
    if not reused_s:
        return spend
    return replace(spend, cpu_seconds=None, device_joules=None, cpu_joules=None, reused_s=reused_s)


def _elsewhere(spend: Spend) -> Spend:
    """What another system recorded of its answers, and nothing of this machine."""
    return Spend(spend.seconds, n_prompt_tokens=spend.n_prompt_tokens, n_output_tokens=spend.n_output_tokens)


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _facts(
    spec: RunSpec, dataset: QADataset, questions: Sequence[Example], system: System, overlap: Overlap, prompt: PromptWriter
) -> dict[str, Any]:
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


def _has_lessons(spec: RunSpec) -> bool:
    """Whether the arm learns from training data, by training or from exemplars; the others have the documents at most."""
    return bool(spec.mode.weights != "base" or spec.prompt.get("n_exemplars", 0) > 0)


def _written(spec: RunSpec, dataset: QADataset) -> dict[str, Any] | None:
    """By whom the dataset's training data were written, if they were and the arm learns from training data."""
    if dataset.written is None or not _has_lessons(spec):
        return None
    return {"id": dataset.written.id, "is_hosted": dataset.written.is_hosted}


def mirror(spec: RunSpec, directory: RunDirectory, record: RunRecord) -> None:
    """Send a run to where it is tracked, unless it is there as it stands."""
    tracking = spec.tracking
    if tracking.get("uri") and not tracking.get("parent") and is_mirrored(directory.path, tracking.params["uri"]):
        return
    build(tracking).log(directory.path, record)
