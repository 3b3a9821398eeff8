"""A batch that is taken in parts trains as if it were whole, and no part holds more tokens than it may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rag_eval.adapt.trainer.completion_loss import n_alike
from rag_eval.adapt.trainer.job import TrainingJob, trainer_of
from rag_eval.adapt.trainer.micro_batches import MicroBatchTrainer, divided, lengths_of, parts_of, taken
from rag_eval.testing.models import write_random_model
from rag_eval.types import TrainingRow
from tests.adapt.experts import EXPERTS
from tests.adapt.tiny_training import DATASET, PROMPT, fit, hf, lora
from tests.claims import every

pytestmark = pytest.mark.train

HEADS = ("Answer in few words. " * 3, "Say what it is, and say no more than that. ")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


def batch(*rows: tuple[Sequence[int], int]) -> dict[str, torch.Tensor]:
    """Rows padded on the right, of each the last so many tokens learned."""
    longest = max(len(ids) for ids, _ in rows)
    return {
        "input_ids": torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids, _ in rows]),
        "labels": torch.tensor([[-100] * (len(ids) - n) + [*ids[-n:], *[-100] * (longest - len(ids))] for ids, n in rows]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows]),
    }


def gradients(trainer: MicroBatchTrainer, inputs: dict[str, Any], batch_tokens: int | None) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a step, and the gradients."""
    trainer.model.zero_grad()
    trainer.batch_tokens, trainer.shares = batch_tokens, None
    n_learned = (inputs["labels"] != -100).sum()
    loss = trainer.training_step(trainer.model, dict(inputs), n_learned)
    return loss.item(), {name: one.grad.clone() for name, one in trainer.model.named_parameters() if one.grad is not None}


def trainer_over(lesson: TrainingJob) -> MicroBatchTrainer:
    trainer = trainer_of(lesson, [])
    trainer.create_optimizer()
    trainer.current_gradient_accumulation_steps = 1  # as within a training
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)  # at 0 nothing reaches A
    return trainer


@pytest.mark.parametrize("changed", [{}, {"packing": True}, {"gradient_checkpointing": True}, {"dropout": 0.0, "dora": True}], ids=str)
@pytest.mark.parametrize("batch_tokens", [20, 45])
def test_losses_and_gradients_are_those_of_the_whole_batch(base: Path, tmp_path: Path, batch_tokens: int, changed: dict[str, Any]) -> None:
    trainer = trainer_over(lora(tmp_path, rank=8, batch_size=8, **changed).training_job(hf(base), PROMPT, DATASET, 0))
    inputs = next(iter(trainer.get_train_dataloader()))
    assert len(parts_of(inputs, batch_tokens, shares=False)) > 1
    whole, expected = gradients(trainer, inputs, None)
    in_parts, found = gradients(trainer, inputs, batch_tokens)
    assert in_parts == pytest.approx(whole, rel=1e-5)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max())), name


def test_a_mixture_of_experts_is_balanced_by_the_mean_of_its_parts(tmp_path: Path) -> None:
    base = write_random_model(tmp_path / "olmoe", config=EXPERTS["olmoe"])
    trainer = trainer_over(lora(tmp_path, batch_size=8).training_job(hf(base), PROMPT, DATASET, 0))
    inputs = next(iter(trainer.get_train_dataloader()))
    whole, in_parts = (gradients(trainer, inputs, n)[0] for n in (None, 20))
    assert len(trainer._metrics["train"]["aux_loss"]) > 4
    balance = trainer.router_aux_loss_coef * max(trainer._metrics["train"]["aux_loss"])
    assert in_parts == pytest.approx(whole, abs=balance / 2)


