"""Latency of several arms in one session: their runs first, then the same questions to each in alternation.

    rag-eval latency mode=rag,finetune
    rag-eval latency mode=rag,finetune latency=poisson latency.rate_per_s=20

Each arm's measurement is kept beside its run, where the report and MLflow find it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from omegaconf import DictConfig

from rag_eval.config.build import build, system_of
from rag_eval.errors import ConfigError
from rag_eval.evaluate import evaluate, mirror
from rag_eval.latency.cold_start import cold_start
from rag_eval.latency.measure import drawn, measure
from rag_eval.latency.protocol import LatencyProtocol
from rag_eval.latency.record import ColdStart, LatencyRecord
from rag_eval.latency.store import write_latency
from rag_eval.preparation import prepared
from rag_eval.record.run_directory import RunDirectory
from rag_eval.run_spec import RunSpec
from rag_eval.system import System
from rag_eval.types import Example, QADataset

ONLY_TRAINED_ON = {"train_share", "lessons", "n_phrasings", "n_restatements"}  # parameters of datasets that change no test question


@dataclass(frozen=True)
class TimedArm:
    """One arm's measurement and where it is kept."""

    record: LatencyRecord
    path: Path


def time_arms(cfgs: Mapping[str, DictConfig]) -> list[TimedArm]:
    """Run every arm, or take its recorded run, and time all of them together.

    Args:
        cfgs: composed configurations by arm; they share `latency`, `split` and the dataset except `train_share` and `lessons`.

    Returns:
        The latency record of each arm, and the file in its run's folder, in the order of the arms.

    Raises:
        ConfigError: if the arms differ in questions or protocol, or there are too few questions.
        RagEvalError: as `evaluate` and `measure` do.
    """
    specs: dict[str, RunSpec] = {}
    datasets: dict[str, QADataset] = {}
    for arm, cfg in cfgs.items():
        specs[arm], datasets[arm], _ = prepared(cfg)
    first = next(iter(specs.values()))
    for arm, other in specs.items():
        if _asked(other) != _asked(first):
            raise ConfigError(f"{arm}: arms that are timed together are asked the same questions under the same protocol.")
    protocol: LatencyProtocol = build(first.latency)
    examples = _common([one.test if first.split == "test" else one.dev for one in datasets.values()])
    drawn(examples, protocol)  # refused before anything is learned, if there are too few
    runs = {arm: evaluate(cfg) for arm, cfg in cfgs.items()}
    systems: dict[str, System] = {}
    cold: dict[str, ColdStart] = {}
    for arm, chosen in specs.items():
        build_it = partial(_ready, chosen, datasets[arm])
        if protocol.cache_state == "cold":
            systems[arm], cold[arm] = cold_start(build_it, examples[0], protocol.forced_tokens)
        else:
            systems[arm] = build_it()
    ids = {arm: run.run_id for arm, run in runs.items()}
    session = f"{protocol.scenario}-{uuid4().hex[:8]}"
    records = measure(systems, examples, protocol, session, ids, cold_starts=cold or None)
    timed = [TimedArm(record, write_latency(Path(runs[record.arm].directory), record)) for record in records]
    for arm, run in runs.items():
        directory = RunDirectory(Path(run.directory))
        recorded = directory.finished()
        if recorded is not None:
            mirror(specs[arm], directory, recorded)
    return timed


def _asked(spec: RunSpec) -> tuple[Any, ...]:
    dataset = {name: value for name, value in spec.dataset.params.items() if name not in ONLY_TRAINED_ON}
    return spec.dataset.target, dataset, spec.latency, spec.split


def _common(asked: Sequence[Sequence[Example]]) -> list[Example]:
    """The questions that are asked of every arm: without splits of its own, a source asks fewer of an arm that trains."""
    ids = set.intersection(*({example.id for example in those} for those in asked))
    return [example for example in asked[0] if example.id in ids]


def _ready(spec: RunSpec, dataset: QADataset) -> System:
    ready, _ = system_of(spec).learn(dataset, spec.seed)
    return ready
