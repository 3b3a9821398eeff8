"""Dataset for continual training from one version of a dataset to the next."""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from rag_eval.errors import DataError
from rag_eval.fingerprint import identified
from rag_eval.types import Example, QADataset


def update(before: QADataset, after: QADataset, replay: Annotated[float, Field(ge=0, lt=1)]) -> QADataset:
    """`after`, with its training questions reduced to the new ones: those missing in `before`, or with other answers there.

    Questions of `before` that `after` does not have are ignored: no training question states that a fact no longer holds.

    Args:
        before: the version already trained on.
        after: the new version; its documents and its dev and test questions are used.
        replay: share of unchanged questions among the training questions; fewer if there are not enough.

    Returns:
        The dataset.

    Raises:
        DataError: if there are no new training questions.
    """
    learned = {_content(example) for example in before.train}
    new = [example for example in after.train if _content(example) not in learned]
    if not new:
        raise DataError(f"{after.name} has no training question that {before.name} lacks: nothing is left to learn. Give a later version.")
    old = [example for example in after.train if _content(example) in learned]
    n_old = min(len(old), round(len(new) * replay / (1 - replay)))
    train = (*new, *random.Random(f"replay/{after.fingerprint}").sample(old, n_old))
    return identified(replace(after, train=train, counterpart=after.counterpart or after.fingerprint))


def _content(example: Example) -> Hashable:
    return example.question, example.history, example.answers
