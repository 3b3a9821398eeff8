"""A causal language model on disk or on the hub: configuration, tokenizer and network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.constants import HF_HUB_OFFLINE
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, GenerationConfig

from rag_eval.errors import DataError, EnvironmentFault
from rag_eval.generate.hf_soundness import check_finite, check_whole


def with_end_and_padding(tokenizer: Any, config: Any) -> Any:
    """Complete the special tokens of a tokenizer.

    The end token is taken from the model's configuration if the tokenizer has none. The padding token is kept if the model has an embedding
    for it, else replaced by the end token, or None if the model does not know that either.

    Args:
        tokenizer: changed in place.
        config: configuration of the model.

    Returns:
        The tokenizer.
    """
    n_known = getattr(config, "vocab_size", None)

    def is_known(id: Any) -> bool:
        return isinstance(id, int) and (n_known is None or id < n_known)

    named = getattr(config, "eos_token_id", None)
    if tokenizer.eos_token_id is None and is_known(named):
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(named)
    if not is_known(tokenizer.pad_token_id):
        tokenizer.pad_token = tokenizer.eos_token if is_known(tokenizer.eos_token_id) else None
    return tokenizer


@dataclass(frozen=True)
class Checkpoint:
    """Location of a model and loading of its parts. Code supplied with the model is never executed."""

    model: str  # hub id or local folder
    revision: str | None  # of a hub model

    def config(self) -> Any:
        """Configuration of the text model."""
        with self._loading():
            return AutoConfig.from_pretrained(self.model, **self._source).get_text_config()

    def tokenizer(self) -> Any:
        """A left-padding tokenizer."""
        with self._loading():
            tokenizer = AutoTokenizer.from_pretrained(self.model, padding_side="left", **self._source)
        return with_end_and_padding(tokenizer, self.config())

    @property
    def n_embeddings(self) -> int | None:
        """Vocabulary size; None if the configuration does not state it."""
        return getattr(self.config(), "vocab_size", None)

    def generation_settings(self, weights: str | None = None) -> Any:
        """Generation settings in the model's folder, or in that of replacement weights."""
        where, source = (weights, {"local_files_only": True}) if weights else (self.model, self._source)
        with self._loading():
            for file in ({}, {"config_file_name": "config.json", "_from_model_config": True}):  # older models say it there
                with suppress(OSError, TypeError):  # transformers raises TypeError for a missing file
                    return GenerationConfig.from_pretrained(where, **file, **source)
        return GenerationConfig()

    def network(self, dtype: str, device: str, weights: str | None = None) -> Any:
        """Load the network.

        Args:
            dtype: name of a torch dtype, or "nf4" for 4-bit weights of bitsandbytes, on CUDA.
            device: device of 4-bit weights; others stay on the CPU.
            weights: folder of complete weights that replace the model's.

        Returns:
            The network.

        Raises:
            DataError: if it is not a causal language model, or weights are missing, have another shape or are not finite.
            EnvironmentFault: if the disk or the hub fails.
        """
        transformers.utils.logging.disable_progress_bar()
        source = self._source | {"local_files_only": True, "revision": None} if weights else self._source
        if dtype == "nf4":
            short = torch.bfloat16
            source |= {"dtype": short, "device_map": device, "quantization_config": BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=short
            )}  # fmt: skip
        else:
            source |= {"dtype": getattr(torch, dtype)}
        with self._loading():
            network, loading = AutoModelForCausalLM.from_pretrained(
                weights or self.model, use_safetensors=True, output_loading_info=True, ignore_mismatched_sizes=True, **source
            )
        if getattr(network, "_hf_peft_config_loaded", False):
            raise DataError(
                f"generator.model={self.model} is a PEFT adapter. Give its base model, and it by adapter=given adapter.path=FOLDER."
            )
        check_whole(weights or self.model, loading)
        check_finite(weights or self.model, network)
        return network

    @property
    def _source(self) -> dict[str, Any]:
        """Keyword arguments of `from_pretrained` for every part."""
        return {"revision": self.revision, "local_files_only": Path(self.model).is_dir(), "trust_remote_code": False}

    @contextmanager
    def _loading(self) -> Iterator[None]:
        """Convert library errors to one-line errors of this package.

        Yields:
            Nothing.

        Raises:
            DataError: if the model is faulty.
            EnvironmentFault: if the disk or the hub fails.
        """
        try:
            yield
        except (OSError, ValueError, SafetensorError) as error:
            said = f"generator.model={self.model} could not be loaded as a causal language model: {' '.join(str(error).split())}"
            is_unreachable = isinstance(error.__cause__, LocalEntryNotFoundError) and not HF_HUB_OFFLINE
            if getattr(error, "errno", None) is not None or is_unreachable:
                raise EnvironmentFault(said) from error
            raise DataError(said) from error
