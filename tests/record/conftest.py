"""Small runs, and one migrated MLflow store that tests copy: the first touch of a store takes seconds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rag_eval.record.run_directory import RunDirectory
from rag_eval.types import QuestionScores
from tests.record.samples import ESTIMATES, FACTS, SPENDS, prediction


@pytest.fixture
def finished(tmp_path: Path) -> Callable[[str], RunDirectory]:
    """Makes a finished run of two questions."""

    def make(run_id: str) -> RunDirectory:
        run = RunDirectory.open(tmp_path / "outputs", "study", run_id)
        run.begin("seed: 3\n", FACTS)
        run.append([prediction("q1"), prediction("q2")])
        scores = [QuestionScores(id, id, True, {}, {"answer/em": score}) for id, score in (("q1", 1.0), ("q2", float("nan")))]
        run.finish(scores, SPENDS, ESTIMATES, FACTS)
        return run

    return make


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that MLflow has prepared, never written to."""
    from mlflow import MlflowClient

    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{file}").get_experiment_by_name("none")
    return file


@pytest.fixture
def store(tmp_path: Path, migrated_store: Path) -> str:
    """The URI of a fresh store of this test."""
    return f"sqlite:///{shutil.copy(migrated_store, tmp_path / 'mlflow.db')}"
