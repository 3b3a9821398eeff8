"""Every retriever's YAML builds the part that it names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import rag_eval
from rag_eval.models.minilm_wheel import minilm_path
from rag_eval.record.cache import DirectoryCache

CONF = Path(rag_eval.__file__).parents[1] / "conf"
CONTEXTS = {
    "none": "none",
    "dense": "retrieved",
    "bm25": "retrieved",
    "sparse": "retrieved",
    "hybrid": "retrieved",
    "reranked": "retrieved",
    "multi_query": "retrieved",
    "oracle": "gold",
    "oracle_distract": "gold among distractors",
    "random": "random",
    "all": "corpus",
    "recorded": "recorded",
}

LACKS = {"sparse": ["retriever.encoder.model=given"]}  # values that a choice does not have of its own


def composed(name: str, tmp_path: Path, *overrides: str) -> DictConfig:
    OmegaConf.register_new_resolver("offline_minilm", minilm_path, replace=True)
    cache = f"+cache={{_target_:{DirectoryCache.__module__}.DirectoryCache,root:{tmp_path}}}"
    with initialize_config_dir(str(CONF), version_base=None):
        return compose(overrides=[f"+retriever={name}", "+seed=7", "+replay={}", cache, *overrides])


def test_every_retriever_has_its_claim_here() -> None:
    assert {file.stem for file in (CONF / "retriever").glob("*.yaml")} == set(CONTEXTS)
    assert {file.parent.name for file in (CONF / "retriever").glob("*/*.yaml")} == {"embedder", "index", "encoder", "reranker"}


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_retriever_is_built_with_the_context_that_it_promises(name: str, tmp_path: Path) -> None:
    retriever = instantiate(composed(name, tmp_path, *LACKS.get(name, [])).retriever, _convert_="all")
    assert retriever.context == CONTEXTS[name]


@pytest.mark.parametrize("index", ["flat", "l2", "torch"])
def test_embedder_and_index_are_chosen_by_name(index: str, tmp_path: Path) -> None:
    config = composed("dense", tmp_path, "retriever/embedder=hashed", f"retriever/index={index}")
    retriever = instantiate(config.retriever, _convert_="all")
    assert (retriever.k, retriever.depth) == (3, 10)


def test_any_model_needs_a_name(tmp_path: Path) -> None:
    config = composed("dense", tmp_path, "retriever/embedder=hf")
    assert OmegaConf.missing_keys(config) == {"retriever.embedder.model"}
