"""The row on inference time: its numbers are those of hand-made timings, and sessions are found again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.table.inference_time import (
    ROW,
    additive_model,
    curves,
    found_at_once,
    share_of_answer,
    share_of_gap,
    slower,
    slower_while_written_to,
    training_by_writing,
)
from experiments.table.live import LIVE, N_WRITES, Live, Writer, written
from experiments.table.presets import PRESETS
from rag_eval.latency.record import LatencyRecord
from rag_eval.latency.store import write_latency
from rag_eval.report.claims.claim import Missing, Number, judge
from rag_eval.report.claims.timed import FORCED, NATURAL, Size, common_length, recorded_session
from rag_eval.types import Document, Example
from tests.experiments.table_results import pooled, results, run, timed

SIZE = Size(n_queries=4, n_blocks=2)


def rag(*tokens: int, embed: float = 0.1, search: float = 0.1, **conditions: str) -> LatencyRecord:
    """A millisecond a token of the prompt, 0.1 s for the two tokens after the first."""
    return timed("rag", [{"embed": embed, "search": search, "prefill": n / 1000, "decode": 0.1} for n in tokens], tokens, **conditions)


def tuned(*tokens: int, **conditions: str) -> LatencyRecord:
    return timed("finetune", [{"prefill": n / 1000, "decode": 0.1} for n in tokens], tokens, **conditions)


def number(measured: Number | Missing) -> Number:
    assert isinstance(measured, Number), measured
    return measured


SESSION = {"rag": rag(300, 400, 300, 400), "finetune": tuned(100, 200, 100, 200)}  # 0.6 and 0.7 s; 0.2 and 0.3 s


def test_the_ratio_is_of_quantiles_of_the_whole_time() -> None:
    found = results(work={NATURAL: SESSION})
    assert number(slower(NATURAL, "rag", 0.95, found, "")).mean == pytest.approx(0.7 / 0.3)
    one = number(slower(NATURAL, "rag", 0.5, found, ""))
    assert (one.mean, one.n, one.n_clusters) == (pytest.approx(0.65 / 0.25), 4, 2)
    assert one.low_90 is not None


def test_each_claim_reads_its_own_session() -> None:
    equal = {"rag": rag(300, 300, 300, 300), "finetune": tuned(300, 300, 300, 300)}
    found = results(work={NATURAL: SESSION, FORCED: equal})
    assert number(slower(FORCED, "rag", 0.95, found, "")).mean == pytest.approx(0.6 / 0.4)


def test_an_arm_that_was_not_timed_is_missing() -> None:
    assert isinstance(slower(NATURAL, "rag, one passage", 0.5, results(work={NATURAL: SESSION}), ""), Missing)


def test_the_retrieval_step_has_its_share_of_the_answer_and_of_the_gap() -> None:
    found = results(work={NATURAL: SESSION})
    assert number(share_of_answer(found, "")).mean == pytest.approx(0.2 / 0.65)
    assert number(share_of_gap(found, "")).mean == pytest.approx(0.2 / 0.4)  # 200 tokens more take the other half


def test_where_rag_is_not_slower_nothing_is_the_cause_of_it() -> None:
    (claim,) = [one for one in ROW.claims(PRESETS["laptop"]) if one.id == "inference-time/rag-gap"]
    faster = {"rag": rag(*[100, 110] * 10, embed=0.01, search=0.01), "finetune": tuned(*[300, 320] * 10)}
    finding = judge(claim, results(work={NATURAL: faster}))
    assert finding.verdict.word == "INCONCLUSIVE"
    assert finding.reason.startswith("not shown that rag is slower than the fine-tuned model")


def test_the_additive_model_tells_the_gap_of_timings_that_follow_it() -> None:
    assert number(additive_model(results(work={NATURAL: SESSION}), "")).mean == pytest.approx(1.0, abs=1e-6)


def test_time_that_no_stage_explains_is_missing_from_the_prediction() -> None:
    slow = rag(300, 400, 300, 400)
    late = [one.__class__(**{**vars(one), "e2e_s": one.e2e_s + 0.4}) for one in slow.timings]
    found = results(work={NATURAL: {**SESSION, "rag": slow.__class__(**{**vars(slow), "timings": tuple(late)})}})
    assert number(additive_model(found, "")).mean == pytest.approx(0.4 / 0.8, abs=1e-6)


def live(**changes: object) -> Live:
    quiet = rag(300, 400, 300, 400)
    busy = rag(300, 400, 300, 400, search=0.23)
    return Live(**{"quiet": quiet, "busy": busy, "write_s": (0.1, 0.3), "found_s": (0.2, 0.4), "is_found": (1.0, 0.0, 1.0, 1.0), **changes})


def test_the_live_store_is_judged_by_what_the_next_question_finds() -> None:
    one = number(found_at_once(results(work={LIVE: live()}), ""))
    assert (one.mean, one.n, one.n_clusters) == (0.75, 4, None)


def test_a_hundred_documents_found_are_enough_for_the_claim() -> None:
    assert number(found_at_once(results(work={LIVE: live(is_found=(1.0,) * 100)}), "")).low > 0.95


def test_writing_beside_a_question_is_compared_with_none() -> None:
    assert number(slower_while_written_to(results(work={LIVE: live()}), "")).mean == pytest.approx(0.78 / 0.65)


def test_a_training_is_compared_with_a_write(tmp_path: Path) -> None:
    made = run(tmp_path, "finetune", (1.0, 1.0), [{}, {}], learn_s=100.0, is_trained=True)
    one = number(training_by_writing(results(pooled({"finetune": [made]}), {LIVE: live()}), ""))
    assert (one.mean, one.n_clusters) == (pytest.approx(100 / 0.2), None)


def test_without_a_server_the_live_claims_say_why(tmp_path: Path) -> None:
    found = results(work={LIVE: Missing("no server")})
    assert [of(found, "") for of in (found_at_once, slower_while_written_to, training_by_writing)] == [Missing("no server")] * 3


def test_the_stages_of_the_curve_are_in_the_order_of_a_question() -> None:
    (curve,) = curves(PRESETS["ci"], results(work={NATURAL: SESSION}))
    assert curve.x == "stage: 1 embed, 2 search, 3 prefill, 4 decode"
    assert [(point.x, point.mean) for point in curve.series["finetune"]] == [(3, pytest.approx(150.0)), (4, pytest.approx(100.0))]
    assert [point.mean for point in curve.series["rag"]] == pytest.approx([100, 100, 350, 100])


def test_without_a_session_there_is_no_curve() -> None:
    assert curves(PRESETS["ci"], results()) == []


def test_answers_are_forced_to_the_recorded_length_and_the_end_token(tmp_path: Path) -> None:
    made = run(tmp_path, "rag", (1.0, 1.0), [{}, {}], learn_s=1.0)
    assert common_length([made]) == 2 + 1  # the recorded answers have two tokens


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Run folders of two arms."""
    made = {arm: tmp_path / arm for arm in ("rag", "finetune")}
    for folder in made.values():
        folder.mkdir()
    return made


