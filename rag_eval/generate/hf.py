"""Answers from any causal language model of Hugging Face transformers, greedy, in batches, on CPU or CUDA."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt

from rag_eval.device import choose_device
from rag_eval.errors import ConfigError, DataError
from rag_eval.generate.first_token import FirstToken
from rag_eval.generate.gguf.folder import dequantised, is_gguf
from rag_eval.generate.grouped import Grouped
from rag_eval.generate.hf_checkpoint import Checkpoint
from rag_eval.generate.hf_decoding import Decoder
from rag_eval.generate.hf_prompting import completion, formatted, plain_token_ids, token_ids
from rag_eval.generate.likelihood import log_likelihoods, next_token_log_probs
from rag_eval.model_folder import check_model, fingerprint
from rag_eval.parts import Cache, Timed
from rag_eval.prompt import n_shared
from rag_eval.types import Generation, Likelihood, Rendered, Style

Device = Literal["auto", "cpu", "cuda"]
Dtype = Literal["float32", "bfloat16", "float16"]

WHOLE_TEXT_TOKENS = 2048  # of a batch whose every position's distribution is held at once


class HF:
    """A causal language model by hub id or local folder, loaded when first needed."""

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
    ) -> None:
        """
        Args:
            model: hub id, local folder with safetensors weights, or GGUF file, which is dequantised into a folder of the cache.
            dtype: of the weights while answering; an adapter is merged in float32 and cast once.
            device: `auto` is CUDA where there is one.
            max_new_tokens: where an answer is cut, recorded as stop_reason "length".
            token_budget: tokens of a padded batch, prompt and answer together.
            stop: texts that end an answer, besides the model's own end token; they are not part of it.
            revision: of a hub model.
            adapter: folder of a PEFT adapter, or of whole weights that take the place of the model's own.
            adapter_mode: whether a PEFT adapter is merged into the weights or computed beside them.
            keeps_form: whether the model was trained on prompts of this project as they stand, so that the form of its answers is
                that of gold without being shown; no probe then chooses the form of the prompt.
            sha256: that a GGUF file must have; None = any.
            cache: where the weights of a GGUF file are kept once they are dequantised.

        Raises:
            DataError: if the model is a folder that is not safe to load, or a GGUF file that is broken, not supported or not the one.
            ConfigError: if a device is demanded that there is not.
            EnvironmentFault: if the package gguf is missing, or the disk has no room for dequantised weights.
        """
        self.origin: Mapping[str, Any] | None = None  # what the folder was made of; None = it was given as it is
        if is_gguf(model):
            made = dequantised(model, sha256, cache)
            model, self.origin = made.folder, made.origin
        elif sha256 is not None:
            raise ConfigError(f"generator.sha256 pins a GGUF file, and generator.model={model} is none. Set generator.sha256=null.")
        check_model(model)
        self.beside: Mapping[str, str] = {}  # name -> folder of each of several PEFT adapters, in place of `adapter`
        self.model, self.dtype, self.revision, self.adapter, self.adapter_mode = model, dtype, revision, adapter, adapter_mode
        self.device: Literal["cpu", "cuda"] = "cuda" if choose_device(device).type == "cuda" else "cpu"
        self.max_new_tokens, self.token_budget, self.stop = max_new_tokens, token_budget, stop or []
        self.keeps_form = keeps_form

    def with_adapter(self, folder: str) -> HF:
        """The same generator with a PEFT adapter, or with whole weights in the place of its own."""
        adapted = HF(*self._same, adapter=folder, adapter_mode=self.adapter_mode, keeps_form=self.keeps_form)
        adapted.origin = self.origin
        return adapted

    def with_adapters(self, folders: Mapping[str, str], by: str) -> Grouped:
        """The same generator with several PEFT adapters beside its weights, each prompt answered with the one that its meta names."""
        several = HF(*self._same, keeps_form=self.keeps_form)
        several.beside, several.origin = dict(folders), self.origin
        return Grouped(several, by)

    @property
    def _same(self) -> tuple[str, Dtype, Device, int, int, list[str], str | None]:
        """What it is made from, the adapter aside."""
        return self.model, self.dtype, self.device, self.max_new_tokens, self.token_budget, self.stop, self.revision

    @cached_property
    def max_prompt_tokens(self) -> int | None:
        """What the model's positions leave for the prompt; None where the model names no limit.

        Raises:
            ConfigError: if they leave nothing.
        """
        positions = getattr(self._checkpoint.config(), "max_position_embeddings", None)
        if positions is not None and positions <= self.max_new_tokens:
            raise ConfigError(f"generator.max_new_tokens is {self.max_new_tokens}, but {self.model} has {positions} positions in all.")
        return None if positions is None else int(positions) - self.max_new_tokens

    @property
    def n_positions(self) -> int | None:
        """Tokens that the model reads at once, prompt and answer together; None where it names no limit."""
        return None if self.max_prompt_tokens is None else self.max_prompt_tokens + self.max_new_tokens

    @property
    def styles(self) -> tuple[Style, ...]:
        """In which it can be asked: as its chat template puts it, if it has one, or as plain text."""
        return ("chat", "plain") if self._tokenizer.chat_template else ("plain",)

    def identity(self) -> Mapping[str, Any]:
        """What decides the text; read from files, the model need not be loaded."""
        return {
            "base_model": self._fingerprint,
            "base_weights": self.origin,
            "adapter": {name: fingerprint(self.beside[name]) for name in sorted(self.beside)}
            or (fingerprint(self.adapter) if self.adapter else None),
            "adapter_mode": "grouped" if self.beside else self.adapter_mode if self._is_adapted else None,
            "dtype": self.dtype,
            "decoding": {"greedy": True, "max_new_tokens": self.max_new_tokens, "stop": self.stop},
        }

    @cached_property
    def _fingerprint(self) -> str:
        """Of the model without an adapter: its files are read once."""
        return fingerprint(self.model, self.revision)

    def format(self, prompt: Rendered) -> str:
        """The text that the model is given for a prompt."""
        return formatted(self._tokenizer, prompt)

    def completion(self, answer: str) -> str:
        """An answer as it follows that text, without the end token."""
        return completion(self._tokenizer, answer)

    def count_tokens(self, prompts: Sequence[Rendered]) -> list[int]:
        return [len(ids) for ids in self._encode(prompts)]

    def count_text_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._tokens(texts)]

    def choose(self, name: str) -> float:
        """Answer with this one of several adapters from here on. Returns the seconds that it took, loading excluded."""
        network = self._network
        begun = self._now()
        network.set_adapter(self._peft_name(name), inference_mode=True)
        return self._now() - begun

    def _peft_name(self, name: str) -> str:
        """PEFT's name for one of several adapters: any text may be the user's, and not every text may be a module's."""
        return f"given_{sorted(self.beside).index(name)}"

    def generate(self, prompts: Sequence[Rendered]) -> list[Generation]:
        encoded = self._encode(prompts)
        self._refuse_too_long(encoded)
        return self._decoder.generate(encoded) if encoded else []

    def time_one(self, prompt: Rendered, forced_tokens: int | None) -> Timed:
        """One prompt alone, by wall clock from its text to the answer's; the device is waited for before each reading."""
        if forced_tokens is not None and forced_tokens > self.max_new_tokens:
            raise ConfigError(f"{forced_tokens} tokens are forced, but generator.max_new_tokens is {self.max_new_tokens}; raise it.")
        decoder = self._decoder  # loaded before the clock starts
        begun = self._now()
        first = FirstToken(self._now)
        encoded = self._encode([prompt])
        self._refuse_too_long(encoded)
        timed = decoder.time_one(encoded[0], forced_tokens, first)
        total_s, first_token_s = self._now() - begun, None if first.at is None else first.at - begun
        return replace(timed, generation=replace(timed.generation, total_s=total_s, first_token_s=first_token_s))

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def log_likelihoods(self, prompts: Sequence[Rendered], options: Sequence[Sequence[str]]) -> list[tuple[Likelihood, ...]]:
        """How likely each option is as the answer to its prompt, in order.

        Raises:
            DataError: if an option does not fit behind its prompt.
        """
        asked = [(at, option) for at, those in enumerate(options) for option in those]
        alone = self._encode(prompts)
        formatted = [self.format(prompt) for prompt in prompts]
        whole = self._tokens([f"{formatted[at]}{self.completion(option)}" for at, option in asked])
        self._refuse_long_options([option for _, option in asked], whole)
        borders = [n_shared(alone[at], ids) for (at, _), ids in zip(asked, whole, strict=True)]
        found = log_likelihoods(self._network, whole, borders, self.token_budget)
        of_prompt: list[list[Likelihood]] = [[] for _ in prompts]
        for (at, option), (log_p, log_p_joint) in zip(asked, found, strict=True):
            of_prompt[at].append(Likelihood(option, log_p, log_p_joint))
        return [tuple(those) for those in of_prompt]

    def nats_per_token(self, texts: Sequence[str]) -> list[float]:
        encoded = self._plain(texts)
        found = log_likelihoods(self._network, encoded, [1] * len(encoded), min(self.token_budget, WHOLE_TEXT_TOKENS))
        return [-joint / (len(ids) - 1) for (_, joint), ids in zip(found, encoded, strict=True)]

    def next_token_log_probs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return next_token_log_probs(self._network, self._plain(texts), self.token_budget)

    def _plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens without a chat template, as many as the model has positions."""
        return plain_token_ids(self._tokenizer, texts, self.n_positions)

    def _refuse_long_options(self, options: Sequence[str], whole: Sequence[list[int]]) -> None:
        limit = self.n_positions
        too_long = [option for option, ids in zip(options, whole, strict=True) if limit is not None and len(ids) > limit]
        if too_long:
            raise DataError(f"the option {too_long[0][:60]!r} does not fit the model behind its prompt; raise generator.max_new_tokens.")

    def _refuse_too_long(self, encoded: Sequence[list[int]]) -> None:
        longest = max((len(ids) for ids in encoded), default=0)
        if self.max_prompt_tokens is not None and longest > self.max_prompt_tokens:
            raise ValueError(f"a prompt has {longest} tokens, more than the {self.max_prompt_tokens} that fit.")

    def _encode(self, prompts: Sequence[Rendered]) -> list[list[int]]:
        return self._tokens([self.format(prompt) for prompt in prompts])

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return token_ids(self._tokenizer, texts)

    def base(self, dtype: str) -> tuple[Any, Any]:
        """A tokenizer that pads on the left, and the network without the adapter, both of the caller's own."""
        return self._checkpoint.tokenizer(), self._load_network(dtype)

    @property
    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(self.model, self.revision)

    @cached_property
    def _tokenizer(self) -> Any:
        return self._checkpoint.tokenizer()

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self._tokenizer, self._network, self.max_new_tokens, self.token_budget, self.stop)

    @cached_property
    def _network(self) -> Any:
        """In eval mode, on its device."""
        if self.beside or (self.adapter and self._is_adapted):
            from rag_eval.generate import merge  # peft is needed only here

        if self.beside:
            network = merge.beside(
                self._load_network("float32"), {self._peft_name(name): self.beside[name] for name in sorted(self.beside)}
            )
        elif self.adapter and self._is_adapted:
            way = merge.merged if self.adapter_mode == "merged" else merge.adapted
            network = way(self._load_network("float32"), self.adapter)
        elif self.adapter:
            check_model(self.adapter)
            network = self._load_network("float32", self.adapter)
        else:
            network = self._load_network(self.dtype)
        for weight in network.parameters():  # no buffer: positions are float32 in a model that is loaded in fewer bits, too
            weight.data = weight.data.to(getattr(torch, self.dtype))
        return network.to(self.device).eval()

    def _load_network(self, dtype: str, weights: str | None = None) -> Any:
        return self._checkpoint.network(dtype, self.device, weights)

    @property
    def _is_adapted(self) -> bool:
        """Whether what was trained is an adapter rather than whole weights."""
        return self.adapter is not None and (Path(self.adapter) / "adapter_config.json").is_file()
