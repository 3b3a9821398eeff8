"""The vocabulary is scored where a token is learned only, with the losses that TRL has when it scores all of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import SFTTrainer

from rag_eval.adapt.labelled import LabelledTrainer
from rag_eval.adapt.training import Lesson, trainer_of
from tests.adapt.tiny_training import DATASET, PROMPT, hf, lora
from tests.models import write_random_model


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


def losses(lesson: Lesson) -> list[float]:
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
    lesson = lora(tmp_path, rank=32, alpha=64, epochs=3.0, eval_every=100, **changed).lesson(hf(base), PROMPT, DATASET, 0)
    lesson = replace(lesson, lora=None) if trains_all else lesson
    ours = losses(lesson)
    monkeypatch.setattr(LabelledTrainer, "compute_loss", SFTTrainer.compute_loss)
    assert len(ours) == 7
    assert sum(ours[4:6]) < 0.9 * sum(ours[:2])  # the last epoch and the first: it learns
    assert ours == pytest.approx(losses(lesson), rel=1e-5)


def test_the_head_is_shown_no_token_of_a_prompt(base: Path, tmp_path: Path) -> None:
    trainer = trainer_of(lora(tmp_path).lesson(hf(base), PROMPT, DATASET, 0), [])
    network = trainer.model.get_base_model()
    forward, scored = network.forward, []

    def watched(**inputs: Any) -> Any:
        output = forward(**inputs)
        scored.append(output.log_probs.numel())
        return output

    network.forward = watched
    trainer.train()
    learned = sum(int((batch["labels"] != -100).sum()) for batch in trainer.get_train_dataloader())
    assert sum(scored) == learned
