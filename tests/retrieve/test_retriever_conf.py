"""Every retriever's YAML builds the part that it names, which shows what its class declares as `context`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import rag_eval
from rag_eval.config.signature import signature
from rag_eval.models.minilm_wheel import minilm_path
from rag_eval.protocols import Retriever, Searching
from rag_eval.record.cache import DirectoryCache
from rag_eval.types import Context, Document, Example

CONF = Path(rag_eval.__file__).parents[1] / "conf"
RETRIEVERS = sorted(path.stem for path in (CONF / "retriever").glob("*.yaml"))
HASHED = {"_target_": "rag_eval.retrieve.encoders.hashing.HashEmbedder", "dim": 64}

DOCUMENTS = tuple(
    Document(id, f"The {id} was painted by {name}.")
    for id, name in {"harbour": "Ida", "mill": "Otto", "bridge": "Emil", "tower": "Anna", "market": "Ruth", "garden": "Hugo"}.items()
)
QUESTION = Example("q", "Who painted the harbour?", ("Ida",), evidence=("harbour",))


@dataclass(frozen=True)
class Shown:
    """What a retriever shows for QUESTION: ids of documents, best first."""

    retriever: Retriever
    ids: list[str]
    of_other_evidence: list[str]  # for the same question with other evidence

    @property
    def searches(self) -> bool:
        return isinstance(self.retriever, Searching)


# What a class promises by its `context`.
PROMISES: Mapping[str, tuple[str, Callable[[Shown], bool]]] = {
    "none": ("shows no document", lambda shown: shown.ids == []),
    "retrieved": (
        "has identity and exactly, ranks the document with the words of the question first, and is not told the evidence",
        lambda shown: shown.searches and shown.ids[:1] == ["harbour"] and shown.ids == shown.of_other_evidence,
    ),
    "gold": ("shows the evidence alone", lambda shown: (shown.ids, shown.of_other_evidence) == (["harbour"], ["mill"])),
    "gold among distractors": (
        "shows the evidence and other documents",
        lambda shown: "harbour" in shown.ids and "mill" in shown.of_other_evidence and len(shown.ids) > 1 and not shown.searches,
    ),
    "random": (
        "does not search, and shows documents that are no evidence",
        lambda shown: not shown.searches and len(shown.ids) > 0 and "harbour" not in shown.ids and "mill" not in shown.of_other_evidence,
    ),
    "corpus": (
        "does not search, and shows every document",
        lambda shown: not shown.searches and sorted(shown.ids) == sorted(document.id for document in DOCUMENTS),
    ),
    "recorded": ("shows what was recorded, here nothing", lambda shown: shown.ids == [] and not shown.searches),
}


def composed(name: str, tmp_path: Path, *overrides: str) -> DictConfig:
    OmegaConf.register_new_resolver("offline_minilm", minilm_path, replace=True)
    cache = f"+cache={{_target_:{DirectoryCache.__module__}.DirectoryCache,root:{tmp_path}}}"
    with initialize_config_dir(str(CONF), version_base=None):
        return compose(overrides=[f"+retriever={name}", "+seed=7", "+replay={}", cache, *overrides])


def embedders(node: Any, key: str = "") -> Iterator[str]:
    """Dotted keys of the embedders in a configuration."""
    for name, value in node.items() if isinstance(node, Mapping) else ():
        inner = f"{key}.{name}".lstrip(".")
        yield from [inner] if name == "embedder" else embedders(value, inner)


def breach(shown: Shown, context: str) -> str | None:
    """What to do where a retriever does not show what its class declares; None where it does."""
    if context not in PROMISES:
        return f"declares the context {context!r}; declare one of {', '.join(PROMISES)} in the class body."
    promise, is_kept = PROMISES[context]
    if is_kept(shown):
        return None
    fitting = [other for other, (_, holds) in PROMISES.items() if holds(shown)]
    return (
        f"declares the context {context!r}, which promises that it {promise}; it showed {shown.ids}, and {shown.of_other_evidence} where "
        f"the evidence is another. Mend the retriever, or declare a context that it keeps: {', '.join(fitting) or 'none fits'}."
    )


def shown_by(retriever: Retriever) -> Shown:
    retriever.add(DOCUMENTS)
    told, other = retriever.search([QUESTION, replace(QUESTION, evidence=("mill",))])
    return Shown(retriever, [hit.document.id for hit in told.hits], [hit.document.id for hit in other.hits])


def test_each_context_has_its_promise() -> None:
    assert set(PROMISES) == set(get_args(Context))
    assert len(RETRIEVERS) >= 12


@pytest.mark.parametrize("name", RETRIEVERS)
def test_a_retriever_shows_what_its_class_declares(name: str, tmp_path: Path) -> None:
    config = composed(name, tmp_path)
    lacking = OmegaConf.missing_keys(config)
    for key in lacking:
        OmegaConf.update(config, key, "given")
    for key in embedders(config.retriever):
        OmegaConf.update(config, f"retriever.{key}", HASHED, merge=False)
    retriever = instantiate(config.retriever, _convert_="all")
    context = signature(config.retriever._target_).constants.get("context")
    assert context == retriever.context, f"write `context: Context = {retriever.context!r}`, with the annotation, in the class body"
    if lacking:  # of a model that the user names; the retriever's own test searches with one
        assert (context == "retrieved") == isinstance(retriever, Searching), f"retriever={name}: {PROMISES['retrieved'][0]}"
    elif fault := breach(shown_by(retriever), context):
        pytest.fail(f"retriever={name}: {type(retriever).__name__} {fault}", pytrace=False)


@pytest.mark.parametrize(
    ("name", "declared", "advice"),
    [
        ("oracle", "retrieved", "declare a context that it keeps: gold."),
        ("bm25", "gold", "declare a context that it keeps: retrieved."),
        ("all", "whole corpus", "declare one of none, retrieved,"),
    ],
)
def test_a_retriever_that_declares_wrongly_is_told_what_to_do(name: str, declared: str, advice: str, tmp_path: Path) -> None:
    shown = shown_by(instantiate(composed(name, tmp_path).retriever, _convert_="all"))
    assert advice in (breach(shown, declared) or "")


@pytest.mark.parametrize("index", ["flat", "l2", "torch"])
def test_embedder_and_index_are_chosen_by_name(index: str, tmp_path: Path) -> None:
    config = composed("dense", tmp_path, "retriever/embedder=hashed", f"retriever/index={index}")
    retriever = instantiate(config.retriever, _convert_="all")
    assert (retriever.k, retriever.depth) == (3, 10)


def test_any_model_needs_a_name(tmp_path: Path) -> None:
    config = composed("dense", tmp_path, "retriever/embedder=hf")
    assert OmegaConf.missing_keys(config) == {"retriever.embedder.model"}
