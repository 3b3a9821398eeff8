"""Recorded answers of real models, scored and compared: the harness checked against reality. No model runs.

    RAG_EVAL_DATA=<folder of public data> python -m experiments.replay lara

LaRA (Li et al. 2025, arXiv 2502.09977) recorded what models answered from retrieved chunks and from whole texts of 128k
tokens. Each recording becomes an ordinary run directory under outputs/replay_lara, and each model's two are compared.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from experiments.options import real_data
from experiments.study import ended, recorded
from rag_eval.errors import UserError
from rag_eval.record.load import RecordedRun
from rag_eval.report.paired import shared
from rag_eval.report.table import Cell, Column, Table
from rag_eval.report.terminal import print_table
from rag_eval.stats.estimate import clustered_se

MODELS = ("mistral-nemo", "gpt-4o", "llama-3.2-3b")
MEASURES = {"recall": "answer/recall", "F1": "answer/f1"}
HEADER = ("model", Column("metric", kind="text"), "n", "long context", "retrieval", "difference", "SE paired", "SE paired, clustered")


def main(argv: Sequence[str]) -> int:
    """`lara [output folder]`; returns the exit code."""
    return ended(lambda: _main(argv))


def _main(argv: Sequence[str]) -> int:
    if not argv or argv[0] != "lara":
        raise UserError(f"expected the name of a recording (lara), got {' '.join(argv) or 'nothing'}.")
    data = real_data("lara_predictions")
    rows = tuple(lara(data, argv[1] if len(argv) > 1 else "outputs"))
    print_table(Console(), Table("", "", HEADER, rows))
    return 0


def lara(folder: Path, output_dir: str) -> Iterator[tuple[Cell, ...]]:
    """A row for each model and measure."""
    for model in MODELS:
        full, rag = (_replayed(folder, model, system, output_dir) for system in ("full", "rag"))
        for title, measure in MEASURES.items():
            yield _row(model, title, measure, full, rag)


def _replayed(folder: Path, model: str, system: str, output_dir: str) -> RecordedRun:
    answers = ["mode=replay", "replay=lara", "dataset=lara", f"dataset.path={folder}", f"replay.model={model}", f"replay.system={system}"]
    return recorded([*answers, "metrics=long", "tracking=none", "experiment_name=replay_lara", f"output_dir={output_dir}"])


def _row(model: str, title: str, measure: str, full: RecordedRun, rag: RecordedRun) -> tuple[Cell, ...]:
    questions = shared([full, rag])
    a, b = (run.column(measure, questions.ids) for run in (full, rag))
    difference = b - a
    alone = difference.std(ddof=1) / len(difference) ** 0.5
    clustered = clustered_se(difference, questions.codes)
    errors = (f"{alone:.4f}", f"{clustered:.4f}")
    return model, title, len(difference), f"{a.mean():.4f}", f"{b.mean():.4f}", f"{difference.mean():+.4f}", *errors


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
