"""Training and test questions about the same articles, and further articles that are never tested, for dev and for the control of form."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from rag_eval.data.split import Split, Splitting
from rag_eval.data.wording import wording
from rag_eval.errors import DataError
from rag_eval.types import Example

log = logging.getLogger(__name__)

DEV_SHARE = 1 / 12  # of the clusters
LEAST_SHARE = 1 / 5  # of the clusters, for others, where their share is not given and few are needed for training
FEWEST = 3  # clusters: one each for the test, dev and others
N_SHOWN = 5  # clusters of others, as far as half of all are so many: four exemplars, and one more for a question about one of theirs


def by_question(name: str, examples: Sequence[Example], train_share: float, seed: int, splitting: Splitting) -> dict[str, Split]:
    """The part that each question goes to, by its id; one that is left out, which a warning counts, is in none.

    One in twelve clusters is dev, a share is others, and neither is tested. Of every further cluster a share of the answered questions is
    for training and the rest test, at least one each. A cluster of which that cannot be said, because it has one answered question
    or all in the same words, is with the others. Questions without an answer teach nothing about their cluster: the same shares of
    them, of all tested clusters together, are for training and tested.

    No question stands in two parts word for word: it is left out of training and others where dev or the test asks it, and of dev
    where the test does.

    Args:
        name: of the dataset, for messages.
        examples: the questions; their order does not matter.
        train_share: share of the questions of a tested cluster for training, in [0, 1); 0 = none is.
        seed: decides which.
        splitting: share of the clusters for others, None = as many as make them as many questions as there are for training, a fifth at
            least; kinds that train in the place of a share: then dev has the kinds that are tested, and others those that train.

    Raises:
        DataError: if it is not known what an answered question is about, or there are too few clusters that can be tested.
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
    """Whether it is known what a question is about: without evidence, a cluster that is its own id tells nothing."""
    return bool(example.evidence) or example.cluster != example.id


def _check_placed(name: str, examples: Sequence[Example]) -> None:
    strange = [one.id for one in examples if one.is_answerable and not is_placed(one)]
    if strange:
        raise DataError(
            f"{name}: dataset.split_by=question needs to know what each answered question is about; {len(strange)} of {len(examples)} have "
            f"neither cluster nor evidence (first: {strange[0]!r}). Give one of them, or a split to every row."
        )


def _clusters(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """The questions of each cluster, by id."""
    clusters: dict[str, list[Example]] = {}
    for example in sorted(examples, key=lambda one: one.id):
        clusters.setdefault(example.cluster, []).append(example)
    return dict(sorted(clusters.items()))


def _roles(name: str, clusters: Mapping[str, Sequence[Example]], train_share: float, seed: int, splitting: Splitting) -> dict[str, Split]:
    """What each cluster is for: test (with training), dev or others. Clusters without an answer are drawn by themselves."""
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
    """How many of these clusters, after those of dev, are others beside the lone ones; one is left to test."""
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
    """How many questions of a cluster train, if it is tested; up to rounding, where some have no answer."""
    n = sum(one.is_answerable for one in those)
    return _n_taught(n, share) + share * (len(those) - n)


def _n_taught(n: int, share: float) -> int:
    """Of so many answered questions of a cluster: at least one, and one is left to test."""
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
    """Ids of the questions that train."""
    return (one.id for those in tested.values() for one in those if _is_of(one, train_kinds))


def _of_share(tested: Mapping[str, Sequence[Example]], share: float, seed: int) -> Iterator[str]:
    """Ids of the questions that train; those in the same words together."""
    for cluster, those in tested.items():
        answered = _by_words(one for one in those if one.is_answerable)
        chosen = _shuffled(answered, f"{seed}/{cluster}")[: _n_taught(len(answered), share)]
        yield from (id for words in chosen for id in answered[words])
    unanswered = _by_words(one for those in tested.values() for one in those if not one.is_answerable)
    chosen = _shuffled(unanswered, f"{seed}")[: round(share * len(unanswered))]
    yield from (id for words in chosen for id in unanswered[words])


def _by_words(examples: Iterable[Example]) -> dict[str, list[str]]:
    """Ids by what they ask."""
    found: dict[str, list[str]] = {}
    for one in examples:
        found.setdefault(wording(one), []).append(one.id)
    return found


def _fits(example: Example, part: Split, train_kinds: Collection[str]) -> bool:
    """Whether dev has it as the test would, and others as training would."""
    return part in ("train", "test") or _is_of(example, train_kinds) == (part == "others")


def _is_of(example: Example, kinds: Collection[str]) -> bool:
    return example.meta.get("kind") in kinds


def _apart(examples: Sequence[Example], drawn: Mapping[str, Split]) -> dict[str, Split]:
    """The parts of those that no part before theirs asks word for word."""
    said = {part: {wording(one) for one in examples if drawn[one.id] == part} for part in ("test", "dev")}
    before = {"test": set[str](), "dev": said["test"], "train": said["test"] | said["dev"], "others": said["test"] | said["dev"]}
    return {one.id: drawn[one.id] for one in examples if wording(one) not in before[drawn[one.id]]}