def test_no_more_tokens_are_computed_at_once_than_fit(base: Path, tmp_path: Path) -> None:
    trainer = trainer_over(lora(tmp_path, batch_size=8).training_job(hf(base), PROMPT, DATASET, 0))
    inputs = next(iter(trainer.get_train_dataloader()))
    longest = max(lengths_of(inputs))
    for batch_tokens in (2 * longest, 3 * longest, 1):
        sizes: list[int] = []
        hook = trainer._backbone.register_forward_pre_hook(
            lambda _module, _args, given, sizes=sizes: sizes.append(given["input_ids"].numel()), with_kwargs=True
        )
        gradients(trainer, inputs, batch_tokens)
        hook.remove()
        assert max(sizes) <= max(batch_tokens, longest)  # a row is never divided
        assert len(sizes) >= 8 * longest / max(batch_tokens, longest) / 2


def test_rows_that_begin_alike_are_read_together_and_their_gradients_stay(base: Path, tmp_path: Path) -> None:
    rows = [TrainingRow(f"{HEADS[at % 3 == 2]}What is {at}?", f" liver {at}") for at in range(8)]
    lesson = replace(lora(tmp_path, rank=8, batch_size=8).training_job(hf(base), PROMPT, DATASET, 0), rows=rows)
    trainer = trainer_over(lesson)
    inputs = next(iter(trainer.get_train_dataloader()))
    parts = parts_of(inputs, None, shares=True)
    assert sorted(map(len, parts)) == [2, 6]
    assert every(n_alike(taken(inputs, part)) > 10 for part in parts)
    _, expected = gradients(trainer, inputs, None)
    assert trainer.shares
    trainer.may_share = False
    _, apart = gradients(trainer, inputs, None)
    assert trainer.shares is None
    for name, gradient in apart.items():
        assert torch.allclose(expected[name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max())), name


def test_a_batch_is_divided_by_beginnings_only_where_that_saves_much() -> None:
    long, other = list(range(100, 200)), list(range(300, 400))
    alike = [([*long, at, 5, 6], 2) for at in range(4)]
    assert parts_of(batch(*alike), None, shares=True) == [[0, 1, 2, 3]]
    assert parts_of(batch(*alike), None, shares=False) == [[0, 1, 2, 3]]
    mixed = [alike[0], ([*other, 1, 5, 6], 2), alike[1], ([*other, 2, 5, 6], 2), alike[2]]
    assert parts_of(batch(*mixed), None, shares=True) == [[0, 2, 4], [1, 3]]
    assert parts_of(batch(*mixed), None, shares=False) == [[0, 1, 2, 3, 4]]
    short = [([1, 2, at, 5, 6], 2) for at in range(3)] + [([7, 8, at, 5, 6], 2) for at in range(3)]
    assert parts_of(batch(*short), None, shares=True) == [[0, 1, 2, 3, 4, 5]]


def test_what_is_read_once_counts_once_and_what_is_kept_of_it_counts_little() -> None:
    rows = batch(*[([*range(100, 180), at, 5, 6], 2) for at in range(8)])  # 83 tokens, of which the last three are read by each
    assert n_alike(rows) == 80 - 1
    assert [len(part) for part in parts_of(rows, 166, shares=False)] == [2, 2, 2, 2]
    assert [len(part) for part in parts_of(rows, 166, shares=True)] == [4, 4]
    assert [len(part) for part in parts_of(rows, 10, shares=True)] == [1] * 8


def test_processes_have_as_many_parts_as_the_one_with_most() -> None:
    assert divided([[0, 1, 2, 3]], 1) == [[0, 1, 2, 3]]
    assert divided([[0, 1, 2, 3]], 3) == [[0], [1], [2, 3]]
    assert divided([[0], [1, 2, 3]], 4) == [[0], [1], [2], [3]]


def test_the_same_adapter_comes_out_but_for_rounding(base: Path, tmp_path: Path) -> None:
    said = []
    for at, batch_tokens in enumerate((None, 40)):
        generator, kept = fit(tmp_path / str(at), base, rank=16, alpha=32, epochs=20.0, learning_rate=0.003, batch_tokens=batch_tokens)
        said.append([one.text for one in generator.generate([PROMPT.render(example, ()) for example in DATASET.train])])
        assert not kept.is_hit
    assert said[0] == said[1]
