"""The heads that pretraining guides are pointed at the right tokens, and their guided attention is their attention."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.tiny_model.base_prompt import base_prompt
from experiments.tiny_model.guidance import HEADS, HOPS, Guidance, Guide
from experiments.tiny_model.rows import HARDER, Row, gold, sample, tensors, to_row
from rag_eval.testing.models import TINY
from synthworld.reading_exercises import Exercise, exercises
from tests.claims import every

COPYING = ("forward", "paraphrase", "choice", "as_of", "true_premise", "two_hop", "three_hop", "number", "long")


@pytest.fixture(scope="module")
def tokenizer() -> AutoTokenizer:
    return AutoTokenizer.from_pretrained(TINY)


@pytest.fixture(scope="module")
def made(tokenizer) -> list[tuple[Exercise, Row]]:  # type: ignore[no-untyped-def]
    """Exercises, each alone in its row."""
    rng = random.Random(0)
    found = [one for _ in range(80) for one in sample(rng, 3, is_late=True)]
    return [(one, to_row([one], tokenizer, base_prompt())) for one in found]


def looks(row: Row, look: str) -> list[Guide]:
    return [guide for guide in row.guides if guide.look == look]


def text(tokenizer, row: Row, guide: Guide) -> str:  # type: ignore[no-untyped-def]
    return str(tokenizer.decode(row.tokens[guide.first : guide.last + 1])).strip()


def test_a_questions_token_looks_at_the_token_of_the_passage_that_comes_next(made, tokenizer) -> None:  # type: ignore[no-untyped-def]
    n_followed = 0
    for one, row in made:
        end = row.is_answer.index(True) - 1
        if not one.example.answers:
            assert looks(row, HOPS[-1]) == [Guide(HOPS[-1], end, 0, 0)]
        elif one.asked.kind in COPYING:
            for guide in looks(row, HOPS[-1]):
                assert row.tokens[guide.first] == row.tokens[guide.query + 1]
                assert guide.first < row.segments.index(1)
                n_followed += 1
            assert tokenizer.decode(row.tokens[end + 1 : -1]).strip() == gold(one.example)
    assert n_followed > 500


def test_a_value_looks_back_at_the_name_of_whom_it_is_stated(made, tokenizer) -> None:  # type: ignore[no-untyped-def]
    named = [(one, text(tokenizer, row, guide), guide) for one, row in made for guide in looks(row, "value to name")]
    assert len(named) > 300
    for one, name, guide in named:
        assert any(fact.entity.name.startswith(name) for fact in one.asked.facts)
        assert guide.last < guide.query


def test_hops_lead_over_the_entities_that_values_name(made, tokenizer) -> None:  # type: ignore[no-untyped-def]
    hopping = [(one, row) for one, row in made if one.asked.kind in {"two_hop", "three_hop"} and one.example.answers]
    assert len(hopping) > 20
    for one, row in hopping:
        bridges = [fact.value for fact in one.asked.facts[:-1]]
        met = [text(tokenizer, row, guide) for look in HOPS[:-1] for guide in looks(row, look)]
        assert len(met) == len(bridges)
        assert every(bridge.startswith(token) for bridge, token in zip(bridges, met, strict=True))


def test_a_reversed_question_looks_at_the_value_whose_owner_it_names(made, tokenizer) -> None:  # type: ignore[no-untyped-def]
    reverse = [(one, row) for one, row in made if one.asked.kind == "reverse" and one.example.answers]
    assert len(reverse) > 5
    for one, row in reverse:
        (guide,) = looks(row, HOPS[-1])
        assert one.asked.facts[0].value.startswith(text(tokenizer, row, guide))


def test_a_name_is_whole_syllables_for_the_tokenizer(tokenizer) -> None:  # type: ignore[no-untyped-def]
    names = [
        passage.entity.name
        for one in exercises(random.Random(1), HARDER, n_documents=5, n_entities=5, n_facts=3, n_questions=1)
        for passage in one.passages
    ]
    assert len(names) >= 5
    pieces = [tokenizer.tokenize(f" {name.split()[0]}") for name in names if name.split()[0].isalpha()]
    assert every(len(word) <= 4 for word in pieces)


def test_guided_attention_is_the_attention_of_the_head(made) -> None:  # type: ignore[no-untyped-def]
    model = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32, attn_implementation="eager")
    guidance, row = Guidance(model), next(row for one, row in made if one.asked.kind == "two_hop" and one.example.answers)
    tokens, positions, mask, _ = tensors([row], pad=0)
    added = torch.zeros(mask.shape).masked_fill(~mask, torch.finfo(torch.float32).min)
    with torch.inference_mode():
        out = model(input_ids=tokens, position_ids=positions, attention_mask=added, output_attentions=True)
        found = float(guidance.loss([row.guides], positions, mask))
    expected = 0.0
    for guide in row.guides:
        heads = HEADS[guide.look]
        for layer, head in heads:
            mass = out.attentions[layer][0, head, guide.query, guide.first : guide.last + 1].sum()
            expected -= float(mass.log()) / len(heads)
    assert found == pytest.approx(expected, rel=1e-3)
