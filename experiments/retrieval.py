"""How well passages are found in real data: lexical, dense and hybrid retrieval on nine sets, beside known values of BM25.

    RAG_EVAL_DATA=DATA python -m experiments.retrieval                  # every question of every set
    RAG_EVAL_DATA=DATA python -m experiments.retrieval preset=ci        # 100 questions of each of the small sets

Keys: preset=laptop, retrievers=bm25,dense,hybrid, sets=all, runs=outputs, out=reports. No model answers. Each cell is an ordinary
run of mode=retrieval, so finished ones are taken from disk and nothing is embedded twice. Writes retrieval.md, retrieval.json
and retrieval.png.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing

from experiments.options import of_group, several
from experiments.study import Found, Picture, Report, Run, Study, evaluation
from rag_eval.errors import UserError
from rag_eval.record.load import RecordedRun
from rag_eval.report.table import Cell, Figure, Table, figure
from rag_eval.stats.estimate import estimate
from rag_eval.types import Estimate

MEASURES = {"retrieval/hit_1": "hit@1", "retrieval/recall_10": "recall@10", "retrieval/mrr_10": "MRR@10", "retrieval/ndcg_10": "nDCG@10"}
ALL = "all"
MARGIN = 0.03  # how far BM25 may be from its known values
CI_LIMIT = 100
DPI = 150
READING = f"""Means with 95 % intervals that take questions about one article, disease or document as dependent. BM25: k1 0.9, b 0.4,
lower-case words, a small stop list, no stemming, title and text. Dense: all-MiniLM-L6-v2, 256 tokens, exact search. Hybrid: both, fused by
reciprocal rank. Known values are another implementation's of the same BM25 on the same questions; "as known" means within {MARGIN:g}."""


@dataclass(frozen=True)
class Setting:
    """One set of questions: how it is read, and what BM25 is known to reach on it."""

    overrides: tuple[str, ...]  # "{data}" stands for the folder of the data
    known: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by kind of question ("" = all), then by measure
    is_small: bool = False  # takes seconds


def _known(hit_1: float, mrr_10: float) -> dict[str, dict[str, float]]:
    return {"": {"retrieval/hit_1": hit_1, "retrieval/mrr_10": mrr_10}}


SETS: Mapping[str, Setting] = {
    "SQuAD2": Setting(("dataset=squad", "dataset.path={data}/squad2_halfdev/dev-v2.0.json"), _known(0.806, 0.866)),
    "XQuAD": Setting(("dataset=squad", "dataset.path={data}/xquad/xquad.en.json"), _known(0.934, 0.958), is_small=True),
    "QED": Setting(("dataset=qed", "dataset.path={data}/qed"), _known(0.700, 0.777)),
    "GARD": Setting(("dataset=medquad", "dataset.path={data}/medquad_gard/2_GARD_QA"), _known(0.564, 0.723)),
    "PubMedQA": Setting(("dataset=pubmedqa", "dataset.path={data}/pubmedqa"), _known(0.952, 0.966), is_small=True),
    "SciFact": Setting(("dataset=scifact", "dataset.path={data}/scifact_csv/scifact.zip"), _known(0.543, 0.632)),
    "HotpotQA": Setting(("dataset=hotpot", "dataset.path={data}/hotpotqa_100/hotpotqa_train.json"), _known(0.810, 0.876), is_small=True),
    "chunking_evaluation": Setting(
        ("dataset=chunk_eval", "dataset.path={data}/chunking_evaluation", "chunker=sentences", "chunker.size=256"), _known(0.638, 0.768)
    ),
    "fictional_knowledge": Setting(
        ("dataset=fictional_knowledge", "dataset.path={data}/fictional_knowledge/fictional_knowledge_paraphrased.json"),
        {
            "mem": {"retrieval/hit_1": 1.0, "retrieval/mrr_10": 1.0},
            "gen": {"retrieval/hit_1": 0.985, "retrieval/mrr_10": 0.991},
            "hard_gen": {"retrieval/hit_1": 0.975, "retrieval/mrr_10": 0.987},
        },
        is_small=True,
    ),
}


SetRun = tuple[str, str]  # name of the set, retriever


@dataclass(frozen=True)
class Cellwise:
    """What one retriever reaches on one kind of question of one set."""

    set: str
    kind: str
    retriever: str
    found: Mapping[str, Estimate | None]  # by measure
    known: Mapping[str, float]  # BM25's, by measure

    @property
    def label(self) -> str:
        """The set, and the kind of question where it is told apart."""
        return f"{self.set}, {self.kind}" if self.kind else self.set

    @property
    def verdict(self) -> str:
        """Whether BM25 is where it is known to be."""
        if self.retriever != "bm25" or not self.known:
            return "-"
        gaps = [abs(one.mean - self.known[name]) for name, one in self.found.items() if name in self.known and one is not None]
        return "as known" if gaps and max(gaps) <= MARGIN else f"off by {max(gaps, default=float('nan')):.3f}"


@dataclass(frozen=True)
class Options:
    """Which sets, how many of their questions, who searches, and where runs and reports are."""

    preset: Literal["ci", "laptop"] = "laptop"
    retrievers: Annotated[tuple[str, ...], of_group("retriever")] = ("bm25", "dense", "hybrid")
    sets: Annotated[tuple[str, ...], several((*SETS, ALL))] = (ALL,)
    runs: Path = Path("outputs")
    out: Path = Path("reports")


