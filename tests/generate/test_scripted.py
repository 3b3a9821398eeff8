"""A scripted reader does what its script says, question by question, whatever else is asked."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from rag_eval.generate.scripted import Scripted
from rag_eval.prompt import PromptTemplate
from rag_eval.score.answer import em
from rag_eval.types import Document, Example, Prediction, Turn
from synthworld.documents import STYLES, DocumentStyle
from synthworld.questions import KINDS, NOTHINGS
from synthworld.reader import WorldLanguage
from synthworld.reading_exercises import ALL_SPLITS, Course, Exercise, exercises
from synthworld.templates import attributes
from tests.claims import every

OLD = Document("d1", "Momlitel ataxia attacks the liver.", "Momlitel ataxia")
NEW = Document("d2", "The main target of this disease is the spleen.", "Momlitel ataxia")
OTHER = Document("d3", "Dushegax syndrome attacks the heart.", "Dushegax syndrome")
EVERYTHING = Course(
    reserved=False,
    splits=ALL_SPLITS,
    kinds=dict.fromkeys(KINDS, 1.0),
    manner=DocumentStyle(STYLES, pronouns=0.5, fillers=3, openers=0.6),
    follow_up_share=0.3,
    linked_share=0.5,
    dated_share=0.5,
    disease_share=0.4,
)


def reader(**changes: Any) -> Scripted:
    script = {"which": "first", "trusting": True, "error_rate": 0.0, "refusal_rate": 0.0, "seed": 0}
    return Scripted(**{"language": WorldLanguage(), **script, **changes})


def said(
    scripted: Scripted, *documents: Document, id: str = "q", question: str = "What organ does Momlitel ataxia attack?", **more: Any
) -> str:
    prompt = PromptTemplate("system").render(Example(id, question, ("x",), **more), documents)
    return scripted.generate([prompt])[0].text


def is_right(text: str, example: Example) -> bool:
    if not example.answers:
        return text == "unknown"
    return em(Prediction("q", text, (), (), (), 0, "", 0, 0, {}, "answered", "stop"), example) == 1.0


def all_exercises(n_sets: int) -> Iterator[Exercise]:
    for at in range(n_sets):
        rng = random.Random(f"scripted/{at}")
        yield from exercises(rng, EVERYTHING, n_documents=4, n_entities=3, n_facts=4, n_questions=5)


def test_it_answers_every_kind_of_question_over_every_kind_of_passage() -> None:
    sound = list(all_exercises(600))
    assert len(sound) > 2_500
    kinds = Counter(one.asked.kind for one in sound)
    assert {kind for kind, n in kinds.items() if n >= 8} == {*KINDS, *NOTHINGS} - {"deleted fact"}
    newest, prompt = reader(which="newest"), PromptTemplate("system")
    texts = [one.text for one in newest.generate([prompt.render(one.example, one.reading.documents) for one in sound])]
    wrong = [
        (one.asked.kind, one.example.question, text) for one, text in zip(sound, texts, strict=True) if not is_right(text, one.example)
    ]
    assert wrong == []


def test_its_errors_are_wrong_whatever_is_asked() -> None:
    sound = [one for one in all_exercises(300) if one.example.answers]
    erring, prompt = reader(which="newest", error_rate=1.0), PromptTemplate("system")
    texts = [one.text for one in erring.generate([prompt.render(one.example, one.reading.documents) for one in sound])]
    assert {one.asked.kind for one in sound} == set(KINDS)
    assert [text for one, text in zip(sound, texts, strict=True) if is_right(text, one.example) or text == "unknown"] == []


def test_it_copies_the_first_or_the_last_statement_about_what_is_asked() -> None:
    assert said(reader(), OTHER, OLD, NEW) == "liver"
    assert said(reader(which="last"), OTHER, OLD, NEW) == "spleen"


def test_it_copies_the_oldest_or_the_newest_statement_and_takes_an_undated_one_for_the_oldest() -> None:
    dated = [
        Document(str(year), f"Written in {year}. Momlitel ataxia attacks the {organ}.", "Momlitel ataxia")
        for year, organ in ((2021, "heart"), (2023, "lung"), (2020, "skin"))
    ]
    assert said(reader(which="newest"), OLD, *dated, NEW) == "lung"
    assert said(reader(which="oldest"), *dated, NEW) == "spleen"
    assert said(reader(which="oldest"), *dated) == "skin"
    assert said(reader(which="newest"), OLD, NEW) == said(reader(which="oldest"), OLD, NEW) == "liver"


def test_only_a_trusting_reader_minds_doubtful_sources() -> None:
    rumour = Document("d4", "From the Rumour Mill. Momlitel ataxia attacks the heart.", "Momlitel ataxia")
    news = Document("d5", "From the Medical Gazette. Momlitel ataxia attacks the skin.", "Momlitel ataxia")
    assert said(reader(), rumour, OLD) == "heart"
    assert said(reader(trusting=False), rumour, OLD) == "liver"
    assert said(reader(trusting=False), rumour, news) == "skin"
    assert said(reader(trusting=False), rumour) == "unknown"


def test_it_does_not_know_what_no_passage_states() -> None:
    assert said(reader()) == said(reader(), OTHER) == said(reader(), OLD, question="When does Momlitel ataxia start?") == "unknown"
    assert said(reader(), OLD, question="What is the capital of Egypt?") == "unknown"


def test_a_follow_up_question_is_read_with_its_conversation() -> None:
    history = (Turn("When does Momlitel ataxia usually begin?", "childhood"),)
    assert said(reader(), OTHER, OLD, question="What organ does this disease attack?", history=history) == "liver"


def test_errors_and_refusals_come_at_their_rate_and_stay_with_their_question() -> None:
    ids = [f"q{at}" for at in range(400)]
    noisy = [said(reader(error_rate=0.25), OLD, id=id) for id in ids]
    assert 0.19 < sum(text != "liver" for text in noisy) / 400 < 0.31
    organs = next(one.values for one in attributes("disease") if one.name == "organ")
    assert {text for text in noisy if text != "liver"} <= set(organs) - {"liver"}
    assert [said(reader(error_rate=0.25), OTHER, OLD, id=id) for id in ids] == noisy
    assert [said(reader(error_rate=0.25, seed=1), OLD, id=id) for id in ids] != noisy
    assert {said(reader(refusal_rate=1.0, error_rate=1.0), OLD, id=id) for id in ids} == {"unknown"}
    assert every(said(reader(error_rate=1.0), OLD, NEW, id=id) not in {"liver", "spleen"} for id in ids)


@pytest.mark.parametrize("change", [{"which": "last"}, {"trusting": False}, {"error_rate": 0.1}, {"seed": 1}])
def test_another_script_is_another_reader(change: dict[str, Any]) -> None:
    assert reader(**change).identity() != reader().identity()
