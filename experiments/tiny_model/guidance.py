"""Guided attention: a few heads of the embedded model are told where to look, until they look there by themselves.

Reading one passage among several takes three looks: from a stated value back to the name in its sentence, from the end
of a question back to the name in it, and from there to the value that is stated of that name. A question of two or three
hops takes the last of these once for each hop, in later layers. Gradient descent alone did not find them in the runs that
experiments/LOG.md tells of. The loss added here is the negative logarithm of the attention that a head gives to its
target (compare Deshpande and Narasimhan 2020, arXiv 2010.02399).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

Look = Literal["value to name", "question to name", "to the first value", "to the second value", "to the last value"]
HOPS: tuple[Look, ...] = ("to the first value", "to the second value", "to the last value")
HEADS: dict[Look, tuple[tuple[int, int], ...]] = {  # (layer, head)
    "value to name": ((1, 0),),
    "question to name": ((1, 1),),
    "to the first value": ((3, 0),),
    "to the second value": ((4, 0),),
    "to the last value": ((5, 0), (5, 1)),
}


@dataclass(frozen=True)
class Guide:
    """From which token of a row to which tokens of it."""

    look: Look
    query: int
    first: int  # of the target
    last: int  # of the target, included


class Guidance:
    """Follows the queries and keys of the guided layers: `Guidance(model)` once, `loss` after each forward pass."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        self._model = model
        self._seen: dict[tuple[int, str], torch.Tensor] = {}
        for layer in {layer for heads in HEADS.values() for layer, _ in heads}:
            attention = model.model.layers[layer].self_attn
            for name in ("q_proj", "k_proj"):
                getattr(attention, name).register_forward_hook(
                    lambda _module, _inputs, output, key=(layer, name): self._seen.__setitem__(key, output)
                )

    def loss(self, guides: Sequence[Sequence[Guide]], positions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Negative log of the attention on the targets, averaged over the heads of a look and summed over guides.

        Args:
            guides: guides of each row.
            positions: int64 (b, t), token positions.
            mask: bool (b, 1, t, t), True where a token may look.

        Returns:
            float32 ().
        """
        total = torch.zeros(())
        for look, heads in HEADS.items():
            chosen = [(at, guide) for at, row in enumerate(guides) for guide in row if guide.look == look]
            if not chosen:
                continue
            row = torch.tensor([at for at, _ in chosen])
            query = torch.tensor([guide.query for _, guide in chosen])
            places = torch.arange(positions.shape[1])
            is_target = (places >= torch.tensor([[guide.first] for _, guide in chosen])) & (
                places <= torch.tensor([[guide.last] for _, guide in chosen])
            )
            hidden = ~mask[row, 0, query]
            for layer, head in heads:
                scores = self._scores(layer, head, row, query, positions).masked_fill(hidden, -torch.inf)
                found = scores.log_softmax(-1).masked_fill(~is_target, -torch.inf).logsumexp(-1)
                total = total - found.sum() / len(heads)
        return total

    def _scores(self, layer: int, head: int, row: torch.Tensor, query: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """float32 (n, t): what a head's attention is before it is normalised, for n query tokens."""
        dim = self._model.config.head_dim
        part = slice(head * dim, (head + 1) * dim)
        q, k = (self._seen[layer, name][..., part][:, None] for name in ("q_proj", "k_proj"))
        q, k = apply_rotary_pos_emb(q, k, *self._model.model.rotary_emb(q, positions))
        found: torch.Tensor = torch.einsum("nd,ntd->nt", q[row, 0, query], k[row, 0]) / dim**0.5
        return found
