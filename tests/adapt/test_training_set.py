"""What is trained on: train phrasings only, the share of reading that was asked for, nothing of the test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from rag_eval.adapt.training_set import tokenized, training_rows
from rag_eval.data.world.source import world
from rag_eval.generate.hf import HF
from rag_eval.prompt import Prompt
from rag_eval.types import ABSTENTION, QADataset
from tests.models import TINY

PROMPT = Prompt("Say.")


@pytest.fixture(scope="module")
def tiny() -> HF:
    return HF(str(TINY), "float32", "cpu", max_new_tokens=8, token_budget=4096)


@pytest.fixture(scope="module")
def dataset() -> QADataset:
    return world("ci", 0)


def rows(tiny: HF, dataset: QADataset, reading_share: float = 0.0, seed: int = 0) -> list[tuple[str, str]]:
    return [(row["prompt"], row["completion"]) for row in training_rows(tiny, PROMPT, dataset, reading_share, seed)]


def test_every_training_question_is_asked_once_without_passages_as_it_will_be_at_the_test(tiny: HF, dataset: QADataset) -> None:
    expected = [(PROMPT.render(example, ()).text, f" {example.answers[0]}") for example in dataset.train]
    assert len(expected) > 1_000
    assert sorted(rows(tiny, dataset)) == sorted(expected)


def test_no_test_question_is_trained_on(tiny: HF, dataset: QADataset) -> None:
    prompts = {prompt for prompt, _ in rows(tiny, dataset, 0.3)}
    assert not prompts & {PROMPT.render(example, ()).text for example in (*dataset.test, *dataset.dev)}


def test_reading_exercises_have_the_share_that_was_asked_for_and_show_their_passages(tiny: HF, dataset: QADataset) -> None:
    found = rows(tiny, dataset, 0.1)
    reading = [(prompt, completion) for prompt, completion in found if "Context:" in prompt]
    assert len(reading) / len(found) == pytest.approx(0.1, abs=0.001)
    assert 0 < sum(completion == f" {ABSTENTION}" for _, completion in reading) < len(reading) / 2
    assert not any(document.text in prompt for prompt, _ in reading for document in dataset.documents)


def test_a_share_beyond_what_the_dataset_has_takes_what_there_is(tiny: HF, dataset: QADataset) -> None:
    found = rows(tiny, dataset, 0.9)
    assert len(found) == len(dataset.train) + len(dataset.reading)


def test_a_seed_fixes_the_rows_and_their_order_and_another_changes_them(tiny: HF, dataset: QADataset) -> None:
    assert rows(tiny, dataset, 0.1, 0) == rows(tiny, dataset, 0.1, 0)
    assert rows(tiny, dataset, 0.1, 0) != rows(tiny, dataset, 0.1, 1)
    assert set(rows(tiny, dataset, 0.1, 0)) != set(rows(tiny, dataset, 0.1, 1))  # other exercises, too


def test_the_labels_are_the_answer_and_the_end_token_only(tiny: HF, dataset: QADataset) -> None:
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    found = training_rows(tiny, PROMPT, dataset, 0.1, 0)[:50]
    for row, tokens in zip(found, tokenized(tokenizer, found), strict=True):
        learned = [label for label in tokens["labels"] if label != -100]
        assert len(tokens["labels"]) == len(tokens["input_ids"])
        assert tokens["input_ids"][-len(learned) :] == learned
        assert tokenizer.decode(learned) == row["completion"] + tokenizer.eos_token
        assert tokenizer.decode(tokens["input_ids"][: -len(learned)]) == row["prompt"]


@pytest.mark.parametrize("has_template", [False, True])
def test_a_begin_token_stands_once_where_the_generator_has_it(tmp_path: Path, dataset: QADataset, has_template: bool) -> None:
    # As Llama 3 has it: the tokenizer adds a begin token to plain text, and the chat template writes it itself.
    folder = Path(shutil.copytree(TINY, tmp_path / "tiny"))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    begin, post = tokenizer.eos_token, tokenizer.backend_tokenizer.post_processor.__class__
    tokenizer.backend_tokenizer.post_processor = post(single=f"{begin} $A", special_tokens=[(begin, tokenizer.eos_token_id)])
    if has_template:
        tokenizer.chat_template = begin + "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    generator = HF(str(folder), "float32", "cpu", max_new_tokens=8, token_budget=4096)
    prompt = PROMPT.render(dataset.train[0], ())
    (tokens,) = tokenized(tokenizer, [{"prompt": generator.format(prompt), "completion": " x"}])
    n_prompt = tokens["labels"].count(-100)
    assert tokens["input_ids"][:n_prompt].count(tokenizer.eos_token_id) == 1
    assert n_prompt == generator.count_tokens([prompt])[0]
