import math
import random
import unicodedata

import pytest

from rag_eval.score.answer import (
    abstained,
    containment,
    contains,
    em,
    f1,
    n_words,
    recall,
    rouge_l,
    subsequence_f1,
    token_f1,
    token_recall,
)
from rag_eval.text.abstention import is_abstention
from rag_eval.text.normalize import exact_match, normalize
from rag_eval.types import ABSTENTION, Example, Grading, Outcome, Prediction

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
        ("\u200b \n", ""),  # nothing can be seen
    ],
)
def test_normalisation_is_the_one_of_squad(text: str, plain: str) -> None:
    assert normalize(text) == plain


def test_composed_and_decomposed_spellings_are_equal() -> None:
    for word in ("Café", "Ångström", "İstanbul", "한국"):
        assert exact_match(unicodedata.normalize("NFD", word), [unicodedata.normalize("NFC", word)]) == 1.0


@pytest.mark.flow
def test_exact_match_and_f1_agree_with_torchmetrics() -> None:
    from torchmetrics.functional.text import squad

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


def test_recall_is_the_share_of_gold_tokens_found_as_often_as_they_occur() -> None:
    assert token_recall("Paris, in the north of France", ["north France"]) == 1.0  # what else is said costs nothing
    assert token_recall("New York", ["New York, New York"]) == 0.5
    assert token_recall("York York", ["New York, New York"]) == 0.5
    assert token_recall("Curie", ["Marie Skłodowska Curie", "Pierre Curie"]) == 0.5  # the best answer
    assert token_recall("Curie", ["the"]) == 0.0


@pytest.mark.parametrize(
    ("text", "gold", "expected"),
    [
        ("police kill the gunman", "police killed the gunman", 3 / 4),  # Lin 2004, section 3.1: 3 of 4 words in order
        ("the gunman kill police", "police killed the gunman", 2 / 4),  # "the gunman"; the same words, another order
        ("a b c d e f", "a c f", 2 * 3 / 9),  # gaps do not matter, length does
        ("It's X-ray.", "it s x ray", 1.0),  # punctuation parts words, articles and all else stay
        ("b b b", "b", 2 * 1 / 4),
        ("ÉLAN vital", "élan", 2 * 1 / 3),
        ("", "a", 0.0),
        ("c", "a b", 0.0),
    ],
)
def test_rouge_l_by_hand(text: str, gold: str, expected: float) -> None:
    assert subsequence_f1(text, [gold]) == pytest.approx(expected)
    assert subsequence_f1(text, [gold, "?!"]) == pytest.approx(expected)


def test_rouge_l_takes_the_best_answer() -> None:
    assert subsequence_f1("a b", ["c", "a b c d", "a"]) == pytest.approx(2 / 3)
    assert [subsequence_f1(text, ["—"]) for text in ("a b", "—", "")] == [0.0, 1.0, 0.0]
    assert math.isnan(subsequence_f1("a b", []))


def test_the_longest_common_subsequence_is_that_of_the_textbook_table() -> None:
    def longest(one: list[str], other: list[str]) -> int:
        table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
        for i, left in enumerate(one):
            for j, right in enumerate(other):
                table[i + 1][j + 1] = table[i][j] + 1 if left == right else max(table[i][j + 1], table[i + 1][j])
        return table[-1][-1]

    rng = random.Random(0)
    for _ in range(300):
        one, other = (rng.choices("abcde", k=rng.randint(1, 90)) for _ in range(2))  # longer than a machine word
        assert subsequence_f1(" ".join(one), [" ".join(other)]) == pytest.approx(2 * longest(one, other) / (len(one) + len(other)))


def test_equality_is_that_of_the_comparator_that_the_question_names() -> None:
    typed = Example(id="q", question="How much?", answers=("1.2 g",), grading=Grading(comparator="number"))
    assert em(said("1,200 mg"), typed) == 1.0
    assert em(said("12 g"), typed) == 0.0  # equal without punctuation
    assert em(said("1.2 g", "error"), typed) == 0.0
    assert em(said("12 g"), Example(id="q", question="How much?", answers=("1.2 g",))) == 1.0
    assert math.isnan(em(said("1"), Example(id="q", question="How much?", answers=(), grading=Grading(comparator="number"))))


def test_the_closest_answer_counts() -> None:
    assert token_recall("Curie", ["Marie Curie", "Curie"]) == 1.0
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
        ("whatever", "the", 0.0),
        ("", "Curie", 0.0),
    ],
)
def test_containment_wants_the_words_of_the_answer_in_a_row(text: str, gold: str, expected: float) -> None:
    assert containment(text, [gold]) == expected


@pytest.mark.parametrize("metric", [em, f1, recall, rouge_l, contains])
@pytest.mark.parametrize("prediction", [said("Pierre"), said(""), said("the ?!"), said("Marie Curie", "error")])
def test_wrong_empty_and_errored_answers_score_0_not_nan(metric, prediction: Prediction) -> None:  # type: ignore[no-untyped-def]
    assert metric(prediction, ANSWERABLE) == 0.0


def test_nothing_said_matches_no_gold_even_one_of_articles() -> None:
    assert [measure("?!", ["the"]) for measure in (exact_match, token_f1, containment)] == [0.0] * 3


@pytest.mark.parametrize("gold", ["A", "the", "The The", "An", "+", "?!"])
def test_an_answer_of_articles_or_signs_alone_is_as_good_as_any(gold: str) -> None:
    example = Example("q", "Which?", (gold,))
    for metric in (em, f1, recall, rouge_l, contains):
        assert metric(said(gold), example) == 1.0
        assert metric(said(f" {gold}\n"), example) == 1.0
        assert metric(said("Bergen"), example) == 0.0
        assert metric(said(""), example) == 0.0


def test_one_article_is_not_another_and_signs_around_it_do_not_count() -> None:
    assert [exact_match(text, ["A"]) for text in ("a", "A.", "(A)", "an", "the", "A A", "AB")] == [1.0] * 3 + [0.0] * 4
    assert [exact_match(text, ["+"]) for text in ("+", "-", "", "++")] == [1.0, 0.0, 0.0, 0.0]
    assert token_f1("type A", ["A"]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("metric", [em, f1, recall, rouge_l, contains])
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


@pytest.mark.parametrize(("text", "expected"), [("", 0.0), ("Oslo", 1.0), ("It is  in\nOslo.", 4.0), ("京都府", 1.5)])
def test_the_length_of_an_answer_is_its_words(text: str, expected: float) -> None:
    asked = Example("q", "?", ("a",))
    assert n_words(Prediction("q", text, (), (), (), 0, "", 1, 1, {}, "answered", "stop"), asked) == expected
    assert math.isnan(n_words(Prediction("q", text, (), (), (), 0, "", 1, 1, {}, "error", "error"), asked))
