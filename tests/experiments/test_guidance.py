"""The heads that pretraining guides are pointed at the right tokens, and their guided attention is their attention."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.base_prompt import base_prompt
from experiments.guidance import HEADS, Guidance, Guide
from experiments.pretrain_rows import Row, gold, sample, tensors, to_row
from rag_eval.types import Reading
from tests.models import TINY


@pytest.fixture(scope="module")
def tokenizer() -> AutoTokenizer:
    return AutoTokenizer.from_pretrained(TINY)


@pytest.fixture(scope="module")
def made(tokenizer) -> list[tuple[list[Reading], Row]]:  # type: ignore[no-untyped-def]
    rng = random.Random(0)
    return [(readings, to_row(readings, tokenizer, base_prompt())) for readings in (sample(rng, 3) for _ in range(40))]


def test_a_question_looks_at_the_value_that_answers_it_and_the_value_at_the_name_before_it(made, tokenizer) -> None:  # type: ignore[no-untyped-def]
    n_followed = 0
    for readings, row in made:
        for at, reading in enumerate(readings, start=1):
            block = [place for place, segment in enumerate(row.segments) if segment == at]
            answer = [row.tokens[place] for place in block if row.is_answer[place]][:-1]
            (first, *_) = [place for place in block if row.is_answer[place]]
            looks = [guide for guide in row.guides if guide.query in range(first - 1, block[-1]) and guide.look == "question to value"]
            if not reading.example.answers:
                assert looks == [Guide("question to value", first - 1, 0, 0)]
                continue
            assert [row.tokens[guide.first] for guide in looks] == answer
            assert tokenizer.decode(answer).strip() == gold(reading)
            named = next(guide for guide in row.guides if (guide.look, guide.query) == ("value to name", looks[0].first))
            stem = tokenizer.decode(row.tokens[named.first : named.last + 1]).strip()
            assert reading.example.cluster.startswith(stem)
            n_followed += 1
    assert n_followed > 100


def test_a_question_looks_at_the_last_name_in_it(made, tokenizer) -> None:  # type: ignore[no-untyped-def]
    looks = [(row, guide) for _, row in made for guide in row.guides if guide.look == "question to name"]
    assert len(looks) > 200
    for row, guide in looks:
        assert row.segments[guide.first] == row.segments[guide.query] > 0
        assert tokenizer.decode(row.tokens[guide.first : guide.last + 1]).strip().isalpha()


def test_guided_attention_is_the_attention_of_the_head(made) -> None:  # type: ignore[no-untyped-def]
    model = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32, attn_implementation="eager")
    guidance, row = Guidance(model), made[0][1]
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
