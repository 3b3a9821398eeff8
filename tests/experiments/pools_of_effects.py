"""Pools of made-up scores, as the runs of effects leave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag_eval.report.claims.pool import Pool
from rag_eval.types import Prediction


def prediction(id: str, *in_prompt: str) -> Prediction:
    return Prediction(id, "", in_prompt, (), in_prompt, 0, "", 1, 1, {}, "answered", "stop")


def pool(columns: Mapping[str, Sequence[float]], in_prompt: Sequence[Sequence[str]] = ()) -> Pool:
    """A pool of one question an entity in world 0."""
    n = len(next(iter(columns.values())))
    names = [f"0.0/{at}" for at in range(n)]
    rows = {name: {measure: column[at] for measure, column in columns.items()} for at, name in enumerate(names)}
    said = {name: prediction(name, *ids) for name, ids in zip(names, in_prompt or [()] * n, strict=True)}
    return Pool(rows, said, {name: name for name in names}, ())


def named(scores: Mapping[str, float], **meta: Sequence[object]) -> Pool:
    """A pool of named questions with their exact match; `meta` has a value for each, the entity as cluster among them."""
    rows = {
        name: {"answer/em": score, **{key: values[at] for key, values in meta.items()}} for at, (name, score) in enumerate(scores.items())
    }
    clusters = {name: f"{name.partition('.')[0]}/{row.get('cluster', name)}" for name, row in rows.items()}
    return Pool(rows, {name: prediction(name) for name in rows}, clusters, ())
