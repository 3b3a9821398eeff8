"""Control questions: questions of the same form about other articles, used in place of training questions."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence

from rag_eval.data.rows.split import Split
from rag_eval.data.rows.split_by_question import is_placed
from rag_eval.data.same_question import wording
from rag_eval.errors import DataError
from rag_eval.types import Example

log = logging.getLogger(__name__)


def about_others(parts: Mapping[Split, Sequence[Example]]) -> tuple[Example, ...]:
    """Questions of the part `others`, and training questions about clusters that are not tested.

    Training questions of unknown subject, or with the wording of a test or dev question, are excluded.

    Args:
        parts: questions by part.

    Returns:
        The control questions.
    """
    tested = {example.cluster for example in parts["test"]}
    asked = {wording(example) for example in (*parts["test"], *parts["dev"])}
    apart = (one for one in parts["train"] if is_placed(one) and one.cluster not in tested and wording(one) not in asked)
    return (*parts["others"], *apart)


def in_their_place(
    name: str, train: Sequence[Example], others: Sequence[Example], test: Sequence[Example], seed: int
) -> tuple[Example, ...]:
    """Sample as many control questions as there are training questions, with the same share of unanswerable ones.

    If there are fewer, all are used and a warning is logged.

    Args:
        name: name of the dataset, for messages.
        train: training questions, some of them about tested clusters.
        others: control questions; some may be training questions.
        test: test questions.
        seed: seed of the sample.

    Returns:
        The sample, in the order of `others`.

    Raises:
        DataError: if no training question is about a tested cluster, or there are no control questions.
    """
    tested = {example.cluster for example in test}
    if not any(one.cluster in tested for one in train):
        raise DataError(
            f"{name}: dataset.lessons=others stands in for training questions about what is tested, found none: split by cluster, training "
            "is about other articles already. Set dataset.split_by=question, or give every row a split and a cluster."
        )
    if not others:
        raise DataError(
            f"{name}: dataset.lessons=others needs questions about other articles than those of the test, found none. Give some rows "
            "split: others, or training rows about articles that no test row is about."
        )
    n = min(len(train), len(others))
    if n < len(train):
        log.warning(
            "%s: %d questions about other articles stand in the place of %d training questions; there are no more.", name, n, len(train)
        )
    rng = random.Random(f"lessons of others/{seed}")
    answered, unanswered = (rng.sample(those, len(those)) for those in _by_answer(others))
    n_unanswered = min(len(unanswered), max(n - len(answered), round(n * len(_by_answer(train)[1]) / len(train))))
    chosen = {one.id for one in (*unanswered[:n_unanswered], *answered[: n - n_unanswered])}
    return tuple(one for one in others if one.id in chosen)


def _by_answer(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    return [one for one in examples if one.is_answerable], [one for one in examples if not one.is_answerable]
