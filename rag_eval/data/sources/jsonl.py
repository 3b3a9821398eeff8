"""A corpus as JSON lines, and questions as JSON lines, CSV, TSV or Parquet (read_questions.py).

documents.jsonl: {"id": "d1", "title": "Nile", "text": "The Nile flows through Egypt."}
questions.jsonl: {"id": "q1", "question": "Where does the Nile flow?", "answers": ["Egypt"], "evidence": ["d1"], "split": "test"}

Required are `id` and `text` of documents, and `id`, `question` and `answers` of questions. Without a corpus (`documents: null`)
nothing can be retrieved. A question that no document answers has `"unanswerable": true` instead of answers, and one that is scored
for retrieval only has `"retrieval_only": true` and its `evidence`. Optional are `title`; `evidence` (ids of documents that
contain the answer), `cluster` (entity or article; by default the first evidence, else the id), `split` (train, dev, test or
others, in every row or in none), `history` (a list of {"question", "answer"}, oldest first) and `meta` (an object) of documents
and questions, whose keys are described in docs/measuring.md. Other fields are ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import read_jsonl
from rag_eval.data.rows.read_questions import read_questions
from rag_eval.data.rows.split import Splitting
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.types import QADataset


def jsonl(
    documents: str | None,
    questions: str,
    train_share: Annotated[float, Field(ge=0, lt=1)],
    seed: NonNegativeInt,
    split_by: Literal["cluster", "question"] = "cluster",
    others_share: Annotated[float, Field(gt=0, lt=1)] | None = None,
    lessons: Literal["own", "others"] = "own",
) -> QADataset:
    """Read, validate and split a corpus and questions.

    Args:
        documents: path of the corpus; None if there is none.
        questions: path of the questions, .csv, .tsv, .parquet or else JSON lines.
        train_share: share of the clusters for training if the questions have no splits; 0 = all are for testing.
        seed: seed of the split.
        split_by: "cluster": tested articles are not trained on. "question": some questions about an article are for training and
            some for testing, and some articles are for dev and others only; see split_by_question.py.
        others_share: if split by question, share of the articles for others; None = as many questions as training has.
        lessons: "own", or "others" for a control that trains on as many questions about articles that are not tested.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by file, line, id and field.
    """
    problems = Problems(*filter(None, (documents, questions)))
    corpus = None if documents is None else check_documents(read_jsonl(documents, problems), problems)
    asked = check_questions(read_questions(questions, problems), problems)
    problems.raise_any()
    return assemble(f"jsonl-{Path(questions).stem}", corpus, asked, train_share, seed, Splitting(split_by, others_share, lessons))
