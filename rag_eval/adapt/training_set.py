"""What a model is trained on: question-answer pairs of the dataset, mixed with reading exercises about other documents."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rag_eval.parts import PromptWriter, Trainable
from rag_eval.types import ABSTENTION, Document, Example, QADataset

Row = dict[str, str]  # prompt, completion


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


def _row(generator: Trainable, prompt: PromptWriter, example: Example, documents: Sequence[Document]) -> Row:
    answer = example.answers[0] if example.answers else ABSTENTION
    return {"prompt": generator.format(prompt.render(example, documents)), "completion": generator.completion(answer)}
