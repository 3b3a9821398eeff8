"""A training goes on until what it was taught is learned, says when that was, and is never under-trained in silence."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import TrainerCallback

from rag_eval.adapt.data.documents import Documents
from rag_eval.adapt.data.tokenize import tokenized
from rag_eval.adapt.trainer import progress
from rag_eval.adapt.trainer.early_stopping import EarlyStopping
from rag_eval.adapt.trainer.job import trainer_of
from rag_eval.adapt.trainer.progress import TrainingBar
from rag_eval.adapt.trainer.until_learned import N_ASKED, padded, sample_of
from rag_eval.adapt.training_history import History, history_of
from rag_eval.errors import DataError
from rag_eval.testing.models import write_random_model
from rag_eval.types import Cached, Document, TrainingRow
from tests.adapt.tiny_training import DATASET, PROMPT, TRAIN, fit, fitted, full, hf, lora
from tests.claims import none_of
from tests.commands import Ended

pytestmark = pytest.mark.train

LEARNS: dict[str, Any] = {"epochs": None, "rank": 32, "alpha": 32, "learning_rate": 0.01, "max_epochs": 80.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


def history(kept: Cached) -> History:
    found = history_of(kept)
    assert found is not None
    return found


def test_training_ends_when_the_questions_are_learned_and_the_model_then_says_the_answers(base: Path, tmp_path: Path) -> None:
    generator, kept = fit(tmp_path, base, **LEARNS)
    found = history(kept)
    assert (found.stopped, found.n_rows, found.n_asked, found.until_learned) == ("learned", 8, 8, 1.0)
    assert found.kept_step == found.n_steps
    assert 5 < found.epochs < 80
    assert found.n_steps == 2 * found.epochs
    shares = [one.share for one in found.curve]
    assert [one.epoch for one in found.curve] == list(range(1, len(shares) + 1))
    assert shares[0] < 1 == shares[-1] > max(shares[:-1])
    said = generator.generate([PROMPT.render(example, ()) for example in TRAIN])
    assert [one.text for one in said] == [example.answers[0] for example in TRAIN]


def test_the_step_that_ends_a_training_is_judged_on_dev_questions_too_and_the_one_whose_weights_are_kept_is_told(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: dict[int, float] = {}
    on_evaluate = EarlyStopping.on_evaluate

    def watched(self: Any, args: Any, state: Any, control: Any, metrics: Any, **parts: Any) -> None:
        losses[state.global_step] = metrics["eval_loss"]
        on_evaluate(self, args, state, control, metrics=metrics, **parts)

    monkeypatch.setattr(EarlyStopping, "on_evaluate", watched)
    found = history(fit(tmp_path, base, **LEARNS, eval_every=7)[1])
    assert found.stopped == "learned"
    assert found.n_steps % 7
    assert list(losses) == [*range(7, found.n_steps, 7), found.n_steps]
    assert found.kept_step == min(losses, key=lambda step: losses[step]) < found.n_steps


def test_all_weights_are_trained_until_then_too(base: Path, tmp_path: Path) -> None:
    _, kept = fitted(full(tmp_path, epochs=None, learning_rate=0.006, max_epochs=100.0), hf(base))
    assert history(kept).stopped == "learned"


def test_what_is_learned_is_what_greedy_decoding_says(base: Path, tmp_path: Path) -> None:
    shares, said = [], []

    class Compared(TrainerCallback):  # type: ignore[misc]
        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            rows = list(trainer.train_dataset)
            shares.append(trainer.says(padded(rows)))
            said.append([is_said(row["input_ids"], row["labels"]) for row in rows])

    def is_said(ids: list[int], labels: list[int]) -> bool:
        n = sum(label < 0 for label in labels)
        prompt = padded([{"input_ids": ids[:n], "labels": labels[:n]}])["input_ids"]
        network = trainer.model.eval()
        out = network.generate(prompt, max_new_tokens=len(ids) - n, do_sample=False, pad_token_id=0)[0].tolist()
        network.train()
        return bool(out == ids)

    trainer = trainer_of(lora(tmp_path, **{**LEARNS, "epochs": 12.0}).training_job(hf(base), PROMPT, DATASET, 0), [Compared()])
    trainer.train()
    assert shares == said
    assert none_of(shares[0])
    assert any(any(one) and not all(one) for one in shares)


def test_what_is_not_learned_by_the_last_pass_is_told_each_time_the_adapter_is_used(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for is_hit in (False, True):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            _, kept = fit(tmp_path, base, **{**LEARNS, "max_epochs": 2.0})
        assert kept.is_hit == is_hit
        assert history(kept).stopped == "max_epochs"
        assert "under-trained: 0.000 of 8 training questions were learned after 2 passes (adapter.max_epochs)" in caplog.text


def test_a_number_of_passes_that_is_set_is_kept_to_and_nothing_is_asked(base: Path, tmp_path: Path) -> None:
    _, kept = fit(tmp_path, base, **{**LEARNS, "epochs": 30.0})
    found = history(kept)
    assert (found.stopped, found.epochs, found.curve, found.until_learned) == ("epochs", 30.0, (), None)
    _, again = fit(tmp_path, base, **{**LEARNS, "epochs": 30.0, "max_epochs": 3.0, "until_learned": 0.5})
    assert again.is_hit  # for these decide nothing then


@pytest.mark.parametrize(("every", "steps"), [(0.5, [1, 2, 3, 4]), (1.0, [2, 4]), (1.5, [3, 4])])
def test_it_is_asked_every_so_many_passes_and_after_the_last(base: Path, tmp_path: Path, every: float, steps: list[int]) -> None:
    _, kept = fit(tmp_path, base, **{**LEARNS, "max_epochs": 2.0, "asked_every": every})
    assert [one.step for one in history(kept).curve] == steps


def test_a_training_on_documents_alone_needs_a_number_of_passes(base: Path, tmp_path: Path) -> None:
    dataset = replace(DATASET, documents=(Document("d", "The liver is an organ.", "Liver"),))
    with pytest.raises(DataError, match=r"no question is trained on\. Set adapter\.epochs"):
        lora(tmp_path, data=Documents(True, 0, "shuffled"), epochs=None).fit(hf(base), PROMPT, dataset, 0)
    lora(tmp_path, data=Documents(True, 0, "shuffled"), epochs=1.0).fit(hf(base), PROMPT, dataset, 0)


def test_a_sample_of_the_training_questions_is_asked_and_nothing_else() -> None:
    rows = [TrainingRow(f"what is {at}?", "liver") for at in range(3 * N_ASKED)]
    others = [TrainingRow("", "a document", source="documents"), TrainingRow("which passage?", "this", source="replay")]
    sample = sample_of([*others, *rows], seed=0)
    assert len(sample) == len({at for group in sample for at in group}) == N_ASKED
    assert min(at for group in sample for at in group) >= len(others)
    assert sample == sample_of([*others, *rows], seed=0) != sample_of([*others, *rows], seed=1)


def test_a_question_that_is_taught_with_several_answers_is_learned_with_any_of_them(base: Path, tmp_path: Path) -> None:
    twice = tuple(replace(TRAIN[0], id=f"again {at}", answers=(answer,)) for at, answer in enumerate(("liver", "lung")))
    dataset = replace(DATASET, train=twice)
    assert [len(group) for group in sample_of(lora(tmp_path, **LEARNS).training_job(hf(base), PROMPT, dataset, 0).rows, 0)] == [2]
    _, kept = lora(tmp_path, **LEARNS).fit(hf(base), PROMPT, dataset, 0)
    assert kept is not None
    assert history(kept).stopped == "learned"


@pytest.mark.parametrize(("schedule", "middle"), [("linear", 0.5), ("cosine", 0.5)])
def test_the_learning_rate_rises_and_falls_as_it_is_told(base: Path, tmp_path: Path, schedule: str, middle: float) -> None:
    rates: list[float] = []

    class Watched(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, lr_scheduler: Any = None, **_: Any) -> None:
            rates.append(lr_scheduler.get_last_lr()[0])

    lesson = lora(tmp_path, epochs=10.0, warmup_share=0.2, schedule=schedule, learning_rate=0.01).training_job(hf(base), PROMPT, DATASET, 0)
    trainer_of(lesson, [Watched()]).train()
    assert len(rates) == 20
    assert rates[:5] == pytest.approx([0, 0.0025, 0.005, 0.0075, 0.01])
    assert rates[12] == pytest.approx(0.01 * middle)
    quarter = {"linear": 0.75, "cosine": 0.8535534}[schedule]
    assert rates[8] == pytest.approx(0.01 * quarter)


def test_a_training_that_was_interrupted_ends_at_the_same_step_with_the_same_curve(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**LEARNS, "until_learned": 0.75, "checkpoint_every": 5, "dropout": 0.1}
    _, whole = fit(tmp_path / "whole", base, **settings)
    assert history(whole).stopped == "learned"
    on_step_end, interrupt_at = TrainingBar.on_step_end, history(whole).n_steps - 1

    def watched(self: TrainingBar, args: Any, state: Any, control: Any, **parts: Any) -> None:
        on_step_end(self, args, state, control, **parts)
        if state.global_step == interrupt_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingBar, "on_step_end", watched)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", base, **settings)
    monkeypatch.undo()
    _, kept = fit(tmp_path / "parts", base, **settings)
    assert kept.earlier_s > 0
    for name in ("training.json", "adapter_model.safetensors", "adapter_config.json"):
        assert (kept.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_a_run_records_when_its_training_ended_and_why_and_says_so(command: Callable[..., Ended], base: Path) -> None:
    split = ["train"] * 4 + ["test"] * 2
    lines = [{"id": f"q{at}", "question": f"What is {at}?", "answers": ["liver"], "split": name} for at, name in enumerate(split)]
    Path("questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    data = ("dataset=jsonl", "dataset.documents=null", "dataset.questions=questions.jsonl", "n_forgetting=0", "n_probe=0")
    model = ("generator=hf", f"generator.model={base}", "generator.dtype=float32", "generator.device=cpu", "generator.max_new_tokens=8")
    ended = command("mode=finetune", *data, *model, "adapter.learning_rate=0.02", "adapter.batch_size=2", "prompt.style=plain")
    training = ended.record["facts"]["training"]
    assert (training["stopped"], training["n_rows"], training["curve"][-1]["share"]) == ("learned", 4, 1.0)
    assert f"Trained: {training['epochs']:g} passes over 4 rows" in ended.out
    assert ended.record["estimates"]["answer/em_train_phrasing"]["mean"] == 1.0
    untrained = command("mode=closed_book", *data, *model, "prompt.style=plain")
    assert untrained.record["facts"]["training"] is None


def test_before_it_begins_a_training_says_what_it_will_do_and_after_three_steps_how_long_that_takes(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "TOLD_S", 0.0)
    fit(tmp_path, base, **{**LEARNS, "max_epochs": 3.0})
    said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fine-tuning")]
    rows = lora(tmp_path, **LEARNS).training_job(hf(base), PROMPT, DATASET, 0).rows
    n_tokens = sum(len(row["input_ids"]) for row in tokenized(hf(base).base("float32")[0], rows))
    assert said[0].startswith(f"fine-tuning on 8 rows of {n_tokens} tokens, ")
    assert said[0].endswith("of them learned: at most 6 steps in 3 passes, until 1 of 8 training questions are learned")
    assert re.fullmatch(r"fine-tuning: [\d.]+ s a step, [\d.]+ s a pass; at most [\d.]+ s left", said[1])


def test_time_left_counts_tokens_for_batches_of_long_rows_come_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr("rag_eval.progress.REPORT_S", 0.0)
    rows = {"input_ids": [[1] * 300] * 3 + [[1] * 10] * 10, "labels": [[1]] * 13}  # 1,000 tokens a pass
    state = SimpleNamespace(max_steps=26, global_step=0, num_input_tokens_seen=0)
    with TrainingBar(SimpleNamespace(epochs=2.0, until_learned=1.0, most_epochs=2.0), 0) as bar:
        bar.on_train_begin(None, state, None, train_dataloader=SimpleNamespace(dataset=rows))
        for n_tokens in (300, 300, 300, 10):
            clock[0] += n_tokens / 10  # ten tokens a second
            state.global_step, state.num_input_tokens_seen = state.global_step + 1, state.num_input_tokens_seen + n_tokens
            bar.on_step_end(None, state, None)
    said = capsys.readouterr().err.splitlines()
    assert "fine-tuning: 7.7 s a step, 100 s a pass; 3 min left" in said
    assert said[-1] == "fine-tuning: 4/26, 7.7 s a step, 3 min left"
