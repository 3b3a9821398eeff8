"""HotpotQA (Yang et al. 2018, arXiv 1809.09600): questions that two articles of Wikipedia answer together.

Licence: CC BY-SA 4.0. Source: hotpotqa.github.io; a hundred of them in github.com/OSU-NLP-Group/HippoRAG, data/hotpotqa_train.json.

[{"_id": "5a7b", "question": "...", "answer": "a spirit", "type": "bridge", "supporting_facts": [["Alû", 3], ["Lilu", 0]],
  "context": [["Alû", ["First sentence.", " Second sentence."]], ["Lilu", ["..."]], ["Demon Dice", ["..."]]]}]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.connected_components import connected_components
from rag_eval.data.rows.fields import has, has_texts, objects
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import Row, read_json
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.types import QADataset


def hotpot(path: str, train_share: Annotated[float, Field(ge=0, lt=1)], seed: NonNegativeInt) -> QADataset:
    """Read, validate and split a HotpotQA file. Every article in some question's context is a document with its title as id.

    `meta["kind"]` is bridge or comparison. Questions that share a gold article, directly or transitively, form one cluster.

    Args:
        path: path of the JSON file.
        train_share: share of the clusters for training; 0 = all are for testing.
        seed: seed of the split.

    Returns:
        The dataset.

    Raises:
        DataError: listing every fault by its place in the file and field.
    """
    problems = Problems(path)
    content = read_json(path, problems)
    problems.raise_any()
    rows = [row for row in objects(content, path, problems) if _is_sound(row, problems)]
    documents = _documents(rows, problems)
    evidence = [[title for title, _ in row.fields["supporting_facts"]] for row in rows]
    questions = [
        _question(row, titles, cluster) for row, titles, cluster in zip(rows, evidence, connected_components(evidence), strict=True)
    ]
    corpus, asked = check_documents(documents, problems), check_questions(questions, problems)
    problems.raise_any()
    return assemble(f"hotpot-{Path(path).stem}", corpus, asked, train_share, seed)


def _is_sound(row: Row, problems: Problems) -> bool:
    if not has_texts(row, ("_id", "question", "answer", "type"), problems) or not has(row, ("context", "supporting_facts"), problems):
        return False
    facts, context = row.fields["supporting_facts"], row.fields["context"]
    is_fact, is_article = _are_pairs(facts, int), _are_pairs(context, list)
    if not is_fact:
        problems.add(row.where, "supporting_facts: must be a list of [title, number of the sentence] with something in it")
    if not is_article or not all(isinstance(sentence, str) for _, sentences in context for sentence in sentences):
        problems.add(row.where, "context: must be a list of [title, list of sentences] with something in it")
        return False
    return is_fact


def _are_pairs(values: Any, second: type) -> bool:
    """Whether a value is a non-empty list of pairs of a string and a value of a type."""
    pairs = values if isinstance(values, list) else []
    return bool(pairs) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], second) for pair in pairs
    )


def _documents(rows: list[Row], problems: Problems) -> list[Row]:
    """Distinct articles of the contexts; two texts with one title are a fault."""
    found: dict[str, Row] = {}
    for row in rows:
        for title, sentences in row.fields["context"]:
            article = Row(row.where, {"id": title, "title": title, "text": "".join(sentences).strip()})
            first = found.setdefault(title, article)
            if first.fields != article.fields:
                problems.add(row.where, f"context: {title!r} has another text than at {first.where}; give files of one release")
    return list(found.values())


def _question(row: Row, titles: list[str], cluster: str) -> Row:
    fields = row.fields
    asked = {"id": fields["_id"], "question": fields["question"], "answers": [fields["answer"]], "evidence": titles, "cluster": cluster}
    return Row(row.where, asked | {"meta": {"kind": fields["type"]}})
