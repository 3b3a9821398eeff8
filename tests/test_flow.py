"""The arms are told apart by their context alone, and a run is recorded once, resumed and returned."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag_eval import answering
from rag_eval.conf_folder import conf_dir
from rag_eval.config.modes import modes
from rag_eval.generate.echo import Echo
from tests.claims import every
from tests.commands import Ended
from tests.worlds import world

Command = Callable[..., Ended]
START = "import sys; from rag_eval.cli.run import run; sys.exit(run(sys.argv[1:]))"
FAST = ("generator=echo", "dataset.preset=ci", "retriever/embedder=hashed")
UNTRAINED = [
    mode.name for mode in modes() if mode.weights == "base" and mode.context != "recorded" and mode.name not in {"rag_stale", "retrieval"}
]


def predictions(ended: Ended) -> list[dict[str, Any]]:
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in (ended.directory / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]


def arm(command: Command, mode: str, *more: str) -> Ended:
    # oracle_distract has its embedder one level deeper.
    arguments = [
        one.replace("retriever/embedder", "retriever/embedder@retriever.retriever.embedder") if mode == "oracle_distract" else one
        for one in FAST
    ]
    if mode not in {"rag", "oracle_distract"}:
        arguments = [one for one in arguments if "embedder" not in one]
    return command(f"mode={mode}", *arguments, "limit=20", *more)


def test_all_modes_are_known() -> None:
    assert sorted(mode.name for mode in modes()) == sorted(path.stem for path in (conf_dir() / "mode").glob("*.yaml"))
    assert len(modes()) == 18
    assert len(UNTRAINED) == 7


@pytest.mark.parametrize("mode", UNTRAINED)
def test_an_arm_has_the_context_that_it_means(command: Command, mode: str) -> None:
    examples = {example.id: example for example in world("ci", 0).test}
    corpus = [document.id for document in world("ci", 0).documents]
    for one in predictions(arm(command, mode)):
        evidence, held = set(examples[one["example_id"]].evidence), one["in_prompt"]
        match mode:
            case "closed_book" | "few_shot":
                assert held == []
            case "oracle":
                assert set(held) == evidence
            case "oracle_distract":
                assert evidence <= set(held)
                assert len(held) == 3
            case "rag_random":
                assert len(held) == 3
                assert not evidence & set(held)
            case "long_context":
                assert held == corpus
            case "rag":
                assert held == one["retrieved"][:3]
                assert len(one["retrieved"]) == 10


def test_the_prompt_without_its_context_is_the_same_in_every_arm(command: Command) -> None:
    stripped = [
        {one["example_id"]: one["prompt_sha"] for one in predictions(arm(command, mode))}
        for mode in ("closed_book", "few_shot", "rag", "oracle")
    ]
    assert len(stripped[0]) == 20
    assert every(one == stripped[0] for one in stripped)


def test_prior_answers_without_a_model_what_training_saw_most(command: Command) -> None:
    ended = command("mode=prior", "dataset.preset=ci")
    assert ended.code == 0, ended.err
    assert 0.02 < ended.mean("answer/em") < 0.4  # of three genes one has the commonest value
    assert ended.record["facts"]["comparison"]["base_model"] is None


def test_the_same_command_returns_the_recorded_run_without_answering_again(command: Command) -> None:
    first = arm(command, "rag")
    journal = first.directory / "predictions.jsonl"
    before = journal.stat().st_mtime_ns
    again = arm(command, "rag", "debug=true", "seed=0")
    assert again.directory == first.directory
    assert journal.stat().st_mtime_ns == before
    assert "recorded before" in again.out
    assert arm(command, "rag", "retriever.k=2").directory != first.directory


def test_an_interrupted_run_is_killed_and_the_same_command_finishes_it(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = predictions(arm(command, "closed_book", "n_probe=0", "output_dir=whole"))
    monkeypatch.setattr(answering, "CHUNK", 8)
    calls, generate = [], Echo.generate

    def interrupted(self: Echo, prompts: Any) -> Any:
        calls.append(len(prompts))
        if len(calls) == 3:  # warm-up, first chunk, second chunk
            raise KeyboardInterrupt
        return generate(self, prompts)

    monkeypatch.setattr(Echo, "generate", interrupted)
    ended = arm(command, "closed_book", "n_probe=0")
    assert ended.code == 130
    (record,) = Path("outputs").rglob("run.json")
    assert json.loads(record.read_text(encoding="utf-8"))["status"] == "KILLED"
    resumed = predictions(arm(command, "closed_book", "n_probe=0"))
    assert calls == [1, 8, 8, 1, 8, 4]
    assert [(one["example_id"], one["text"]) for one in resumed] == [(one["example_id"], one["text"]) for one in whole]


def test_a_limit_takes_the_same_questions_for_every_arm_and_seed_and_others_in_another_world(command: Command) -> None:
    ids = [{one["example_id"] for one in predictions(arm(command, "closed_book", more))} for more in ("seed=0", "seed=7", "dataset.seed=1")]
    assert len(ids[0]) == 20
    assert ids[0] == ids[1] != ids[2]


def test_a_finished_run_says_so_with_n_on_every_mean(command: Command) -> None:
    ended = arm(command, "rag")
    record = ended.record
    assert record["status"] == "FINISHED"
    n = record["facts"]["counts"]
    assert record["estimates"]["answer/em"]["n"] == n["n_answerable"]
    assert record["estimates"]["abstain/unanswerable"]["n"] == n["n_unanswerable"]
    assert n["n_answered"] + n["n_abstained"] + n["n_malformed"] + n["n_error"] == n["n_questions"] == 20


def test_questions_that_do_not_fit_stay_in_the_denominator(command: Command) -> None:
    ended = command("mode=closed_book", *FAST[:2], "limit=20", "+generator.max_prompt_tokens=26")
    assert ended.code == 3
    counts = ended.record["facts"]["counts"]
    assert 0 < counts["n_error"] < 20
    assert ended.record["estimates"]["answer/em"]["n"] == counts["n_answerable"]


def test_a_failing_job_of_a_sweep_leaves_the_others_and_ends_with_3(command: Command) -> None:
    ended = command("-m", "mode=closed_book", *FAST[:2], "limit=5", "dataset.seed=0,2000000,1")
    assert ended.code == 3
    assert "error: job 1: dataset.seed must be below" in ended.err
    assert len(list(Path("outputs").rglob("manifest.json"))) == 2


def test_a_source_without_splits_is_asked_in_full_unless_something_is_trained_on_it(command: Command) -> None:
    articles = [
        {
            "title": name,
            "paragraphs": [
                {
                    "context": f"{name} lives in {name}town.",
                    "qas": [
                        {"id": f"{name}{at}", "question": f"Where does {name} live, {at}?", "answers": [{"text": f"{name}town"}]}
                        for at in range(5)
                    ],
                }
            ],
        }
        for name in ("Ada", "Bo", "Cy", "Di")
    ]
    Path("squad.json").write_text(json.dumps({"data": articles}), encoding="utf-8")
    data = ("dataset=squad", "dataset.path=squad.json")
    assert len(predictions(command("mode=closed_book", "generator=echo", *data))) == 20
    assert len(predictions(command("mode=prior", *data))) == 10
    assert len(predictions(command("mode=closed_book", "generator=echo", *data, "dataset.train_share=0.5"))) == 10


def test_a_mode_that_shows_the_evidence_refuses_questions_without_any_before_it_answers(command: Command) -> None:
    Path("documents.jsonl").write_text('{"id": "d1", "text": "Velor affects the liver."}\n', encoding="utf-8")
    asked = [{"id": f"q{at}", "question": f"What, {at}?", "answers": ["liver"], "evidence": ["d1"] * (at < 2)} for at in range(3)]
    Path("questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked), encoding="utf-8")
    ended = command(
        "mode=oracle", "generator=echo", "dataset=jsonl", "dataset.documents=documents.jsonl", "dataset.questions=questions.jsonl"
    )
    assert ended.code == 2
    assert "1 of 3 questions have no evidence in the corpus (first: 'q2')" in ended.err
    assert not Path("outputs").exists()


def test_a_choice_that_is_near_none_is_refused_with_the_choices_once(command: Command) -> None:
    ended = command("retriever/index=zzzz")
    assert ended.code == 2
    assert ended.err.count("flat, ") == 1


def test_a_sweep_over_modes_leaves_a_setting_out_for_the_arms_that_have_no_such_part(command: Command) -> None:
    ended = command("-m", "mode=closed_book,rag_random", *FAST[:2], "limit=5", "retriever.k=2")
    assert ended.code == 0
    assert "closed_book: retriever.k is left out" in ended.err
    assert "rag_random: " not in ended.err
    assert {len(one["in_prompt"]) for one in predictions(Ended(0, ended.out, ""))} == {2}
    alone = command("mode=closed_book", *FAST[:2], "limit=5")
    assert str(alone.directory) in ended.out, "the run is the one without the setting"


def test_a_sweep_over_named_modes_leaves_settings_out_too(command: Command) -> None:
    modes = "hydra.sweeper.params.mode='closed_book,rag_random'"
    ended = command("-m", "experiment=arms", modes, *FAST[:2], "limit=5", "retriever.k=2")
    assert (ended.code, "closed_book: retriever.k is left out" in ended.err) == (0, True)


def test_a_setting_of_a_sweep_for_which_no_arm_has_a_use_is_an_error(command: Command) -> None:
    ended = command("-m", "mode=closed_book,rag_random", *FAST[:2], "limit=5", "adapter.rank=8", "adapter.data.reading_share=0.1")
    assert ended.code == 3
    assert "error: adapter.rank, adapter.data.reading_share: no arm of 2 has such a setting" in ended.err


def test_a_misspelt_setting_of_a_sweep_is_refused_and_not_left_out(command: Command) -> None:
    ended = command("-m", "mode=closed_book,rag_random", *FAST[:2], "limit=5", "retriever.kk=2")
    assert ended.code == 2
    assert "error: job 0: retriever.kk is unknown" in ended.err
    assert "error: job 1: retriever.kk is unknown; did you mean k?" in ended.err


@pytest.mark.flow
def test_a_reader_that_goes_before_the_end_as_head_does_costs_nothing(tmp_path: Path) -> None:
    arguments = ["mode=closed_book", "generator=echo", "dataset.preset=ci", "limit=5", "tracking=none"]
    begun = subprocess.Popen(
        [sys.executable, "-c", START, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert begun.stdout is not None
    assert begun.stderr is not None
    begun.stdout.close()
    said = begun.stderr.read()
    assert (begun.wait(timeout=120), "rror" in said) == (0, False), said
    (run,) = tmp_path.glob("outputs/default/*/run.json")
    assert json.loads(run.read_text(encoding="utf-8"))["status"] == "FINISHED"
