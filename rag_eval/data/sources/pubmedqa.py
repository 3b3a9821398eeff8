"""PubMedQA (Jin et al. 2019, arXiv 1909.06146): yes/no/maybe questions about the abstract of a paper.

Licence: MIT. Source: github.com/pubmedqa/pubmedqa, data/ori_pqal.json and, with the labels of the test, test_ground_truth.json.

ori_pqal.json: {"21645374": {"QUESTION": "Do mitochondria ...?", "CONTEXTS": ["Programmed ...", "The following ..."],
    "LONG_ANSWER": "Results depicted ...", "final_decision": "yes"}}
test_ground_truth.json: {"12377809": "yes"}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.fields import has_lists, has_texts
from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, kind, read_json
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.types import QADataset

CHOICES = ("yes", "no", "maybe")


def pubmedqa(path: str) -> QADataset:
    """Read and validate PubMedQA. An abstract without its conclusion is a document, with the PubMed id of the paper as id.

    Papers of the ground truth are for testing, the others for training. The conclusion is stored as `meta["long_answer"]`.

    Args:
        path: folder of the two files.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by file, paper and field.
    """
    problems = Problems(path)
    papers, truth = (_object(str(Path(path) / name), problems) for name in ("ori_pqal.json", "test_ground_truth.json"))
    problems.raise_any()
    _check_truth(papers, truth, problems)
    rows = [row for id, fields in papers.fields.items() if (row := _row(f"{papers.where} {id}", id, fields, problems))]
    corpus = check_documents(rows, problems)
    asked = check_questions([_question(row, "test" if row.fields["id"] in truth.fields else "train") for row in rows], problems)
    problems.raise_any()
    return assemble("pubmedqa", corpus, asked, 0.0, 0)


def _object(path: str, problems: Problems) -> Row:
    n_before = len(problems.found)
    content = read_json(path, problems)
    if not isinstance(content, dict) and len(problems.found) == n_before:
        problems.add(path, f"must be an object with the numbers of papers as keys but is {kind(content)}")
    return Row(path, content if isinstance(content, dict) else {})


def _check_truth(papers: Row, truth: Row, problems: Problems) -> None:
    """Check that every test label equals the paper's label."""
    for id, label in truth.fields.items():
        fields = papers.fields.get(id)
        if not isinstance(fields, dict):
            problems.add(f"{truth.where} {id}", f"is no paper of {papers.where}")
        elif fields.get("final_decision") != label:
            problems.add(f"{truth.where} {id}", f"is {shown(label)} where {papers.where} says {shown(fields.get('final_decision'))}")


def _row(where: str, id: str, fields: Any, problems: Problems) -> Row | None:
    if not isinstance(fields, dict):
        problems.add(where, f"must be an object but is {kind(fields)}")
        return None
    row = Row(where, fields)
    if not has_texts(row, ("QUESTION", "LONG_ANSWER", "final_decision"), problems) or not has_lists(row, ["CONTEXTS"], problems):
        return None
    if fields["final_decision"] not in CHOICES:
        problems.add(where, f"final_decision: must be one of {', '.join(CHOICES)} but is {shown(fields['final_decision'])}")
        return None
    return Row(where, fields | {"id": id, "text": "\n".join(fields["CONTEXTS"])})


def _question(row: Row, split: str) -> Row:
    meta = {"comparator": "yes_no_maybe", "choices": list(CHOICES), "long_answer": row.fields["LONG_ANSWER"]}
    answers, evidence = [row.fields["final_decision"]], [row.fields["id"]]
    fields = {"question": row.fields["QUESTION"], "answers": answers, "evidence": evidence, "split": split, "meta": meta}
    return Row(row.where, fields | {"id": row.fields["id"]})
