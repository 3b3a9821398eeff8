"""Generation settings in a model's folder that would affect greedy decoding, and the plain settings used instead."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from transformers import GenerationConfig

log = logging.getLogger(__name__)

# Settings that change greedy decoding, each with its neutral values; None is always neutral.
ACTING: dict[str, tuple[Any, ...]] = {
    # scores are changed
    "repetition_penalty": (1,),
    "encoder_repetition_penalty": (1,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "bad_words_ids": ([],),
    "sequence_bias": ([], {}),
    "suppress_tokens": ([],),
    "begin_suppress_tokens": ([],),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "exponential_decay_length_penalty": (),
    "guidance_scale": (1,),
    "watermarking_config": (),
    "remove_invalid_values": (False,),
    # answers end later or earlier
    "min_length": (0,),
    "min_new_tokens": (0,),
    "max_time": (),
    "stop_strings": ([], ""),
    "is_assistant": (False,),
    # another way of decoding
    "num_beams": (1,),
    "num_beam_groups": (1,),
    "num_return_sequences": (1,),
    "constraints": ([],),
    "force_words_ids": ([],),
    "penalty_alpha": (0,),
    "dola_layers": (),
    "use_mtp": (False,),
    "prompt_lookup_num_tokens": (0,),
    "assistant_early_exit": (0,),
    "assistant_ensemble_weight": (),
    "speculation_type": (),
    "token_healing": (False,),
    # keys and values in fewer bits, or in chunks, or not at all
    "cache_implementation": ("dynamic", "hybrid"),
    "cache_config": ({},),
    "prefill_chunk_size": (),
    "use_cache": (True,),
}
# Settings that are always replaced by rag_eval's own.
USED = frozenset({"do_sample", "max_length", "max_new_tokens", "eos_token_id", "pad_token_id"})
# Settings without effect on greedy decoding without beams and assistants.
HARMLESS = frozenset(
    {
        *("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff", "renormalize_logits"),  # sampling
        *("early_stopping", "length_penalty", "diversity_penalty", "low_memory"),  # beams
        *("num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold", "max_matching_ngram_size"),
        *("assistant_lookbehind", "target_lookbehind"),
        *("output_attentions", "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate"),
        *("max_cache_len", "compile_config", "disable_compile", "continuous_batching_config"),
        *("bos_token_id", "decoder_start_token_id", "transformers_version", "_from_model_config"),
    }
)


def overridden(settings: Any) -> dict[str, Any]:
    """Settings of a folder that would change greedy decoding and are not used."""
    found = {name: getattr(settings, name, None) for name in ACTING}
    return {name: _plain_data(value) for name, value in sorted(found.items()) if value is not None and value not in ACTING[name]}


def ends(settings: Any, tokenizer: Any) -> frozenset[int]:
    """End tokens of the folder's settings and of its tokenizer, including padding."""
    named = settings.eos_token_id if isinstance(settings.eos_token_id, list) else [settings.eos_token_id]
    return frozenset(id for id in (*named, tokenizer.eos_token_id, tokenizer.pad_token_id) if id is not None)


def plain() -> Any:
    """Settings for greedy decoding."""
    return GenerationConfig(do_sample=False, num_beams=1)


@cache
def warn_once(said: str) -> None:
    """Log a warning once per process."""
    log.warning(said)


def _plain_data(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else value
