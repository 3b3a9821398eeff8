"""Whether a model can be taught in the way that is wanted: layers that it has, scores that are its own, rows that it keeps apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from rag_eval.errors import ConfigError

_TOLERANCE = 1e-3  # of the largest logit; a model that looks across the border is off by many times that
_N_SCORED = 64  # tokens of a row whose scores are compared
_SAME_SCORES = 0.05  # of the largest log-probability: rounding in few bits is below, a part of the network that is passed over above
_EMBEDDING = ".lora_embedding_"


@contextmanager
def choosing_layers() -> Iterator[None]:
    """Says in one line which choice of layers PEFT or TRL refuses.

    Raises:
        ConfigError: with what they say.
    """
    try:
        yield
    except (ValueError, re.error) as error:
        raise ConfigError(f"adapter.target_modules does not suit the model: {' '.join(str(error).split())[:300]}") from error


def check_linear(model: Any) -> None:
    """Refuse an adapter of an embedding: where input and output share it, what is trained beside it cannot be merged into it.

    Raises:
        ConfigError: naming it.
    """
    found = next((name for name, _ in model.named_parameters() if _EMBEDDING in name), None)
    if found:
        raise ConfigError(f"adapter.target_modules: {found.partition(_EMBEDDING)[0]} is an embedding; choose linear layers.")


@torch.no_grad()
def check_scored(trainer: Any) -> None:
    """Refuse a model whose words TRL scores otherwise than it does itself: TRL multiplies what comes out of the layers by the head's
    weights, and some models do more there.

    Raises:
        ConfigError: if the log-probabilities of the first row differ.
    """
    model, was_training = trainer.model, trainer.model.training
    ids = torch.tensor([trainer.train_dataset["input_ids"][0][:_N_SCORED]], device=model.device)
    model.eval()
    with trainer.accelerator.autocast():
        found = model(input_ids=ids, labels=ids, use_cache=False, fused_lm_head=True).log_probs.float().flatten()
        own = model(input_ids=ids, use_cache=False).logits[0, :-1].float().log_softmax(-1).gather(1, ids[0, 1:, None]).flatten()
    model.train(was_training)
    if not own.isfinite().all():
        return  # the step whose loss is no number names its rows
    if not torch.allclose(found, own, rtol=0, atol=_SAME_SCORES * own.abs().max().item()):
        kind = model.config.model_type
        raise ConfigError(
            f"adapter: a model of type {kind} cannot be trained: the training library passes over a part of the network between its "
            "layers and its words, so that another model would be trained. Use a model of another type."
        )


def check_blind(trainer: Any) -> None:
    """Refuse a model that sees across the border of rows laid end to end: not every architecture minds where a row begins.

    What the first row says must not change the logits of the second.

    Raises:
        ConfigError: if it does, or if the model cannot read such a batch.
    """
    rows = sorted(trainer.train_dataset["input_ids"][: len(trainer.rows)], key=len)[:2]
    first, second = rows[0], rows[-1]
    n_words = trainer.model.config.get_text_config().vocab_size
    changed = [(token + 1) % n_words for token in first]
    try:
        one, other = (_logits(trainer, [before, second])[len(first) :] for before in (first, changed))
    except (RuntimeError, IndexError) as error:
        raise _no_packing(trainer, f"cannot be read ({' '.join(str(error).split())[:120]})") from error
    if not torch.allclose(one, other, rtol=0, atol=_TOLERANCE * one.abs().max().item()):
        raise _no_packing(trainer, "see each other")


@torch.no_grad()
def _logits(trainer: Any, rows: list[list[int]]) -> torch.Tensor:
    """float32 (n_tokens, n_words) of rows laid end to end; draws no random numbers."""
    batch = trainer.data_collator([{"input_ids": ids, "labels": ids} for ids in rows])
    inputs = {name: value for name, value in trainer._prepare_inputs(batch).items() if name != "labels"}
    model, was_training = trainer.model, trainer.model.training
    model.eval()
    found: torch.Tensor = model(**inputs, use_cache=False).logits[0].float()
    model.train(was_training)
    return found


def _no_packing(trainer: Any, what: str) -> ConfigError:
    kind = trainer.model.config.model_type
    return ConfigError(f"adapter.packing: rows laid end to end {what} in a model of type {kind}; set adapter.packing=false.")