def test_the_last_session_of_all_arms_under_the_protocol_is_found_again(folders: dict[str, Path]) -> None:
    for session in ("first", "second"):
        write_latency(folders["rag"], rag(300, 400, 300, 400, session=session))
        write_latency(folders["finetune"], tuned(100, 200, 100, 200, session=session))
    write_latency(folders["rag"], rag(300, 400, 300, 400, session="alone"))
    found = recorded_session(folders, lambda record: SIZE.fits(record, None))
    assert found is not None
    assert {arm: record.session for arm, record in found.items()} == {"rag": "second", "finetune": "second"}


@pytest.mark.parametrize(("size", "forced_tokens"), [(Size(4, 1), None), (Size(5, 2), None), (SIZE, 3)])
def test_a_session_of_another_protocol_is_not_taken_for_it(folders: dict[str, Path], size: Size, forced_tokens: int | None) -> None:
    write_latency(folders["rag"], rag(300, 400, 300, 400))
    write_latency(folders["finetune"], tuned(100, 200, 100, 200))
    assert recorded_session(folders, lambda record: SIZE.fits(record, None)) is not None
    assert recorded_session(folders, lambda record: size.fits(record, forced_tokens)) is None


def test_a_question_is_asked_when_what_was_written_beside_the_one_before_is_done() -> None:
    written: list[str] = []
    may_end = threading.Event()

    def add(documents: list[Document]) -> None:
        may_end.wait(60)
        written.extend(one.id for one in documents)

    with ThreadPoolExecutor(1) as thread:
        writer = Writer(thread, add, (Document(f"d{at}", "text") for at in range(9)))
        writer.begin()  # of the warm-up, beside which nothing is written
        writer.clock()
        writer.begin()
        assert written == []
        later = thread_of(lambda: may_end.set())
        before = time.perf_counter()
        read = writer.clock()
        later.cancel()
        assert written == ["d0"]
        assert read < before + 0.2  # the clock was read before the wait
        assert time.perf_counter() - read >= 0.2


def thread_of(work: Callable[[], None]) -> threading.Timer:
    """Does the work a little later."""
    timer = threading.Timer(0.3, work)
    timer.start()
    return timer


def test_a_write_that_fails_is_raised_at_the_next_reading_of_the_clock() -> None:
    def add(_: list[Document]) -> None:
        raise ValueError("no room")

    with ThreadPoolExecutor(1) as thread:
        writer = Writer(thread, add, iter([Document("d0", "text")]))
        writer.clock()
        writer.begin()
        with pytest.raises(ValueError, match="no room"):
            writer.clock()


class Store:
    """Finds the document of a question unless it is to be missed, with its first text where it is not to be updated."""

    def __init__(self, documents: list[Document], missed: str, stale: str) -> None:
        self.texts = {one.id: one for one in documents}
        self.missed, self.stale = missed, stale

    def add(self, documents: list[Document]) -> None:
        self.texts |= {one.id: one for one in documents if one.id != self.stale}

    def search(self, questions: list[Example]) -> list[Any]:
        ids = [question.evidence[0] for question in questions]
        return [SimpleNamespace(hits=[SimpleNamespace(document=self.texts[id])] if id != self.missed else []) for id in ids]


def test_documents_are_written_in_turn_until_the_writes_are_enough_to_tell() -> None:
    documents = [Document(f"d{at}", f"text {at}") for at in range(11)]
    questions = [Example(f"q{at}", "?", ("a",), evidence=(f"d{at}",)) for at in range(11)]
    store: Any = Store(documents, missed="d10", stale="d9")
    dataset: Any = SimpleNamespace(documents=documents, test=questions)
    write_s, found_s, is_found = written(store, dataset)
    assert len(write_s) == len(found_s) == len(is_found) == N_WRITES == 100  # of ten documents, the other one is never found
    assert sum(is_found) == 90  # one of ten keeps its old text
