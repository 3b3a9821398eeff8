"""What may be trained on beside the documents: their questions, the pages in other words, and questions about another world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import overload

from rag_eval.types import Example
from synthworld.corpus import Page
from synthworld.distractors import Background, Distractors, distract
from synthworld.documents import DocumentStyle
from synthworld.evidence import Index
from synthworld.history import History
from synthworld.knowledge import KnowledgeBase
from synthworld.model import RESERVED_SEED
from synthworld.question_sampling import Posed, answerable, ordered, passed_on, training
from synthworld.questions import Questions

FAR = RESERVED_SEED // 2  # between the seeds of a world and of the other one


def other_seed(seed: int) -> int:
    """Of the world that others are of: another one, and none of the reserved."""
    return (seed + FAR) % RESERVED_SEED


def own_lessons(
    known: KnowledgeBase, index: Index, questions: Questions, seed: int, *, n_phrasings: int, n_dev: int, permuted: bool
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """The training and dev questions of a world.

    Args:
        known: what the documents state.
        index: evidence of each fact.
        questions: what training leaves out.
        seed: seed of the world.
        n_phrasings: number of training questions about each fact.
        n_dev: largest number of dev questions.
        permuted: control: every training question has the answer of another entity.

    Returns:
        Training questions, dev questions.
    """
    plain = list(training(known, questions, n_phrasings, seed))
    facts = ordered(known, seed, "dev")[:n_dev]
    dev = answerable(known, facts, replace(questions, kinds=("forward",)), len(facts), "dev", seed, index.answers)
    return tuple(map(index.example, passed_on(plain, seed) if permuted else plain)), tuple(map(index.example, dev))


def restatements(
    pages: Iterable[Page], past: History, n: int, present: Distractors, manner: DocumentStyle, seed: int
) -> Mapping[str, tuple[str, ...]]:
    """Each home page in other words: the same facts in train phrasings, in a new order unless the order is fixed.

    Args:
        pages: pages of the corpus.
        past: history of their world.
        n: number of texts for each home page.
        present: distractors of the corpus, from whose near-duplicates the texts differ.
        manner: style of the texts.
        seed: seed of the world.

    Returns:
        Texts by id of the home page; empty if n is 0.
    """
    if not n:
        return {}
    homes, background = [page for page in pages if page.kind == "home"], Background(past.versions)
    wanted = Distractors(near_duplicate=present.near_duplicate + n)
    return {
        home.id: tuple(page.written.text for page in distract(home, background, wanted, manner, seed))[present.near_duplicate :]
        for home in homes
    }


class Others(Sequence[Example]):
    """Training questions of another world, about nobody whose name this one knows; made when looked at."""

    def __init__(self, posed: Callable[[], Iterable[Posed]], past: History, test: Sequence[Example]) -> None:
        """Wrap questions about another world; they are made on first use.

        Args:
            posed: makes the questions.
            past: history of this world, which has the names of all its entities.
            test: questions of this world; some are about no entity of it.
        """
        self._posed, self._past, self._test = posed, past, test

    @cached_property
    def _examples(self) -> tuple[Example, ...]:
        names = {one.name for version in self._past.versions for one in version}
        said = "\n".join(example.question for example in self._test)
        return tuple(_example(one) for one in self._posed() if (name := one.asked.facts[0].entity.name) not in names and name not in said)

    def __len__(self) -> int:
        return len(self._examples)

    @overload
    def __getitem__(self, at: int) -> Example: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Example]: ...
    def __getitem__(self, at: int | slice) -> Example | Sequence[Example]:
        return self._examples[at]


def _example(posed: Posed) -> Example:
    """The question without evidence, its names apart from those of this world."""
    asked = posed.asked
    meta = {"attribute": asked.attribute, "kind": asked.kind}
    return Example(f"other-{posed.id}", asked.text, asked.answers, cluster=f"other-{asked.cluster}", meta=meta, grading=asked.grading)
