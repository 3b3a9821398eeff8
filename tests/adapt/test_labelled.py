"""Scoring the vocabulary where a token is learned only, and reading a common beginning once, leave TRL's losses as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import SFTTrainer

from rag_eval.adapt.trainer import completion_loss
from rag_eval.adapt.trainer.completion_loss import CompletionTrainer, n_alike
from rag_eval.adapt.trainer.job import TrainingJob, trainer_of
from rag_eval.testing.models import write_random_model
from tests.adapt.tiny_training import DATASET, PROMPT, hf, lora


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


def losses(lesson: TrainingJob) -> list[float]:
    """Of each step of a training, then on the dev questions."""
    trainer = trainer_of(lesson, [])
    found: list[float] = []
    step = trainer.training_step

    def watched(*inputs: Any) -> torch.Tensor:
        loss = step(*inputs)
        found.append(loss.item())
        return loss

    trainer.training_step = watched
    trainer.train()
    return [*found, trainer.evaluate()["eval_loss"]]


@pytest.mark.parametrize("changed", [{}, {"packing": True}, {"gradient_checkpointing": True}], ids=str)
@pytest.mark.parametrize("trains_all", [False, True], ids=["lora", "full"])
def test_the_losses_are_those_of_trl_over_the_same_steps(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trains_all: bool, changed: dict[str, bool]
) -> None:
    lesson = lora(tmp_path, rank=32, alpha=64, epochs=3.0, eval_every=100, **changed).training_job(hf(base), PROMPT, DATASET, 0)
    lesson = replace(lesson, lora=None) if trains_all else lesson
    ours = losses(lesson)
    monkeypatch.setattr(CompletionTrainer, "compute_loss", SFTTrainer.compute_loss)
    assert len(ours) == 7
    assert sum(ours[4:6]) < 0.9 * sum(ours[:2])  # the last epoch and the first: it learns
    assert ours == pytest.approx(losses(lesson), rel=1e-5)


def test_the_head_is_shown_no_token_of_a_prompt(base: Path, tmp_path: Path) -> None:
    trainer = trainer_of(lora(tmp_path).training_job(hf(base), PROMPT, DATASET, 0), [])
    network = trainer.model.get_base_model()
    forward, scored = network.forward, []

    def watched(**inputs: Any) -> Any:
        output = forward(**inputs)
        scored.append(output.log_probs.numel())
        return output

    network.forward = watched
    first = next(iter(trainer.get_train_dataloader()))
    trainer.train()
    learned = sum(int((batch["labels"] != -100).sum()) for batch in trainer.get_train_dataloader())
    assert sum(scored) == learned + int((first["labels"] != -100).sum()) * 2  # the first batch is read both ways beforehand


def batch(*rows: Sequence[int], learned: int = 1) -> dict[str, torch.Tensor]:
    """Rows padded with 0 on the right, the last so many tokens of each learned."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    labels = torch.tensor([[-100] * (len(row) - learned) + [*row[-learned:], *[-100] * (longest - len(row))] for row in rows])
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


@pytest.mark.parametrize(
    ("inputs", "n"),
    [
        (batch([5, 6, 7, 8, 9], [5, 6, 7, 1, 2]), 2),  # three alike, of which each row reads the last
        (batch([5, 6, 7, 8, 9], [5, 6, 7, 1]), 2),
        (batch([5, 6, 7, 8, 9], [5, 6, 7, 1, 2], learned=3), 1),  # the third is learned
        (batch([5, 6, 7], [1, 6, 7]), 0),
        (batch([5, 6, 7], [5, 1, 2]), 0),  # one alike
        (batch([5, 6, 7, 8]), 0),  # a single row shares with nobody
        (batch([5, 6, 0, 8, 9], [5, 6]), 0),  # the second row is over where the first has the token of padding
        (batch(*[[5, 6, *range(40)]] * 2, learned=39), 0),  # not worth it
        ({**batch([5, 6, 7, 8], [5, 6, 7, 9]), "labels": torch.full((2, 4), -100)}, 0),  # blank rows of a share show nothing
        ({name: value for name, value in batch([5, 6, 7], [5, 6, 8]).items() if name != "attention_mask"}, 0),  # laid end to end
    ],
)
def test_rows_share_what_all_of_them_begin_with_and_none_learns(inputs: dict[str, torch.Tensor], n: int) -> None:
    assert n_alike(inputs) == n


@pytest.mark.parametrize("trains_all", [False, True], ids=["lora", "full"])
def test_gradients_are_those_of_rows_that_share_nothing(base: Path, tmp_path: Path, trains_all: bool) -> None:
    lesson = lora(tmp_path, rank=8, alpha=16).training_job(hf(base), PROMPT, DATASET, 0)
    trainer = trainer_of(replace(lesson, lora=None) if trains_all else lesson, [])
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)  # at 0 nothing reaches A
    inputs = next(iter(trainer.get_train_dataloader()))
    n = n_alike(inputs)
    assert n > 0
    found = []
    for at in (0, n):
        trainer.model.zero_grad()
        trainer._loss(trainer.model, inputs, at, False, None).backward()
        found.append({name: weight.grad.clone() for name, weight in trainer.model.named_parameters() if weight.grad is not None})
    whole, shared = found
    assert whole.keys() == shared.keys()
    for name, gradient in whole.items():
        assert torch.allclose(shared[name], gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max())), name


@pytest.mark.parametrize("changed", [{}, {"dropout": 0.1}, {"gradient_checkpointing": True}], ids=str)
def test_rows_share_only_where_nothing_is_dropped_or_computed_twice(base: Path, tmp_path: Path, changed: dict[str, Any]) -> None:
    assert trainer_of(lora(tmp_path, **changed).training_job(hf(base), PROMPT, DATASET, 0), []).may_share is (not changed)


def test_a_model_that_reads_a_shared_beginning_otherwise_is_trained_on_whole_rows(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lesson = lora(tmp_path, eval_every=100).training_job(hf(base), PROMPT, DATASET, 0)
    expected = losses(lesson)
    read = CompletionTrainer._read_once
    monkeypatch.setattr(completion_loss.CompletionTrainer, "_read_once", lambda self, ids, n: read(self, ids.flip(1), n))
    assert losses(lesson) == pytest.approx(expected, rel=1e-5)
    assert "not shared" in caplog.text
