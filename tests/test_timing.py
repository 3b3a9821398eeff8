"""Arms are timed together from the command line, and what was measured is kept beside their runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rag_eval.cli.latency import latency
from rag_eval.errors import DataError
from rag_eval.latency.store import latency_metrics, read_latencies
from rag_eval.time_arms import _asked
from tests.claims import none_of
from tests.test_conf import checked

QUICK = (
    "mode=rag,rag_random",
    "dataset.preset=ci",
    "generator=echo",
    "limit=10",
    "tracking=none",
    "latency.n_queries=60",
    "latency.n_blocks=4",
)
ALONE = ("mode=rag", "retriever/embedder=hashed", *QUICK[1:])
Ended = tuple[int, str, str]


@pytest.fixture
def timed(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """`timed("mode=...", ...)` in an empty folder: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Ended:
        capfd.readouterr()
        code = latency(list(arguments))
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_two_arms_are_timed_in_one_session_and_found_beside_their_runs(timed: Callable[..., Ended], tmp_path: Path) -> None:
    code, out, err = timed(*QUICK)
    assert code == 0, err
    first, second = (Path(line) for line in out.splitlines()[-2:])
    records = [read_latencies(file.parents[1])[0] for file in (first, second)]
    assert [record.arm for record in records] == ["rag", "rag_random"]
    assert records[0].session == records[1].session
    assert records[0].protocol["interleaved_with"] == ["rag_random"]
    assert [one.example_id for one in sorted(records[0].timings, key=lambda one: one.example_id)] == sorted(
        one.example_id for one in records[1].timings
    )
    assert json.loads((first.parents[1] / "run.json").read_text(encoding="utf-8"))["run_id"] == records[0].run_id
    metrics = latency_metrics([records[0]])
    assert metrics["latency/e2e_p50_ms_lo"] <= metrics["latency/e2e_p50_ms"] <= metrics["latency/e2e_p50_ms_hi"]
    assert {"latency/embed_p50_ms", "latency/search_p50_ms", "latency/e2e_p95_ms"} <= set(metrics)
    assert none_of(name.startswith("latency/e2e_p99") for name in metrics)


def test_an_open_loop_and_bulk_have_names_of_their_own(timed: Callable[..., Ended]) -> None:
    code, out, err = timed(*ALONE, "latency=poisson", "latency.rate_per_s=2000")
    assert code == 0, err
    run = Path(out.splitlines()[-1]).parents[1]
    assert timed(*ALONE, "latency=offline")[0] == 0
    metrics = latency_metrics(read_latencies(run))
    assert {"latency_poisson/e2e_p50_ms", "latency_poisson/queue_p50_ms", "throughput/queries_per_s"} <= set(metrics)
    assert "latency/e2e_p50_ms" not in metrics


def test_latencies_are_mirrored_with_the_run(timed: Callable[..., Ended], tmp_path: Path) -> None:
    arguments = [one for one in ALONE if not one.startswith("tracking")]
    assert timed(*arguments, "tracking=jsonl")[0] == 0
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [bool(line["latency"]) for line in lines] == [False, True]
    assert lines[-1]["latency"]["latency/e2e_p50_ms"] > 0


def test_arms_are_asked_the_questions_that_all_of_them_may_be_asked(timed: Callable[..., Ended], tmp_path: Path) -> None:
    """Without splits of its own, a source keeps half of its clusters from an arm that uses training questions."""
    documents = [{"id": f"d{at}", "text": f"The capital of land {at} is town {at}."} for at in range(40)]
    questions = [
        {"id": f"q{at}", "question": f"Capital of land {at}?", "answers": [f"town {at}"], "evidence": [f"d{at}"]} for at in range(40)
    ]
    for name, rows in (("d.jsonl", documents), ("q.jsonl", questions)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    files = ("dataset=jsonl", "dataset.documents=d.jsonl", "dataset.questions=q.jsonl")
    quick = ("generator=echo", "tracking=none", "latency.n_queries=10", "latency.n_blocks=2")
    code, out, err = timed("mode=closed_book,few_shot", *files, *quick)
    assert code == 0, err
    one, other = (read_latencies(Path(line).parents[1])[0] for line in out.splitlines()[-2:])
    assert {timing.example_id for timing in one.timings} == {timing.example_id for timing in other.timings}


def test_a_later_session_is_the_one_that_is_shown(timed: Callable[..., Ended]) -> None:
    assert timed(*ALONE)[0] == 0
    code, out, _ = timed(*ALONE, "latency.forced_tokens=null")
    assert code == 0
    records = read_latencies(Path(out.splitlines()[-1]).parents[1])
    assert len(records) == 2
    assert latency_metrics(records) == latency_metrics([records[1]])
    forced = replace(records[0], protocol={**records[0].protocol, "forced_tokens": 8})
    assert {"latency/e2e_p50_ms", "latency_single_stream_forced_8/e2e_p50_ms"} <= set(latency_metrics([forced, records[1]]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected mode=<arms to time>"),
        (["mode=rag,rag"], "expected every mode once"),
        (["mode=rag", "latency=poisson", "latency.rate_per_s=null"], "poisson needs a rate"),
        (["mode=rag", "latency.n_queries=many"], "latency.n_queries is 'many'"),
        (["mode=rag", "latency=slow"], "latency=slow does not exist"),
        (["mode=prior", "dataset.preset=ci", "latency.n_queries=60"], "cannot be timed request by request"),
        (
            ["mode=closed_book", "dataset.preset=ci", "generator=echo", "latency.n_queries=5000", "limit=5"],
            "latency.n_queries is 5000, but there are",
        ),
    ],
)
def test_what_cannot_be_timed_is_one_line(timed: Callable[..., Ended], arguments: list[str], said: str) -> None:
    code, _, err = timed(*arguments, "tracking=none")
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_a_file_without_its_conditions_is_no_latency(tmp_path: Path) -> None:
    (tmp_path / "latency").mkdir()
    (tmp_path / "latency" / "0001-s.json").write_text('{"protocol": {}, "arm": "a", "run_id": "r", "session": "s"}', encoding="utf-8")
    with pytest.raises(DataError, match=r"0001-s\.json: expected a latency measurement with its conditions"):
        read_latencies(tmp_path)


def test_an_arm_and_its_control_of_form_are_asked_the_same_and_may_be_timed_together() -> None:
    own, control = (
        checked("mode=finetune", f"dataset.lessons={lessons}", f"dataset.train_share={share}", "dataset=squad", "dataset.path=x.json")
        for lessons, share in (("own", 0.5), ("others", 0.4))
    )
    other = replace(own, dataset=own.dataset.having(path="y.json"))
    assert _asked(own) == _asked(control) != _asked(other)


def test_arms_that_are_trained_on_more_phrasings_are_asked_the_same_and_may_be_timed_together() -> None:
    few, many = (checked("mode=finetune", "dataset.preset=ci", f"dataset.n_phrasings={n}", f"dataset.n_restatements={n}") for n in (1, 6))
    assert _asked(few) == _asked(many) != _asked(checked("mode=finetune", "dataset.preset=laptop"))
