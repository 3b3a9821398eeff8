"""What a question's gold is made of: which documents hold the answer, what was right before, and what is stated against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from rag_eval.data.world.asking import Posed
from rag_eval.data.world.corpus import Page, stating
from rag_eval.data.world.distractors import wrong_values
from rag_eval.data.world.history import N_VERSIONS, History
from rag_eval.data.world.known import Asked
from rag_eval.data.world.model import Fact
from rag_eval.types import Example

N_BUCKETS = 5  # of how many documents state a fact: 1, 2 or 3, 4 to 7, 8 to 15, more


class Index:
    """Which documents state which value, and which values were or are stated against the truth."""

    def __init__(self, corpus: Sequence[Page], past: History, version: int) -> None:
        self._past, self._version = past, version
        self._stating = stating(corpus)
        self._false = wrong_values(page for page in corpus if page.kind == "counterfactual")
        self._outdated = wrong_values(page for page in corpus if page.kind == "outdated")

    def answers(self, asked: Asked) -> bool:
        """Whether home pages state all facts that a question takes, those of its year or earlier if it asks about one."""
        return all(any(page.kind == "home" for page in self._telling(fact, asked)) for fact in asked.facts)

    def example(self, posed: Posed) -> Example:
        """The question as a dataset gives it."""
        asked = posed.asked
        told = [self._telling(fact, asked) for fact in asked.facts] if asked.answers else []
        homes = [[page.id for page in pages if page.kind == "home"][-1] for pages in told]  # the latest of a page's versions
        evidence = tuple(dict.fromkeys(homes))
        same_as = {page.id: [home] for home, pages in zip(homes, told, strict=True) for page in pages if page.id != home}
        meta: dict[str, Any] = {"attribute": asked.attribute, "kind": asked.kind, **asked.meta}
        if same_as:
            meta["same_as"] = same_as
        if asked.answers:
            meta |= self._over_time(asked.facts[-1]) | {"n_documents": len(evidence)}
            if asked.facts[-1].value in asked.answers:
                meta |= self._wrong_answers(asked.facts[-1])
            meta["bucket"] = min(N_BUCKETS - 1, min(map(len, told)).bit_length() - 1)
        return Example(posed.id, asked.text, asked.answers, evidence, asked.cluster, posed.history, meta)

    def _telling(self, fact: Fact, asked: Asked) -> list[Page]:
        pages = self._stating.get(fact.content, ())
        return [page for page in pages if asked.year is None or page.year is None or page.year <= asked.year]

    def _over_time(self, fact: Fact) -> dict[str, str]:
        return {"change": change(self._past, self._version, fact)} if self._version else {}

    def _wrong_answers(self, fact: Fact) -> dict[str, list[str]]:
        """What was right before, what will be, and what some document states against the truth."""
        name, place = fact.attribute.name, self._past.place(fact.entity.id)
        before = [one for one in (self._past.at(version)[place] for version in range(self._version)) if one.is_documented]
        later = [self._past.at(version)[place] for version in range(self._version + 1, N_VERSIONS)][:1]
        found = {
            "stale_answers": [*self._outdated.get(fact.key, ()), *(one.values[name] for one in before)],
            "future_answers": [one.values[name] for one in later],
            "misleading_answers": self._false.get(fact.key, []),
        }
        others = {key: [value for value in dict.fromkeys(values) if value != fact.value] for key, values in found.items()}
        return {key: values for key, values in others.items() if values}


def change(past: History, version: int, fact: Fact) -> Literal["canary", "locality", "retained"]:
    """canary: the version changed the value; locality: it changed something else about the entity; retained: nothing."""
    if fact.key in past.changed(version):
        return "canary"
    return "locality" if fact.entity.id in past.touched(version) else "retained"
