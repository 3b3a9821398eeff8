"""What the embedded base model is trained on: reading exercises, their tokenizer, and rows of tokens."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BatchEncoding, PreTrainedTokenizerFast

from experiments.base_prompt import base_prompt
from experiments.guidance import Guide
from rag_eval.data.world.language import KINDS
from rag_eval.data.world.reading import ALL_SPLITS, exercises
from rag_eval.prompt import Prompt
from rag_eval.types import ABSTENTION, Reading

END = "<|end|>"
PAD = "<|pad|>"
CONTEXT_TOKENS = 1024
LEVELS = ((3, 1), (4, 2), (5, 3), (5, 5))  # (passages, facts a passage) at most
STEM = re.compile(rf"\b([A-Z][a-z]{{2}})([a-z]{{2}})([a-z]{{3}})(?= (?:{'|'.join(KINDS)}))")


@dataclass
class Row:
    """Passages followed by questions that see the passages but not each other."""

    tokens: list[int]
    segments: list[int]  # 0 = passages, then 1, 2, ... for each question
    positions: list[int]
    is_answer: list[bool]
    guides: list[Guide] = field(default_factory=list)


def shape(rng: random.Random, level: int) -> dict[str, int]:
    """How large the next exercise is: short passages about several diseases first; a third always comes from an earlier level."""
    n_documents, n_facts = (rng.randint(1, most) for most in LEVELS[rng.randint(0, level) if rng.random() < 0.35 else level])
    if level == len(LEVELS) - 1 and rng.random() < 0.04:
        n_documents, n_facts = rng.randint(6, 9), rng.randint(1, 2)
    if rng.random() < 0.7:
        n_documents = max(2, n_documents)
    n_diseases = rng.randint(1, n_documents) if rng.random() < 0.25 else n_documents
    return {"n_documents": n_documents, "n_diseases": n_diseases, "n_facts": n_facts, "n_questions": rng.randint(6, 8)}


def sample(rng: random.Random, level: int) -> list[Reading]:
    """One set of passages with its questions; one in twelve comes without passages, and then nothing is known."""
    readings = exercises(rng, **shape(rng, level), reserved=True, splits=ALL_SPLITS, follow_up_share=0.12, hard_share=0.75)
    if rng.random() < 1 / 12 and not all(one.example.history for one in readings[:6]):
        return [Reading(replace(one.example, answers=()), ()) for one in readings[:6] if not one.example.history]
    return readings


def train_tokenizer(seed: int, vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: digits and line breaks stand alone, so a prompt may be cut before a question.

    It sees the syllables of a disease's name apart, so a name is three tokens that it shares with few other names.
    """
    rng = random.Random(f"tokenizer/{seed}")
    prompt = base_prompt()
    texts = (
        STEM.sub(r"\1\n\2\n\3", prompt.render(one.example, one.documents).text) + " " + gold(one)
        for _ in range(6000)
        for one in exercises(rng, n_documents=2, n_diseases=2, n_facts=4, n_questions=3, reserved=True, splits=ALL_SPLITS)
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=[PAD, END], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
        model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def gold(reading: Reading) -> str:
    """The text that the model is to write."""
    return reading.example.answers[0] if reading.example.answers else ABSTENTION


def to_row(readings: list[Reading], tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> Row:
    """Each question continues the passages at the position that it would have if it were the only one."""
    texts = [prompt.render(one.example, one.documents).text for one in readings]
    cut = texts[0].index("\n\nQuestion: ") + 2
    context, asked, answers = texts[0][:cut], [text[cut:] for text in texts], [" " + gold(one) for one in readings]
    encoded = tokenizer([context, *asked, *answers], add_special_tokens=False)
    tokens = encoded["input_ids"]
    n_context = len(tokens[0])
    row = Row(list(tokens[0]), [0] * n_context, list(range(n_context)), [False] * n_context)
    for at, reading in enumerate(readings, start=1):
        question, final = tokens[at], tokens[at + len(readings)]
        block = question + final + [tokenizer.eos_token_id]
        row.guides += guides(reading, context, asked[at - 1], encoded, at, len(readings), len(row.tokens))
        row.tokens += block
        row.segments += [at] * len(block)
        row.positions += range(n_context, n_context + len(block))
        row.is_answer += [False] * len(question) + [True] * (len(final) + 1)
    return row


def guides(reading: Reading, context: str, question: str, encoded: BatchEncoding, at: int, n_questions: int, start: int) -> list[Guide]:
    """Where to look for a question's answer; without one in the passages, at the first token of all.

    Args:
        reading: the exercise.
        context: text of the passages, the first text of `encoded`.
        question: text of the question, from its history on, text number `at` of `encoded`.
        encoded: tokens of all texts: passages, questions, answers.
        at: number of the question, from 1.
        n_questions: how many there are.
        start: place of the question's first token in the row.
    """
    stem = reading.example.cluster.split()[0]
    end = start + len(encoded["input_ids"][at]) - 1
    n_answer = len(encoded["input_ids"][at + n_questions])
    found = []
    if (named := question.rfind(stem)) >= 0:
        found.append(
            Guide(
                "question to name", end, start + encoded.char_to_token(at, named), start + encoded.char_to_token(at, named + len(stem) - 1)
            )
        )
    if not reading.example.answers:
        return [*found, Guide("question to value", end, 0, 0)]
    value = re.compile(rf"(?<![\w,-]){re.escape(reading.example.answers[0])}(?![\w,])")
    begin, stated = next(
        (begin, stated)
        for document in reading.documents
        if document.title == reading.example.cluster
        for begin in (context.index(document.text),)
        if (stated := value.search(context, begin, begin + len(document.text)))
    )
    place = encoded.char_to_token(0, stated.start() - 1)  # the space before a value belongs to the answer
    name = context.rfind(stem, begin, stated.start())
    found += [Guide("question to value", end + more, place + more, place + more) for more in range(n_answer)]
    found.append(Guide("value to name", place, encoded.char_to_token(0, name), encoded.char_to_token(0, name + len(stem) - 1)))
    return found


def rows_of(rng: random.Random, tokenizer: PreTrainedTokenizerFast, level: int, n_tokens: int) -> list[Row]:
    """Rows of at most n_tokens in all, padding not counted, sorted by length."""
    prompt = base_prompt()
    rows = [to_row(sample(rng, level), tokenizer, prompt)]
    while True:
        row = to_row(sample(rng, level), tokenizer, prompt)
        if sum(len(one.tokens) for one in rows) + len(row.tokens) > n_tokens:
            return sorted(rows, key=lambda one: len(one.tokens))
        rows.append(row)


def micro_batches(rows: list[Row], n_tokens: int) -> Iterator[list[Row]]:
    """Consecutive rows, sorted by length, whose padded size stays within n_tokens."""
    group: list[Row] = []
    for row in rows:
        if group and (len(group) + 1) * len(row.tokens) > n_tokens:
            yield group
            group = []
        group.append(row)
    yield group


def tensors(rows: list[Row], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """int64 (b, t) tokens, int64 (b, t) positions, bool (b, 1, t, t) mask, bool (b, t) is_answer."""
    width = max(len(row.tokens) for row in rows)

    def padded(values: list[list[int]], fill: int) -> torch.Tensor:
        return torch.tensor([value + [fill] * (width - len(value)) for value in values])

    tokens = padded([row.tokens for row in rows], pad)
    positions = padded([row.positions for row in rows], 0)
    segments = padded([row.segments for row in rows], -1)
    sees = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    mask = sees & torch.ones(width, width, dtype=torch.bool).tril()
    mask |= torch.eye(width, dtype=torch.bool)
    return tokens, positions, mask[:, None], padded([[int(x) for x in row.is_answer] for row in rows], 0).bool()
