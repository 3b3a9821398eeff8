"""The journal of a run: predictions that survive the death of the process, one JSON line each."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from rag_eval.record.atomic_io import sync, write_atomically, writing
from rag_eval.record.serialize import from_line, to_line
from rag_eval.types import Prediction

log = logging.getLogger(__name__)


class Journal:
    """An append-only file of predictions. Whoever writes holds the run's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Prediction]:
        """Predictions by example id, in the order of the file; of a repeated one the first.

        A last line without its end was cut by a crash and is left out, as is a line that cannot be read.
        """
        if not self.path.exists():
            return {}
        predictions: dict[str, Prediction] = {}
        *lines, cut = self.path.read_bytes().split(b"\n")
        n_unreadable = int(bool(cut))
        for line in lines:
            try:
                prediction = from_line(Prediction, line)
            except ValueError:
                n_unreadable += 1
            else:
                predictions.setdefault(prediction.example_id, prediction)
        if n_unreadable:
            log.warning("%s: %d unfinished or unreadable lines left out; they will be answered again", self.path, n_unreadable)
        return predictions

    def repair(self) -> None:
        """Make the file what `read` returns, so that the next line starts on a line of its own."""
        if self.path.exists():
            kept = _lines(list(self.read().values()))
            if kept.encode() != self.path.read_bytes():
                write_atomically(self.path, kept)

    def append(self, predictions: Sequence[Prediction]) -> None:
        """Add a batch; it is on the disk when this returns."""
        is_new = not self.path.exists()
        lines = _lines(predictions)
        with writing(self.path):
            with self.path.open("ab") as file:
                file.write(lines.encode())
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                sync(self.path.parent)


def _lines(predictions: Sequence[Prediction]) -> str:
    return "".join(to_line(prediction) + "\n" for prediction in predictions)
