"""What dotted names of older versions are called now: for configurations and recorded runs that were written with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Modules of which only the place changed: old -> new.
MODULES: Mapping[str, str] = {
    "rag_eval.adapt.data_documents": "rag_eval.adapt.data.documents",
    "rag_eval.adapt.data_mixed": "rag_eval.adapt.data.mixed",
    "rag_eval.adapt.data_qa": "rag_eval.adapt.data.qa",
    "rag_eval.adapt.data_raft": "rag_eval.adapt.data.raft",
    "rag_eval.adapt.given": "rag_eval.adapt.external",
    "rag_eval.data.beir": "rag_eval.data.sources.beir",
    "rag_eval.data.chunk": "rag_eval.data.chunking.chunker",
    "rag_eval.data.chunk_eval": "rag_eval.data.sources.chunk_eval",
    "rag_eval.data.cut": "rag_eval.data.chunking.splitters",
    "rag_eval.data.fictional": "rag_eval.data.sources.fictional",
    "rag_eval.data.folder": "rag_eval.data.sources.folder",
    "rag_eval.data.generated": "rag_eval.data.sources.generated",
    "rag_eval.data.hotpot": "rag_eval.data.sources.hotpot",
    "rag_eval.data.hub": "rag_eval.data.sources.hub",
    "rag_eval.data.hub_beir": "rag_eval.data.sources.hub_beir",
    "rag_eval.data.jsonl": "rag_eval.data.sources.jsonl",
    "rag_eval.data.lara": "rag_eval.data.sources.lara",
    "rag_eval.data.medquad": "rag_eval.data.sources.medquad",
    "rag_eval.data.nq_open": "rag_eval.data.sources.nq_open",
    "rag_eval.data.pubmedqa": "rag_eval.data.sources.pubmedqa",
    "rag_eval.data.qed": "rag_eval.data.sources.qed",
    "rag_eval.data.scifact": "rag_eval.data.sources.scifact",
    "rag_eval.data.squad": "rag_eval.data.sources.squad",
    "rag_eval.data.update": "rag_eval.data.sources.update",
    "rag_eval.data.world.distractors": "synthworld.distractors",
    "rag_eval.data.world.questions": "synthworld.questions",
    "rag_eval.data.world.source": "synthworld.dataset",
    "rag_eval.data.world.understanding": "synthworld.reader",
    "rag_eval.data.world.writing": "synthworld.documents",
    "rag_eval.record.jsonl_mirror": "rag_eval.track.jsonl",
    "rag_eval.record.mlflow_mirror": "rag_eval.track.mlflow",
    "rag_eval.record.sweep": "rag_eval.track.sweep",
    "rag_eval.record.tracker": "rag_eval.track.tracker",
    "rag_eval.recorded.jsonl": "rag_eval.replay.jsonl",
    "rag_eval.recorded.lara": "rag_eval.replay.lara",
    "rag_eval.retrieve.cross_encoder": "rag_eval.retrieve.rerankers.cross_encoder",
    "rag_eval.retrieve.embed": "rag_eval.retrieve.encoders.sentence_transformer",
    "rag_eval.retrieve.hashed": "rag_eval.retrieve.encoders.hashing",
    "rag_eval.retrieve.index.by_annoy": "rag_eval.retrieve.index.annoy_index",
    "rag_eval.retrieve.index.by_faiss": "rag_eval.retrieve.index.faiss_index",
    "rag_eval.retrieve.index.by_postgres": "rag_eval.retrieve.index.pgvector_index",
    "rag_eval.retrieve.marginal": "rag_eval.retrieve.rerankers.mmr",
    "rag_eval.retrieve.mean_pool": "rag_eval.retrieve.encoders.mean_pool",
    "rag_eval.retrieve.random_pick": "rag_eval.retrieve.random",
    "rag_eval.retrieve.rerank": "rag_eval.retrieve.two_stage",
    "rag_eval.retrieve.sparse_encoder": "rag_eval.retrieve.encoders.splade",
    "rag_eval.retrieve.tfidf_svd": "rag_eval.retrieve.encoders.tfidf_svd",
    "rag_eval.retrieve.whole": "rag_eval.retrieve.full_corpus",
}

# Classes and functions that have another name, or another module than the rest of theirs: old -> new.
NAMES: Mapping[str, str] = {
    "rag_eval.adapt.given.Given": "rag_eval.adapt.external.ExternalAdapter",
    "rag_eval.data.world.asking.Questions": "synthworld.questions.Questions",
    "rag_eval.data.world.writing.Manner": "synthworld.documents.DocumentStyle",
    "rag_eval.data.world.writing.Written": "synthworld.documents.WrittenText",
    "rag_eval.prompt.Prompt": "rag_eval.prompt.PromptTemplate",
    "rag_eval.retrieve.index.flat.Flat": "rag_eval.retrieve.index.faiss_index.Faiss",
    "rag_eval.retrieve.marginal.marginal_relevance": "rag_eval.retrieve.rerankers.mmr.mmr",
    "rag_eval.retrieve.rerank.Reranked": "rag_eval.retrieve.two_stage.TwoStage",
    "rag_eval.retrieve.whole.Whole": "rag_eval.retrieve.full_corpus.FullCorpus",
    "rag_eval.score.spans.gold_spans": "rag_eval.text.spans.gold_spans",
    "rag_eval.score.spans.span_of": "rag_eval.text.spans.span_of",
}

# Of these, the parts that have another last name, by the parameter that takes them: recorded choices hold that name alone.
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "adapter": ("rag_eval.adapt.given.Given",),
    "index": ("rag_eval.retrieve.index.flat.Flat",),
    "manner": ("rag_eval.data.world.writing.Manner",),
    "prompt": ("rag_eval.prompt.Prompt",),
    "retriever": ("rag_eval.retrieve.rerank.Reranked", "rag_eval.retrieve.whole.Whole"),
    "retrievers": ("rag_eval.retrieve.rerank.Reranked", "rag_eval.retrieve.whole.Whole"),  # by any name
}


def current(target: str) -> str:
    """The dotted name of today of a class or function; the same where it has not changed."""
    module, _, name = target.rpartition(".")
    return NAMES.get(target) or (f"{MODULES[module]}.{name}" if module in MODULES else target)


def current_choices(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded choices, in which a part stands under the last name of its target, with the names of today.

    Args:
        choices: by dotted key, as in `facts["choices"]` of a record.

    Returns:
        The same choices with the present names.
    """
    return {key: _last_name(key, value) if isinstance(value, str) else value for key, value in choices.items()}


def _last_name(key: str, value: str) -> str:
    """The last name of today of a part that stands under a dotted key; any other value as it is."""
    *path, parameter = key.split(".")
    taken_by = "retrievers" if path[-1:] == ["retrievers"] else parameter
    renamed = {old.rpartition(".")[2]: NAMES[old].rpartition(".")[2] for old in PARAMETERS.get(taken_by, ())}
    return renamed.get(value, value)
