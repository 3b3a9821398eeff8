"""A dataset of worse quality: part of its documents missing, part of its training answers wrong."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from rag_eval.errors import ConfigError
from rag_eval.fingerprint import identified
from rag_eval.types import Example, QADataset


def degraded(
    of: QADataset, coverage: Annotated[float, Field(gt=0, le=1)] = 1.0, label_noise: Annotated[float, Field(ge=0, le=1)] = 0.0
) -> QADataset:
    """The dataset with fewer documents and with wrong training answers; what is asked stays the same.

    Documents are drawn at random, so that those of a smaller coverage are among those of a larger one. Restatements of a missing
    document are missing too. Evidence keeps its ids, also where the document is missing.

    Noise goes by facts: all training questions of one cluster with the same answers get the answers of another fact of the same
    kind and attribute (`meta`), which differ. Facts for which there are no other answers keep theirs.

    Args:
        of: the dataset.
        coverage: share of the documents that are left.
        label_noise: share of the facts whose training answers are wrong.

    Returns:
        The dataset, to be compared with runs on the whole one.

    Raises:
        ConfigError: if no document is left.
    """
    kept = _drawn([document.id for document in of.documents], coverage, f"coverage/{of.fingerprint}")
    if of.documents and not kept:
        raise ConfigError(f"dataset.coverage={coverage} leaves none of the {len(of.documents)} documents of {of.name}; set it higher.")
    left = replace(
        of,
        documents=tuple(document for document in of.documents if document.id in kept),
        restated={id: texts for id, texts in of.restated.items() if id in kept},
        train=_mislabelled(of.train, label_noise, of.fingerprint),
        counterpart=of.counterpart or of.fingerprint,
    )
    return identified(left)


def _drawn(names: Sequence[str], share: float, stream: str) -> frozenset[str]:
    shuffled = random.Random(stream).sample(names, len(names))
    return frozenset(shuffled[: round(share * len(names))])


def _mislabelled(train: Sequence[Example], share: float, fingerprint: str) -> tuple[Example, ...]:
    answers: dict[str, Example] = {}
    for example in train:
        answers.setdefault(_fact(example), example)
    by_kind: defaultdict[Hashable, dict[tuple[str, ...], None]] = defaultdict(dict)
    for example in answers.values():
        by_kind[_kind(example)][example.answers] = None
    chosen = _drawn(list(answers), share, f"label noise/{fingerprint}")
    wrong = {fact: _another(answers[fact], by_kind, random.Random(f"label noise/{fingerprint}/{fact}")) for fact in sorted(chosen)}
    return tuple(replace(example, answers=wrong.get(_fact(example), example.answers)) for example in train)


def _fact(example: Example) -> str:
    return repr((example.cluster, _kind(example), example.answers))


def _kind(example: Example) -> Hashable:
    return str(example.meta.get("kind")), str(example.meta.get("attribute"))


def _another(example: Example, by_kind: Mapping[Hashable, Mapping[tuple[str, ...], None]], rng: random.Random) -> tuple[str, ...]:
    others = [answers for answers in by_kind[_kind(example)] if answers != example.answers]
    return rng.choice(others) if others else example.answers
