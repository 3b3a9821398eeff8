"""Which questions are asked about a world: kinds, phrasings, who is popular, what is held back from training."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rag_eval.types import Turn
from synthworld.knowledge import KnowledgeBase, WorldQuestion, asking_for, in_house_style, phrasings, plain
from synthworld.model import Entity, Fact
from synthworld.names import Names
from synthworld.questions import Kind, Questions, ask, ask_false_premise
from synthworld.templates import Attribute, Split, named, subject, this


@dataclass(frozen=True)
class Posed:
    """A question with its name and the conversation before it."""

    id: str
    asked: WorldQuestion
    history: tuple[Turn, ...] = ()


def ordered(known: KnowledgeBase, seed: int, purpose: str, weights: Mapping[str, float] | None = None) -> list[Fact]:
    """The latest facts in the order in which they are asked about.

    Without weights facts are spread evenly over the entities: the first fact of each, then the second. With weights the order is random, an
    entity of twice the weight being twice as likely to come next (Efraimidis and Spirakis 2006). The order of two facts does not depend on
    others.

    Args:
        known: what documents state.
        seed: seed of the world.
        purpose: each purpose has an order of its own.
        weights: positive weight of each entity, by id.

    Returns:
        The facts.
    """
    facts = [
        (fact, random.Random(f"{seed}/{purpose}/{id}.{name}").random()) for id, by in known.by_entity.items() for name, fact in by.items()
    ]
    if weights is not None:
        return [fact for fact, _ in sorted(facts, key=lambda one: -math.log(one[1] or 1e-300) / weights[one[0].entity.id])]
    rounds: list[list[Fact]] = []
    for _, group in itertools.groupby(facts, key=lambda one: one[0].entity.id):
        for at, (fact, _) in enumerate(sorted(group, key=lambda one: one[1])):
            if at == len(rounds):
                rounds.append([])
            rounds[at].append(fact)
    return list(itertools.chain.from_iterable(rounds))


def answerable(
    known: KnowledgeBase,
    facts: Sequence[Fact],
    wanted: Questions,
    n: int,
    split: Split,
    seed: int,
    answered: Callable[[WorldQuestion], bool],
) -> Iterator[Posed]:
    """Questions with an answer: the same number of each kind, fewer of a kind for which there are too few facts.

    Args:
        known: what documents state, or once stated.
        facts: facts at which questions begin, in order.
        wanted: which kinds, and whether they continue a conversation.
        n: largest number of questions.
        split: split whose phrasings are used.
        seed: seed of the world.
        answered: whether the documents contain all facts of a question; other questions are left out.

    Yields:
        Questions, kind by kind.
    """
    for kind in wanted.kinds:
        yield from itertools.islice(
            (one for one in _of_kind(known, facts, kind, wanted, split, seed) if answered(one.asked)), n // len(wanted.kinds)
        )


def _of_kind(known: KnowledgeBase, facts: Sequence[Fact], kind: Kind, wanted: Questions, split: Split, seed: int) -> Iterator[Posed]:
    seen: set[str] = set()
    for fact in facts:
        name = f"{split}-{kind}-{fact.entity.id}-{fact.attribute.name}"
        rng = random.Random(f"{seed}/{name}")
        if kind == "paraphrase":
            for at, text in enumerate(phrasings(fact)):
                yield Posed(f"{name}-{at}", asking_for(kind, text, fact.value, [fact]))
            continue
        found = ask(kind, known, fact, split, rng)
        if found is None or found.text in seen:
            continue
        seen.add(found.text)
        yield _continued(Posed(name, found), known, split, rng) if kind == "forward" and wanted.follow_ups else Posed(name, found)


def _continued(posed: Posed, known: KnowledgeBase, split: Split, rng: random.Random) -> Posed:
    """The question with "this disease" for the name, after another question about the same entity; as it is where there is no other."""
    entity = posed.asked.facts[0].entity
    others = [one for one in known.of(entity.id) if one.attribute.name != posed.asked.attribute]
    if not others:
        return posed
    before = rng.choice(others)
    template = rng.choice(posed.asked.facts[0].attribute.questions_of(split))
    text = subject(template, this(entity.type))
    return Posed(posed.id, replace(posed.asked, text=text), (Turn(plain(before, split, rng), before.value),))


def unanswerable(
    known: KnowledgeBase,
    facts: Sequence[Fact],
    wanted: Questions,
    n: int,
    entities: Sequence[Entity],
    seed: int,
    titles: Iterable[str],
    is_silent: Callable[[WorldQuestion], bool],
) -> Iterator[Posed]:
    """At most n questions that no document answers, the same number of each kind; strangers have the name of no entity and no title.

    `is_silent` says whether documents hold no answer to a question; others are left out.
    """
    ways = {
        "unknown entity": _of_strangers(known, seed, titles),
        "unstated attribute": _unstated(entities, seed),
        "false premise": _denied(known, facts, seed),
        "deleted fact": _deleted(entities, seed),
    }
    for kind in wanted.nothings:
        yield from itertools.islice((one for one in ways[kind] if is_silent(one.asked)), n // len(wanted.nothings))


def _nothing(kind: str, id: str, fact: Fact, rng: random.Random) -> Posed:
    return Posed(id, WorldQuestion(kind, plain(fact, "test", rng), (), (fact,), fact.entity.id, fact.attribute.name))


def _of_strangers(known: KnowledgeBase, seed: int, titles: Iterable[str]) -> Iterator[Posed]:
    """About entities that nobody knows, of the types that documents are about and as often."""
    documented = [one for one in known.entities if one.is_documented]
    names = Names(random.Random(f"{seed}/strangers"), reserved=False, taken=(*titles, *(one.name for one in known.entities)))
    for at in itertools.count():
        rng = random.Random(f"{seed}/stranger/{at}")
        like = rng.choice(documented)
        stranger = replace(like, id=f"unknown-{at}", name=names.draw(like.type))
        yield _nothing("unknown entity", f"test-unknown-entity-{at}", Fact(stranger, rng.choice(like.stated), ""), rng)


def _unstated(entities: Sequence[Entity], seed: int) -> Iterator[Posed]:
    """But for what follows from what is stated."""
    documented = {one.id: one for one in entities if one.is_documented}
    for id in random.Random(f"{seed}/unstated").sample(list(documented), len(documented)):
        one = documented[id]
        if not _follows(one, named(one.unstated), documented):
            rng = random.Random(f"{seed}/unstated/{id}")
            yield _nothing("unstated attribute", f"test-unstated-attribute-{id}", Fact(one, named(one.unstated), ""), rng)


def _follows(entity: Entity, attribute: Attribute, documented: Mapping[str, Entity]) -> bool:
    """Whether documents state the two facts that an attribute's value follows from."""
    if not attribute.through:
        return False
    via, then = attribute.through
    other = documented.get(entity.links[via])
    return named(via) in entity.stated and other is not None and named(then) in other.stated


