"""Completion-only loss with less computation on CPU: logits only for learned tokens, and common prompt prefixes computed once.

Gradients flow into the shared prefix from every row.
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

from rag_eval.adapt.trainer.process_group import all_gather

log = logging.getLogger(__name__)

IGNORED = -100  # label of a token that is not learned
WORTH = 0.1  # minimum share of a batch's tokens saved for its common prefix to be shared
SAME = 1e-3  # tolerated relative difference of the losses with and without sharing

Inputs = dict[str, Any]


class CompletionTrainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer with the same loss and less computation on CPU; on GPU it uses TRL's loss.

    Prefixes are shared if tokens interact through full attention only, there is no dropout, no gradient checkpointing and no load-balancing
    loss, and the first batch has the same loss with and without sharing. With several processes each shares the prefix of its own rows.
    """

    shares: bool | None = None  # None = not decided before the first batch with a common prefix

    def compute_loss(self, model: Any, inputs: Inputs, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        if inputs["labels"].device.type != "cpu":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return self._loss(model, inputs, n_alike(inputs) if self.shares else 0, return_outputs, num_items_in_batch)

    def try_sharing(self, model: Any, inputs: Inputs, num_items_in_batch: Any) -> None:
        """Decide whether to share prefixes, from a batch with a common prefix in some process.

        Args:
            model: model of the training step.
            inputs: a padded batch.
            num_items_in_batch: number of learned tokens in the whole batch.
        """
        n = n_alike(inputs)
        if any(all_gather(n)):
            self.shares = self._reads_alike(model, inputs, n, num_items_in_batch)

    @torch.no_grad()
    def says(self, inputs: Inputs) -> list[bool]:
        """For each row of a padded batch, whether every learned token has the highest logit given the tokens before it."""
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
        """Whether a batch has the same loss, in all processes, with its first n tokens computed once."""
        whole, shared = (self._loss(model, inputs, at, False, num_items_in_batch).item() for at in (0, n))
        odd = next((pair for pair in all_gather((shared, whole)) if not abs(pair[0] - pair[1]) <= SAME * abs(pair[1])), None)
        if odd:
            log.warning("this model reads a beginning that rows share otherwise (loss %g, by itself %g): not shared", *odd)
        return odd is None

    def _loss(self, model: Any, inputs: Inputs, n: int, return_outputs: bool, num_items_in_batch: Any) -> Any:
        """TRL's loss with the first n tokens of all rows computed once."""
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
        """Keys and values of the first n tokens, repeated for every row."""
        cache = DynamicCache(config=self._backbone.config)
        with self.accelerator.autocast():
            self._backbone(input_ids=ids[:1, :n], use_cache=True, **{self._cache_name: cache})
        cache.batch_repeat_interleave(len(ids))
        return cache

    @cached_property
    def _cache_name(self) -> str:
        """Name of the cache argument, which transformers is about to rename."""
        return "cache" if "cache" in inspect.signature(self._backbone.forward).parameters else "past_key_values"

    @cached_property
    def may_share(self) -> bool:
        """Whether the model and the settings allow sharing to be tried."""
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
        """The network without its LM head."""
        backbone: torch.nn.Module = self._network.base_model
        return backbone

    @property
    def _network(self) -> Any:
        """The causal language model, without the PEFT wrapper."""
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model


def n_alike(inputs: Inputs) -> int:
    """Length of the common prefix of all rows of a padded batch, excluding learned tokens and the token before the first learned one.

    Args:
        inputs: int64 (rows, tokens) each: input_ids, labels, attention_mask. A packed batch has no mask and shares nothing.

    Returns:
        Number of tokens; 0 if little would be saved or nothing is learned.
    """
    if "attention_mask" not in inputs:
        return 0
    ids, labels, mask = (inputs[name] for name in ("input_ids", "labels", "attention_mask"))
    is_alike = (ids == ids[:1]).all(0) & (labels == IGNORED).all(0) & mask.bool().all(0)
    n = int(is_alike.long().cumprod(0).sum()) - 1  # the last one is read by every row: it tells what is learned first
    n_rows, n_tokens = ids.shape
    is_worth = n > 0 and n * (n_rows - 1) >= WORTH * n_rows * n_tokens
    return n if is_worth and bool((labels != IGNORED).any()) else 0
