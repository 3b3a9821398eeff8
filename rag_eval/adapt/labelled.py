"""Fewer sums for the same losses on a CPU: in training rows most tokens are of prompts, which are not learned and often begin alike.

The vocabulary is scored only where a token is learned. What the prompts of a batch begin with is read once for all of them, and
the gradient reaches it through every row.
"""

from __future__ import annotations

import inspect
import logging
from functools import cached_property
from typing import Any

import torch
from peft import PeftModel
from transformers import DynamicCache
from trl import SFTTrainer

from rag_eval.adapt.together import gathered

log = logging.getLogger(__name__)

IGNORED = -100  # the label of a token that is not learned
WORTH = 0.1  # share of a batch's tokens that must fall away for its rows to share their beginning
SAME = 1e-3  # how far apart, relatively, the losses of a batch may be with and without sharing

Inputs = dict[str, Any]


class LabelledTrainer(SFTTrainer):  # type: ignore[misc]
    """An SFTTrainer with the same losses and fewer sums on a CPU; on a GPU it leaves them to TRL, whose kernels score as little there.

    Beginnings are shared where attention alone joins tokens, nothing is dropped at random, nothing is computed twice to spare
    memory, nothing is asked of how experts are chosen, and the first batch has the same loss both ways. Of several processes each
    shares what its own rows begin with.
    """

    shares: bool | None = None  # None = not known before the first batch that begins alike

    def compute_loss(self, model: Any, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        if inputs["labels"].device.type != "cpu":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return self._loss(model, inputs, n_alike(inputs) if self.shares else 0, return_outputs, num_items_in_batch)

    def try_sharing(self, model: Any, inputs: Inputs, num_items_in_batch: Any) -> None:
        """Find out by this batch whether beginnings are shared, if some process has one that begins alike."""
        n = n_alike(inputs)
        if any(gathered(n)):
            self.shares = self._reads_alike(model, inputs, n, num_items_in_batch)

    @torch.no_grad()
    def says(self, inputs: Inputs) -> list[bool]:
        """Of each row of a padded batch, whether every token that is learned is the likeliest after those before it."""
        inputs = {name: value.to(self.model.device) for name, value in inputs.items()}
        n = n_alike(inputs) if self.shares else 0
        beginning = {self._cache_name: self._read_once(inputs["input_ids"], n)} if n else {"use_cache": False}
        following = inputs["labels"][:, n + 1 :]
        is_learned = following != IGNORED
        was_training = self.model.training
        self.model.eval()
        with self.accelerator.autocast():
            read = self._backbone(input_ids=inputs["input_ids"][:, n:], attention_mask=inputs["attention_mask"], **beginning)
            scores = self._network.get_output_embeddings()(read.last_hidden_state[:, :-1][is_learned])
        self.model.train(was_training)
        is_right = torch.ones_like(is_learned)
        is_right[is_learned] = scores.argmax(-1) == following[is_learned]
        right: list[bool] = is_right.all(1).tolist()
        return right

    @torch.no_grad()
    def _reads_alike(self, model: Any, inputs: Inputs, n: int, num_items_in_batch: Any) -> bool:
        """Whether a batch has the same loss with its first n tokens read once: in all processes, which read at the same time."""
        whole, shared = (self._loss(model, inputs, at, False, num_items_in_batch).item() for at in (0, n))
        odd = next((pair for pair in gathered((shared, whole)) if not abs(pair[0] - pair[1]) <= SAME * abs(pair[1])), None)
        if odd:
            log.warning("this model reads a beginning that rows share otherwise (loss %g, by itself %g): not shared", *odd)
        return odd is None

    def _loss(self, model: Any, inputs: Inputs, n: int, return_outputs: bool, num_items_in_batch: Any) -> Any:
        """TRL's loss, the first n tokens of all rows read once."""
        following = inputs["labels"][:, n + 1 :]
        is_learned = following != IGNORED  # (rows, tokens - n - 1)
        rest = {name: value for name, value in inputs.items() if name != "labels"}
        if n:
            rest |= {"input_ids": inputs["input_ids"][:, n:], self._cache_name: self._read_once(inputs["input_ids"], n)}

        def keep(_module: Any, _inputs: Any, output: Any) -> Any:
            output.last_hidden_state = output.last_hidden_state[:, :-1][is_learned][None]  # (1, learned tokens, hidden size)
            return output

        hook = self._backbone.register_forward_hook(keep)
        try:
            return super().compute_loss(model, {**rest, "shift_labels": following[is_learned][None]}, return_outputs, num_items_in_batch)
        finally:
            hook.remove()

    def _read_once(self, ids: torch.Tensor, n: int) -> DynamicCache:
        """The keys and values of the first n tokens, for every row."""
        cache = DynamicCache(config=self._backbone.config)
        with self.accelerator.autocast():
            self._backbone(input_ids=ids[:1, :n], use_cache=True, **{self._cache_name: cache})
        cache.batch_repeat_interleave(len(ids))
        return cache

    @cached_property
    def _cache_name(self) -> str:
        """What the network calls the keys and values that it was given; transformers is about to rename them."""
        return "cache" if "cache" in inspect.signature(self._backbone.forward).parameters else "past_key_values"

    @cached_property
    def may_share(self) -> bool:
        """Whether the model is one whose rows can be tried for sharing what they begin with."""
        config = self._backbone.config
        dropouts = [module.p for module in self.model.modules() if isinstance(module, torch.nn.Dropout)]
        return (
            self.model.device.type == "cpu"
            and not self.args.padding_free
            and not self.args.gradient_checkpointing
            and not self.aux_loss_enabled
            and not any(dropouts)
            and not getattr(config, "attention_dropout", 0)
            and getattr(config, "num_attention_heads", None) is not None
            and set(getattr(config, "layer_types", None) or ()) <= {"full_attention"}
        )

    @property
    def _backbone(self) -> torch.nn.Module:
        """The network below its head."""
        backbone: torch.nn.Module = self._network.base_model
        return backbone

    @property
    def _network(self) -> Any:
        """The causal language model, adapted or not."""
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model


def n_alike(inputs: Inputs) -> int:
    """How many tokens all rows of a padded batch begin with, neither they nor the one after learned; 0 = not worth it, or none is learned.

    Args:
        inputs: int64 (rows, tokens) each: input_ids, labels, attention_mask; rows laid end to end have no mask and share nothing.
    """
    if "attention_mask" not in inputs:
        return 0
    ids, labels, mask = (inputs[name] for name in ("input_ids", "labels", "attention_mask"))
    is_alike = (ids == ids[:1]).all(0) & (labels == IGNORED).all(0) & mask.bool().all(0)
    n = int(is_alike.long().cumprod(0).sum()) - 1  # the last one is read by every row: it tells what is learned first
    n_rows, n_tokens = ids.shape
    is_worth = n > 0 and n * (n_rows - 1) >= WORTH * n_rows * n_tokens
    return n if is_worth and bool((labels != IGNORED).any()) else 0
