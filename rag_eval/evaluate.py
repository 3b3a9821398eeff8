"""One run, from configuration to record: check, data, learn, answer, score, estimate, record, mirror."""

from __future__ import annotations

import json
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
from rag_eval.config import build, check
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
from rag_eval.parts import Cache, Cached, Chunker, PromptWriter, Retriever, Searching, Telling
from rag_eval.parts import Row as TrainingRow
from rag_eval.probes import against_exact, batch_disagreement, check_chance, learned_phrasings, sample, update_spend
from rag_eval.prompt import Prompt
from rag_eval.record import identity
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.run_record import RunRecord
from rag_eval.record.tracker import is_mirrored
from rag_eval.recorded.answer import Answers
from rag_eval.recorded.resolve import passages
from rag_eval.retrieve.dense import TRUNCATION
from rag_eval.retrieve.kept import Kept
from rag_eval.retrieve.shelf import documents_sha
from rag_eval.score.metric import metric, of_runs
from rag_eval.score.outcome import check_sum
from rag_eval.score.primary import chosen_primary
from rag_eval.score.summary import Scorer, counts, estimates, searches_per_s, seconds, tokens
from rag_eval.source import source_sha
from rag_eval.system import Learned, System
from rag_eval.types import Example, Prediction, QADataset, RunResult, Spend

log = logging.getLogger(__name__)

CHUNK = 128  # questions answered between two entries of the journal


def evaluate(cfg: DictConfig) -> RunResult:
    """Run what a configuration describes, resume it where it was interrupted, or return it where it is finished.

    Raises:
        RagEvalError: with the exit code of its kind; see rag_eval.errors.
    """
    settings, dataset, form = prepared(cfg)
    answers = build(settings["replay"]) if settings["replay"] else {}  # read first: a run is known by its files
    questions = _questions(settings, dataset)
    run_id = identity.run_id(settings, dataset, questions)
    directory = RunDirectory.open(Path(settings["output_dir"]), settings["experiment_name"], run_id)
    record = directory.finished()
    is_cached = record is not None
    if record is None:
        record = _run(settings, dataset, questions, answers, directory, form)
    mirror(settings, directory, record)
    return RunResult(
        str(directory.path.resolve()), run_id, record.status, record.estimates, {**record.facts, "spends": record.spends}, is_cached
    )


def prepared(cfg: DictConfig) -> tuple[dict[str, Any], QADataset, Form]:
    """A checked configuration whose hub models are commits, with its primary score and the form of its prompt; its dataset; that form.

    Raises:
        ConfigError: if it is no configuration, or the dataset declares a primary score that cannot be one.
        DataError: if an adapter of a folder brings a tokenizer that does not go with the model, or the run cannot be about this dataset.
    """
    settings = pinned(check(cfg))
    check_adapter(settings)
    dataset = dataset_of(settings)
    settings["metrics"]["primary"] = chosen_primary(settings["metrics"], dataset.primary)
    check_questions(settings, dataset, _questions(settings, dataset))  # first, for what follows may load a model
    settings, form = formed(_with_dtype(settings), dataset)
    return settings, dataset, form


def _questions(settings: Mapping[str, Any], dataset: QADataset) -> tuple[Example, ...]:
    """Those that are asked."""
    asked = dataset.test if settings["split"] == "test" else dataset.dev
    return sample(asked, settings["limit"], dataset.counterpart or dataset.fingerprint)


