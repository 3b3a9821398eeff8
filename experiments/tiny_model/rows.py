"""What the embedded base model is trained on: reading exercises, their tokenizer, and rows of tokens."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import BatchEncoding, PreTrainedTokenizerFast

from experiments.tiny_model.base_prompt import base_prompt
from experiments.tiny_model.guidance import HOPS, Guide
from rag_eval.prompt import PromptTemplate
from rag_eval.types import ABSTENTION, Example
from synthworld.documents import DocumentStyle, Style
from synthworld.model import Fact
from synthworld.names import MEDICINES, TOWNS, syllables
from synthworld.questions import Kind
from synthworld.reading_exercises import ALL_SPLITS, Course, Exercise, exercises

END = "<|end|>"
PAD = "<|pad|>"
CONTEXT_TOKENS = 1024
LEVELS = ((3, 1), (4, 2), (5, 3), (5, 5))  # (passages, facts a passage) at most
FORWARD = Course(reserved=True, splits=ALL_SPLITS, follow_up_share=0.12, hard_share=0.75, disease_share=0.5)
# Answers in the style of a house are left out: a base model is not to know it. Means are beyond a model of this size.
WEIGHTS: dict[Kind, float] = {
    **{"forward": 0.45, "paraphrase": 0.04, "reverse": 0.07, "two_hop": 0.25, "three_hop": 0.30, "comparison": 0.05},
    **{"count": 0.02, "list": 0.10, "extreme": 0.03, "boolean": 0.06, "choice": 0.03, "none_of_these": 0.03},
    **{"as_of": 0.16, "true_premise": 0.02, "json": 0.02, "number": 0.02, "long": 0.04},
}
STYLES: tuple[Style, ...] = ("article", "article", "article", "abstract", "table", "page", "news")  # by their weights
EVERYTHING = replace(
    FORWARD, kinds=WEIGHTS, manner=DocumentStyle(STYLES, pronouns=0.2, fillers=1, openers=0.6), linked_share=0.5, dated_share=0.25
)
# What takes longest to learn, for the last third of the training.
LATE: dict[Kind, float] = {
    **{"forward": 0.3, "paraphrase": 0.03, "reverse": 0.05, "two_hop": 0.2, "three_hop": 0.2, "comparison": 0.1},
    **{"count": 0.06, "list": 0.2, "extreme": 0.05, "boolean": 0.13, "choice": 0.02, "none_of_these": 0.12},
    **{"as_of": 0.16, "true_premise": 0.08, "json": 0.12, "number": 0.02, "long": 0.2},
}
HARDER = replace(EVERYTHING, kinds=LATE)


@dataclass
class Row:
    """Passages followed by questions that see the passages but not each other."""

    tokens: list[int]
    segments: list[int]  # 0 = passages, then 1, 2, ... for each question
    positions: list[int]
    is_answer: list[bool]
    guides: list[Guide] = field(default_factory=list)


def shape(rng: random.Random, level: int) -> dict[str, int]:
    """How large the next exercise is: short passages about several entities first; a third always comes from an earlier level."""
    n_documents, n_facts = (rng.randint(1, most) for most in LEVELS[rng.randint(0, level) if rng.random() < 0.35 else level])
    if level == len(LEVELS) - 1 and rng.random() < 0.04:
        n_documents, n_facts = rng.randint(6, 9), rng.randint(1, 2)
    if rng.random() < 0.7:
        n_documents = max(2, n_documents)
    n_entities = rng.randint(1, n_documents) if rng.random() < 0.25 else n_documents
    return {"n_documents": n_documents, "n_entities": n_entities, "n_facts": n_facts, "n_questions": rng.randint(6, 8)}


def sample(rng: random.Random, level: int, is_late: bool = False) -> list[Exercise]:
    """One set of passages with its questions; one in twelve comes without passages, and then nothing is known."""
    found = exercises(rng, HARDER if is_late else EVERYTHING if level else FORWARD, **shape(rng, level))
    if rng.random() < 1 / 12:
        alone = [one for one in found[:6] if not one.example.history]
        if alone:
            return [Exercise(one.asked, replace(one.example, answers=()), ()) for one in alone]
    return found


def train_tokenizer(seed: int, vocabulary: int, n_exercises: int = 6000) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer in which digits and line breaks are separate tokens, so that a prompt may be cut before a question.

    Syllables of names are separate as well, so that a name is a few tokens that it shares with few other names.

    Args:
        seed: seed of the training texts.
        vocabulary: number of tokens.
        n_exercises: number of sets of passages with three questions each; if too small, not every syllable becomes a token.

    Returns:
        The tokenizer.
    """
    rng = random.Random(f"tokenizer/{seed}")
    prompt = base_prompt()
    texts = (
        prompt.render(one.example, one.reading.documents).text + " " + gold(one.example)
        for _ in range(n_exercises)
        for one in exercises(rng, EVERYTHING, n_documents=2, n_entities=2, n_facts=4, n_questions=3)
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.Split(Regex(_syllable()), "isolated"),
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


def _syllable() -> str:
    """A pattern of one syllable of a name; a beginning includes the space before it. Names are words of two syllables or more."""
    first, middle, last = ("|".join(part) for part in syllables())
    ended = rf"(?=\b|{'|'.join((*TOWNS, *MEDICINES))})"
    return "|".join(
        (
            rf" ?\b(?:{first})(?={middle}|{last})",
            rf"(?<=[A-Z][a-z]{{2}})(?:{middle})(?=(?:{last}){ended}|\b)",
            rf"(?<=[A-Z][a-z]{{2}}|[A-Z][a-z]{{4}})(?:{last}){ended}",
        )
    )


def gold(example: Example) -> str:
    """The text that the model is to write."""
    return example.answers[0] if example.answers else ABSTENTION


def to_row(asked: list[Exercise], tokenizer: PreTrainedTokenizerFast, prompt: PromptTemplate) -> Row:
    """Each question continues the passages at the position that it would have if it were the only one."""
    texts = [prompt.render(one.example, one.reading.documents).text for one in asked]
    cut = texts[0].index("\n\nQuestion: ") + 2
    context, questions, answers = texts[0][:cut], [text[cut:] for text in texts], [" " + gold(one.example) for one in asked]
    encoded = tokenizer([context, *questions, *answers], add_special_tokens=False)
    tokens = encoded["input_ids"]
    n_context = len(tokens[0])
    row = Row(list(tokens[0]), [0] * n_context, list(range(n_context)), [False] * n_context)
    for at, one in enumerate(asked, start=1):
        question, final = tokens[at], tokens[at + len(asked)]
        block = question + final + [tokenizer.eos_token_id]
        texts_of = Texts(context, questions[at - 1], answers[at - 1], encoded, at, at + len(asked), len(row.tokens))
        row.guides += guides(one, texts_of)
        row.tokens += block
        row.segments += [at] * len(block)
        row.positions += range(n_context, n_context + len(block))
        row.is_answer += [False] * len(question) + [True] * (len(final) + 1)
    return row


@dataclass(frozen=True)
class Texts:
    """The three texts of a question, and where their tokens stand in the row."""

    context: str
    question: str  # from its history on
    answer: str  # with the space before it
    encoded: BatchEncoding
    asked_at: int  # number of the question's text
    answer_at: int
    start: int  # place of the question's first token in the row

    def in_context(self, char: int) -> int:
        """Place of the token that covers a character of the passages."""
        return int(self.encoded.char_to_token(0, char))

    def in_question(self, char: int) -> int:
        """Place of the token that covers a character of the question."""
        return self.start + int(self.encoded.char_to_token(self.asked_at, char))

    @property
    def end(self) -> int:
        """Place of the question's last token, which predicts the first of the answer."""
        return self.start + len(self.encoded["input_ids"][self.asked_at]) - 1

    def predictor(self, char: int) -> int:
        """Place of the token that predicts the one that covers a character of the answer."""
        return self.end + int(self.encoded.char_to_token(self.answer_at, char))


def guides(one: Exercise, texts: Texts) -> list[Guide]:
    """Where to look for a question's answer; without one in the passages, at the first token of all."""
    found = []
    key = _key(one)
    if key and (named := texts.question.rfind(key)) >= 0:
        found.append(Guide("question to name", texts.end, texts.in_question(named), texts.in_question(named + len(key) - 1)))
    if not one.example.answers:
        return [*found, Guide(HOPS[-1], texts.end, 0, 0)]
    places = [(fact, place) for fact in one.asked.facts if (place := _place(fact, one, texts))]
    for _, place in places:
        found.append(Guide("value to name", texts.in_context(place.value - 1), *(texts.in_context(char) for char in place.name)))
    for hop, (_, place) in zip(HOPS, places[:-1] if one.asked.kind in {"two_hop", "three_hop"} else (), strict=False):
        found.append(Guide(hop, texts.end, texts.in_context(place.value - 1), texts.in_context(place.value - 1)))
    return found + _to_values(one, texts, places)


@dataclass(frozen=True)
class Place:
    """Where a passage states a fact, in characters of the context."""

    value: int  # its first character; the space before it belongs to its first token
    name: tuple[int, int]  # first and last character of the name of whom it states it


def _key(one: Exercise) -> str:
    """What a question names first: the invented part of a name, or the value that is to be found."""
    kind, facts = one.asked.kind, one.asked.facts
    if kind in {"reverse", "list", "count", "extreme", "mean"}:
        return facts[0].value
    if kind == "comparison":
        return ""
    return next((stem(passage.entity.name) for passage in one.passages if passage.entity.id == one.asked.cluster), "")


def stem(name: str) -> str:
    """The name as heads are to look at it: without the kind of a disease, but with what else ends a name."""
    words = name.split()
    return words[0] if len(words) > 1 and words[1][0].islower() else name


def _place(fact: Fact, one: Exercise, texts: Texts) -> Place | None:
    """Where the fact is stated in the passages; None where it is not, or not as one piece."""
    for passage in one.passages:
        begin = texts.context.index(passage.document.text)
        for stating in passage.written.stated:
            if stating.fact.id != fact.id:
                continue
            value = texts.context.rfind(fact.value, begin + stating.start, begin + stating.end)
            name = texts.context.rfind(stem(fact.entity.name), begin - len(passage.document.title) - 2, value)
            if value >= 0 and name >= 0:
                return Place(value, (name, name + len(stem(fact.entity.name)) - 1))
    return None


def _to_values(one: Exercise, texts: Texts, places: Sequence[tuple[Fact, Place]]) -> list[Guide]:
    """From where an answer's tokens are predicted to where they stand; from the end of the question where they stand nowhere."""
    if one.asked.kind in {"reverse", "comparison", "list"}:
        return [
            Guide(HOPS[-1], texts.predictor(named - 1), texts.in_context(place.value - 1), texts.in_context(place.value - 1))
            for fact, place in places
            if (named := texts.answer.find(fact.entity.name)) > 0
        ]
    if one.asked.kind in {"count", "extreme", "mean"} or not places:
        return []
    copied = []
    for fact, place in places if one.asked.kind == "long" else places[-1:]:
        value = fact.value.split()[0] if one.asked.kind == "number" else fact.value
        begin = texts.answer.find(value)
        copied += _copy(texts, begin, place.value, len(value)) if begin > 0 else []
    place = places[-1][1]
    return copied or [Guide(HOPS[-1], texts.end, texts.in_context(place.value - 1), texts.in_context(place.value - 1))]


def _copy(texts: Texts, answer: int, context: int, length: int) -> list[Guide]:
    """Token by token, from `length` characters of the answer to the same in the passages."""
    shift = 1 if texts.answer[answer - 1] == " " else 0  # the space before a value belongs to its first token
    places = dict.fromkeys((texts.predictor(answer + at), texts.in_context(context + at)) for at in range(-shift, length))
    return [Guide(HOPS[-1], query, place, place) for query, place in places]


def rows_of(rng: random.Random, tokenizer: PreTrainedTokenizerFast, level: int, n_tokens: int, is_late: bool = False) -> list[Row]:
    """Rows of at most n_tokens in all, padding not counted, sorted by length."""
    prompt = base_prompt()
    rows = [to_row(sample(rng, level, is_late), tokenizer, prompt)]
    while True:
        row = to_row(sample(rng, level, is_late), tokenizer, prompt)
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
