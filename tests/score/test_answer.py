import math
import random
import unicodedata

import pytest
from torchmetrics.functional.text import squad

from rag_eval.score.answer import (
    abstained,
    containment,
    contains,
    em,
    exact_match,
    f1,
    is_abstention,
    normalize,
    token_f1,
)
from rag_eval.types import ABSTENTION, Example, Outcome, Prediction

ANSWERABLE = Example(id="q", question="Who?", answers=("Marie Curie", "Curie"))
UNANSWERABLE = Example(id="u", question="Who?", answers=())


def said(text: str, outcome: Outcome = "answered") -> Prediction:
    return Prediction("q", text, (), (), (), 0, "", 1, 1, {}, outcome, "stop")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The  Beatles!", "beatles"),
        ("a theory of the-atre", "theory of theatre"),  # punctuation goes before articles do
        ("Theatre, an Arab", "theatre arab"),  # an article is a whole word
        ("U.S.A.\t\n1,000", "usa 1000"),
        ("«Élan»", "«élan»"),  # only ASCII punctuation goes
        ("the ?!", ""),
    ],
)
def test_normalisation_is_the_one_of_squad(text: str, plain: str) -> None:
    assert normalize(text) == plain


def test_composed_and_decomposed_spellings_are_equal() -> None:
    for word in ("Café", "Ångström", "İstanbul", "한국"):
        assert exact_match(unicodedata.normalize("NFD", word), [unicodedata.normalize("NFC", word)]) == 1.0


def test_exact_match_and_f1_agree_with_torchmetrics() -> None:
    rng = random.Random(0)
    words = ["the", "a", "Rome", "rome,", "Café", "X-1", "an"]
    cases = [
        (" ".join(rng.choices(words, k=rng.randint(1, 4))), [" ".join([*rng.choices(words, k=n), "Rome"]) for n in (0, 1, 3)])
        for _ in range(300)
    ]
    for prediction, golds in cases:
        target = {"id": "0", "answers": {"text": golds, "answer_start": [0] * len(golds)}}
        theirs = squad([{"id": "0", "prediction_text": prediction}], [target])
        assert 100 * exact_match(prediction, golds) == pytest.approx(float(theirs["exact_match"]), abs=1e-4)
        assert 100 * token_f1(prediction, golds) == pytest.approx(float(theirs["f1"]), abs=1e-4)
    assert 0.05 < sum(exact_match(*case) for case in cases) / len(cases) < 0.95  # both outcomes were compared


def test_f1_counts_tokens_as_often_as_they_occur() -> None:
    # precision 1/3, recall 1/1: with sets of words it would be 1.
    assert token_f1("Rome Rome Rome", ["Rome"]) == pytest.approx(0.5)


def test_the_closest_answer_counts() -> None:
    assert token_f1("Curie", ["Marie Curie", "Curie"]) == 1.0
    assert exact_match("curie.", ["Marie Curie", "Curie"]) == 1.0
    assert containment("It was Curie", ["Marie Curie", "Curie"]) == 1.0


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        ("It was Marie Curie, in 1903.", "Marie Curie", 1.0),
        ("Marie and Pierre Curie", "Marie Curie", 0.0),  # in a row
        ("Curie Marie", "Marie Curie", 0.0),  # in order
        ("a cart", "art", 0.0),  # whole words
        ("whatever", "the", 0.0),  # a gold that normalises to nothing is found nowhere
        ("", "Curie", 0.0),
    ],
)
def test_containment_wants_the_words_of_the_answer_in_a_row(text: str, gold: str, expected: float) -> None:
    assert containment(text, [gold]) == expected


@pytest.mark.parametrize("metric", [em, f1, contains])
@pytest.mark.parametrize("prediction", [said("Pierre"), said(""), said("the ?!"), said("Marie Curie", "error")])
def test_wrong_empty_and_errored_answers_score_0_not_nan(metric, prediction: Prediction) -> None:  # type: ignore[no-untyped-def]
    assert metric(prediction, ANSWERABLE) == 0.0


def test_nothing_said_matches_no_gold_even_one_that_normalises_to_nothing() -> None:
    assert [measure("?!", ["the"]) for measure in (exact_match, token_f1, containment)] == [0.0] * 3


@pytest.mark.parametrize("metric", [em, f1, contains])
def test_unanswerable_questions_are_not_judged_by_their_text(metric) -> None:  # type: ignore[no-untyped-def]
    assert math.isnan(metric(said(ABSTENTION, "abstained"), UNANSWERABLE))
    assert math.isnan(metric(said("", "error"), UNANSWERABLE))
    assert metric(said("Marie Curie"), ANSWERABLE) == 1.0


def test_only_saying_that_nothing_is_known_is_abstaining() -> None:
    assert is_abstention(" Unknown.\n")
    assert is_abstention(ABSTENTION)
    assert not is_abstention("unknown soldier")
    assert not is_abstention("")


def test_abstaining_is_told_by_the_outcome_on_every_question() -> None:
    for example in (ANSWERABLE, UNANSWERABLE):
        assert abstained(said("unknown", "abstained"), example) == 1.0
        assert [abstained(said("unknown", outcome), example) for outcome in ("answered", "malformed", "error")] == [0.0] * 3
