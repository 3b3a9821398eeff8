"""Indexes that several tests fill."""

from __future__ import annotations

from typing import Literal

from rag_eval.retrieve.index.faiss_index import Faiss


def flat(metric: Literal["inner_product", "l2"] = "inner_product") -> Faiss:
    """The exact index of FAISS on the CPU."""
    return Faiss("Flat", metric, {}, "cpu")
