"""QED (Lamm et al. 2020, arXiv 2009.06354): questions of Natural Questions, each with the Wikipedia passage that answers it.

Licence: CC BY-SA 3.0 and GFDL (text of Wikipedia). Source: github.com/google-research-datasets/QED, qed-dev.jsonlines and
the shards nq-train-*-qed.jsonlines. One question per line, in two schemas, of which the shards have the second:

{"example_id": -329, "title_text": "Physics", "question_text": "who ...", "paragraph_text": "The first ...",
 "original_nq_answers": [[{"start": 56, "end": 78, "string": "Wilhelm Conrad Röntgen"}]],   one list per annotator
 "annotation": {"explanation_type": "single_sentence"}}
{..., "answer_spans": [[56, 78]], "answer_text": ["Wilhelm Conrad Röntgen"], "answer_type": "single_sentence"}
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.fields import has_texts
from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, read_jsonl
from rag_eval.data.rows.split import Split
from rag_eval.data.rows.validate import CheckedQuestion, check_documents, check_questions
from rag_eval.text.words import words
from rag_eval.types import QADataset

log = logging.getLogger(__name__)

Span = tuple[int, int, str]  # start, end (exclusive) and text according to the file
UNMARKED: Span = (-1, -1, "")  # value in the shards for "no answer marked"


def qed(path: str, train: str | None, test: str) -> QADataset:
    """Read and validate QED. The corpus is every distinct passage of the files, with the id `<title>#<8 digits of its text's sha256>`.

    An answer is one annotator's spans, joined by commas. `meta["kind"]` is the explanation type: single_sentence, multi_sentence, or
    none (no answer found in the passage). Questions without a marked answer that contains a word, and training questions about an
    article of a test question, are dropped and counted in the log; their passages are kept.

    Args:
        path: folder of the files.
        train: glob pattern of the file names with training questions; None = no training questions and their passages.
        test: glob pattern of the file names with test questions.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by file, line and field.
    """
    problems = Problems(path)
    rows = _rows(path, train, "train", problems) if train is not None else []
    rows += _rows(path, test, "test", problems)
    texts = {row.fields["paragraph_text"]: row for row, _ in reversed(rows)}
    documents = [_document(row) for row in reversed(texts.values())]
    id = {row.fields["text"]: row.fields["id"] for row in documents}
    marked = [(row, split, answers) for row, split in rows if (answers := _answers(row, problems))]
    questions = [_question(row, id[row.fields["paragraph_text"]], split, answers) for row, split, answers in marked]
    corpus, asked = check_documents(documents, problems), check_questions(questions, problems)
    problems.raise_any()
    if len(marked) < len(rows):
        log.warning("%s: left out %d of %d questions for which no answer with a word is marked.", path, len(rows) - len(marked), len(rows))
    return assemble("qed", corpus, _apart(path, asked), 0.0, 0)


def _rows(path: str, pattern: str, split: Split, problems: Problems) -> list[tuple[Row, Split]]:
    files = [file for file in sorted(Path(path).glob("*")) if fnmatchcase(file.name, pattern)]
    if not files:
        found = ", ".join(sorted(file.name for file in Path(path).glob("*.jsonlines"))[:20]) or "no .jsonlines files"
        problems.add(path, f"has no file {pattern} to {split} with; found {found}. Give the folder of QED, and patterns of its files.")
    rows = [row for file in files for row in read_jsonl(str(file), problems)]
    return [(row, split) for row in rows if has_texts(row, ("title_text", "question_text", "paragraph_text"), problems)]


def _document(row: Row) -> Row:
    title, text = row.fields["title_text"], row.fields["paragraph_text"]
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return Row(row.where, {"id": f"{title}#{digest[:8]}", "title": title, "text": text})


def _question(row: Row, document: str, split: Split, answers: list[str]) -> Row:
    fields = {
        "question": row.fields["question_text"],
        "answers": answers,
        "evidence": [document],
        "cluster": row.fields["title_text"],
        "split": split,
        "meta": {"kind": kind} if (kind := _kind(row.fields)) else {},
    }
    return Row(row.where, fields | ({"id": row.fields["example_id"]} if "example_id" in row.fields else {}))


def _kind(fields: dict[str, Any]) -> Any:
    annotation = fields.get("annotation")
    return fields.get("answer_type") or (annotation.get("explanation_type") if isinstance(annotation, dict) else None)


def _answers(row: Row, problems: Problems) -> list[str]:
    """Answer of each annotator that contains a word, read from the passage because some files truncate it. Faults are added."""
    passage = row.fields["paragraph_text"]
    try:
        marked = [dict.fromkeys(_said(passage, span) for span in spans if span != UNMARKED) for spans in _annotators(row.fields)]
        return [answer for answer in map(", ".join, marked) if words(answer)]
    except (KeyError, TypeError) as fault:
        problems.add(row.where, f"answers: a span must have its start, its end and its string ({fault})")
    except ValueError as fault:
        problems.add(row.where, f"answers: {fault}")
    return []


def _annotators(fields: dict[str, Any]) -> list[list[Span]]:
    """Spans of each annotator.

    Args:
        fields: fields of a row, in one of the two schemas.

    Returns:
        One list of spans per annotator.

    Raises:
        ValueError: if the row has neither schema.
    """
    match fields:
        case {"original_nq_answers": list(annotators)}:
            return [[(span["start"], span["end"], span["string"]) for span in spans] for spans in annotators]
        case {"answer_spans": list(spans), "answer_text": list(texts)}:
            return [[(start, end, text) for (start, end), text in zip(spans, texts, strict=True)]]
    raise ValueError("expected original_nq_answers, or answer_spans and answer_text, as lists")


def _said(passage: str, span: Span) -> str:
    start, end, text = span
    stands = passage[start:end] if 0 <= start < end <= len(passage) else ""
    if not text or not stands.startswith(text):
        raise ValueError(f"characters {start} to {end} of the passage are {shown(stands)}, expected {shown(text)}")
    return stands


def _apart(path: str, asked: Sequence[CheckedQuestion]) -> list[CheckedQuestion]:
    """All but the training questions about articles of test questions."""
    tested = {one.cluster for one in asked if one.split == "test"}
    kept = [one for one in asked if one.split == "test" or one.cluster not in tested]
    if len(kept) < len(asked):
        log.warning("%s: left out %d training questions about articles of the test.", path, len(asked) - len(kept))
    return kept
