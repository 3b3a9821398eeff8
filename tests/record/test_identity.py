"""A run is what decides its result, and nothing else."""

from __future__ import annotations

from rag_eval.record.identity import run_id
from rag_eval.types import QADataset
from tests.test_conf import checked

DATASET = QADataset("d", "0", (), (), (), ())


def id_of(*overrides: str) -> str:
    return run_id(checked("mode=finetune", *overrides), DATASET, ())


def test_how_often_a_training_keeps_its_state_and_where_make_no_other_run() -> None:
    assert id_of("adapter.checkpoint_every=1", "cache.root=there") == id_of()
    assert id_of("adapter.rank=3") != id_of()