def _data() -> Path:
    folder = os.environ.get("RAG_EVAL_DATA", "")
    if not Path(folder).is_dir() or not folder:
        raise UserError(
            f"expected the folder of the real data in the variable RAG_EVAL_DATA, found {folder!r}; docs/retrieval.md says what it holds."
        )
    return Path(folder).resolve()


def _wanted(options: Options) -> dict[str, Setting]:
    named = SETS if ALL in options.sets else {name: SETS[name] for name in options.sets}
    wanted = {name: one for name, one in named.items() if one.is_small or options.preset == "laptop"}
    if not wanted:
        raise UserError(f"sets={','.join(options.sets)}: none of these is small enough for preset=ci; use preset=laptop.")
    return wanted


def runs(options: Options) -> list[Run[SetRun, RecordedRun]]:
    """A run of each set and retriever."""
    data, limit = _data(), [f"limit={CI_LIMIT}"] if options.preset == "ci" else []
    return [
        evaluation(
            (name, retriever),
            ["mode=retrieval", *limit, *(one.format(data=data) for one in setting.overrides), f"retriever={retriever}"],
            "retrieval",
            options.runs,
        )
        for name, setting in _wanted(options).items()
        for retriever in options.retrievers
    ]


def cells(runs: Mapping[SetRun, RecordedRun], sets: Mapping[str, Setting]) -> list[Cellwise]:
    """What each run reached, kinds of question apart where their known values are."""
    return [
        Cellwise(name, kind, retriever, _measured(run, kind), known)
        for name, setting in sets.items()
        for kind, known in (setting.known or {"": {}}).items()
        for (of, retriever), run in runs.items()
        if of == name
    ]


def _measured(run: RecordedRun, kind: str) -> dict[str, Estimate | None]:
    """Estimates of the run, or over its questions of one kind."""
    if not kind:
        return {measure: run.record.estimates.get(measure) for measure in MEASURES}
    rows = [row for row in run.rows.values() if row.get("kind") == kind]
    clusters = [row["cluster"] for row in rows]
    found: dict[str, Estimate | None] = {}
    for measure in MEASURES:
        scores = [np.nan if row.get(measure) is None else float(row[measure]) for row in rows]
        found[measure] = estimate(scores, clusters, binary=set(scores) <= {0.0, 1.0}) if rows else None
    return found


def _table(found: Sequence[Cellwise]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        n = next((measure.n for measure in one.found.values() if measure is not None), 0)
        known = " / ".join(f"{one.known[name]:.3f}" for name in ("retrieval/hit_1", "retrieval/mrr_10") if name in one.known)
        figures = [figure(one.found[measure]) for measure in MEASURES]
        rows.append((one.label, one.retriever, n, *figures, known if one.retriever == "bm25" else "", one.verdict))
    header = ("set", "retriever", "n", *MEASURES.values(), "known hit@1 / MRR@10", "BM25")
    return Table("Retrieval", READING, header, tuple(rows))


def _costs(runs: Mapping[SetRun, RecordedRun]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (name, retriever), run in runs.items():
        facts, learn = run.record.facts, run.record.spends["learn"]
        audit = facts.data.audit
        stored = None if learn.stored_bytes is None else learn.stored_bytes / 2**20
        rate = facts.outcomes.throughput.searches_per_s
        n: Cell = Figure(None) if audit is None else audit.n_documents
        rows.append(
            (name, retriever, n, Figure(learn.seconds, note="from the cache" if learn.cached else ""), Figure(stored), Figure(rate))
        )
    reading = "On this machine. Building: embedding and indexing together; what came from the cache is given as it was built."
    return Table(
        "Cost", reading, ("set", "retriever", "passages", "building, s", "stored, MiB", "questions searched a second"), tuple(rows)
    )


def _draw(found: Sequence[Cellwise], path: Path) -> None:
    """nDCG@10 with its interval, a row a set, a colour a retriever."""
    labels, names = list(dict.fromkeys(one.label for one in found)), list(dict.fromkeys(one.retriever for one in found))
    drawing = Drawing(figsize=(7.5, 1.2 + 0.45 * len(labels)), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.subplots()
    for at, name in enumerate(names):
        drawn = [(labels.index(one.label), one.found["retrieval/ndcg_10"]) for one in found if one.retriever == name]
        known = [(row + (at - (len(names) - 1) / 2) * 0.2, one) for row, one in drawn if one is not None]
        means = [one.mean for _, one in known]
        spread = [[one.mean - one.low for _, one in known], [one.high - one.mean for _, one in known]]
        axes.errorbar(means, [row for row, _ in known], xerr=spread, fmt="o", markersize=4, capsize=2, label=name)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(0, 1.01)
    axes.set_xlabel("nDCG@10 with 95 % interval")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower left")
    drawing.savefig(path, dpi=DPI)


def report(options: Options, found: Found[SetRun, RecordedRun]) -> Report:
    """What was found, what it cost, and a figure."""
    reached = cells(found, _wanted(options))
    picture = Picture("nDCG@10 of each set and retriever", partial(_draw, reached))
    return Report([_table(reached), _costs(found)], picture=picture)


STUDY = Study("retrieval", "Retrieval on real data", "experiments.retrieval", Options, runs, report)
main = STUDY.main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
