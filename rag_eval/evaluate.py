"""One run, from configuration to record: check, data, learn, answer, score, estimate, record, mirror."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from rag_eval.adapt.knowledge_budget import asked_as_trained
from rag_eval.answering import answer, keeping, warm_up
from rag_eval.config.build import build
from rag_eval.cost.meter import MeterReading, metered
from rag_eval.errors import Terminated
from rag_eval.preparation import Run, begun, prepared, questions_of
from rag_eval.probes.batch_disagreement import batch_disagreement
from rag_eval.probes.chance import check_chance
from rag_eval.probes.exactness import against_exact
from rag_eval.probes.forgetting.measure import forgotten
from rag_eval.probes.phrasings import learned_phrasings
from rag_eval.probes.update_cost import update_spend
from rag_eval.protocols import Retriever
from rag_eval.record import run_spend
from rag_eval.record.facts import AskedAgain
from rag_eval.record.identity import run_id
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.run_facts import declarations, known_after
from rag_eval.record.run_record import RunRecord, RunResult
from rag_eval.retrieve.cached_retriever import CachedRetriever
from rag_eval.run_spec import RunSpec
from rag_eval.score.aggregate import estimates
from rag_eval.score.metric import metric
from rag_eval.score.outcome import check_sum
from rag_eval.score.scorer import Scorer
from rag_eval.system import System
from rag_eval.track.tracker import is_mirrored
from rag_eval.types import Estimate, Example, Prediction, Spend


def evaluate(cfg: DictConfig) -> RunResult:
    """Run a configuration, resume it where it was interrupted, or return its recorded result.

    Args:
        cfg: composed configuration, not yet checked.

    Returns:
        The result; `cached` tells whether it was recorded before.

    Raises:
        RagEvalError: if the run cannot be made; its kind has an exit code, see rag_eval.errors.
    """
    spec, dataset, form = prepared(cfg)
    answers = build(spec.replay) if spec.replay else {}  # read first: a run is known by its files
    questions = questions_of(spec, dataset)
    known_by = run_id(spec, dataset, questions)
    directory = RunDirectory.open(Path(spec.output_dir), spec.experiment_name, known_by)
    record = directory.finished()
    is_cached = record is not None
    if record is None:
        record = _recorded(begun(spec, dataset, questions, answers, directory, form))
    mirror(spec, directory, record)
    where = str(directory.path.resolve())
    return RunResult(where, known_by, record.status, record.estimates, record.facts, record.spends, is_cached)


def _recorded(run: Run) -> RunRecord:
    """Measure a run and record how it ended, whether it finished, failed or was interrupted.

    Args:
        run: the run, which has begun.

    Returns:
        The finished record.

    Raises:
        KeyboardInterrupt: if the user interrupts it.
        Terminated: if a signal ends it.
    """
    readings: dict[str, MeterReading] = {}  # what was spent so far
    try:
        return _measured(run, readings)
    except (KeyboardInterrupt, Terminated):
        mirror(run.spec, run.directory, run.directory.end("KILLED", "ended by a signal", run_spend.spent(readings)))
        raise
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"[:500]
        mirror(run.spec, run.directory, run.directory.end("FAILED", said, run_spend.spent(readings)))
        raise


def _measured(run: Run, readings: dict[str, MeterReading]) -> RunRecord:
    """Learn, answer, score, probe and finish."""
    spec, questions = run.spec, run.questions
    with metered(run.uses_cuda) as readings["learn"]:
        ready, learned = run.system.learn(run.dataset, spec.seed)
    with metered(run.uses_cuda) as readings["load"]:
        answered_before_s = warm_up(ready, questions, run.directory)
    retriever = keeping(ready.retriever, run.dataset, build(spec.cache))
    with metered(run.uses_cuda) as readings["answer"]:
        predictions = answer(replace(ready, retriever=retriever), questions, run.directory)
    reused_s = answered_before_s + (retriever.reused_s if isinstance(retriever, CachedRetriever) else 0.0)
    scorer = run.scorer(ready)
    scores = scorer.score_all(predictions, questions)
    check_sum([one.scores for one in scores if one.is_answerable and not math.isnan(one.score(run.primary))])
    judging = spec.metrics.answer.get(str(spec.metrics.primary))
    chance = None if judging is None else check_chance(metric(judging).function, run.primary, scores, predictions, questions)
    with metered(run.uses_cuda) as readings["probe"]:
        probed, again = _probed(run, ready, retriever, predictions)
        found = estimates(scores, scorer.scoring) | probed
    spends = _spends(run, ready, run_spend.by_stage(readings, learned, predictions, reused_s, spec.adapter.get("n_processes", 1)))
    facts = known_after(run.facts, ready, learned, predictions, questions)
    outcomes = replace(facts.outcomes, metrics=declarations(scorer.scoring, spec), chance=chance, asked_again=again)
    return run.directory.finish(scores, spends, found, replace(facts, outcomes=outcomes))


def _probed(run: Run, ready: System, retriever: Retriever, predictions: Sequence[Prediction]) -> tuple[dict[str, Estimate], AskedAgain]:
    """What is asked beside the questions, and how many of these were asked again."""
    spec = run.spec
    learned = learned_phrasings(
        ready,
        asked_as_trained(run.dataset, run.taught),
        lambda alone, probe: answer(alone, probe, run.directory),
        lambda alone, said, probe: _estimated(run.scorer(alone), said, probe),
        run.primary,
    )
    disagreement, again = batch_disagreement(ready, predictions, run.questions, spec.n_probe)
    forgetting = forgotten(run.system, ready, spec.n_forgetting, build(spec.cache))
    deepest = min(max(spec.metrics.retrieval_k), ready.retriever.depth)
    return learned | disagreement | forgetting | against_exact(retriever, predictions, run.questions, deepest), again


def _estimated(scorer: Scorer, said: Sequence[Prediction], asked: Sequence[Example]) -> dict[str, Estimate]:
    return estimates(scorer.score_all(said, asked), scorer.scoring)


def _spends(run: Run, ready: System, metered_spends: Mapping[str, Spend]) -> dict[str, Spend]:
    """What the run used up by stage, with an update of its index and its share in data that were written for it."""
    spends = dict(metered_spends) if run.spec.replay is None else {"answer": run_spend.elsewhere(metered_spends["answer"])}
    update = update_spend(ready.retriever, run.dataset.documents, run.uses_cuda)
    if update is not None:
        spends["update"] = update
    if run.dataset.written is not None and run.facts.data.written:
        spends["data_generation"] = run.dataset.written.spend
    return spends


def mirror(spec: RunSpec, directory: RunDirectory, record: RunRecord) -> None:
    """Send a run to where it is tracked, unless it is there as it stands."""
    tracking = spec.tracking
    if tracking.get("uri") and not tracking.get("parent") and is_mirrored(directory.path, tracking.params["uri"]):
        return
    build(tracking).log(directory.path, record)