def _denied(known: KnowledgeBase, facts: Sequence[Fact], seed: int) -> Iterator[Posed]:
    for fact in facts:
        name = f"test-false-premise-{fact.entity.id}-{fact.attribute.name}"
        asked = ask_false_premise(known, fact, "test", random.Random(f"{seed}/{name}"))
        if asked:
            yield Posed(name, asked)


def _deleted(entities: Sequence[Entity], seed: int) -> Iterator[Posed]:
    for one in entities:
        for attribute in one.deleted:
            rng = random.Random(f"{seed}/deleted/{one.id}.{attribute}")
            yield _nothing("deleted fact", f"test-deleted-fact-{one.id}-{attribute}", Fact(one, named(attribute), ""), rng)


def taught(known: KnowledgeBase, wanted: Questions, seed: int) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of the entities and names of the attributes that training questions may be about."""
    ids = sorted(known.by_entity)
    names = sorted({name for by in known.by_entity.values() for name in by})
    return (
        frozenset(_kept(ids, wanted.untaught_entities, f"{seed}/untaught entities")),
        frozenset(_kept(names, wanted.untaught_attributes, f"{seed}/untaught attributes")),
    )


def _kept(names: Sequence[str], share: float, stream: str) -> Sequence[str]:
    shuffled = random.Random(stream).sample(names, len(names))
    return shuffled[round(share * len(names)) :]


def training(known: KnowledgeBase, wanted: Questions, n_phrasings: int, seed: int) -> Iterator[Posed]:
    """Plain questions in training phrasings about every fact that is taught, n_phrasings of each; one in house style if that is asked."""
    entities, names = taught(known, wanted, seed)
    for id, by in known.by_entity.items():
        for name, fact in by.items():
            if id in entities and name in names:
                for at, template in enumerate(fact.attribute.questions_of("train")[:n_phrasings]):
                    text = subject(template, fact.entity.name)
                    yield Posed(f"train-{id}-{name}-{at}", asking_for("forward", text, fact.value, [fact]))
                if "house" in wanted.kinds and (styled := ask("house", known, fact, "train", random.Random(f"{seed}/house/{id}.{name}"))):
                    yield Posed(f"train-house-{id}-{name}", styled)


def passed_on(questions: Sequence[Posed], seed: int) -> list[Posed]:
    """The same questions with their answers passed on among the entities of each attribute: a control that teaches nothing true.

    Each entity gets the values of another one, so nobody keeps an answer but where two have the same, or where an
    attribute is one entity's alone; the most frequent answers, which mode=prior gives, stay what they are.
    """
    values: dict[str, dict[str, Fact]] = {}
    for one in questions:
        values.setdefault(one.asked.attribute, {})[one.asked.cluster] = one.asked.facts[0]
    passed: dict[tuple[str, str], Fact] = {}
    for name, by in values.items():
        ids = random.Random(f"{seed}/permuted/{name}").sample(sorted(by), len(by))
        passed |= {(name, id): by[other] for id, other in zip(ids, ids[1:] + ids[:1], strict=True)}
    swapped = []
    for one in questions:
        fact = passed[one.asked.attribute, one.asked.cluster]
        answer = in_house_style(fact.value) if one.asked.kind == "house" else fact.value
        swapped.append(replace(one, asked=replace(one.asked, answers=(answer,))))
    return swapped
