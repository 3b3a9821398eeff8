"""How facts are written down: kinds of document, pronouns, filler, misprints. Where a fact is stated is kept to the character."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, get_args

from pydantic import Field, NonNegativeInt

from synthworld.model import Fact
from synthworld.templates import Split, state, subject, this

Style = Literal["article", "abstract", "table", "page", "news"]
STYLES: tuple[Style, ...] = get_args(Style)
Share = Annotated[float, Field(ge=0, le=1)]

OPENERS = (
    "This note concerns {x}.",
    "Little has been written about {x}.",
    "The following is known of {x}.",
    "Here is a summary of {x}.",
    "Readers often ask about {x}.",
    "{x} is the subject of this entry.",
)
FILLER = (
    "Further studies are under way.",
    "Some of these findings are still debated.",
    "Earlier reports were less precise.",
    "More data will be published soon.",
    "The details were checked by two reviewers.",
    "Several questions remain open.",
    "This section will be extended later.",
    "Experts meet once a year to discuss the matter.",
    "The records are kept in a public archive.",
    "A longer account can be found elsewhere.",
    "The original sources are listed at the end.",
    "Not everybody agrees with this view.",
)
SOURCES = ("Medical Gazette", "Science Weekly", "Daily Observer", "Evening Chronicle")  # of news, all to be trusted
DOUBTFUL = ("Rumour Mill", "Secret Truths")  # sources that are not

_SWAPPED = str.maketrans("abcdefghijklmnopqrstuvwxyz0123456789", "bcdefghijklmnopqrstuvwxyza1234567890")


@dataclass(frozen=True)
class DocumentStyle:
    """How documents are written."""

    styles: Annotated[Sequence[Style], Field(min_length=1)] = ("article",)  # one is drawn for each document
    order: Literal["permuted", "fixed"] = "permuted"  # of the facts about an entity
    pronouns: Share = 0.0  # chance that a sentence after the first says "this disease" for the name
    fillers: NonNegativeInt = 0  # sentences that state nothing, at most, in a document
    misprints: Share = 0.0  # chance that a word has one letter or digit wrong
    openers: Share = 1.0  # chance that an article begins with a sentence that states nothing


@dataclass(frozen=True)
class Stating:
    """Where a fact is stated: text[start:end] is the sentence, or the cell of a table, and nothing else."""

    fact: Fact
    start: int
    end: int


@dataclass(frozen=True)
class WrittenText:
    """A text and the facts that it states, in its order."""

    style: Style
    text: str
    stated: tuple[Stating, ...] = ()
    source: str = ""  # that it names


@dataclass
class _Page:
    """A text that grows sentence by sentence."""

    parts: list[str] = field(default_factory=list)
    stated: list[Stating] = field(default_factory=list)
    length: int = 0

    def say(self, sentence: str, fact: Fact | None = None, between: str = " ") -> None:
        if self.parts:
            self.parts.append(between)
            self.length += len(between)
        if fact:
            self.stated.append(Stating(fact, self.length, self.length + len(sentence)))
        self.parts.append(sentence)
        self.length += len(sentence)


def write(
    facts: Sequence[Fact], manner: DocumentStyle, rng: random.Random, split: Split, year: int | None = None, source: str = ""
) -> WrittenText:
    """Write a document that states facts about one entity, in order.

    Args:
        facts: at least one fact.
        manner: style of the document.
        rng: source of all randomness.
        split: split whose statement phrasings are used.
        year: year of writing, which the document states; None = not stated.
        source: publisher, which the document states; "" = not stated, except for news, which chooses one.

    Returns:
        The text, with the position of each statement.
    """
    style = manner.styles[0] if len(manner.styles) == 1 else rng.choice(manner.styles)
    page = _Page()
    if style == "news":
        source = source or rng.choice(SOURCES)
    if year is not None or source:
        page.say(origin(year, source))
    if style == "table":
        _table(page, facts)
    elif style == "page":
        _questions(page, facts, rng)
    else:
        _prose(page, facts, style, manner, rng, split)
    return _misprinted(WrittenText(style, "".join(page.parts), tuple(page.stated), source), manner.misprints, rng)


def origin(year: int | None, source: str = "") -> str:
    """The sentence that says when a document was written, and by whom; one of the two is known."""
    if year is None:
        return f"From the {source}."
    return f"From the {source} of {year}." if source else f"Written in {year}."


def _table(page: _Page, facts: Sequence[Fact]) -> None:
    page.say(f"{facts[0].entity.name} |")
    for at, fact in enumerate(facts):
        page.say(f"{fact.attribute.noun}: {fact.value}", fact, " | " if at else " ")


def _questions(page: _Page, facts: Sequence[Fact], rng: random.Random) -> None:
    for fact in facts:
        question = subject(rng.choice(fact.attribute.questions_of("train")), fact.entity.name)
        page.say(f"Q: {question} A: {fact.value}.", fact)


def _prose(page: _Page, facts: Sequence[Fact], style: Style, manner: DocumentStyle, rng: random.Random, split: Split) -> None:
    name, again = facts[0].entity.name, this(facts[0].entity.type)
    is_named = False
    if style == "abstract" or (style == "article" and rng.random() < manner.openers):
        page.say(subject(rng.choice(OPENERS), name))
        is_named = True
    n_fillers = rng.randint(0, manner.fillers) if manner.fillers else 0
    gaps = [rng.randrange(len(facts) + 1) for _ in range(n_fillers)]
    for at, fact in enumerate(facts):
        _fill(page, gaps.count(at), rng)
        is_pronoun = is_named and (style == "abstract" or (manner.pronouns > 0 and rng.random() < manner.pronouns))
        template = rng.choice(fact.attribute.statements_of(split))
        page.say(state(template, again if is_pronoun else name, fact.value), fact)
        is_named = True
    _fill(page, gaps.count(len(facts)), rng)


def _fill(page: _Page, n: int, rng: random.Random) -> None:
    for _ in range(n):
        page.say(rng.choice(FILLER))


def _misprinted(written: WrittenText, rate: float, rng: random.Random) -> WrittenText:
    """The same with one character of some words replaced by the next of the alphabet; places stay what they are."""
    if not rate:
        return written
    words = [_slip(word, rng) if rng.random() < rate else word for word in written.text.split(" ")]
    return replace(written, text=" ".join(words))


def _slip(word: str, rng: random.Random) -> str:
    places = [at for at, letter in enumerate(word) if letter.translate(_SWAPPED) != letter]
    if not places:
        return word
    at = rng.choice(places)
    return word[:at] + word[at].translate(_SWAPPED) + word[at + 1 :]
