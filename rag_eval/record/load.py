"""A finished run with its questions: what is compared question by question."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rag_eval.errors import UserError
from rag_eval.record.run_directory import RECORD, SCORES, RunDirectory, runs_in
from rag_eval.record.run_record import RunRecord
from rag_eval.record.score_rows import from_row
from rag_eval.types import Prediction, QuestionScores


@dataclass(frozen=True)
class RecordedRun:
    """A run directory that was read."""

    folder: Path
    record: RunRecord
    rows: Mapping[str, Mapping[str, Any]]  # of scores.jsonl, by question, in the order of the run
    predictions: Mapping[str, Prediction]  # by question

    @cached_property
    def questions(self) -> Mapping[str, QuestionScores]:
        """What each question scored, in the order of the run."""
        return {id: from_row(row) for id, row in self.rows.items()}

    def column(self, name: str, ids: Sequence[str]) -> NDArray[np.float64]:
        """One score of these questions, nan where it could not be judged or was not scored."""
        return np.array([self.questions[id].score(name) for id in ids], dtype=np.float64)

    def has(self, name: str) -> bool:
        """Whether some question has this score."""
        return any(not math.isnan(one.score(name)) for one in self.questions.values())


def read_run(folder: Path) -> RecordedRun:
    """Read a finished run.

    Args:
        folder: directory of the run.

    Returns:
        The record, with scores and predictions of every question.

    Raises:
        UserError: if the folder holds no finished run, its files were changed, or an earlier version recorded too little to compare it.
    """
    directory = RunDirectory(folder)
    record = directory.finished()
    if record is None:
        state = directory.record()
        what = "there is no run" if state is None else "its files were changed" if state.status == "FINISHED" else f"it is {state.status}"
        raise UserError(f"{folder}: no finished run ({what}). Give the directory that a run printed last.")
    if not record.is_comparable:
        raise UserError(f"{folder}: an earlier version of rag_eval recorded this run without what a comparison needs; run it again.")
    rows = [json.loads(line) for line in (folder / SCORES).read_bytes().splitlines()]
    return RecordedRun(folder, record, {row["example_id"]: row for row in rows}, directory.predictions())


def find_run(name: str, root: Path, experiment: str = "") -> Path:
    """The directory of a run: by its path, by its mode (the newest finished run of that mode), or by the beginning of its id.

    Args:
        name: path, mode or beginning of an id.
        root: folder of all experiments.
        experiment: name of the only experiment to search; "" = all.

    Returns:
        The directory.

    Raises:
        UserError: if nothing is found, or several ids begin with the name.
    """
    if (Path(name) / RECORD).exists():
        return Path(name)
    runs = runs_in(root.glob(experiment or "*"))
    of_mode = [(record.ended or "", folder) for folder, record in runs if record.mode == name]
    finished = [(ended, folder) for ended, folder in of_mode if RunDirectory(folder).finished() is not None]
    if finished:
        return max(finished)[1]
    found = [folder for folder, record in runs if name and name in (record.run_id[: len(name)], folder.name[: len(name)])]
    if len(found) != 1:
        what = f"{len(found)} ids begin with it ({', '.join(map(str, found[:3]))})" if found else "no id begins with it"
        where = root / experiment if experiment else root
        raise UserError(f"{name}: is no run directory and no mode with a finished run under {where}, and {what}. Give one of these.")
    return found[0]
