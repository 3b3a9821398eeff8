"""SciFact (Wadden et al. 2020, arXiv 2004.14974): retrieval of the abstracts that a scientific claim cites. Retrieval only.

Licence: claims CC BY 4.0, abstracts ODC-By 1.0. Source: github.com/allenai/scifact, here as the CSV files in a zip archive of
github.com/sumithra-p-v/claimverifier, data/scifact.zip. Lists are printed by numpy, without commas; a claim has a row for
each piece of evidence.

corpus_train.csv: doc_id,title,abstract,structured            4983,Microstructural ...,"['First sentence.'\n 'Second.']",False
claims_validation.csv: id,claim,evidence_doc_id,evidence_label,evidence_sentences,cited_doc_ids
                       3,"1,000 genomes ...",14717500,SUPPORT,[2 5],[ 5152028 11705328]
"""

from __future__ import annotations

import ast
import re
from typing import Literal

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.connected_components import connected_components
from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row
from rag_eval.data.rows.read_csv import read_zipped_csv
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.types import QADataset

KINDS = {"SUPPORT": "supported", "CONTRADICT": "contradicted", "": "undecided"}  # relation of the evidence to the claim
_NUMBERS = re.compile(r"\[[\s\d]*\]")
_SENTENCE = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*""", re.DOTALL)


def scifact(path: str, claims: Literal["validation", "train"]) -> QADataset:
    """Read and validate SciFact. Every abstract is a document, every claim a question whose evidence is what it cites.

    All claims are for testing; none has an answer (`retrieval_only`). `meta["kind"]` is supported, contradicted or undecided. Claims
    that share a cited abstract, directly or transitively, form one cluster.

    Args:
        path: path of the zip archive.
        claims: which claims. Those of the test set are published without citations.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by member, line and field.
    """
    problems = Problems(path)
    corpus = read_zipped_csv(path, "corpus_train.csv", ("doc_id", "title", "abstract"), problems)
    columns = ("id", "claim", "evidence_doc_id", "evidence_label", "cited_doc_ids")
    asked = _claims(read_zipped_csv(path, f"claims_{claims}.csv", columns, problems), problems)
    clusters = connected_components([row.fields["evidence"] or [row.fields["id"]] for row in asked])
    documents = check_documents([_document(row, problems) for row in corpus], problems)
    named = [Row(row.where, row.fields | {"cluster": cluster}) for row, cluster in zip(asked, clusters, strict=True)]
    questions = check_questions(named, problems)
    problems.raise_any()
    return assemble(f"scifact-{claims}", documents, questions, 0.0, 0)


def _document(row: Row, problems: Problems) -> Row:
    fields = row.fields
    return Row(row.where, {"id": fields["doc_id"], "title": fields["title"], "text": " ".join(_sentences(row, problems))})


def _sentences(row: Row, problems: Problems) -> list[str]:
    """Sentences of an abstract. As a Python list literal, strings without commas between them would be concatenated."""
    text = row.fields["abstract"].strip()
    try:
        if text.startswith("[") and text.endswith("]") and _SENTENCE.sub("", text[1:-1]) == "":
            return [ast.literal_eval(sentence) for sentence in _SENTENCE.findall(text[1:-1])]
    except (SyntaxError, ValueError):  # invalid escape sequence
        pass
    problems.add(row.where, f"abstract: must be a list of quoted sentences as numpy prints it but is {shown(text)}")
    return []


def _claims(rows: list[Row], problems: Problems) -> list[Row]:
    """One row per claim, merged from its rows of evidence, which must agree in claim, label and citations."""
    first: dict[str, Row] = {}
    for row in rows:
        earlier = first.setdefault(row.fields["id"], row)
        for field in ("claim", "evidence_label", "cited_doc_ids"):
            if earlier.fields[field] != row.fields[field]:
                problems.add(row.where, f"{field}: id {row.fields['id']} has another one at {earlier.where}")
    return [_claim(row, problems) for row in first.values()]


def _claim(row: Row, problems: Problems) -> Row:
    cited, label = row.fields["cited_doc_ids"].strip(), row.fields["evidence_label"]
    if not _NUMBERS.fullmatch(cited):
        problems.add(row.where, f"cited_doc_ids: must be a list of numbers as numpy prints it, such as [ 5 12], but is {shown(cited)}")
    if label not in KINDS:
        problems.add(row.where, f"evidence_label: must be one of {', '.join(map(shown, KINDS))} but is {shown(label)}")
    fields = {"id": row.fields["id"], "question": row.fields["claim"], "evidence": re.findall(r"\d+", cited)}
    return Row(row.where, fields | {"retrieval_only": True, "meta": {"kind": KINDS.get(label, label)}})
