"""Mixtures of experts: their losses and gradients are TRL's own, what balances their experts included, and their adapters go round."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import SFTTrainer

from rag_eval.adapt.external import ExternalAdapter
from rag_eval.adapt.trainer.completion_loss import CompletionTrainer, n_alike
from rag_eval.adapt.trainer.job import trainer_of
from rag_eval.generate.hf import HF
from rag_eval.testing.models import write_random_model
from tests.adapt.experts import EXPERTS
from tests.adapt.tiny_training import DATASET, PROMPT, fit, hf, logits, lora

pytestmark = pytest.mark.train


@pytest.fixture(scope="module", params=EXPERTS)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / request.param, config=EXPERTS[request.param])


def found(trainer: CompletionTrainer, loss: Any, inputs: dict[str, Any]) -> tuple[float, dict[str, torch.Tensor]]:
    trainer.model.train().zero_grad()
    value = loss(trainer, trainer.model, dict(inputs))
    value.backward()
    return value.item(), {name: one.grad.clone() for name, one in trainer.model.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("trains_all", [False, True], ids=["lora", "full"])
def test_losses_and_gradients_are_those_of_trl(base: Path, tmp_path: Path, trains_all: bool) -> None:
    lesson = lora(tmp_path, rank=4).training_job(hf(base), PROMPT, DATASET, 0)
    trainer = trainer_of(replace(lesson, lora=None) if trains_all else lesson, [])
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)  # at 0 nothing reaches A
    inputs = next(iter(trainer.get_train_dataloader()))
    assert n_alike(inputs) > 0  # its rows begin alike, and would be read once without experts
    ours, gradients = found(trainer, CompletionTrainer.compute_loss, inputs)
    theirs, expected = found(trainer, SFTTrainer.compute_loss, inputs)
    assert trainer._metrics["train"]["aux_loss"][-1] > 0
    assert ours == pytest.approx(theirs, rel=1e-5)
    assert not trains_all or any(".gate." in name for name in expected)  # which chooses the experts
    assert gradients.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(gradients[name], gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max())), name


def test_an_adapter_answers_merged_as_beside_the_weights_and_when_it_is_given_by_others(base: Path, tmp_path: Path) -> None:
    trained, kept = fit(tmp_path, base, epochs=2.0)
    beside = hf(base, adapter=str(kept.path), adapter_mode="unmerged")
    given, _ = ExternalAdapter(str(kept.path)).fit(hf(base), PROMPT, DATASET, 0)
    assert isinstance(given, HF)
    expected = logits(beside._network, base)
    assert not torch.allclose(expected, logits(hf(base)._network, base), atol=0.1)
    for generator in (trained, given):
        assert torch.allclose(logits(generator._network, base), expected, atol=1e-3)
    stated = json.loads((kept.path / "adapter_config.json").read_text())
    for key in ("target_modules", "target_parameters"):
        assert stated[key] in (None, sorted(stated[key] or ()))  # the same file on every machine