def _with_dtype(settings: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose generator has a number format in place of `auto`: it decides the result, so a run is known by it."""
    generator = settings["generator"]
    if generator.get("dtype") != AUTO:
        return settings
    is_made = is_gguf(generator["model"])  # of a file whose sizes are known once it is dequantised
    made = build(generator).dtype if is_made else None
    dtype = made or dtype_of(generator["model"], generator.get("revision"), generator["device"], build(settings["cache"]))
    return {**settings, "generator": {**generator, "dtype": dtype}}


def dataset_of(settings: Mapping[str, Any]) -> QADataset:
    """The dataset of a checked configuration, as its system gets it: with chunks for documents where it says so."""
    chunker: Chunker = build(settings["chunker"])  # first, for it is the quicker to say what is wrong
    return chunker.chunk(build(settings["dataset"]))


def _run(
    settings: Mapping[str, Any], dataset: QADataset, questions: Sequence[Example], answers: Answers, directory: RunDirectory, form: Form
) -> RunRecord:
    system = System(**{name: build(settings[name]) for name in ("retriever", "prompt", "adapter", "generator")})
    overlap = noted_overlap(dataset, questions)
    if settings["replay"]:
        answers = check_recorded(answers, dataset, questions)
    _ = system.generator.max_prompt_tokens  # refused before anything is learned, if there is no room for a prompt
    prompt = system.prompt.learn(dataset)
    _ = system.generator.count_tokens([prompt.render(one, ()) for one in questions])  # or if its chat template cannot put one
    taught = taught_rows(system.adapter, system.generator, prompt, dataset, settings["seed"])
    facts = {
        **_facts(settings, dataset, questions, system, overlap, prompt),
        "form": asdict(form),
        "knowledge": None if taught is None else budget(replace(dataset, test=tuple(questions)), taught),
    }
    directory.begin(OmegaConf.to_yaml(OmegaConf.create(dict(settings))), facts)
    readings: dict[str, Reading] = {}
    try:
        return _measure(settings, system, dataset, questions, overlap.strata, answers, directory, facts, taught, readings)
    except (KeyboardInterrupt, Terminated):
        mirror(settings, directory, directory.end("KILLED", "ended by a signal", _spent(readings)))
        raise
    except BaseException as error:
        mirror(settings, directory, directory.end("FAILED", f"{type(error).__name__}: {error}"[:500], _spent(readings)))
        raise


def _measure(
    settings: Mapping[str, Any],
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
        ready, learned = system.learn(dataset, settings["seed"])
    with metered(uses_cuda) as readings["load"]:
        answered_before = _warm_up(ready, questions, directory)
    retriever = keeping(ready.retriever, dataset, build(settings["cache"]))
    with metered(uses_cuda) as readings["answer"]:
        predictions = _answer(replace(ready, retriever=retriever), questions, directory)
    reused = answered_before + (retriever.reused_s if isinstance(retriever, Kept) else 0.0)
    metrics = {name: metric(target) for name, target in settings["metrics"]["answer"].items()}
    primary = facts["comparison"]["primary"]
    documents = {document.id: document for document in dataset.documents}
    others = passages(answers)

    retrieval = {name: metric(target) for name, target in settings["metrics"]["retrieval"].items()}
    depths = settings["metrics"]["retrieval_k"]

    def scorer_of(asked: System) -> Scorer:
        retriever = asked.retriever
        return Scorer(metrics, retrieval, depths, retriever.depth, retriever.context, documents, others, strata, primary)

    scorer = scorer_of(ready)
    scores = scorer.score_all(predictions, questions)
    check_sum([one.scores for one in scores if one.is_answerable and not math.isnan(one.score(primary))])
    judging = metrics.get(settings["metrics"]["primary"])
    chance = None if judging is None else check_chance(judging.function, primary, scores, predictions, questions)
    with metered(uses_cuda) as readings["probe"]:
        found = estimates(scores, scorer.scoring) | learned_phrasings(
            ready,
            asked_as_trained(dataset, taught),
            lambda alone, probe: _answer(alone, probe, directory),
            lambda alone, said, probe: estimates(scorer_of(alone).score_all(said, probe), scorer.scoring),
            primary,
        )
        disagreement, again = batch_disagreement(ready, predictions, questions, settings["n_probe"])
        found |= disagreement
        found |= forgotten(system, ready, settings["n_forgetting"], build(settings["cache"]))
        found |= against_exact(retriever, predictions, questions, min(max(settings["metrics"]["retrieval_k"]), ready.retriever.depth))
    spends = _spent(readings) | {
        "learn": _by_all(_learning(readings["learn"].spend, learned), learned.adapter, settings["adapter"].get("n_processes", 1)),
        "answer": _answering(readings["answer"].spend, predictions, reused),
    }
    if settings["replay"]:
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
        "truncation": _truncation(learned.index),
        "training": history_of(learned.adapter),
        "throughput": {"searches_per_s": searches_per_s(predictions)},
        "chance": chance,
        "metrics": {name: asdict(one) for name, one in {**scorer.scoring.declared, **of_runs(settings["metrics"]["run"])}.items()},
        "asked_again": asdict(again),
        "decoded": ready.generator.decoded() if isinstance(ready.generator, Telling) else None,
    }
    return directory.finish(scores, spends, found, {**facts, **measured})


def keeping(retriever: Retriever, dataset: QADataset, cache: Cache) -> Retriever:
    """The retriever of a ready system, its finds kept if it searches by content."""
    if not isinstance(retriever, Searching):
        return retriever
    return Kept(retriever, dataset.documents, documents_sha(dataset.documents), cache)


def _truncation(kept: Cached | None) -> dict[str, Any] | None:
    """How much of the documents an embedder did not read; None where nothing was embedded, or by one that reads everything."""
    files = [path / TRUNCATION for path in (kept.path, *kept.also)] if kept else []
    return next((json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()), None)


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
    settings: Mapping[str, Any], dataset: QADataset, questions: Sequence[Example], system: System, overlap: Overlap, prompt: PromptWriter
) -> dict[str, Any]:
    generator = system.generator.identity()
    solved = prompt.exemplars if isinstance(prompt, Prompt) and not settings["mode"]["has_exemplars"] else ()
    return {
        "mode": settings["mode"]["name"],
        "context": settings["mode"]["context"],
        "weights": settings["mode"]["weights"],
        "seed": settings["seed"],
        "choices": dict(_choices(settings)),
        "comparison": identity.comparison(settings, dataset, questions, generator, [one.example.id for one in solved]),
        "base_weights": generator.get("base_weights"),
        "audit": {**audit(dataset, questions), **spelled(system.generator, dataset, questions), **overlap.counts()},
        "chunking": chunking(dataset, questions),
        "learned_from": dataset.fingerprint if _has_lessons(settings) else documents_sha(dataset.documents),
        "written": _written(settings, dataset),
        "git": identity.git(),
        "source": source_sha(),
        "versions": identity.versions(),
        "hardware": identity.hardware(system.generator.device),
        "idle_watts": vars(idle_watts(system.generator.device == "cuda")),
    }


def _has_lessons(settings: Mapping[str, Any]) -> bool:
    """Whether the arm learns from training data, by training or from exemplars; the others have the documents at most."""
    return bool(settings["mode"]["weights"] != "base" or settings["prompt"].get("n_exemplars", 0) > 0)


def _written(settings: Mapping[str, Any], dataset: QADataset) -> dict[str, Any] | None:
    """By whom the dataset's training data were written, if they were and the arm learns from training data."""
    if dataset.written is None or not _has_lessons(settings):
        return None
    return {"id": dataset.written.id, "is_hosted": dataset.written.is_hosted}


def _choices(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The choices of a configuration under dotted names, lists as JSON, each target by its last name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            if name not in {"cache", "tracking", "metrics", "mode", "latency", "answers"}:
                yield from _choices(value, f"{prefix}{name}.")
        elif name == "_target_":
            yield prefix.rstrip("."), str(value).rpartition(".")[2]
        elif name not in {"output_dir", "debug", "experiment_name"}:
            yield f"{prefix}{name}", json.dumps(value) if isinstance(value, list) else value


def mirror(settings: Mapping[str, Any], directory: RunDirectory, record: RunRecord) -> None:
    """Send a run to where it is tracked, unless it is there as it stands."""
    tracking = settings["tracking"]
    if tracking.get("uri") and not tracking.get("parent") and is_mirrored(directory.path, tracking["uri"]):
        return
    build(tracking).log(directory.path, record)
