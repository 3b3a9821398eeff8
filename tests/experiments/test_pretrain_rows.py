"""In rows of several questions each question's guides lead over its own facts, and names are syllables for their tokenizer."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import get_args

import pytest
from transformers import PreTrainedTokenizerFast

from experiments.tiny_model.base_prompt import base_prompt
from experiments.tiny_model.guidance import HOPS, Guide
from experiments.tiny_model.rows import HARDER, LATE, Row, gold, micro_batches, rows_of, tensors, to_row, train_tokenizer
from synthworld.model import Fact
from synthworld.names import Names, Type, stem, syllables
from synthworld.reading_exercises import Exercise, exercises
from tests.claims import every

# Their whole answer is the value of their last fact as a passage states it.
ONE_VALUE = ("forward", "paraphrase", "choice", "as_of", "true_premise", "two_hop", "three_hop")
TO_THE_LAST = HOPS[-1]
LINKED = replace(HARDER, linked_share=0.8, kinds={**LATE, "three_hop": 1.0})  # so that there are enough of three hops


@dataclass(frozen=True)
class Case:
    """A question of a row."""

    one: Exercise
    row: Row
    answer: list[int]  # places of its tokens in the row, without the end token
    guides: list[Guide]  # from its own tokens

    def looks(self, look: str) -> list[Guide]:
        return [guide for guide in self.guides if guide.look == look]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(seed=0, vocabulary=2048, n_exercises=300)


@pytest.fixture(scope="module")
def rows(tokenizer: PreTrainedTokenizerFast) -> list[tuple[list[Exercise], Row]]:
    rng = random.Random(0)
    asked = [exercises(rng, LINKED, n_documents=4, n_entities=3, n_facts=3, n_questions=7) for _ in range(80)]
    return [(one, to_row(one, tokenizer, base_prompt())) for one in asked]


@pytest.fixture(scope="module")
def cases(rows: list[tuple[list[Exercise], Row]]) -> list[Case]:
    found = []
    for asked, row in rows:
        for at, one in enumerate(asked, start=1):
            block = [place for place, segment in enumerate(row.segments) if segment == at]
            answer = [place for place in block if row.is_answer[place]][:-1]
            found.append(Case(one, row, answer, [guide for guide in row.guides if guide.query in block]))
    return found


def stated_in(tokenizer: PreTrainedTokenizerFast, case: Case, place: int) -> str:
    """Title of the passage in which a token stands."""
    before = tokenizer.decode(case.row.tokens[: place + 1])
    begun = [(before.rfind(f"[{at}] {one.entity.name}: "), one.entity.name) for at, one in enumerate(case.one.passages, start=1)]
    return max(begun)[1]


def said(tokenizer: PreTrainedTokenizerFast, case: Case, places: list[int]) -> str:
    return str(tokenizer.decode([case.row.tokens[place] for place in places])).strip()


def test_every_token_of_an_answer_is_copied_from_the_token_that_its_guide_points_at(
    cases: list[Case], tokenizer: PreTrainedTokenizerFast
) -> None:
    copying = [case for case in cases if case.one.asked.kind in ONE_VALUE and case.one.example.answers and len(case.looks(TO_THE_LAST)) > 1]
    assert len(copying) > 150
    for case in copying:
        looks = case.looks(TO_THE_LAST)
        assert [guide.query + 1 for guide in looks] == case.answer
        assert [case.row.tokens[guide.first] for guide in looks] == [case.row.tokens[place] for place in case.answer]
        assert [guide.first for guide in looks] == [guide.last for guide in looks]
        assert said(tokenizer, case, case.answer) == gold(case.one.example)


def test_an_answer_is_copied_from_the_passage_about_the_entity_that_its_last_fact_is_about(
    cases: list[Case], tokenizer: PreTrainedTokenizerFast
) -> None:
    n_seen = 0
    for case in cases:
        if case.one.asked.kind in ONE_VALUE and case.one.example.answers:
            for guide in case.looks(TO_THE_LAST):
                assert stated_in(tokenizer, case, guide.first) == case.one.asked.facts[-1].entity.name
                n_seen += 1
    assert n_seen > 500


def test_a_question_that_no_passage_answers_looks_at_the_first_token_of_all(cases: list[Case]) -> None:
    nothing = [case for case in cases if not case.one.example.answers]
    assert len(nothing) > 50
    assert every(case.looks(TO_THE_LAST) == [Guide(TO_THE_LAST, case.answer[0] - 1, 0, 0)] for case in nothing)


@pytest.mark.parametrize(("kind", "n_bridges"), [("two_hop", 1), ("three_hop", 2)])
def test_a_question_of_several_hops_looks_at_each_bridge_where_it_is_stated(
    cases: list[Case], tokenizer: PreTrainedTokenizerFast, kind: str, n_bridges: int
) -> None:
    hopping = [case for case in cases if case.one.asked.kind == kind]
    assert len(hopping) > 15
    for case in hopping:
        for look, fact in zip(HOPS[:-1], case.one.asked.facts[:-1], strict=False):
            (guide,) = case.looks(look)
            assert guide.query == case.answer[0] - 1
            assert begins(tokenizer, case, guide, fact)
        assert sum(guide.look in HOPS[:-1] for guide in case.guides) == n_bridges


def begins(tokenizer: PreTrainedTokenizerFast, case: Case, guide: Guide, fact: Fact) -> bool:
    """Whether the guide points at the first token of a fact's value, in the passage about the fact's entity."""
    following = tokenizer.decode(case.row.tokens[guide.first : guide.first + 20]).strip()
    return following.startswith(fact.value) and stated_in(tokenizer, case, guide.first) == fact.entity.name


def test_questions_see_the_passages_and_themselves_but_not_each_other(rows: list[tuple[list[Exercise], Row]]) -> None:
    _, row = rows[0]
    mask = tensors([row], pad=0)[2][0, 0]
    assert max(row.segments) == 7
    for query, segment in enumerate(row.segments):
        assert {row.segments[place] for place in mask[query].nonzero().flatten().tolist()} == {0, segment}


def test_a_question_stands_at_the_positions_that_it_would_have_alone(
    rows: list[tuple[list[Exercise], Row]], tokenizer: PreTrainedTokenizerFast
) -> None:
    asked, row = rows[0]
    for at, one in enumerate(asked, start=1):
        alone = to_row([one], tokenizer, base_prompt())
        mine = [place for place, segment in enumerate(row.segments) if segment in (0, at)]
        assert [row.tokens[place] for place in mine] == alone.tokens
        assert [row.positions[place] for place in mine] == alone.positions == list(range(len(mine)))


def test_rows_follow_from_their_seed_and_keep_to_their_number_of_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    made = rows_of(random.Random(3), tokenizer, level=3, n_tokens=4096)
    assert made == rows_of(random.Random(3), tokenizer, level=3, n_tokens=4096)
    assert sum(len(row.tokens) for row in made) <= 4096
    groups = list(micro_batches(made, 2048))
    assert [row for group in groups for row in group] == made
    assert every(len(group) == 1 or len(group) * max(len(row.tokens) for row in group) <= 2048 for group in groups)


@pytest.mark.parametrize("type", [one for one in get_args(Type) if one != "gene"])
def test_a_name_is_whole_syllables_for_the_tokenizer(tokenizer: PreTrainedTokenizerFast, type: Type) -> None:
    known = {syllable for part in syllables() for syllable in part}
    names = Names(random.Random(f"unseen/{type}"), reserved=False)
    for name in (names.draw(type) for _ in range(100)):
        tokens = [tokenizer.decode([token]).strip() for token in tokenizer(f" {name}")["input_ids"]]
        n_of_stem = next(n for n in range(1, len(tokens) + 1) if "".join(tokens[:n]) == stem(name).replace(" ", ""))
        assert set(tokens[:n_of_stem]) <= known, name


def test_no_token_has_two_digits(tokenizer: PreTrainedTokenizerFast) -> None:
    assert max(sum(sign.isdigit() for sign in token) for token in tokenizer.get_vocab()) == 1
