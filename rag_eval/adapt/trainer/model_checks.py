"""Checks that a model can be trained with the settings: target layers, logits in TRL's loss, and isolation of packed rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from rag_eval.errors import ConfigError

_TOLERANCE = 1e-3  # relative to the largest logit; attention across rows causes much larger differences
_N_SCORED = 64  # number of compared tokens
_SAME_SCORES = 0.05  # relative to the largest log-probability; above rounding errors, below the effect of a skipped layer
_EMBEDDING = ".lora_embedding_"


@contextmanager
def choosing_layers() -> Iterator[None]:
    """Convert errors of PEFT or TRL about the target layers.

    Yields:
        Nothing.

    Raises:
        ConfigError: with their message.
    """
    try:
        yield
    except (ValueError, re.error) as error:
        raise ConfigError(f"adapter.target_modules does not suit the model: {' '.join(str(error).split())[:300]}") from error


def check_linear(model: Any) -> None:
    """Check that no embedding is adapted: if it is tied to the output, the adapter cannot be merged.

    Args:
        model: PEFT model.

    Raises:
        ConfigError: naming the embedding.
    """
    found = next((name for name, _ in model.named_parameters() if _EMBEDDING in name), None)
    if found:
        raise ConfigError(f"adapter.target_modules: {found.partition(_EMBEDDING)[0]} is an embedding; choose linear layers.")


@torch.no_grad()
def check_scored(trainer: Any) -> None:
    """Check that TRL computes the model's own logits.

    TRL multiplies the last hidden states by the weights of the LM head, but some models apply further operations there.

    Args:
        trainer: trainer with at least one row.

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
        return  # reported by the first training step, with the rows
    if not torch.allclose(found, own, rtol=0, atol=_SAME_SCORES * own.abs().max().item()):
        kind = model.config.model_type
        raise ConfigError(
            f"adapter: a model of type {kind} cannot be trained: the training library passes over a part of the network between its "
            "layers and its words, so that another model would be trained. Use a model of another type."
        )


def check_blind(trainer: Any) -> None:
    """Check that a model does not attend across packed rows, by changing the first of two rows.

    Args:
        trainer: trainer with at least one row.

    Raises:
        ConfigError: if the logits of the second row change, or the model cannot process such a batch.
    """  # noqa: DOC501 (a helper builds the exception)
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
    """Logits float32 (n_tokens, n_words) of packed rows; uses no random numbers."""
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
