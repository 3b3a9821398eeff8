"""What the embedded base model is trained on: reading exercises, their tokenizer, and rows of tokens."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from rag_eval.data.world.language import KINDS
from rag_eval.data.world.reading import ALL_SPLITS, exercises
from rag_eval.prompt import Prompt
from rag_eval.types import ABSTENTION, Document, Example, Reading

SYSTEM = "Answer the question in a few words. If the answer is not known, say unknown."  # as in conf/prompt/qa.yaml
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
    return readings + whereabouts(rng, readings[0].documents)


def whereabouts(rng: random.Random, documents: tuple[Document, ...]) -> list[Reading]:
    """Exercises that tie a name to its passage: which passage is about a disease, and what is a passage about.

    Without them the attribute alone decides, and the name is not looked at for thousands of steps.
    """
    titles = [document.title for document in documents]
    asked = []
    for at in rng.sample(range(len(documents)), min(3, len(documents))):
        if titles.count(titles[at]) == 1:
            asked.append((f"Which passage is about {titles[at]}?", str(at + 1)))
        asked.append((f"What is passage {at + 1} about?", titles[at]))
    return [Reading(Example(str(at), question, (answer,)), documents) for at, (question, answer) in enumerate(asked)]


def train_tokenizer(seed: int, vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: digits and line breaks stand alone, so a prompt may be cut before a question.

    It sees the syllables of a disease's name apart, so a name is three tokens that it shares with few other names.
    """
    rng = random.Random(f"tokenizer/{seed}")
    prompt = Prompt(SYSTEM)
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
    pieces = [texts[0][:cut]] + [text[cut:] for text in texts]
    answers = [" " + gold(one) for one in readings]
    encoded = tokenizer(pieces + answers, add_special_tokens=False)["input_ids"]
    context, questions, finals = encoded[0], encoded[1 : len(pieces)], encoded[len(pieces) :]
    row = Row(list(context), [0] * len(context), list(range(len(context))), [False] * len(context))
    for at, (question, final) in enumerate(zip(questions, finals, strict=True), start=1):
        block = question + final + [tokenizer.eos_token_id]
        row.tokens += block
        row.segments += [at] * len(block)
        row.positions += range(len(context), len(context) + len(block))
        row.is_answer += [False] * len(question) + [True] * (len(final) + 1)
    return row


def rows_of(rng: random.Random, tokenizer: PreTrainedTokenizerFast, level: int, n_tokens: int) -> list[Row]:
    """Rows of at most n_tokens in all, padding not counted, sorted by length."""
    prompt = Prompt(SYSTEM)
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
