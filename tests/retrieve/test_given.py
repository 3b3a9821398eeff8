"""Retrievers that do not search: nothing, the evidence, random documents, the whole corpus."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rag_eval.errors import ConfigError, DataError
from rag_eval.protocols import Retriever
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.dense import Dense
from rag_eval.retrieve.encoders.hashing import HashEmbedder
from rag_eval.retrieve.full_corpus import FullCorpus
from rag_eval.retrieve.none import NoRetriever
from rag_eval.retrieve.oracle import Oracle, OracleDistract
from rag_eval.retrieve.random import RandomPick
from rag_eval.types import Document, Example, Grading
from tests.retrieve.indexes import flat

ANIMALS = (
    Document("cat", "Cats purr and chase mice.", "Cat"),
    Document("whale", "Whales sing under water.", "Whale"),
    Document("bee", "Bees dance to show where flowers are.", "Bee"),
    Document("owl", "Owls hunt at night.", "Owl"),
)


def ask(question: str, *evidence: str, id: str = "q", **more: Any) -> Example:
    """A question that is answerable exactly when it has evidence."""
    return Example(id, question, answers=("yes",) if evidence else (), evidence=evidence, **more)


MANY = [ask("Who sings under water?", "whale", id=f"q{at}") for at in range(40)]


def found(retriever: Retriever, example: Example) -> list[str]:
    return [hit.document.id for hit in retriever.search([example])[0].hits]


R = TypeVar("R", bound=Retriever)


def with_animals(retriever: R) -> R:
    retriever.add(ANIMALS)
    return retriever


@pytest.fixture
def dense(tmp_path: Path) -> Dense:
    return Dense(HashEmbedder(65536), flat(), DirectoryCache(str(tmp_path)), k=1, depth=4)


def test_no_retriever_finds_nothing_for_each_question() -> None:
    none = with_animals(NoRetriever())
    none.remove(["cat"])
    assert [one.hits for one in none.search(MANY[:2])] == [(), ()]
    assert (none.context, none.k, none.depth) == ("none", 0, 0)


def test_the_oracle_finds_the_evidence_in_its_order_and_nothing_else() -> None:
    oracle = with_animals(Oracle(k=2))
    assert found(oracle, ask("?", "owl", "cat")) == ["owl", "cat"]
    assert found(oracle, ask("?", "owl", "cat", "bee")) == ["owl", "cat"]
    assert found(oracle, ask("Is there a dragon?")) == []


def test_the_oracle_refuses_evidence_that_is_unknown_or_not_in_the_corpus() -> None:
    oracle = with_animals(Oracle(k=2))
    with pytest.raises(DataError, match="'q': its evidence is not known"):
        oracle.search([Example("q", "?", answers=("yes",))])
    oracle.remove(["owl"])
    with pytest.raises(DataError, match="evidence 'owl' is not in the corpus"):
        oracle.search([ask("?", "owl")])


def test_gold_among_distractors_holds_the_gold_and_the_best_ranked_others(dense: Dense) -> None:
    mixed = with_animals(OracleDistract(dense, k=2, seed=0))
    question = ask("Who hunts at night, whales or owls?", "cat")  # ranks the owl first and the cat nowhere
    assert sorted(found(mixed, question)) == ["cat", "owl"]
    assert set(mixed.search([question])[0].seconds) == {"embed", "search"}


def test_gold_is_given_once_when_the_search_finds_it_too(dense: Dense) -> None:
    assert sorted(found(with_animals(OracleDistract(dense, k=4, seed=0)), MANY[0])) == ["bee", "cat", "owl", "whale"]


def test_an_unanswerable_question_has_distractors_only(dense: Dense) -> None:
    assert len(found(with_animals(OracleDistract(dense, k=3, seed=0)), ask("Do dragons sing?"))) == 3


def test_the_place_of_the_gold_is_random_by_question_and_fixed_by_the_seed(dense: Dense) -> None:
    mixed = with_animals(OracleDistract(dense, k=2, seed=0))
    places = [found(mixed, example).index("whale") for example in MANY]
    assert 10 <= sum(places) <= 30
    assert places == [found(mixed, example).index("whale") for example in MANY]
    other = with_animals(OracleDistract(dense, k=2, seed=1))
    assert places != [found(other, example).index("whale") for example in MANY]


def test_distractors_need_a_search_as_deep_as_k(dense: Dense) -> None:
    with pytest.raises(ConfigError, match="searches 4 deep"):
        OracleDistract(dense, k=5, seed=0)


def test_distractors_follow_removed_documents(dense: Dense) -> None:
    mixed = with_animals(OracleDistract(dense, k=4, seed=0))
    mixed.remove(["cat"])
    assert sorted(found(mixed, MANY[0])) == ["bee", "owl", "whale"]


def test_random_documents_never_hold_the_answer_and_are_drawn_evenly() -> None:
    pick = with_animals(RandomPick(k=1, seed=0))
    drawn = Counter(found(pick, ask("?", "whale", id=f"q{at}"))[0] for at in range(300))
    assert set(drawn) == {"cat", "bee", "owl"}
    assert min(drawn.values()) > 70  # 100 expected, standard deviation 8


def test_random_documents_are_distinct_and_fewer_when_the_corpus_is_small() -> None:
    assert sorted(found(with_animals(RandomPick(k=9, seed=0)), MANY[0])) == ["bee", "cat", "owl"]


def test_a_draw_depends_on_the_seed_and_the_question_alone() -> None:
    pick, other = (with_animals(RandomPick(k=2, seed=seed)) for seed in (0, 1))
    draws = [found(pick, example) for example in MANY]
    assert draws == [[hit.document.id for hit in one.hits] for one in pick.search(MANY)]
    assert len({tuple(draw) for draw in draws}) > 1
    assert draws != [found(other, example) for example in MANY]


def test_the_whole_corpus_comes_in_its_order_and_its_size_is_k() -> None:
    whole = with_animals(FullCorpus())
    assert found(whole, MANY[0]) == ["cat", "whale", "bee", "owl"]
    whole.add([Document("whale", "New."), Document("ant", "Ants.")])
    assert found(whole, MANY[0]) == ["cat", "whale", "bee", "owl", "ant"]
    assert whole.search(MANY[:1])[0].hits[1].document.text == "New."
    whole.remove(["cat"])
    assert (whole.k, whole.depth) == (4, 4)


@pytest.mark.parametrize("retriever", [Oracle(1), RandomPick(1, 0), FullCorpus()], ids=lambda one: type(one).__name__)
def test_every_corpus_refuses_twin_ids_and_unknown_removals(retriever: Retriever) -> None:
    with pytest.raises(DataError, match=r"1 document ids come twice .'cat'."):
        retriever.add([ANIMALS[0], ANIMALS[0]])
    with pytest.raises(KeyError, match="dragon"):
        with_animals(retriever).remove(["dragon"])


@pytest.mark.parametrize("retriever", [RandomPick(1, 0), FullCorpus()], ids=lambda one: type(one).__name__)
def test_an_empty_corpus_is_refused_not_passed_off_as_no_context(retriever: Retriever) -> None:
    with pytest.raises(DataError, match="no documents"):
        retriever.search(MANY[:1])


@pytest.mark.parametrize("retriever", [Oracle(2), RandomPick(2, 0), FullCorpus()], ids=lambda one: type(one).__name__)
def test_what_was_not_searched_has_equal_scores_and_ranks_from_one(retriever: Retriever) -> None:
    (searched,) = with_animals(retriever).search([ask("?", "owl", "cat")])
    assert {hit.score for hit in searched.hits} == {0.0}
    assert [hit.rank for hit in searched.hits] == list(range(1, len(searched.hits) + 1))
    assert len(searched.hits) == retriever.k == retriever.depth


def test_a_document_that_says_the_same_is_drawn_neither_at_random_nor_as_a_distractor(dense: Dense) -> None:
    example = ask("Who sings under water?", "whale", grading=Grading(same_as={"cat": ("whale",), "bee": ("whale",)}))
    assert found(with_animals(RandomPick(k=4, seed=0)), example) == ["owl"]
    assert sorted(found(with_animals(OracleDistract(dense, k=4, seed=0)), example)) == ["owl", "whale"]
