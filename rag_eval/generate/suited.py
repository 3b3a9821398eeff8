"""Whether `OwnLoop` supports a network: by its configuration, then by comparing logits with those of transformers.

For networks left to transformers, whether padding affects the result.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from rag_eval.errors import is_out_of_memory
from rag_eval.generate.greedy import OwnLoop
from rag_eval.generate.hf_generate import PADDING, padded
from rag_eval.generate.slots import Part, Slots, Step, padding_mask

N_COMPARED, N_SHORT = 24, 8  # lengths of the two compared texts, the second a prefix of the first
# Tolerated difference of logits relative to the largest, due to the order of summation.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.1}
# Position encodings that depend on the length of the longest text of a batch.
_BY_LENGTH = {"dynamic", "longrope"}


def without_adapter_class(network: Any) -> Any:
    """The network of transformers inside a PEFT model; any other network unchanged."""
    return network.get_base_model() if hasattr(network, "peft_config") else network


def unsuited(network: Any) -> str | None:
    """Property of a network that `OwnLoop` does not support; None if there is none."""
    if network.device.type != "cpu":
        return "our loop was measured on CPUs only"
    for adapter in getattr(network, "peft_config", {}).values():
        if adapter.peft_type != "LORA" or getattr(adapter, "alora_invocation_tokens", None):
            return f"an adapter of type {adapter.peft_type} does more than change weights"
    inner = without_adapter_class(network)
    config = inner.config
    if config.is_encoder_decoder or config.sub_configs:
        return "it is more than a language model"
    if config._attn_implementation != "sdpa" or not inner._supports_attention_backend:
        return "its attention cannot be exchanged"
    if not {"position_ids", "logits_to_keep"} <= set(inspect.signature(inner.forward).parameters):
        return "it takes no positions, or scores every token"
    kinds = sorted({type(layer).__name__ for layer in DynamicCache(config=config).layers})
    if kinds != [DynamicLayer.__name__] or not inner._supports_default_dynamic_cache():
        return f"its cache is no plain one of keys and values: {', '.join(kinds)}"
    by_length = _BY_LENGTH.intersection(_values(config.to_dict(), {"rope_type", "type"}))
    return f"its positions depend on the length of a batch: {', '.join(sorted(by_length))}" if by_length else None


@torch.inference_mode()
def differs(network: Any) -> str | None:
    """Reason if the logits of a short text differ too much from those of transformers; None if they agree. For supported networks only."""
    text = [at * 997 % network.config.vocab_size for at in range(N_COMPARED)]  # tokens from everywhere
    try:
        expected = torch.cat([_scores(network, text), _scores(network, text[:N_SHORT])])
        found = _in_slots(network, text)
    except Exception as error:  # an unsupported network may raise any exception
        if is_out_of_memory(error):
            raise
        return f"it cannot be read by our loop ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
    apart = float((found - expected).abs().max() / expected.abs().max())
    return None if apart <= TOLERANCE[network.dtype] else f"its scores are {apart:.3g} from those of transformers, in parts of the greatest"


@torch.inference_mode()
def sees_padding(network: Any) -> bool:
    """Whether left padding changes the logits of `generate`, as in recurrent networks."""
    n_words = network.get_input_embeddings().weight.shape[0]
    text = [at * 997 % n_words for at in range(N_COMPARED)]
    alone, beside = (_generated(network, prompts) for prompts in ([text[:N_SHORT]], [text, text[:N_SHORT]]))
    n = 2 if alone[0].argmax() == beside[0].argmax() else 1  # the second score is of what follows the first token
    return not bool((alone[:n] - beside[:n]).abs().max() <= TOLERANCE[network.dtype] * alone[:n].abs().max())


def _generated(network: Any, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
    """Logits (2, vocabulary) of the first two generated tokens of the last prompt of a batch."""
    ids, mask = padded(prompts, network.device)
    way = {"max_new_tokens": 2, "output_logits": True, "return_dict_in_generate": True}
    written = network.generate(input_ids=ids, attention_mask=mask, pad_token_id=PADDING, **way)
    return torch.stack([scores[-1].float() for scores in written.logits])


def _scores(network: Any, text: Sequence[int]) -> torch.Tensor:
    """Logits (2, vocabulary) after a text without its last token, and after the whole text."""
    scores: torch.Tensor = network(input_ids=torch.tensor([list(text)]), use_cache=False).logits[0, -2:].float()
    return scores


def _in_slots(network: Any, text: list[int]) -> torch.Tensor:
    """The same for a text and its prefix, (4, vocabulary), computed by `OwnLoop`: prefill in segments and a decoding step."""
    loop = OwnLoop(network)
    slots = Slots(loop.n_layers, 2 * N_COMPARED)
    n, begin = N_COMPARED // 2, N_COMPARED - N_SHORT
    rest, short = range(n, N_COMPARED - 1), range(N_SHORT - 1)
    slots.open([0, begin], N_COMPARED)
    with loop.attending():
        slots.now = [Part(0, 0, 0, 0, n)]
        loop.read(slots, [text[:n]], [range(n)], [n - 1])
        slots.now = [Part(0, 0, n, 0, len(rest)), Part(1, begin, begin, len(rest), len(short))]
        ends = [len(rest) - 1, len(rest) + len(short) - 1]
        read = loop.read(slots, [[text[at] for at in (*rest, *short)]], [[*rest, *short]], ends)
        slots.now = Step(2, 0, N_COMPARED - 1, padding_mask([0, begin], 0, N_COMPARED - 1, slots.dtype))
        last = loop.read(slots, [[text[-1]], [text[N_SHORT - 1]]], [[N_COMPARED - 1], [N_SHORT - 1]], [0])
    return torch.stack([read[0, 0], last[0, 0], read[0, 1], last[1, 0]]).float()


def _values(node: Any, names: set[str]) -> Iterator[str]:
    """String values under some keys in nested data."""
    if isinstance(node, Mapping):
        yield from (str(value) for name, value in node.items() if name in names and isinstance(value, str))
        for value in node.values():
            yield from _values(value, names)
