"""NQ-Open (Lee et al. 2019): questions of Natural Questions with short answers, without a corpus.

Licence: CC BY-SA 3.0. Source: github.com/google-research-datasets/natural-questions, nq_open/NQ-open.dev.jsonl.

{"question": "how many seasons of the bastard executioner are there", "answer": ["one", "one season"]}
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.fields import has_lists, has_texts
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import Row, read_jsonl
from rag_eval.data.rows.validate import check_questions
from rag_eval.text.words import words
from rag_eval.types import QADataset

log = logging.getLogger(__name__)


def nq_open(path: str, train_share: Annotated[float, Field(ge=0, lt=1)], seed: NonNegativeInt) -> QADataset:
    """Read, validate and split NQ-Open; the ids are `q<line, from 1>`. There is no corpus, so retrieval is not scored.

    Answers without a word (such as "---") are annotation errors and are dropped, as are questions without other answers. The number
    of dropped questions is logged.

    Args:
        path: path of the JSON lines file.
        train_share: share of the questions for training; 0 = all are for testing.
        seed: seed of the split, which is by question because the articles are unknown.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by line and field.
    """
    problems = Problems(path)
    rows = [_row(number, row) for number, row in enumerate(read_jsonl(path, problems), start=1) if _is_sound(row, problems)]
    asked = check_questions([row for row in rows if row.fields["answers"]], problems)
    problems.raise_any()
    if len(asked) < len(rows):
        log.warning("%s: left out %d of %d questions whose answers hold no word.", path, len(rows) - len(asked), len(rows))
    return assemble(f"nq_open-{Path(path).stem}", None, asked, train_share, seed)


def _is_sound(row: Row, problems: Problems) -> bool:
    is_sound = has_texts(row, ["question"], problems) and has_lists(row, ["answer"], problems)
    if is_sound and not row.fields["answer"]:
        problems.add(row.where, "answer: is empty; give at least one text")
    return is_sound and bool(row.fields["answer"])


def _row(number: int, row: Row) -> Row:
    answers: list[Any] = row.fields["answer"]
    worded = [answer for answer in answers if words(answer)]
    return Row(row.where, {"id": f"q{number}", "question": row.fields["question"], "answers": worded})
