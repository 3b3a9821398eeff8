"""Fictional Knowledge (Chang et al. 2024, arXiv 2406.11813): invented articles, and sentences to complete from them.

Licence: Apache-2.0. Source: github.com/kaistAI/factual-knowledge-acquisition, fictional_knowledge_paraphrased.json.

[{"train_context": "The fortieth government of Mars ...", "mem_input": ["The fortieth ..."], "mem_target": ["Martian cycle"],
  "gen_input": [...], "gen_target": [...], "hard_gen_input": [...], "hard_gen_target": [...], "paraphrases": ["..."]}]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.fields import has_lists, has_texts, objects
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import Row, read_json
from rag_eval.data.rows.split import Splitting
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.errors import ConfigError
from rag_eval.types import QADataset

KINDS = ("mem", "gen", "hard_gen")  # memorization, paraphrase, inference


def fictional(
    path: str,
    paraphrases: bool,
    train_share: Annotated[float, Field(ge=0, lt=1)],
    seed: NonNegativeInt,
    split_by: Literal["cluster", "question"] = "cluster",
    others_share: Annotated[float, Field(gt=0, lt=1)] | None = None,
    lessons: Literal["own", "others"] = "own",
    train_kinds: Sequence[Literal["mem", "gen", "hard_gen"]] = (),
) -> QADataset:
    """Read, validate and split the probes: `a<number>/<kind><number>` asks for the end of a sentence about document `a<number>`.

    `meta["kind"]` is mem (a sentence of the article), gen (a paraphrase of one) or hard_gen (an inference from the article). The facts
    are invented, so a model can know them only from training on the documents or from retrieving them.

    Args:
        path: path of the JSON file.
        paraphrases: whether to add an article's paraphrases to the corpus, as equivalents of the article (`same_as`).
        train_share: share of the articles whose probes are for training; 0 = all are for testing.
        seed: seed of the split.
        split_by: "cluster": tested articles are not trained on. "question": some questions about an article are for training and
            some for testing, and some articles are for dev and others only; see split_by_question.py.
        others_share: if split by question, share of the articles for others; None = as many questions as training has.
        lessons: "own", or "others" for a control that trains on as many questions about articles that are not tested.
        train_kinds: if split by question, kinds of probe for training, while the other kinds are tested about the same articles;
            `train_share` is then ignored. Empty = split by `train_share`, all kinds in both parts.

    Returns:
        The dataset.

    Raises:
        ConfigError: if `train_kinds` is set for a split by cluster, or leaves no kind for testing.
        DataError: listing every fault by its place in the file and field.
    """
    _check_kinds(train_kinds, split_by)
    problems = Problems(path)
    content = read_json(path, problems)
    problems.raise_any()
    lists = [f"{kind}_{side}" for kind in KINDS for side in ("input", "target")] + ["paraphrases"]
    documents: list[Row] = []
    probes: list[Row] = []
    for number, row in enumerate(objects(content, path, problems)):
        if has_texts(row, ["train_context"], problems) and has_lists(row, lists, problems):
            id = f"a{number}"
            others = {f"{id}/paraphrase{at}": text for at, text in enumerate(row.fields["paraphrases"])} if paraphrases else {}
            documents += [Row(row.where, {"id": id, "text": row.fields["train_context"]})]
            documents += [Row(row.where, {"id": other, "text": text}) for other, text in others.items()]
            probes += _probes(row, id, {"same_as": {other: [id] for other in others}} if others else {}, problems)
    corpus, asked = check_documents(documents, problems), check_questions(probes, problems)
    problems.raise_any()
    return assemble("fictional_knowledge", corpus, asked, train_share, seed, Splitting(split_by, others_share, lessons, tuple(train_kinds)))


def _check_kinds(train_kinds: Sequence[str], split_by: str) -> None:
    if train_kinds and split_by == "cluster":
        raise ConfigError(f"dataset.train_kinds={list(train_kinds)} divides the probes of an article. Set dataset.split_by=question.")
    if set(train_kinds) == set(KINDS):
        raise ConfigError(f"dataset.train_kinds names all of {', '.join(KINDS)}: nothing is left to test. Leave one out.")


def _probes(row: Row, article: str, equal: dict[str, dict[str, list[str]]], problems: Problems) -> Iterator[Row]:
    for kind in KINDS:
        inputs, targets = row.fields[f"{kind}_input"], row.fields[f"{kind}_target"]
        if len(inputs) != len(targets):
            problems.add(row.where, f"{kind}_target: must have one text for each of {len(inputs)} in {kind}_input but has {len(targets)}")
        for at, (question, target) in enumerate(zip(inputs, targets, strict=False)):
            fields = {"id": f"{article}/{kind}{at}", "question": question, "answers": [target], "evidence": [article], "cluster": article}
            yield Row(f"{row.where} {kind}[{at}]", fields | {"meta": {"kind": kind, **equal}})
