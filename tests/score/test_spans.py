import math
import random
from typing import Any

import pytest

from rag_eval.score.spans import Span, span_hit_at_k, span_recall_at_k
from rag_eval.text.spans import gold_spans, span_of

GOLD = [Span("book", 10, 20), Span("book", 40, 50)]


def test_recall_is_the_share_of_gold_characters_in_the_first_chunks() -> None:
    chunks = [Span("book", 0, 15), Span("book", 45, 100)]
    assert span_recall_at_k(chunks, GOLD, 1) == 5 / 20
    assert span_recall_at_k(chunks, GOLD, 2) == 10 / 20
    assert span_recall_at_k([Span("book", 0, 100)], GOLD, 1) == 1.0


def test_a_character_counts_once_however_often_it_is_found_or_gold() -> None:
    overlapping = [Span("book", 8, 15), Span("book", 12, 16), Span("book", 12, 16)]
    assert span_recall_at_k(overlapping, GOLD, 3) == 6 / 20
    assert span_recall_at_k([Span("book", 0, 12)], [Span("book", 10, 14), Span("book", 12, 20), Span("book", 10, 20)], 1) == 2 / 10


def test_the_end_is_exclusive_and_other_sources_hold_nothing() -> None:
    neighbours = [Span("book", 0, 10), Span("book", 20, 40), Span("film", 10, 20)]
    assert span_recall_at_k(neighbours, GOLD, 3) == span_hit_at_k(neighbours, GOLD, 3) == 0.0
    assert span_recall_at_k([Span("book", 0, 11)], GOLD, 1) == 1 / 20


def test_a_hit_is_a_gold_span_touched() -> None:
    chunks = [Span("book", 0, 11), Span("book", 11, 12), Span("book", 49, 60)]
    assert [span_hit_at_k(chunks, GOLD, k) for k in (1, 2, 3)] == [0.5, 0.5, 1.0]
    assert span_hit_at_k(chunks, [GOLD[0], GOLD[0], GOLD[1]], 1) == 0.5  # listed twice, one span


@pytest.mark.parametrize("measure", [span_recall_at_k, span_hit_at_k])
def test_a_chunk_of_unknown_place_holds_nothing_but_takes_a_rank(measure) -> None:  # type: ignore[no-untyped-def]
    assert measure([None, Span("book", 0, 100)], GOLD, 1) == 0.0
    assert measure([None, Span("book", 0, 100)], GOLD, 2) == 1.0
    assert measure([], GOLD, 2) == 0.0


@pytest.mark.parametrize("measure", [span_recall_at_k, span_hit_at_k])
def test_without_gold_there_is_nothing_to_find_and_no_zero(measure) -> None:  # type: ignore[no-untyped-def]
    assert math.isnan(measure([Span("book", 0, 1)], [], 1))
    for gold in (GOLD, []):
        with pytest.raises(ValueError, match="at least 1 but is 0"):
            measure([], gold, 0)


def test_recall_equals_counting_characters_one_by_one() -> None:
    rng = random.Random(0)

    def spans(n: int) -> list[Span]:
        starts = [rng.randrange(60) for _ in range(n)]
        return [Span(rng.choice("ab"), start, start + rng.randint(1, 12)) for start in starts]

    def characters(of: list[Span]) -> set[tuple[str, int]]:
        return {(span.source, at) for span in of for at in range(span.start, span.end)}

    for _ in range(200):
        found, gold, k = spans(6), spans(4), rng.randint(1, 8)
        expected = len(characters(found[:k]) & characters(gold)) / len(characters(gold))
        assert span_recall_at_k(found, gold, k) == pytest.approx(expected)


@pytest.mark.parametrize(("start", "end"), [(5, 5), (5, 4), (-1, 3)])
def test_an_empty_or_backward_span_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match=f"start {start} and end {end}"):
        Span("book", start, end)


def test_a_chunk_knows_its_place_only_with_all_three_keys() -> None:
    assert span_of({"source": "book", "start": 3, "end": 9, "page": 1}) == Span("book", 3, 9)
    assert span_of({"source": "wikipedia"}) is None
    assert span_of({}) is None


def test_gold_is_a_list_of_spans() -> None:
    assert gold_spans({}) == ()
    assert gold_spans({"spans": [{"source": "book", "start": 3, "end": 9}]}) == (Span("book", 3, 9),)


@pytest.mark.parametrize(
    "spans",
    ["book", {"source": "book"}, ["book"], [{"source": "book", "start": 1}], [{"source": "book", "start": 1.5, "end": 2}], [[1, 2]]],
)
def test_what_is_no_list_of_spans_is_refused(spans: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        gold_spans({"spans": spans})


@pytest.mark.parametrize("place", [{"source": 1, "start": 1, "end": 2}, {"source": "book", "start": True, "end": 2}])
def test_a_place_of_wrong_types_is_refused(place: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        span_of(place)
