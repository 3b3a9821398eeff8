"""What a question's gold is made of: which documents hold the answer, what was right before, and what is stated against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from rag_eval.types import Example
from synthworld.corpus import Page, stating
from synthworld.distractors import wrong_values
from synthworld.history import FIRST_YEAR, N_VERSIONS, History
from synthworld.knowledge import WorldQuestion
from synthworld.model import Fact
from synthworld.question_sampling import Posed
from synthworld.questions import Change
from synthworld.version_answers import BY_VALUE, VersionAnswers

N_BUCKETS = 5  # of how many documents state a fact: 1, 2 or 3, 4 to 7, 8 to 15, more


class Index:
    """Which documents state which value, and which values were or are stated against the truth."""

    def __init__(self, corpus: Sequence[Page], past: History, version: int, read: Sequence[Page] = ()) -> None:
        """Index the pages of a corpus by the facts that they state.

        Args:
            corpus: documents of the version; evidence is among these.
            past: all versions.
            version: version that is asked about.
            read: documents of an earlier version, if these are searched instead.
        """
        self._past, self._version = past, version
        self._told = cache(lambda at: VersionAnswers(past, at))
        self._stating, self._also = stating(corpus), stating(read)
        self._stated = {content[:2] for content in self._stating}
        self._false = wrong_values(page for page in read or corpus if page.kind == "counterfactual")
        self._outdated = wrong_values(page for page in read or corpus if page.kind == "outdated")

    def answers(self, asked: WorldQuestion) -> bool:
        """Whether home pages state all facts that a question takes, those of its year or earlier if it asks about one."""
        return all(any(page.kind == "home" for page in _telling(self._stating, fact, asked)) for fact in asked.facts)

    def is_silent(self, asked: WorldQuestion) -> bool:
        """Whether no page, under any name and of any time, answers a question that is to have no answer.

        That is: none states the value that the question takes for true, or where it takes none, any of what it asks for.
        """
        return not any(fact.content in self._stating if fact.value else fact.key in self._stated for fact in asked.facts)

    def change(self, asked: WorldQuestion) -> Change:
        """What the version did to a question.

        canary: it changed a value that the answer takes, or the answer; newcomer: somebody appeared who is asked about;
        locality: something else happened to those asked about; retained: nothing did.
        """
        before, ids = self._told(self._version - 1), {fact.entity.id for fact in asked.facts}
        if any(fact.key in self._past.changed(self._version) for fact in asked.facts) or self._has_another_answer(asked, before):
            return "canary"
        if not all(map(before.tells_of, ids)):
            return "newcomer"
        return "locality" if ids & self._past.touched(self._version) else "retained"

    def example(self, posed: Posed) -> Example:
        """The question as a dataset gives it."""
        asked = posed.asked
        telling = [_telling(self._stating, fact, asked) for fact in asked.facts] if asked.answers else []
        homes = [[page.id for page in pages if page.kind == "home"][-1] for pages in telling]  # the latest of a page's versions
        evidence = tuple(dict.fromkeys(homes))
        meta: dict[str, Any] = {"attribute": asked.attribute, "kind": asked.kind}
        grading = replace(asked.grading, same_as=self._same_as(asked, homes))
        if asked.answers:
            stale, future, misleading = self._wrong_answers(asked)
            grading = replace(grading, stale_answers=stale, misleading_answers=misleading)
            meta |= {"change": self.change(asked)} if self._version else {}
            meta |= {"n_documents": len(evidence), "bucket": min(N_BUCKETS - 1, min(map(len, telling)).bit_length() - 1)}
            meta |= {"future_answers": list(future)} if future else {}
        return Example(posed.id, asked.text, asked.answers, evidence, asked.cluster, posed.history, meta, grading)

    def _same_as(self, asked: WorldQuestion, homes: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """For each page that is no evidence itself, the evidence whose facts it states."""
        found: dict[str, list[str]] = {}
        for home, fact in zip(homes, asked.facts, strict=False):
            for page in (*_telling(self._stating, fact, asked), *_telling(self._also, fact, asked)):
                if page.id != home and home not in (mine := found.setdefault(page.id, [])):
                    mine.append(home)
        return {id: tuple(those) for id, those in found.items()}

    def _has_another_answer(self, asked: WorldQuestion, before: VersionAnswers) -> bool:
        if asked.kind in BY_VALUE:
            then, now = ({one.id for one in told.holders(asked.facts[0])} for told in (before, self._told(self._version)))
            if then and then != now:
                return True
        answer = before.answer(asked) if asked.year is None else None
        return answer is not None and answer not in asked.answers

    def _wrong_answers(self, asked: WorldQuestion) -> tuple[tuple[str, ...], ...]:
        """What was right before, what will be, and what some document states against the truth.

        Of a question about a year: before that year, and nothing will be.
        """
        last = asked.facts[-1]
        is_value = last.value in asked.answers
        earlier = range(self._version if asked.year is None else asked.year - FIRST_YEAR)
        later = range(self._version + 1, N_VERSIONS)[: asked.year is None]
        found: tuple[list[str | None], ...] = (
            [*(self._outdated.get(last.key, ()) if is_value else ()), *(self._told(at).answer(asked) for at in earlier)],
            [self._told(at).answer(asked) for at in later],
            [*(self._false.get(last.key, ()) if is_value else ())],
        )
        return tuple(tuple(one for one in dict.fromkeys(values) if one and one not in asked.answers) for values in found)


def _telling(stating: dict[tuple[str, str, str], list[Page]], fact: Fact, asked: WorldQuestion) -> list[Page]:
    """The pages that state a fact under the name that it is asked under, and of a question about a year, those written by then."""
    pages = stating.get(fact.content, ())
    return [
        page for page in pages if page.name == fact.entity.name and (asked.year is None or page.year is None or page.year <= asked.year)
    ]
