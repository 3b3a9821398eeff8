"""The questions of an arm over all of its runs, as claims are measured on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rag_eval.record.run_record import RunRecord
from rag_eval.types import Prediction


@dataclass(frozen=True)
class Pool:
    """The questions of an arm over all worlds."""

    rows: Mapping[str, Mapping[str, Any]]  # scores by "world.run/question"
    predictions: Mapping[str, Prediction]  # by the same names
    clusters: Mapping[str, str]  # "world/entity": questions about one entity of one world go together
    records: tuple[RunRecord, ...]

    def of_world(self, seed: int) -> Pool:
        """The questions of one world."""
        names = [name for name in self.rows if name.startswith(f"{seed}.")]
        return Pool(
            {name: self.rows[name] for name in names},
            {name: self.predictions[name] for name in names},
            {name: self.clusters[name] for name in names},
            self.records,
        )

    def column(self, measure: str, names: Sequence[str]) -> list[float]:
        """One score of these questions, nan where it could not be judged."""
        return [math.nan if (value := self.rows[name].get(measure)) is None else float(value) for name in names]
