"""A folder in the format of BEIR (Thakur et al. 2021). Retrieval only: questions have evidence and no answers.

corpus.jsonl: {"_id": "d1", "title": "Nile", "text": "The Nile flows through Egypt."}
queries.jsonl: {"_id": "q1", "text": "Where does the Nile flow?"}
qrels/test.tsv: a header `query-id	corpus-id	score`, then `q1	d1	1`; a document is relevant if its score is above 0, and the
score is its grade
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.qrels import JUDGED, qrels_rows
from rag_eval.data.rows.read import Row, decoded, file_bytes, read_jsonl
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.types import QADataset


def beir(
    path: str, test: str, train: str | None, dev: str | None, train_share: Annotated[float, Field(ge=0, lt=1)], seed: NonNegativeInt
) -> QADataset:
    """Read, validate and split a BEIR folder. Only questions with a relevant document are kept.

    Args:
        path: path of the folder.
        test: name of the test judgements: `test` for qrels/test.tsv.
        train: name of the training judgements; None = split by `train_share`.
        dev: name of the dev judgements; None = no dev split, or split by `train_share`.
        train_share: share of the questions for training if `train` and `dev` are None; 0 = all are for testing.
        seed: seed of the split.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by file, line and field.
    """
    files = {name: str(Path(path, name)) for name in ("corpus.jsonl", "queries.jsonl")}
    given = {"test": test, "train": train, "dev": dev}
    qrels = {split: str(Path(path, "qrels", f"{name}.tsv")) for split, name in given.items() if name is not None}
    problems = Problems(*files.values(), *qrels.values())
    corpus, queries = (read_jsonl(file, problems) for file in files.values())
    pairs = {split: _pairs(file, problems) for split, file in qrels.items()}
    problems.raise_any()
    documents, questions = qrels_rows(corpus, queries, pairs, problems)
    checked, asked = check_documents(documents, problems), check_questions(questions, problems)
    problems.raise_any()
    return assemble(f"beir-{Path(path).resolve().name}", checked, asked, train_share, seed)


def _pairs(path: str, problems: Problems) -> list[Row]:
    """Judgements of a file, in order."""
    try:
        header, *lines = decoded(file_bytes(path, "TSV")).strip(" ").replace("\r\n", "\n").split("\n")
    except ValueError as fault:
        problems.add(path, str(fault))
        return []
    if header.split("\t") != list(JUDGED):
        problems.add(f"{path}:1", f"must be the header {' '.join(JUDGED)}, with tabs between, but is {shown(header)}")
        return []
    rows = []
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if line and len(cells) != len(JUDGED):
            problems.add(f"{path}:{number}", f"must be {' '.join(JUDGED)}, with tabs between, but is {shown(line)}")
        elif line:
            rows.append(Row(f"{path}:{number}", dict(zip(JUDGED, cells, strict=True))))
    return rows
