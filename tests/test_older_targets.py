"""Configurations and recorded runs that name what an older version called otherwise are told, or read, by the name of today."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import pytest

from rag_eval import older_targets
from rag_eval.config.module_source import module_source
from rag_eval.older_targets import MODULES, NAMES, current, current_choices
from rag_eval.record.run_record import RunRecord
from tests.record.samples import FACTS
from tests.test_config import refusal


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """BM25 and the price of a right answer stood elsewhere before, and the former was called Okapi."""
    modules = {"rag_eval.lexical": "rag_eval.retrieve.bm25", "rag_eval.price": "rag_eval.cost.per_correct"}
    monkeypatch.setattr(older_targets, "MODULES", modules)
    monkeypatch.setattr(older_targets, "NAMES", {"rag_eval.lexical.Okapi": "rag_eval.retrieve.bm25.BM25"})
    monkeypatch.setattr(older_targets, "PARAMETERS", {"retriever": ("rag_eval.lexical.Okapi",)})


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


def test_a_part_of_a_record_has_its_name_of_today_wherever_it_stands_and_other_values_stay() -> None:
    parts = {"prompt": "Prompt", "retriever.retriever": "Whole", "retriever.retrievers.first": "Reranked", "retriever.index": "Flat"}
    assert list(current_choices(parts).values()) == ["PromptTemplate", "FullCorpus", "TwoStage", "Faiss"]
    values = {"dataset.path": "Whole", "dataset.documents": "Prompt", "retriever.path": "Prompt", "retriever.index.factory": "Flat"}
    assert current_choices(values) == values


def test_every_part_that_is_renamed_in_records_has_an_older_name() -> None:
    assert {old for olds in older_targets.PARAMETERS.values() for old in olds} <= NAMES.keys()


def test_every_older_name_leads_to_what_stands_there_now_and_stands_nowhere_itself() -> None:
    assert len(MODULES) > 40
    gone = [old for old in MODULES if find_spec(old.rpartition(".")[0]) is not None and find_spec(old) is not None]
    assert gone == []
    assert [new for new in {*MODULES.values(), *(one.rpartition(".")[0] for one in NAMES.values())} if module_source(new) is None] == []
    assert [new for new in NAMES.values() if not _is_defined(new)] == []


def _is_defined(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    found = module_source(module)
    return found is not None and (name in found.definitions or name in found.aliases)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rag_eval.data.squad.squad", "rag_eval.data.sources.squad.squad"),
        ("rag_eval.data.world.source.world", "synthworld.dataset.world"),
        ("rag_eval.data.world.asking.Questions", "synthworld.questions.Questions"),
        ("rag_eval.retrieve.index.flat.Flat", "rag_eval.retrieve.index.faiss_index.Faiss"),
        ("rag_eval.data.world.writing.Manner", "synthworld.documents.DocumentStyle"),
        ("rag_eval.retrieve.whole.Whole", "rag_eval.retrieve.full_corpus.FullCorpus"),
        ("rag_eval.retrieve.bm25.BM25", "rag_eval.retrieve.bm25.BM25"),
        ("rag_eval.prompt.Prompt", "rag_eval.prompt.PromptTemplate"),
        ("rag_eval.record.mlflow_mirror.MLflow", "rag_eval.track.mlflow.MLflow"),
    ],
)
def test_what_configurations_name_is_found_under_its_name_of_today(old: str, new: str) -> None:
    assert current(old) == new
