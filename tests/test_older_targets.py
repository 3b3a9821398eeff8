"""Configurations and recorded runs that name what an older version called otherwise are told, or read, by the name of today."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rag_eval import older_targets
from rag_eval.older_targets import current, current_choices
from rag_eval.record.run_record import RunRecord
from tests.record.samples import FACTS
from tests.test_config import refusal


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """BM25 and the price of a right answer stood elsewhere before, and the former was called Okapi."""
    modules = {"rag_eval.lexical": "rag_eval.retrieve.bm25", "rag_eval.price": "rag_eval.cost.per_correct"}
    monkeypatch.setattr(older_targets, "MODULES", modules)
    monkeypatch.setattr(older_targets, "NAMES", {"rag_eval.lexical.Okapi": "rag_eval.retrieve.bm25.BM25"})


def test_a_name_that_has_not_changed_is_itself(moved: None) -> None:
    assert current("rag_eval.lexical.BM25") == "rag_eval.retrieve.bm25.BM25"
    assert current("rag_eval.lexical.Okapi") == "rag_eval.retrieve.bm25.BM25"
    assert current("rag_eval.retrieve.bm25.BM25") == "rag_eval.retrieve.bm25.BM25"
    assert current("rag_eval.lexical_too.Okapi") == "rag_eval.lexical_too.Okapi"


@pytest.mark.parametrize("old", ["rag_eval.lexical.BM25", "rag_eval.lexical.Okapi"])
def test_a_configuration_with_an_older_name_is_told_the_new_one_in_one_line(moved: None, old: str) -> None:
    said = refusal("retriever=bm25", f"retriever._target_={old}")
    assert said == f"retriever._target_: {old} is called rag_eval.retrieve.bm25.BM25 in this version; write that instead."


def test_so_is_one_with_a_metric_of_an_older_name(moved: None) -> None:
    said = refusal("+metrics.run.usd=rag_eval.price.usd_per_correct")
    assert said.startswith(
        "metrics.run.usd: rag_eval.price.usd_per_correct is called rag_eval.cost.per_correct.usd_per_correct in this version"
    )


def test_a_record_is_read_with_the_names_of_today(moved: None) -> None:
    choices = {"retriever": "Okapi", "retriever.k": 3, "mode": "rag", "seed": None}
    facts = replace(FACTS, provenance=replace(FACTS.provenance, choices=choices))
    record = RunRecord.from_json(RunRecord("id", "default", "rag", "FINISHED", facts).to_json(), "here")
    assert record.facts.provenance.choices == {"retriever": "BM25", "retriever.k": 3, "mode": "rag", "seed": None}
    assert current_choices({}) == {}
