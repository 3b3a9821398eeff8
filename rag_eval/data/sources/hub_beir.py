"""A retrieval task of the Hugging Face hub in the format of MTEB: configurations `corpus`, `queries` and `default` (judgements)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.hub_table import Table
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.qrels import JUDGED, qrels_rows
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.types import QADataset


def hub_beir(
    path: str,
    revision: str | None,
    test: str,
    train: str | None,
    dev: str | None,
    train_share: Annotated[float, Field(ge=0, lt=1)],
    seed: NonNegativeInt,
) -> QADataset:
    """Read, validate and split a retrieval task. Only questions with a relevant document are kept; none has an answer.

    Args:
        path: hub id, or a local folder.
        revision: commit of a hub id, 40 hexadecimal digits; None for a folder.
        test: split of the judgements for testing.
        train: split of the judgements for training; None = split by `train_share`.
        dev: split of the judgements for tuning; None = no dev split, or split by `train_share`.
        train_share: share of the questions for training if `train` and `dev` are None; 0 = all are for testing.
        seed: seed of the split.

    Returns:
        The dataset.

    Raises:
        DataError: naming what is missing, or every faulty row as `path:split[row]`.
        EnvironmentFault: if the hub does not respond and there is no local copy.
    """
    problems = Problems(path)
    corpus = list(Table(path, revision, "corpus").rows("corpus", ("_id", "title", "text")))
    queries = list(Table(path, revision, "queries").rows("queries", ("_id", "text")))
    given = {"test": test, "train": train, "dev": dev}
    judgements = Table(path, revision, "default")
    pairs = {split: list(judgements.rows(name, JUDGED)) for split, name in given.items() if name is not None}
    documents, questions = qrels_rows(corpus, queries, pairs, problems)
    checked, asked = check_documents(documents, problems), check_questions(questions, problems)
    problems.raise_any()
    return assemble(f"hub-{path.rstrip('/').rpartition('/')[2]}", checked, asked, train_share, seed)
