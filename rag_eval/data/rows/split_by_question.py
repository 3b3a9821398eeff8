"""Split by question: training and test questions about the same articles, with separate articles for dev and for control questions."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rag_eval.data.rows.split import Split, Splitting
from rag_eval.data.same_question import wording
from rag_eval.errors import DataError
from rag_eval.types import Example

log = logging.getLogger(__name__)

DEV_SHARE = 1 / 12  # share of the clusters
LEAST_SHARE = 1 / 5  # minimum share of the clusters for `others` if their share is not given
FEWEST = 3  # minimum number of clusters: one each for test, dev and others
N_SHOWN = 5  # minimum number of `others` clusters, up to half of all: four exemplars and a spare if one shares the question's cluster


def by_question(name: str, examples: Sequence[Example], train_share: float, seed: int, splitting: Splitting) -> dict[str, Split]:
    """Assign each question to a part.

    One in twelve clusters is dev, a share is others; neither is tested. Of every other cluster a share of the answerable questions is
    for training and the rest for testing, at least one each. A cluster that cannot be divided (one answerable question, or all with
    the same wording) goes to others. Unanswerable questions are pooled over the tested clusters and divided by the same share.

    No wording occurs in two parts: a question is dropped from train and others if dev or test contains it, and from dev if test does.
    A warning counts the dropped questions.

    Args:
        name: name of the dataset, for messages.
        examples: the questions, in any order.
        train_share: share of the questions of a tested cluster for training, in [0, 1); 0 = none.
        seed: seed of the split.
        splitting: share of the clusters for others (None = enough clusters to have as many questions as training, at least a
            fifth), and kinds of question that train in place of a share; dev then has the tested kinds, others the trained ones.

    Returns:
        Part of each question by id; dropped questions are absent.

    Raises:
        DataError: if an answerable question has neither cluster nor evidence, or too few clusters can be divided.
    """
    _check_placed(name, examples)
    kinds = splitting.train_kinds
    clusters = _clusters(examples)
    roles = _roles(name, clusters, train_share, seed, splitting)
    drawn = {one.id: roles[one.cluster] for one in examples}
    tested = {cluster: those for cluster, those in clusters.items() if roles[cluster] == "test"}
    taught = _of_kinds(tested, kinds) if kinds else _of_share(tested, train_share, seed)
    drawn |= dict.fromkeys(taught, "train")
    fitting = [one for one in examples if not kinds or _fits(one, drawn[one.id], kinds)]
    kept = _apart(fitting, drawn)
    for n, what in (
        (len(examples) - len(fitting), "of a kind that their part has not"),
        (len(fitting) - len(kept), "in two parts word for word"),
    ):
        if n:
            log.warning("%s: left out %d of %d questions, which are %s.", name, n, len(examples), what)
    return kept


def is_placed(example: Example) -> bool:
    """Whether the subject of a question is known: it has evidence, or a cluster other than its own id."""
    return bool(example.evidence) or example.cluster != example.id


def _check_placed(name: str, examples: Sequence[Example]) -> None:
    strange = [one.id for one in examples if one.is_answerable and not is_placed(one)]
    if strange:
        raise DataError(
            f"{name}: dataset.split_by=question needs to know what each answered question is about; {len(strange)} of {len(examples)} have "
            f"neither cluster nor evidence (first: {strange[0]!r}). Give one of them, or a split to every row."
        )


def _clusters(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """Questions of each cluster, by cluster name, sorted."""
    clusters: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda one: one.id):
        clusters.setdefault(example.cluster, []).append(example)
    return dict(sorted(clusters.items()))


def _roles(name: str, clusters: Mapping[str, Sequence[Example]], train_share: float, seed: int, splitting: Splitting) -> dict[str, Split]:
    """Role of each cluster: test (with training), dev or others. Clusters without answerable questions are drawn separately.

    Args:
        name: name of the dataset, for messages.
        clusters: questions by cluster.
        train_share: share of the questions of a tested cluster for training.
        seed: seed of the split.
        splitting: share of the clusters for others, and kinds that train.

    Returns:
        Role by cluster name.

    Raises:
        DataError: if fewer than `FEWEST` clusters can be divided.
    """
    silent = [cluster for cluster, those in clusters.items() if not any(one.is_answerable for one in those)]
    divisible = [cluster for cluster, those in clusters.items() if _is_divisible(those, train_share, splitting.train_kinds)]
    lone = sorted(clusters.keys() - {*silent, *divisible})
    if len(divisible) < FEWEST:
        raise DataError(
            f"{name}: dataset.split_by=question needs {FEWEST} clusters (articles, entities) with answered questions to train on and "
            f"others to test, found {len(divisible)} of {len(clusters)}. Give questions about one thing the same cluster or evidence, "
            "or give every row a split."
        )
    if lone:
        log.warning("%s: %d of %d clusters have too few answered questions to be tested.", name, len(lone), len(clusters))
    names, n_dev = _shuffled(divisible, f"{seed}"), max(1, round(DEV_SHARE * len(divisible)))
    n_others = _n_others(names, n_dev, lone, clusters, train_share, splitting)
    share = n_others / len(names)
    quiet, n_quiet_dev = _shuffled(silent, f"{seed}"), round(DEV_SHARE * len(silent))
    return {
        **dict.fromkeys(lone, "others"),
        **_in_order(names, n_dev, n_others),
        **_in_order(quiet, n_quiet_dev, round(share * len(quiet))),
    }


def _n_others(
    names: Sequence[str],
    n_dev: int,
    lone: Sequence[str],
    clusters: Mapping[str, Sequence[Example]],
    train_share: float,
    splitting: Splitting,
) -> int:
    """Number of clusters, after those of dev, that are others besides the indivisible ones; at least one is left for testing."""
    most, kinds = len(names) - n_dev - 1, splitting.train_kinds
    shown = min(N_SHOWN, (len(names) + 1) // 2) - len(lone)
    least = max(1, shown, round((splitting.others_share or LEAST_SHARE) * len(names)))
    if splitting.others_share is not None:
        return min(most, least)
    n_of = {name: sum(not kinds or _is_of(one, kinds) for one in those) for name, those in clusters.items()}
    own = {name: n_of[name] if kinds else _expected(clusters[name], train_share) for name in names[n_dev:]}
    n_own, n_found = sum(own.values()), sum(n_of[name] for name in lone)
    for n, (name, n_taught) in enumerate(own.items()):
        if n == most or (n >= least and n_found > n_own):
            return n
        n_found, n_own = n_found + n_of[name], n_own - n_taught
    return most


def _expected(those: Sequence[Example], share: float) -> float:
    """Expected number of training questions of a cluster if it is tested, up to rounding for unanswerable questions."""
    n = sum(one.is_answerable for one in those)
    return _n_taught(n, share) + share * (len(those) - n)


def _n_taught(n: int, share: float) -> int:
    """Number of training questions out of n answerable ones of a cluster: at least one, with at least one left for testing."""
    return min(max(1, round(share * n)), n - 1) if share else 0


def _shuffled(names: Iterable[str], seed: str) -> list[str]:
    found = sorted(names)
    return random.Random(f"split by question/{seed}").sample(found, len(found))


def _in_order(names: Sequence[str], n_dev: int, n_others: int) -> dict[str, Split]:
    return {name: "dev" if at < n_dev else "others" if at < n_dev + n_others else "test" for at, name in enumerate(names)}


def _is_divisible(those: Sequence[Example], train_share: float, train_kinds: Collection[str]) -> bool:
    answered = [one for one in those if one.is_answerable]
    if train_kinds:
        return len({_is_of(one, train_kinds) for one in answered}) == 2
    return len({wording(one) for one in answered}) >= (2 if train_share else 1)


def _of_kinds(tested: Mapping[str, Sequence[Example]], train_kinds: Collection[str]) -> Iterator[str]:
    """Ids of the training questions, selected by kind."""
    return (one.id for those in tested.values() for one in those if _is_of(one, train_kinds))


def _of_share(tested: Mapping[str, Sequence[Example]], share: float, seed: int) -> Iterator[str]:
    """Ids of the training questions, selected by share; questions with the same wording stay together."""
    for cluster, those in tested.items():
        answered = _by_words(one for one in those if one.is_answerable)
        chosen = _shuffled(answered, f"{seed}/{cluster}")[: _n_taught(len(answered), share)]
        yield from (id for words in chosen for id in answered[words])
    unanswered = _by_words(one for those in tested.values() for one in those if not one.is_answerable)
    chosen = _shuffled(unanswered, f"{seed}")[: round(share * len(unanswered))]
    yield from (id for words in chosen for id in unanswered[words])


def _by_words(examples: Iterable[Example]) -> dict[str, list[str]]:
    """Question ids by wording."""
    found: dict[str, list[str]] = {}
    for one in examples:
        found.setdefault(wording(one), []).append(one.id)
    return found


def _fits(example: Example, part: Split, train_kinds: Collection[str]) -> bool:
    """Whether a question's kind belongs in its part: tested kinds in dev, trained kinds in others."""
    return part in ("train", "test") or _is_of(example, train_kinds) == (part == "others")


def _is_of(example: Example, kinds: Collection[str]) -> bool:
    return example.meta.get("kind") in kinds


def _apart(examples: Sequence[Example], drawn: Mapping[str, Split]) -> dict[str, Split]:
    """Parts of the questions whose wording does not occur in a part of higher precedence (test, dev, then train and others)."""
    said = {part: {wording(one) for one in examples if drawn[one.id] == part} for part in ("test", "dev")}
    before = {"test": set[str](), "dev": said["test"], "train": said["test"] | said["dev"], "others": said["test"] | said["dev"]}
    return {one.id: drawn[one.id] for one in examples if wording(one) not in before[drawn[one.id]]}
