"""What a model is trained on: question-answer pairs of the dataset, mixed with reading exercises about other documents."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from rag_eval.parts import PromptWriter, Trainable
from rag_eval.prompt import n_shared
from rag_eval.types import ABSTENTION, Document, Example, QADataset

Row = dict[str, str]  # prompt, completion
Tokens = dict[str, list[int]]  # input_ids, labels


def training_rows(generator: Trainable, prompt: PromptWriter, dataset: QADataset, reading_share: float, seed: int) -> list[Row]:
    """Prompt and completion of one pass over the data, shuffled.

    Args:
        generator: formats prompts as it will when it answers.
        prompt: as it will be when the model answers.
        dataset: its train questions are asked without passages, its reading exercises with theirs.
        reading_share: share of the rows that are reading exercises, in [0, 1); fewer where the dataset has fewer.
        seed: of the shuffling and of the choice of exercises.
    """
    rng = random.Random(f"training set/{seed}")
    rows = [_row(generator, prompt, example, ()) for example in dataset.train]
    n_reading = min(len(dataset.reading), round(len(rows) * reading_share / (1 - reading_share)))
    rows += [_row(generator, prompt, one.example, one.documents) for one in rng.sample(dataset.reading, n_reading)]
    rng.shuffle(rows)
    return rows


def tokenized(tokenizer: Any, rows: Sequence[Row]) -> list[Tokens]:
    """Tokens as the generator will see them, and labels that are -100 on the prompt; the end token is learned."""
    has_special = not tokenizer.chat_template  # a template writes its own
    prompts = tokenizer([row["prompt"] for row in rows], add_special_tokens=has_special)["input_ids"]
    texts = [row["prompt"] + row["completion"] + tokenizer.eos_token for row in rows]
    whole = tokenizer(texts, add_special_tokens=has_special)["input_ids"]
    # Tokens may merge across the border, so the answer begins where the two differ.
    borders = [n_shared(prompt, ids) for prompt, ids in zip(prompts, whole, strict=True)]
    return [{"input_ids": ids, "labels": [-100] * border + ids[border:]} for ids, border in zip(whole, borders, strict=True)]


def _row(generator: Trainable, prompt: PromptWriter, example: Example, documents: Sequence[Document]) -> Row:
    answer = example.answers[0] if example.answers else ABSTENTION
    return {"prompt": generator.format(prompt.render(example, documents)), "completion": generator.completion(answer)}
