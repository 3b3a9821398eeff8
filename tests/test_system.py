"""A system searches, writes prompts that fit, and answers; nothing is cut in silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rag_eval.adapt.none import NoAdapter
from rag_eval.generate.echo import Echo
from rag_eval.prompt import PromptTemplate
from rag_eval.retrieve.full_corpus import FullCorpus
from rag_eval.retrieve.none import NoRetriever
from rag_eval.system import System, outcome
from rag_eval.types import Document, Example, Generation, Prompt, QADataset

DOCUMENTS = tuple(Document(f"d{at}", "one two three four five six seven eight nine ten", f"T{at}") for at in range(5))
ASKED = Example("q", "Where is it?", ("here",), evidence=("d1",))


def dataset() -> QADataset:
    return QADataset("tiny", "0", DOCUMENTS, (), (), (ASKED,))


def system(limit: int | None) -> System:
    whole = System(FullCorpus(), PromptTemplate("Say."), NoAdapter(), Echo(max_words=500, max_prompt_tokens=limit))
    return whole.learn(dataset(), seed=0)[0]


def test_the_whole_corpus_enters_the_prompt_when_it_fits() -> None:
    (prediction,) = system(None).answer([ASKED])
    assert prediction.in_prompt == tuple(document.id for document in DOCUMENTS)
    assert prediction.n_truncated == 0


def test_passages_that_do_not_fit_are_left_out_from_the_end_and_counted() -> None:
    # Say. Context: and the question are 7 words, a passage with its number and title 12: two passages fit in 35 words.
    (prediction,) = system(35).answer([ASKED])
    assert prediction.in_prompt == ("d0", "d1")
    assert prediction.n_truncated == 3
    assert prediction.n_prompt_tokens <= 35


def test_a_question_too_long_without_passages_is_an_error_and_the_others_go_on() -> None:
    long = Example("long", "why " * 50, ("x",))
    first, second = system(30).answer([long, ASKED])
    assert (first.example_id, first.outcome, first.text) == ("long", "error", "")
    assert second.outcome == "answered"


def test_predictions_keep_the_order_of_the_questions() -> None:
    examples = [Example(str(at), "word " * (at % 7 + 1), ("x",)) for at in range(20)]
    echo = System(NoRetriever(), PromptTemplate("Say."), NoAdapter(), Echo(max_words=50))
    assert [prediction.example_id for prediction in echo.answer(examples)] == [str(at) for at in range(20)]


def test_the_four_outcomes_are_told_apart() -> None:
    said = {text: outcome(Generation(text, 1, 1, 0.1, "stop")) for text in ("liver", "Unknown.", "  ")}
    assert said == {"liver": "answered", "Unknown.": "abstained", "  ": "malformed"}
    assert outcome(None) == "error"


class Streams(Echo):
    """An echo that tells when its first word came: after a quarter of the time."""

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        return [replace(one, total_s=4.0, first_token_s=1.0) for one in super().generate(prompts)]


def test_generating_is_prefill_and_decoding_where_the_first_token_is_known() -> None:
    known = System(NoRetriever(), PromptTemplate("Say."), NoAdapter(), Streams(max_words=5)).answer([ASKED])[0].seconds
    assert (set(known), known["prefill"], known["decode"]) == ({"prompt", "prefill", "decode"}, 1.0, 3.0)
    unknown = System(NoRetriever(), PromptTemplate("Say."), NoAdapter(), Echo(max_words=5)).answer([ASKED])[0].seconds
    assert set(unknown) == {"prompt", "generate"}
