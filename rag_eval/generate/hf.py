"""Greedy generation with any causal language model of Hugging Face transformers, in batches, on CPU or CUDA."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt

from rag_eval.device import choose_device
from rag_eval.errors import ConfigError, DataError
from rag_eval.generate.adapter_tokenizer import brings_tokenizer, own_tokenizer, same_prompts
from rag_eval.generate.auto_dtype import AUTO, dtype_of
from rag_eval.generate.first_token import FirstToken
from rag_eval.generate.gguf.folder import dequantised, is_gguf
from rag_eval.generate.hf_checkpoint import Checkpoint, with_end_and_padding
from rag_eval.generate.hf_decoding import Decoder
from rag_eval.generate.hf_prompting import Prompting
from rag_eval.generate.hf_settings import overridden, warn_once
from rag_eval.generate.hf_soundness import check_causal, check_vocabulary
from rag_eval.generate.likelihood import log_likelihoods, next_token_log_probs
from rag_eval.generate.multi_adapter import MultiAdapter
from rag_eval.models.model_files import check_model, check_no_adapter, fingerprint
from rag_eval.prompt import n_shared
from rag_eval.protocols import Cache
from rag_eval.source import code_sha
from rag_eval.types import Decoded, Formatted, Generation, Likelihood, Prompt, Style, Timed, TrainingRow

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]

LINE_BREAK = "\n"
WHOLE_TEXT_TOKENS = 2048  # maximum tokens of a batch for which logits of all positions are computed, unless a text is longer
TEMPLATE_DATE = "2024-07-26"  # default date in Llama 3's templates


class HF:
    """A causal language model by hub id or local folder, loaded on first use."""

    def __init__(
        self,
        model: str,
        dtype: Dtype,
        device: Device,
        max_new_tokens: PositiveInt,
        token_budget: PositiveInt,
        stop: list[str] | None = None,
        revision: str | None = None,
        adapter: str | None = None,
        adapter_mode: Literal["merged", "unmerged"] = "merged",
        keeps_form: bool = False,
        sha256: str | None = None,
        cache: Cache | None = None,
        thinking: bool | None = None,
        template_date: str = TEMPLATE_DATE,
    ) -> None:
        """Configure the generator.

        Args:
            model: hub id, local folder with safetensors weights, or GGUF file, which is dequantised into a folder of the cache.
            dtype: dtype of the weights during generation; adapters are merged in float32 and cast afterwards. "auto" is float32 or
                bfloat16, whichever is measured to be faster on this machine.
            device: "auto" is CUDA if available.
            max_new_tokens: maximum number of tokens of an answer; a truncated answer has stop_reason "length".
            token_budget: tokens of a padded batch, prompt and answer together.
            stop: texts that end an answer, besides the model's end token; not part of the answer. The answer to a prompt in plain
                style also ends at a line break.
            revision: revision of a hub model.
            adapter: folder of a PEFT adapter, or of complete weights that replace the model's.
            adapter_mode: whether a PEFT adapter is merged into the weights or computed separately.
            keeps_form: whether the model was trained on this project's prompts, so that its answers follow the gold format without
                examples; the prompt format is then not chosen by a probe.
            sha256: expected hash of a GGUF file; None = not checked.
            cache: cache of dequantised weights and of measurements of this machine.
            thinking: whether the model reasons before it answers, set by chat template variables; None = the template's default.
            template_date: value of the current date for chat templates (YYYY-MM-DD).

        Raises:
            DataError: if the model is a folder that is unsafe to load, or a GGUF file that is broken, unsupported or has another hash.
            ConfigError: if the device is not available, the date is invalid, or `sha256` is set for another kind of model.
            EnvironmentFault: if the package gguf is missing, or the disk is full.
        """
        self.origin: Mapping[str, Any] | None = None  # source of a dequantised folder; None = not dequantised
        if is_gguf(model):
            made = dequantised(model, sha256, cache)
            model, self.origin = made.folder, made.origin
        elif sha256 is not None:
            raise ConfigError(f"generator.sha256 pins a GGUF file, and generator.model={model} is none. Set generator.sha256=null.")
        check_model(model)
        check_no_adapter(model)
        self.beside: Mapping[str, str] = {}  # several PEFT adapters (name -> folder) instead of `adapter`
        self.dtype: Dtype = dtype_of(model, revision, device, cache) if dtype == AUTO else dtype
        self.model, self.revision, self.adapter, self.adapter_mode = model, revision, adapter, adapter_mode
        self.device: Literal["cpu", "cuda"] = "cuda" if choose_device(device).type == "cuda" else "cpu"
        self.max_new_tokens, self.token_budget, self.stop = max_new_tokens, token_budget, stop or []
        self.keeps_form, self.thinking, self.template_date = keeps_form, thinking, template_date
        self._day = _date(template_date)

    def with_adapter(self, folder: str) -> HF:
        """The same generator with a PEFT adapter, or with complete weights in place of its own.

        Args:
            folder: folder of the adapter or weights.

        Returns:
            A new generator.

        Raises:
            DataError: if the adapter has a tokenizer that is incompatible with the model.
        """
        adapted = HF(*self._same, adapter=folder, adapter_mode=self.adapter_mode, **self._form)
        adapted.origin = self.origin
        if adapted._brings_prompting:
            _ = adapted._tokenizer  # refused before anything is asked
        return adapted

    def with_adapters(self, folders: Mapping[str, str], by: str) -> MultiAdapter:
        """The same generator with several PEFT adapters, selected by the meta of each prompt.

        Args:
            folders: adapter name -> folder.
            by: key of a prompt's meta whose value is the adapter's name.

        Returns:
            A new generator.

        Raises:
            DataError: as for `with_adapter`, or if the adapters format prompts differently.
        """
        several = HF(*self._same, **self._form)
        several.beside, several.origin = dict(folders), self.origin
        if several._brings_prompting:
            _ = several._tokenizer
        return MultiAdapter(several, by)

    @property
    def _same(self) -> tuple[str, Dtype, Device, int, int, list[str], str | None]:
        """Constructor arguments except the adapter."""
        return self.model, self.dtype, self.device, self.max_new_tokens, self.token_budget, self.stop, self.revision

    @property
    def _form(self) -> dict[str, Any]:
        """Constructor arguments of prompting."""
        return {"keeps_form": self.keeps_form, "thinking": self.thinking, "template_date": self.template_date}

    @cached_property
    def max_prompt_tokens(self) -> int | None:
        """Number of positions minus `max_new_tokens`; None if the model states no limit.

        Returns:
            Maximum number of prompt tokens.

        Raises:
            ConfigError: if there is no room for a prompt.
        """
        positions = getattr(self._checkpoint.config(), "max_position_embeddings", None)
        if positions is not None and positions <= self.max_new_tokens:
            raise ConfigError(f"generator.max_new_tokens is {self.max_new_tokens}, but {self.model} has {positions} positions in all.")
        return None if positions is None else int(positions) - self.max_new_tokens

    @property
    def n_positions(self) -> int | None:
        """Maximum number of tokens of prompt and answer together; None if the model states no limit."""
        return None if self.max_prompt_tokens is None else self.max_prompt_tokens + self.max_new_tokens

    @property
    def styles(self) -> tuple[Style, ...]:
        """Supported prompt styles: chat if the tokenizer has a chat template, and plain text."""
        return ("chat", "plain") if self._tokenizer.chat_template else ("plain",)

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the text; read from files without loading the model."""
        return {
            "base_model": self._fingerprint,
            "base_weights": self.origin,
            "adapter": {name: fingerprint(self.beside[name]) for name in sorted(self.beside)}
            or (fingerprint(self.adapter) if self.adapter else None),
            "adapter_mode": "grouped" if self.beside else self.adapter_mode if self._is_adapted else None,
            "dtype": self.dtype,
            "prompting": self._prompting.identity(),
            "brings_prompting": self._brings_prompting,
            "decoding": {"greedy": True, "max_new_tokens": self.max_new_tokens, "stop": self.stop, "overridden": self._overridden},
        }

    @cached_property
    def _fingerprint(self) -> str:
        """Fingerprint of the model without an adapter."""
        return fingerprint(self.model, self.revision)

    @cached_property
    def _overridden(self) -> Mapping[str, Any]:
        """Generation settings in the model's folder that would change greedy decoding; they are not used."""
        return overridden(self._checkpoint.generation_settings(self._whole_weights))

    def decoded(self) -> Decoded | None:
        """Decoding details that do not affect the text; None if the model was never loaded."""
        return self._decoder.decoded() if "_decoder" in vars(self) else None

    def format(self, prompt: Prompt) -> Formatted:
        """Input text of the model for a prompt."""
        return self._prompting.formatted(prompt)

    def answered(self, prompt: Prompt, answer: str) -> Formatted:
        """Input text of the model followed by an answer, without the end token."""
        return self._prompting.answered(prompt, answer)

    def spells_control(self, text: str) -> bool:
        """Whether a text contains the spelling of a control token; in a prompt it is treated as text."""
        return self._prompting.spells_control(text)

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len(ids) for ids in self._encode(prompts)]

    def count_row_tokens(self, rows: Sequence[TrainingRow]) -> list[int]:
        return [len(ids) + 1 for ids in self._prompting.ids([row.whole for row in rows])]

    def choose(self, name: str) -> float:
        """Activate one of several adapters. Returns the seconds this took, without loading."""
        network = self._network
        begun = self._now()
        network.set_adapter(self._peft_name(name), inference_mode=True)
        return self._now() - begun

    def _peft_name(self, name: str) -> str:
        """PEFT's name of an adapter; a user's name need not be a valid module name."""
        return f"given_{sorted(self.beside).index(name)}"

    def warm_up(self, prompts: Sequence[Prompt]) -> None:
        """Load the model; on CUDA also answer the prompts, because kernels are compiled on first use."""
        _ = self._decoder
        if self.device == "cuda":
            self.generate(prompts)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        encoded = self._encode(prompts)
        self._refuse_too_long(encoded)
        found: dict[int, Generation] = {}
        for stop in dict.fromkeys(self._stop_of(prompt) for prompt in prompts):
            places = [at for at, prompt in enumerate(prompts) if self._stop_of(prompt) == stop]
            found |= dict(zip(places, self._decoder.generate([encoded[at] for at in places], stop), strict=True))
        return [found[at] for at in range(len(prompts))]

    def _stop_of(self, prompt: Prompt) -> tuple[str, ...]:
        """Stop texts for a prompt; in plain style a line break, after which a model would continue with another question."""
        return (*self.stop, LINE_BREAK) if prompt.style == "plain" else tuple(self.stop)

    def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
        """Time one prompt by wall clock from text to text, with device synchronisation before each reading of the clock.

        Args:
            prompt: the prompt.
            forced_tokens: length of the answer; None = natural.

        Returns:
            The generation with the times of its first and last token.

        Raises:
            ConfigError: if `forced_tokens` exceeds `max_new_tokens`.
            ValueError: if the prompt is too long.
        """
        if forced_tokens is not None and forced_tokens > self.max_new_tokens:
            raise ConfigError(f"{forced_tokens} tokens are forced, but generator.max_new_tokens is {self.max_new_tokens}; raise it.")
        decoder = self._decoder  # loaded before the clock starts
        begun = self._now()
        first = FirstToken(self._now)
        encoded = self._encode([prompt])
        self._refuse_too_long(encoded)
        timed = decoder.time_one(encoded[0], self._stop_of(prompt), forced_tokens, first)
        total_s, first_token_s = self._now() - begun, None if first.at is None else first.at - begun
        return replace(timed, generation=replace(timed.generation, total_s=total_s, first_token_s=first_token_s))

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def log_likelihoods(self, prompts: Sequence[Prompt], options: Sequence[Sequence[str]]) -> list[tuple[Likelihood, ...]]:
        """Log-likelihoods of each option as the answer to its prompt.

        Args:
            prompts: the prompts.
            options: options of each prompt.

        Returns:
            Likelihoods per prompt, in the order of its options.

        Raises:
            DataError: if an option does not fit the context after its prompt.
        """
        asked = [(at, option) for at, those in enumerate(options) for option in those]
        alone = self._encode(prompts)
        whole = self._prompting.ids([self.answered(prompts[at], option) for at, option in asked])
        self._refuse_long_options([option for _, option in asked], whole)
        borders = [n_shared(alone[at], ids) for (at, _), ids in zip(asked, whole, strict=True)]
        found = log_likelihoods(self._network, whole, borders, self._whole_text_budget)
        of_prompt: list[list[Likelihood]] = [[] for _ in prompts]
        for (at, option), (log_p, log_p_joint) in zip(asked, found, strict=True):
            of_prompt[at].append(Likelihood(option, log_p, log_p_joint))
        return [tuple(those) for those in of_prompt]

    def nats_per_token(self, texts: Sequence[str]) -> list[float]:
        encoded = self._plain(texts)
        found = log_likelihoods(self._network, encoded, [1] * len(encoded), self._whole_text_budget)
        return [-joint / (len(ids) - 1) for (_, joint), ids in zip(found, encoded, strict=True)]

    def next_token_log_probs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return next_token_log_probs(self._network, self._plain(texts), self._whole_text_budget)

    @property
    def _whole_text_budget(self) -> int:
        return min(self.token_budget, WHOLE_TEXT_TOKENS)

    def _plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids without a chat template, truncated to the number of positions."""
        return self._prompting.plain_ids(texts, self.n_positions)

    def _refuse_long_options(self, options: Sequence[str], whole: Sequence[list[int]]) -> None:
        limit = self.n_positions
        too_long = [option for option, ids in zip(options, whole, strict=True) if limit is not None and len(ids) > limit]
        if too_long:
            raise DataError(f"the option {too_long[0][:60]!r} does not fit the model behind its prompt; raise generator.max_new_tokens.")

    def _refuse_too_long(self, encoded: Sequence[list[int]]) -> None:
        longest = max((len(ids) for ids in encoded), default=0)
        if self.max_prompt_tokens is not None and longest > self.max_prompt_tokens:
            raise ValueError(f"a prompt has {longest} tokens, more than the {self.max_prompt_tokens} that fit.")

    def _encode(self, prompts: Sequence[Prompt]) -> list[list[int]]:
        return self._prompting.ids([self.format(prompt) for prompt in prompts])

    @property
    def base_code(self) -> str:
        """Hash of the code that `base` loads the model with."""
        return code_sha(Checkpoint.__module__)

    def base(self, dtype: str) -> tuple[Any, Any]:
        """A left-padding tokenizer and the network without an adapter, not shared with this generator."""
        return self._checkpoint.tokenizer(), self._load_network(dtype)

    @property
    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(self.model, self.revision)

    @cached_property
    def _tokenizer(self) -> Any:
        """Tokenizer of the model or of its adapter."""
        base, n_embeddings = self._checkpoint.tokenizer(), self._checkpoint.n_embeddings
        if not self._brings_prompting:
            return base
        own = {name: own_tokenizer(base, folder, n_embeddings) for name, folder in self._adapters.items()}
        return with_end_and_padding(same_prompts(own), self._checkpoint.config())

    @property
    def _adapters(self) -> Mapping[str, str]:
        return self.beside or ({"adapter": self.adapter} if self.adapter and self._is_adapted else {})

    @property
    def _brings_prompting(self) -> bool:
        """Whether an adapter has its own tokenizer or chat template."""
        return any(map(brings_tokenizer, self._adapters.values()))

    @cached_property
    def _prompting(self) -> Prompting:
        return Prompting(self._tokenizer, self._checkpoint.n_embeddings, self.model, self.thinking, self._day)

    @cached_property
    def _decoder(self) -> Decoder:
        if self._overridden:
            warn_once(f"generator.model={self.model}: greedy decoding without what its generation settings ask for: {self._overridden}")
        return Decoder(self._tokenizer, self._network, self.max_new_tokens, self.token_budget)

    @cached_property
    def _network(self) -> Any:
        """The network in eval mode on its device."""
        if self.beside or (self.adapter and self._is_adapted):
            from rag_eval.generate import peft_adapters  # peft is needed only here

        if self.beside:
            network = peft_adapters.beside(
                self._load_network("float32"), {self._peft_name(name): self.beside[name] for name in sorted(self.beside)}
            )
        elif self.adapter and self._is_adapted:
            way = peft_adapters.merged if self.adapter_mode == "merged" else peft_adapters.adapted
            network = way(self._load_network("float32"), self.adapter)
        elif self._whole_weights:
            check_model(self._whole_weights)
            network = self._load_network("float32", self._whole_weights)
        else:
            network = self._load_network(self.dtype)
        for weight in network.parameters():  # parameters only: rotary buffers stay float32 in lower-precision models
            weight.data = weight.data.to(getattr(torch, self.dtype))
        network = network.to(self.device).eval()
        check_vocabulary(self.model, self._tokenizer, network)
        check_causal(self.model, network)
        return network

    def _load_network(self, dtype: str, weights: str | None = None) -> Any:
        return self._checkpoint.network(dtype, self.device, weights)

    @property
    def _whole_weights(self) -> str | None:
        """Folder of complete weights that replace the model's."""
        return None if self._is_adapted else self.adapter

    @property
    def _is_adapted(self) -> bool:
        """Whether `adapter` is a PEFT adapter rather than complete weights."""
        return self.adapter is not None and (Path(self.adapter) / "adapter_config.json").is_file()


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"generator.template_date is {text!r}; expected a day such as {TEMPLATE_DATE}.") from error
