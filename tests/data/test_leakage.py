"""What test shares with train is found in any spelling and quickly, refused or counted, and told as strata."""

from __future__ import annotations

import random
import time
from collections.abc import Set

import pytest

from rag_eval.data.leakage import check_splits, overlap
from rag_eval.errors import DataError
from rag_eval.text.near_duplicates import SHORT, SIMILAR, alike
from rag_eval.types import Document, Example, QADataset, Turn
from tests.claims import every

BRIDGE = "In which year was the oldest bridge over the river first opened?"
PASSAGE = "The bridge was opened in 1200 by the monks of the abbey who had built it of oak and of stone from the quarry."
TRAIN = (
    Example("t1", BRIDGE, ("1200",), ("d1",)),
    Example("t2", "Who built it?", ("Ada",), ("d2",)),
    Example("t3", BRIDGE.upper(), ("1200",), ("d1",)),
)
TEST = (
    Example("same", "in which year was oldest  bridge over river first opened", ("1200",), ("d1",)),
    Example("near", f"{BRIDGE[:-1]} up?", ("1201",), ("d3",)),
    Example("answer", "Who designed the mill?", ("Bob", "ada."), ("d4",)),
    Example("none", "Who owned the mill of the village by the lake?", ("Eve",), ("d5",)),
    Example("unanswerable", "Who burned the mill?", ()),
)
DOCUMENTS = (
    Document("d1", PASSAGE),
    Document("d2", "Ada built it."),
    Document("d3", f"{PASSAGE} Still."),
    Document("d4", "ada built it"),
    Document("d5", "Ask away: who owned the mill, of the village by the lake? Eve did."),
)
DATASET = QADataset("d", "f", DOCUMENTS, TRAIN, (), TEST)


def split(train: Example, test: Example, dev: tuple[Example, ...] = ()) -> QADataset:
    return QADataset("d", "f", (), (train,), dev, (test,))


def test_every_question_is_in_the_stratum_of_what_it_shares() -> None:
    assert overlap(DATASET, TEST).strata == {
        "same": "question",
        "near": "question",
        "answer": "answer",
        "none": "none",
        "unanswerable": "none",
    }


def test_what_is_shared_is_counted_and_the_training_question_is_named() -> None:
    found = overlap(DATASET, TEST)
    assert (found.same, found.near) == ({"same": "t1"}, {"near": "t1"})
    assert found.answers == {"same", "answer"}
    assert (found.evidence, found.near_evidence) == ({"same", "answer"}, {"near"})
    assert found.quoted == {"none": "d5"}
    assert found.counts() == {
        "n_same_questions": 1,
        "n_near_questions": 1,
        "n_shared_answers": 2,
        "n_shared_evidence": 2,
        "n_near_evidence": 1,
        "n_quoted_questions": 1,
    }


def test_a_question_is_quoted_by_all_of_its_words_and_not_by_its_beginning() -> None:
    asked = [Example("whole", TEST[3].question, ("Eve",)), Example("begun", "Who owned the mill of the town?", ("Eve",))]
    assert overlap(DATASET, asked).quoted == {"whole": "d5"}


def test_without_training_questions_there_is_no_stratum_and_nothing_is_counted_as_0() -> None:
    found = overlap(QADataset("d", "f", DOCUMENTS, (), (), TEST), TEST)
    assert found.strata == {}
    assert set(found.counts().values()) == {None, 1}


def test_the_same_question_in_train_and_test_or_dev_is_refused_in_any_spelling() -> None:
    with pytest.raises(DataError, match=r"leak: 1 of 5 questions of test stand in train word for word \(train = test: t1 = same\)"):
        check_splits(DATASET, [])
    with pytest.raises(DataError, match=r"1 of 1 questions of dev .*allow_overlap=\[questions\]"):
        check_splits(split(TRAIN[1], TEST[3], dev=(Example("x", "who built it", ()),)), [])


def test_it_is_let_through_where_that_is_allowed_by_name() -> None:
    check_splits(DATASET, ["questions"])


def test_the_same_words_after_another_conversation_ask_something_else() -> None:
    after = Example("x", "Who built it?", ("Ada",), history=(Turn("Which castle stood by the river?", "The old one"),))
    check_splits(split(TRAIN[1], after), [])
    assert overlap(split(TRAIN[1], after), [after]).strata == {"x": "answer"}


@pytest.mark.parametrize(
    ("one", "other", "is_near"),
    [
        ("who wrote hamlet", "hamlet who wrote", True),  # a short text is told by its words
        ("who wrote hamlet", "who wrote macbeth", False),
        ("what year did ada die", "in what year did ada die", True),  # 5 words of 6
        ("in what year did ada die", "in what year did ada die there", True),  # 4 of 5 3-grams
        ("in what year and where did ada die", "in what year and where did bob die", False),  # 4 of 8
        ("one two three four five six seven", "seven six five four three two one", False),
    ],
)
def test_near_duplicates_share_four_fifths(one: str, other: str, is_near: bool) -> None:
    assert alike({"a": one}, {"b": other}) == ({}, {"a": "b"} if is_near else {})


def similarity(one: str, other: str) -> float:
    a, b = one.split(), other.split()

    def shared(x: Set[object], y: Set[object]) -> float:
        return len(x & y) / len(x | y) if x and y else 0.0

    words = shared(set(a), set(b)) if max(len(a), len(b)) <= SHORT else 0.0
    grams = shared({*zip(a, a[1:], a[2:], strict=False)}, {*zip(b, b[1:], b[2:], strict=False)}) if min(len(a), len(b)) >= SHORT else 0.0
    return max(words, grams)


def test_no_pair_is_missed_and_none_is_made_up() -> None:
    draw = random.Random(0)
    texts = [" ".join(draw.choices("abcde", [9, 3, 1, 1, 1], k=draw.randint(1, 24))) for _ in range(600)]
    asked, known = ({f"{name}{at}": text for at, text in enumerate(those)} for name, those in (("q", texts[:300]), ("t", texts[300:])))
    same, near = alike(asked, known)
    expected = {
        one
        for one, text in asked.items()
        if text not in known.values() and max(similarity(text, other) for other in known.values()) >= SIMILAR
    }
    assert len(expected) > 10
    assert set(near) == expected
    assert every(similarity(asked[one], known[other]) >= SIMILAR for one, other in near.items())
    assert set(same) == {one for one, text in asked.items() if text in known.values()}


def test_of_several_near_ones_the_most_similar_is_named() -> None:
    text = "a b c d e f g h i j k l m n"
    assert alike({"q": text}, {"t1": f"x {text} y", "t2": f"x {text}"})[1] == {"q": "t2"}


def test_ten_thousand_questions_of_one_template_against_as_many_take_seconds() -> None:
    draw = random.Random(0)
    asked, known = (
        {f"{name}{at}": f"in what year was the {draw.randrange(9_000)} disease first described in town {at}" for at in range(10_000)}
        for name in "qt"
    )
    begun = time.perf_counter()
    _, near = alike(asked, known)
    assert time.perf_counter() - begun < 20
    assert {int(one[1:]) // 1_000 for one in near} == set(range(10))  # none of the blocks was left out
    assert every(similarity(asked[one], known[other]) >= SIMILAR for one, other in near.items())
