"""A run is what decides its result, and nothing else."""

from __future__ import annotations

from typing import Any

from rag_eval.record.identity import run_id
from rag_eval.types import QADataset

DATASET = QADataset("d", "0", (), (), (), ())


def id_of(**adapter: Any) -> str:
    return run_id({"adapter": {"rank": 2, "cache": "here", "checkpoint_every": 100, **adapter}}, DATASET, ())


def test_how_often_a_training_keeps_its_state_and_where_make_no_other_run() -> None:
    assert id_of(checkpoint_every=1, cache="there") == id_of()
    assert id_of(rank=3) != id_of()
