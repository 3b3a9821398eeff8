"""What a new version of a dataset teaches a model that learned the version before: a dataset made of two."""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from rag_eval.data.fingerprint import identified
from rag_eval.errors import DataError
from rag_eval.types import Example, QADataset


def update(before: QADataset, after: QADataset, replay: Annotated[float, Field(ge=0, lt=1)]) -> QADataset:
    """`after`, its training questions cut down to the new ones: those that `before` does not have, or has with other answers.

    What `before` taught and `after` does not is not unlearned: no question says that something holds no longer.

    Args:
        before: what was learned.
        after: what is to be known; its documents and its dev and test questions are those of the result.
        replay: share of the training questions that are old ones which still hold; fewer where there are fewer.

    Raises:
        DataError: if there is nothing new.
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
