"""The parent run of a sweep: opened before the first job, closed with the truth whatever happens.

Hydra 1.3 hands `on_job_start` a configuration that the job does not see and calls `on_multirun_end` only when
no job failed. So the parent's id travels as an override of every job, and an exit hook closes what is still open.
"""

from __future__ import annotations

import atexit
import os
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import TaskFunction
from omegaconf import DictConfig, open_dict

from rag_eval.config.build import build
from rag_eval.track.tracker import ParentStatus, Tracker


class SweepParent(Callback):
    """A Hydra callback: `hydra.callbacks.sweep._target_=rag_eval.track.sweep.SweepParent`."""

    def __init__(self) -> None:
        self._id = ""
        self._is_in_job = False
        self._n_failed = 0

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Open the parent and tell every job of it."""
        tracker = build(config.tracking)
        self._id = tracker.start_parent(" ".join(config.hydra.overrides.task) or "sweep")
        if self._id:
            with open_dict(config):
                config.hydra.overrides.hydra.append(f"++tracking.parent={self._id}")
            atexit.register(self._close_at_exit, tracker, os.getpid())

    def on_job_start(self, config: DictConfig, *, task_function: TaskFunction, **kwargs: Any) -> None:
        """Note that a job runs: one that never ends was killed."""
        self._is_in_job = True

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Note how the job ended; one that failed in a way that is told elsewhere returns nan."""
        self._is_in_job = False
        has_ended = job_return.status == JobStatus.COMPLETED
        self._n_failed += not has_ended or job_return.return_value != job_return.return_value

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Close the parent of a sweep that ran to its end."""
        self._close(build(config.tracking), "FAILED" if self._n_failed else "FINISHED")

    def _close_at_exit(self, tracker: Tracker, process: int) -> None:
        if os.getpid() == process:
            self._close(tracker, "KILLED" if self._is_in_job else "FAILED")

    def _close(self, tracker: Tracker, status: ParentStatus) -> None:
        if self._id:
            tracker.end_parent(self._id, status)
            self._id = ""
