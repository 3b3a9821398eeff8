"""The chunking evaluation of Smith and Troynikov (2024): questions about five long documents, with gold character spans.

Licence: MIT; the documents are excerpts of third parties. Source: github.com/brandonstarxel/chunking_evaluation,
general_evaluation_data: questions_df.csv and the documents, one <corpus_id>.md each. Retrieval only.

question,references,corpus_id
"Which country ...?","[{""content"": ""Overseas, ..."", ""start_index"": 1039, ""end_index"": 1145}]",state_of_the_union
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, strict_json
from rag_eval.data.rows.read_csv import read_csv
from rag_eval.data.rows.text_file import file_text
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.types import QADataset


def chunk_eval(path: str) -> QADataset:
    """Read and validate the evaluation. Documents are whole and carry `source`, `start` and `end` in their meta.

    Question `<document>/q<line, from 1>` has that document as evidence and the gold characters as its `spans`, which do not depend
    on the chunking. All questions are for testing; none has an answer (`retrieval_only`).

    Args:
        path: folder of questions_df.csv and the documents.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by file, line and field, including spans whose text differs from `content`.
    """
    problems = Problems(path)
    rows = read_csv(str(Path(path) / "questions_df.csv"), ("question", "references", "corpus_id"), problems)
    texts = {name: _text(path, name, problems) for name in dict.fromkeys(row.fields["corpus_id"] for row in rows)}
    questions = [_question(number, row, texts, problems) for number, row in enumerate(rows, start=1)]
    documents = [Row(f"{path}/{id}.md", {"id": id, "text": text, "meta": _whole(id, text)}) for id, text in texts.items()]
    corpus, asked = check_documents(documents, problems), check_questions(questions, problems)
    problems.raise_any()
    return assemble("chunk_eval", corpus, asked, 0.0, 0)


def _text(path: str, name: str, problems: Problems) -> str:
    """Text of a document; line ends are kept because they count as characters."""
    if Path(name).name != name:
        problems.add(f"{path}/questions_df.csv", f"corpus_id: {shown(name)} is no name of a document")
        return ""
    return file_text(f"{path}/{name}.md", "the text of a document", problems)


def _whole(id: str, text: str) -> dict[str, Any]:
    return {"source": id, "start": 0, "end": len(text)}


def _question(number: int, row: Row, texts: dict[str, str], problems: Problems) -> Row:
    id, name = row.fields["corpus_id"], f"{row.fields['corpus_id']}/q{number}"
    try:
        spans = [_span(id, texts[id], reference) for reference in strict_json(row.fields["references"])]
        fault = "" if spans else "is empty"
    except KeyError as error:
        fault = f"a reference lacks {error}"
    except (TypeError, ValueError) as error:
        fault = f"{error}"
    if fault:
        problems.add(row.where, f"id {name} references: {fault}; expected a list of content, start_index and end_index")
        spans = []
    fields = {"id": name, "question": row.fields["question"], "evidence": [id], "cluster": id}
    return Row(row.where, fields | {"retrieval_only": True, "meta": {"spans": spans}})


def _span(id: str, text: str, reference: dict[str, Any]) -> dict[str, Any]:
    start, end, content = reference["start_index"], reference["end_index"], reference["content"]
    stands = text[start:end] if 0 <= start < end <= len(text) else ""
    if not stands or stands != content:
        raise ValueError(f"characters {start} to {end} of {id} are {shown(stands)}, not {shown(content)}")
    return {"source": id, "start": start, "end": end}
