"""A scripted reader does what its script says, question by question, whatever else is asked."""

from __future__ import annotations

from typing import Any

import pytest

from rag_eval.data.world.language import attributes
from rag_eval.data.world.understanding import WorldLanguage
from rag_eval.generate.scripted import Scripted
from rag_eval.prompt import Prompt
from rag_eval.types import Document, Example, Turn

OLD = Document("d1", "Momlitel ataxia attacks the liver.", "Momlitel ataxia")
NEW = Document("d2", "The main target of Momlitel ataxia is the spleen.", "Momlitel ataxia")
OTHER = Document("d3", "Dushegax syndrome attacks the heart.", "Dushegax syndrome")


def reader(**changes: Any) -> Scripted:
    return Scripted(**{"language": WorldLanguage(), "which": "first", "error_rate": 0.0, "refusal_rate": 0.0, "seed": 0, **changes})


def said(
    scripted: Scripted, *documents: Document, id: str = "q", question: str = "What organ does Momlitel ataxia attack?", **more: Any
) -> str:
    prompt = Prompt("system").render(Example(id, question, ("x",), **more), documents)
    return scripted.generate([prompt])[0].text


def test_it_copies_the_first_or_the_last_statement_about_what_is_asked() -> None:
    assert said(reader(), OTHER, OLD, NEW) == "liver"
    assert said(reader(which="last"), OTHER, OLD, NEW) == "spleen"


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
    organs = next(one.values for one in attributes() if one.name == "organ")
    assert {text for text in noisy if text != "liver"} <= set(organs) - {"liver"}
    assert [said(reader(error_rate=0.25), OTHER, OLD, id=id) for id in ids] == noisy
    assert [said(reader(error_rate=0.25, seed=1), OLD, id=id) for id in ids] != noisy
    assert {said(reader(refusal_rate=1.0, error_rate=1.0), OLD, id=id) for id in ids} == {"unknown"}
    assert all(said(reader(error_rate=1.0), OLD, NEW, id=id) not in {"liver", "spleen"} for id in ids)


@pytest.mark.parametrize("change", [{"which": "last"}, {"error_rate": 0.1}, {"seed": 1}])
def test_another_script_is_another_reader(change: dict[str, Any]) -> None:
    assert reader(**change).identity() != reader().identity()
