"""The vocabulary is scored only where a token is learned: in a training row most tokens are of the prompt, which is not."""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModel
from trl import SFTTrainer

IGNORED = -100  # the label of a token that is not learned


class LabelledTrainer(SFTTrainer):  # type: ignore[misc]
    """An SFTTrainer with the same losses and fewer sums on a CPU; on a GPU it leaves them to TRL, whose kernels do the same there."""

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        if inputs["labels"].device.type != "cpu":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        following = inputs["labels"][:, 1:]
        is_learned = following != IGNORED  # (rows, tokens - 1)

        def keep(_module: Any, _inputs: Any, output: Any) -> Any:
            output.last_hidden_state = output.last_hidden_state[:, :-1][is_learned][None]  # (1, learned tokens, hidden size)
            return output

        rest = {name: value for name, value in inputs.items() if name != "labels"}
        hook = self._backbone.register_forward_hook(keep)
        try:
            return super().compute_loss(model, {**rest, "shift_labels": following[is_learned][None]}, return_outputs, num_items_in_batch)
        finally:
            hook.remove()

    @property
    def _backbone(self) -> torch.nn.Module:
        """The network below its head."""
        network = self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model
        backbone: torch.nn.Module = network.base_model
        return backbone
