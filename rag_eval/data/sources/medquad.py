"""A collection of MedQuAD (Ben Abacha and Demner-Fushman 2019), such as GARD: questions about diseases with long answers.

Licence: CC BY 4.0. Source: github.com/abachaa/MedQuAD, one XML file per disease:

<Document id="0000004"><Focus>ABCD syndrome</Focus><QAPairs><QAPair>
  <Question qid="0000004-1" qtype="symptoms">What are the symptoms of ABCD syndrome ?</Question><Answer>...</Answer>
</QAPair></QAPairs></Document>
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.connected_components import connected_components
from rag_eval.data.rows.fields import has_texts
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import Row
from rag_eval.data.rows.text_file import file_text
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.text.normalize import normalize
from rag_eval.types import QADataset


def medquad(path: str, train_share: Annotated[float, Field(ge=0, lt=1)], seed: NonNegativeInt) -> QADataset:
    """Read, validate and split a collection. Every answer is a document with its question's id, and the disease as title.

    Questions without an answer (removed from some collections) are dropped. `meta["kind"]` is the type of question. Documents with
    identical text are equivalents (`same_as`). Diseases that share an answer or a question form one cluster, so that train and
    test do not overlap.

    Args:
        path: folder of the XML files, searched recursively.
        train_share: share of the clusters for training; 0 = all are for testing.
        seed: seed of the split.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by file and question; a document type declaration is a fault, since it may define
            entities.
    """
    problems = Problems(path)
    files = sorted(Path(path).rglob("*.xml"))
    if not files:
        problems.add(path, f"holds no .xml file (looked in {Path.cwd()}); give the folder of a collection of MedQuAD")
    pairs = [pair for file in files for pair in _pairs(str(file), problems) if pair.fields["text"]]
    corpus = check_documents(pairs, problems)
    asked = check_questions(_questions(pairs), problems)
    problems.raise_any()
    return assemble(f"medquad-{Path(path).name}", corpus, asked, train_share, seed)


def _pairs(path: str, problems: Problems) -> Iterator[Row]:
    """Questions of a file with their answers, "" if there is none."""
    root = _root(path, problems)
    disease = Row(path, {} if root is None else {"Document id": root.get("id", ""), "Focus": _text(root.find("Focus"))})
    if root is None or not has_texts(disease, ("Document id", "Focus"), problems):
        return
    for number, pair in enumerate(root.findall("QAPairs/QAPair"), start=1):
        question = pair.find("Question")
        id, type = ("", "") if question is None else (question.get("qid", ""), question.get("qtype", ""))
        said = {"Question": _text(question), "Question qid": id, "Question qtype": type}
        if has_texts(Row(f"{path} QAPair {number}", said), list(said), problems):
            document = {"id": id, "title": disease.fields["Focus"], "text": _text(pair.find("Answer"))}
            row = {"question": said["Question"], "disease": disease.fields["Document id"], "kind": type}
            yield Row(f"{path} QAPair {number}", document | row)


def _root(path: str, problems: Problems) -> ET.Element | None:
    """Root element of a file; None, with a fault, if it is not XML or declares a document type or entities."""
    content = file_text(path, "XML", problems).lstrip()
    if "<!DOCTYPE" in content or "<!ENTITY" in content:
        problems.add(path, "declares a document type or entities, which may expand without end; remove the declaration")
    elif content:
        try:
            return ET.fromstring(content)
        except ET.ParseError as fault:
            problems.add(path, f"is broken XML: {fault}")
    return None


def _text(element: ET.Element | None) -> str:
    return "" if element is None else "".join(element.itertext()).strip()


def _questions(pairs: Sequence[Row]) -> list[Row]:
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        holders[pair.fields["text"]].append(pair.fields["id"])
    clusters = connected_components([_shared(pair) for pair in pairs])
    return [_question(pair, holders[pair.fields["text"]], cluster) for pair, cluster in zip(pairs, clusters, strict=True)]


def _shared(pair: Row) -> tuple[str, str, str]:
    """What a question may share with those of another disease: its disease, answer text and question text."""
    return pair.fields["disease"], f"answer {pair.fields['text']}", f"question {normalize(pair.fields['question'])}"


def _question(pair: Row, holders: Sequence[str], cluster: str) -> Row:
    id = pair.fields["id"]
    equal = {"same_as": same_as} if (same_as := {other: [id] for other in holders if other != id}) else {}
    fields = {"id": id, "question": pair.fields["question"], "answers": [pair.fields["text"]], "evidence": [id], "cluster": cluster}
    return Row(pair.where, fields | {"meta": {"kind": pair.fields["kind"], **equal}})
