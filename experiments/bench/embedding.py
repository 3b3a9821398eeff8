"""How fast documents are embedded, beside `SentenceTransformer.encode` with the same model, texts, number format and threads.

The passages are those of SQuAD where RAG_EVAL_DATA names the folder of real data, otherwise made-up words of lognormal length.
Each comparison alternates ours and theirs, pair by pair, and each pair gives one ratio of times. Other work on the machine
slows both, with several threads theirs more: the threads of one layer wait for each other. Loading is excluded, tokenizing
included. bfloat16 is also compared with the float32 that sentence-transformers takes by itself. CPU seconds are those of the
process, all threads together.

    OMP_NUM_THREADS=2 python -m experiments.bench.embedding
"""

from __future__ import annotations

import json
import logging
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from sentence_transformers import SentenceTransformer

from experiments.study import Found, Report, Run, Study
from rag_eval.models.minilm_wheel import minilm_path
from rag_eval.report.table import Table
from rag_eval.retrieve.encoders.sentence_transformer import SentenceTransformerEmbedder
from rag_eval.retrieve.encoders.vectors import in_memory
from rag_eval.types import Document

N_TEXTS, N_PAIRS = 24, 5
TOKEN_BUDGET, MAX_ROWS = None, 1024  # those of conf/retriever/embedder/minilm.yaml
SQUAD = "squad2_halfdev/dev-v2.0.json"


@dataclass(frozen=True)
class Options:
    """Where the report is."""

    out: Path = Path("reports/bench")


@dataclass(frozen=True)
class Compared:
    """One way of ours beside one way of theirs."""

    n_threads: int
    ours: str
    theirs: str
    target: float | None  # times theirs that ours should be; None where there is none
    our_texts_per_s: list[float]  # of each pair
    their_texts_per_s: list[float]
    wall_ratio: list[float]  # their seconds by ours, of each pair
    cpu_ratio: list[float]

    @property
    def is_met(self) -> bool | None:
        return None if self.target is None else statistics.median(self.wall_ratio) >= self.target


def passages() -> tuple[str, list[str]]:
    """What they are, and N_TEXTS of them."""
    if folder := os.environ.get("RAG_EVAL_DATA"):
        articles = json.loads((Path(folder) / SQUAD).read_text(encoding="utf-8"))["data"]
        contexts = [paragraph["context"] for article in articles for paragraph in article["paragraphs"]]
        return "passages of SQuAD 2.0", random.Random(0).sample(contexts, N_TEXTS)
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(2000)]
    return "made-up words", [" ".join(rng.choices(words, k=max(5, int(rng.lognormvariate(4, 0.5))))) for _ in range(N_TEXTS)]


def compared(ours: tuple[str, Callable[[], object]], theirs: tuple[str, Callable[[], object]], target: float | None) -> Compared:
    """N_PAIRS alternating pairs, after one of each that does not count."""
    for _, embed in (ours, theirs):
        embed()
    pairs = [(timed_s(ours[1]), timed_s(theirs[1])) for _ in range(N_PAIRS)]
    return Compared(
        torch.get_num_threads(),
        ours[0],
        theirs[0],
        target,
        our_texts_per_s=[N_TEXTS / wall for (wall, _), _ in pairs],
        their_texts_per_s=[N_TEXTS / wall for _, (wall, _) in pairs],
        wall_ratio=[their_wall / our_wall for (our_wall, _), (their_wall, _) in pairs],
        cpu_ratio=[their_cpu / our_cpu for (_, our_cpu), (_, their_cpu) in pairs],
    )


def timed_s(embed: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    embed()
    return time.perf_counter() - wall, time.process_time() - cpu


def runs(_: Options) -> list[Run[int, list[Compared]]]:
    """All comparisons with one thread and with as many as there are."""
    logging.getLogger("rag_eval.retrieve.encoders.encoder").setLevel(logging.ERROR)  # that passages are cut is the same on both sides
    texts = passages()[1]
    return [_run(n_threads, texts) for n_threads in sorted({1, torch.get_num_threads()})]


def _run(n_threads: int, texts: Sequence[str]) -> Run[int, list[Compared]]:
    def make(_: Found[int, list[Compared]]) -> list[Compared]:
        torch.set_num_threads(n_threads)
        return all_compared(texts)

    return Run(n_threads, make)


def all_compared(texts: Sequence[str]) -> list[Compared]:
    """Ours beside theirs in both number formats, with the threads that torch has."""
    documents = [Document(str(n), text) for n, text in enumerate(texts)]
    theirs = SentenceTransformer(minilm_path(), device="cpu", model_kwargs={"dtype": "float32"})
    theirs_short = SentenceTransformer(minilm_path(), device="cpu", model_kwargs={"dtype": "bfloat16"})
    ours, ours_short = (
        SentenceTransformerEmbedder(minilm_path(), None, MAX_ROWS, TOKEN_BUDGET, dtype, "cpu") for dtype in ("float32", "bfloat16")
    )
    full = ("float32", lambda: ours.embed_documents(documents, in_memory))
    short = ("bfloat16", lambda: ours_short.embed_documents(documents, in_memory))
    default = ("float32, batch_size=32", lambda: theirs.encode(list(texts), batch_size=32))
    tuned = ("float32, batch_size=128", lambda: theirs.encode(list(texts), batch_size=128))
    default_short = (
        "bfloat16, batch_size=32",
        lambda: theirs_short.encode(list(texts), batch_size=32, convert_to_tensor=True).float().numpy(),
    )
    return [compared(full, default, 1.0), compared(full, tuned, 1.0), compared(short, default, 1.4), compared(short, default_short, None)]


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def row(one: Compared) -> tuple[str, ...]:
    met = {None: "", True: "met", False: "NOT met"}[one.is_met]
    target = "" if one.target is None else f"{one.target:.1f}"
    rates = (spread(one.our_texts_per_s), spread(one.their_texts_per_s), spread(one.wall_ratio), spread(one.cpu_ratio))
    return (str(one.n_threads), one.ours, one.theirs, *rates, target, met)


COLUMNS = ("threads", "ours", "sentence-transformers", "ours, texts/s", "theirs, texts/s", "ratio, wall", "ratio, CPU", "target", "reached")


def report(_: Options, found: Found[int, list[Compared]]) -> Report:
    """A line for each comparison."""
    every = [one for of_threads in found.values() for one in of_threads]
    about = f"all-MiniLM-L6-v2, {N_TEXTS} {passages()[0]}, {N_PAIRS} alternating pairs, median (least to most)."
    section = Table("Texts a second", about, COLUMNS, tuple(map(row, every)))
    return Report([section], more={"compared": [asdict(one) for one in every]})


STUDY = Study("embedding", "Embedding speed", "experiments.bench.embedding", Options, runs, report)
main = STUDY.main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
