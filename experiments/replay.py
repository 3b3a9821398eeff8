"""Recorded answers of real models, scored and compared: the harness checked against reality. No model runs.

    RAG_EVAL_DATA=<folder of public data> python -m experiments.replay lara

LaRA (Li et al. 2025, arXiv 2502.09977) recorded what models answered from retrieved chunks and from whole texts of 128k
tokens. Each recording becomes an ordinary run directory under outputs/replay_lara, and each model's two are compared.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from rag_eval.config.compose import register_resolvers
from rag_eval.config.paths import conf_dir
from rag_eval.errors import RagEvalError, UserError
from rag_eval.evaluate import evaluate
from rag_eval.report.paired import shared
from rag_eval.report.recorded_run import RecordedRun, read_run
from rag_eval.score.estimate import clustered_se

MODELS = ("mistral-nemo", "gpt-4o", "llama-3.2-3b")
MEASURES = {"recall": "answer/recall", "F1": "answer/f1"}
HEADER = "model         metric    n  long context  retrieval  difference  SE paired  SE paired, clustered"


def main(argv: Sequence[str]) -> int:
    """`lara [output folder]`; returns the exit code."""
    try:
        if not argv or argv[0] != "lara":
            raise UserError(f"expected the name of a recording (lara), got {' '.join(argv) or 'nothing'}.")
        if not os.environ.get("RAG_EVAL_DATA"):
            raise UserError("RAG_EVAL_DATA is not set; give it the folder that holds lara_predictions.")
        print(HEADER)
        for line in lara(Path(os.environ["RAG_EVAL_DATA"]) / "lara_predictions", argv[1] if len(argv) > 1 else "outputs"):
            print(line, flush=True)
    except RagEvalError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def lara(folder: Path, output_dir: str) -> Iterator[str]:
    """A line for each model and measure."""
    for model in MODELS:
        full, rag = (_replayed(folder, model, system, output_dir) for system in ("full", "rag"))
        for title, measure in MEASURES.items():
            yield _line(model, title, measure, full, rag)


def _replayed(folder: Path, model: str, system: str, output_dir: str) -> RecordedRun:
    register_resolvers()
    GlobalHydra.instance().clear()
    overrides = ["mode=replay", "replay=lara", "dataset=lara", f"dataset.path={folder}", f"replay.model={model}", f"replay.system={system}"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        settings = ["metrics=long", "tracking=none", "experiment_name=replay_lara", f"output_dir={output_dir}"]
        return read_run(Path(evaluate(compose("config", overrides=overrides + settings)).directory))


def _line(model: str, title: str, measure: str, full: RecordedRun, rag: RecordedRun) -> str:
    questions = shared([full, rag])
    a, b = (run.column(measure, questions.ids) for run in (full, rag))
    difference = b - a
    alone = difference.std(ddof=1) / len(difference) ** 0.5
    clustered = clustered_se(difference, questions.codes)
    return (
        f"{model:<13} {title:<7} {len(difference):>3}  {a.mean():>12.4f}  {b.mean():>9.4f}  {difference.mean():>+10.4f}"
        f"  {alone:>9.4f}  {clustered:>20.4f}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
