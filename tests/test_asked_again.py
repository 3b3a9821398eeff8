"""Asking some questions again alone takes a small share of the time of all answers, and the record says how many were asked, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import rag_eval.probes.batch_disagreement as probe
from rag_eval.adapt.none import NoAdapter
from rag_eval.generate.hf import HF
from rag_eval.probes.batch_disagreement import PROBE_SHARE, batch_disagreement
from rag_eval.prompt import PromptTemplate
from rag_eval.record.facts import AskedAgain
from rag_eval.retrieve.none import NoRetriever
from rag_eval.system import System
from rag_eval.testing.models import TINY
from rag_eval.types import DISAGREEMENT, Decoded, Estimate, Example, Prediction
from tests.commands import Ended


class Clock:
    """Time that passes only where a question is asked alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(
    n: int, n_again: int, each_s: float, alone_s: Sequence[float], monkeypatch: pytest.MonkeyPatch, share_read: float | None = None
) -> tuple[dict[str, Estimate], AskedAgain, float]:
    """What comes of n answers of so many seconds each, n_again of which are wanted again, and the seconds that took."""
    clock, left = Clock(), iter(alone_s)
    monkeypatch.setattr(probe.time, "perf_counter", clock)
    examples = [Example(f"q{at}", "?", ("x",)) for at in range(n)]
    said = [Prediction(one.id, "x", (), (), (), 0, "", 1, 1, {"generate": each_s}, "answered", "stop") for one in examples]

    def answer(examples: Sequence[Example]) -> list[Prediction]:
        clock.now += next(left)
        return [replace(said[0], example_id=examples[0].id)]

    decoded = Decoded("own", None, None, None, share_read)
    ready: Any = SimpleNamespace(generator=SimpleNamespace(identity=lambda: {"base_model": "m"}, decoded=lambda: decoded), answer=answer)
    found, again = batch_disagreement(ready, said, examples, n_again)
    return found, again, clock.now


def test_no_more_are_asked_than_fit_the_share(monkeypatch: pytest.MonkeyPatch) -> None:
    found, again, took_s = asked(500, 50, 1.0, [2.5] * 50, monkeypatch)
    assert took_s <= PROBE_SHARE * 500
    assert again == AskedAgain(50, 16, "one more would take over 8% of the 500.0 s of the answers")
    assert found[DISAGREEMENT].n == 16


def test_all_that_are_wanted_are_asked_where_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    found, again, _ = asked(2000, 50, 1.0, [2.0] * 50, monkeypatch)
    assert again == AskedAgain(50, 50)
    assert found[DISAGREEMENT].n == 50


def test_where_one_would_take_too_long_none_is_asked_and_nothing_is_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    found, again, took_s = asked(20, 50, 1.0, [], monkeypatch)
    assert (found, took_s) == ({}, 0.0)
    assert again == AskedAgain(20, 0, "asking one alone would take over 8% of the 20.0 s of the answers")


def test_one_alone_is_taken_to_compute_the_prefix_that_others_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    _, again, took_s = asked(100, 50, 1.0, [], monkeypatch, share_read=0.25)  # 3 / 0.25 seconds are more than 8
    assert (again.asked, took_s) == (0, 0.0)
    _, again, _ = asked(100, 50, 1.0, [2.0] * 50, monkeypatch, share_read=0.5)
    assert again.asked == 4


def test_after_a_slow_one_the_rest_is_taken_to_be_as_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    _, again, took_s = asked(500, 50, 1.0, [1.0, 20.0, 1.0, 1.0], monkeypatch)
    assert (again.asked, took_s) == (2, 21.0)


def test_fewer_are_the_beginning_of_more(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [Example(f"q{at}", "?", ("x",)) for at in range(100)]
    whole = [one.id for one in probe._in_any_order(examples)]
    assert whole == [one.id for one in probe._in_any_order(list(examples))]
    assert sorted(whole) == sorted(one.id for one in examples) != whole
    assert whole[:10] != [f"q{at}" for at in range(10)]


def test_a_run_records_how_many_were_asked_again_and_how_answers_were_decoded(command: Callable[..., Ended]) -> None:
    ended = command("mode=closed_book", "dataset.preset=ci", "limit=40", "n_probe=3")
    again = ended.record["facts"]["asked_again"]
    assert again["wanted"] == 3
    assert again["asked"] == ended.record["estimates"].get(DISAGREEMENT, {"n": 0})["n"]
    assert (again["why"] is None) == (again["asked"] == 3)
    assert ended.record["facts"]["decoded"]["loop"] == "own"
    assert ended.record["facts"]["decoded"]["why"] is None
    assert command("mode=retrieval", "retriever=bm25", "dataset.preset=ci").record["facts"]["decoded"] is None


def test_on_a_cpu_warming_up_loads_and_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = HF(str(TINY), "float32", "cpu", 8, 4096)
    system = System(NoRetriever(), PromptTemplate("Say."), NoAdapter(), generator)
    monkeypatch.setattr(HF, "generate", lambda *_: pytest.fail("answered"))
    system.warm_up([Example("q", "Where?", ("x",))])
    assert "_decoder" in vars(generator)
    answered: list[int] = []
    monkeypatch.setattr(HF, "generate", lambda _, prompts: answered.append(len(prompts)))
    generator.device = "cuda"  # whose kernels are made by the first call
    system.warm_up([Example("q", "Where?", ("x",))])
    assert answered == [1]
