"""Answers from any causal language model of Hugging Face transformers, greedy, in batches, on CPU or CUDA."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers
from huggingface_hub.constants import HF_HUB_OFFLINE
from huggingface_hub.errors import LocalEntryNotFoundError
from jinja2 import TemplateError
from numpy.typing import NDArray
from pydantic import PositiveInt
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from rag_eval.device import choose_device
from rag_eval.errors import ConfigError, DataError, EnvironmentFault, is_out_of_memory
from rag_eval.generate.batching import plan
from rag_eval.generate.first_token import FirstToken
from rag_eval.generate.grouped import Grouped
from rag_eval.generate.likelihood import log_likelihoods, next_token_log_probs
from rag_eval.model_folder import check_model, fingerprint
from rag_eval.parts import Timed
from rag_eval.progress import progress
from rag_eval.prompt import n_shared
from rag_eval.types import Generation, Likelihood, Rendered, StopReason

log = logging.getLogger(__name__)

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
    ) -> None:
        """
        Args:
            model: hub id or local folder with safetensors weights.
            dtype: of the weights while answering; an adapter is merged in float32 and cast once.
            device: `auto` is CUDA where there is one.
            max_new_tokens: where an answer is cut, recorded as stop_reason "length".
            token_budget: tokens of a padded batch, prompt and answer together.
            stop: texts that end an answer, besides the model's own end token; they are not part of it.
            revision: of a hub model.
            adapter: folder of a PEFT adapter, or of whole weights that take the place of the model's own.
            adapter_mode: whether a PEFT adapter is merged into the weights or computed beside them.

        Raises:
            DataError: if the model is a folder that is not safe to load.
            ConfigError: if a device is demanded that there is not.
        """
        check_model(model)
        self.beside: Mapping[str, str] = {}  # name -> folder of each of several PEFT adapters, in place of `adapter`
        self.model, self.dtype, self.revision, self.adapter, self.adapter_mode = model, dtype, revision, adapter, adapter_mode
        self.device: Literal["cpu", "cuda"] = "cuda" if choose_device(device).type == "cuda" else "cpu"
        self.max_new_tokens, self.token_budget, self.stop = max_new_tokens, token_budget, stop or []
        self._max_rows: int | None = None
        self._tried = 0  # tokens of the largest batch that is known to fit

    def with_adapter(self, folder: str) -> HF:
        """The same generator with a PEFT adapter, or with whole weights in the place of its own."""
        return HF(*self._same, adapter=folder, adapter_mode=self.adapter_mode)

    def with_adapters(self, folders: Mapping[str, str], by: str) -> Grouped:
        """The same generator with several PEFT adapters beside its weights, each prompt answered with the one that its meta names."""
        several = HF(*self._same)
        several.beside = dict(folders)
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
        with self._loading():
            config = AutoConfig.from_pretrained(self.model, **self._source).get_text_config()
        positions = getattr(config, "max_position_embeddings", None)
        if positions is not None and positions <= self.max_new_tokens:
            raise ConfigError(f"generator.max_new_tokens is {self.max_new_tokens}, but {self.model} has {positions} positions in all.")
        return None if positions is None else int(positions) - self.max_new_tokens

    @property
    def n_positions(self) -> int | None:
        """Tokens that the model reads at once, prompt and answer together; None where it names no limit."""
        return None if self.max_prompt_tokens is None else self.max_prompt_tokens + self.max_new_tokens

    def identity(self) -> Mapping[str, Any]:
        """What decides the text; read from files, the model need not be loaded."""
        return {
            "base_model": fingerprint(self.model, self.revision),
            "adapter": {name: fingerprint(self.beside[name]) for name in sorted(self.beside)}
            or (fingerprint(self.adapter) if self.adapter else None),
            "adapter_mode": "grouped" if self.beside else self.adapter_mode if self._is_adapted else None,
            "dtype": self.dtype,
            "decoding": {"greedy": True, "max_new_tokens": self.max_new_tokens, "stop": self.stop},
        }

    def format(self, prompt: Rendered) -> str:
        """The text that the model is given: its chat template where it has one, plain otherwise.

        A template that knows no system role gets the system prompt at the head of the first question.
        """
        if not self._tokenizer.chat_template:
            return prompt.text
        messages = [{"role": role, "content": content} for role, content in prompt.messages]
        system, first, *others = messages
        with suppress(TemplateError):
            text = self._templated(messages)
            if system["content"].strip() in text:
                return text
        return self._templated([{**first, "content": f"{system['content']}\n\n{first['content']}"}, *others])

    def _templated(self, messages: list[dict[str, str]]) -> str:
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def completion(self, answer: str) -> str:
        """An answer as it follows the formatted prompt, without the end token."""
        return answer if self._tokenizer.chat_template else f" {answer}"

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
        batches = self._plan_that_fits(encoded)
        results: list[Generation | None] = [None] * len(prompts)
        with progress("answering", len(prompts)) as advance:
            for rows in batches:
                for at, generation in zip(rows, self._batch([encoded[at] for at in rows], **self._stops), strict=True):
                    results[at] = generation
                advance(len(rows))
        return [result for result in results if result is not None]

    def time_one(self, prompt: Rendered, forced_tokens: int | None) -> Timed:
        """One prompt alone, by wall clock from its text to the answer's; the device is waited for before each reading."""
        if forced_tokens is not None and forced_tokens > self.max_new_tokens:
            raise ConfigError(f"{forced_tokens} tokens are forced, but generator.max_new_tokens is {self.max_new_tokens}; raise it.")
        _ = self._network  # loaded before the clock starts
        begun = self._now()
        first = FirstToken(self._now)
        encoded = self._encode([prompt])
        self._refuse_too_long(encoded)
        length = self._stops if forced_tokens is None else {"min_new_tokens": forced_tokens, "max_new_tokens": forced_tokens}
        (said,) = self._batch(encoded, streamer=first, **length)
        said = replace(said, total_s=self._now() - begun, first_token_s=None if first.at is None else first.at - begun)
        return Timed(said if forced_tokens is None else replace(said, stop_reason="length"), first.n_tokens)

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    @property
    def _stops(self) -> dict[str, Any]:
        return {"stop_strings": self.stop, "tokenizer": self._tokenizer} if self.stop else {}

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
        return [ids[: self.n_positions] for ids in self._tokenizer(list(texts), verbose=False)["input_ids"]]

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
        tokenizer = self._tokenizer
        return list(tokenizer(list(texts), add_special_tokens=not tokenizer.chat_template, verbose=False)["input_ids"]) if texts else []

    def _plan_that_fits(self, encoded: Sequence[list[int]]) -> list[list[int]]:
        """Batches whose largest has been tried, untimed, and halved until it fitted the memory; it also warms up."""
        while True:
            batches = plan([len(ids) for ids in encoded], self.max_new_tokens, self.token_budget, self._max_rows)
            if not batches:
                return []
            sizes = [len(rows) * (len(encoded[rows[0]]) + self.max_new_tokens) for rows in batches]
            size = max(sizes)
            largest = batches[sizes.index(size)]
            if size <= self._tried:
                return batches
            try:
                self._batch([encoded[at] for at in largest], min_new_tokens=self.max_new_tokens)  # none ends early: the worst case
                self._tried = size
                return batches
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if len(largest) == 1:
                    raise EnvironmentFault(
                        f"out of memory with one prompt of {len(encoded[largest[0]])} tokens on {self.device}: "
                        "use a smaller model, generator.dtype=bfloat16 or a smaller retriever.k."
                    ) from error
                self._max_rows = len(largest) // 2
                torch.cuda.empty_cache()
                log.warning("out of memory with %d prompts at once; trying %d", len(largest), self._max_rows)

    @torch.inference_mode()
    def _batch(self, encoded: Sequence[list[int]], **decoding: Any) -> list[Generation]:
        tokenizer, model = self._tokenizer, self._network
        begun = time.perf_counter()
        batch = tokenizer.pad({"input_ids": list(encoded)}, padding=True, return_tensors="pt").to(model.device)
        decoding = {"max_new_tokens": self.max_new_tokens, "do_sample": False, "pad_token_id": tokenizer.pad_token_id} | decoding
        out = model.generate(**batch, **decoding)
        written = out[:, batch["input_ids"].shape[1] :].tolist()  # the copy to the host waits for the device
        seconds = (time.perf_counter() - begun) / len(encoded)
        return [self._generation(ids, len(prompt), seconds) for ids, prompt in zip(written, encoded, strict=True)]

    def _generation(self, ids: list[int], n_prompt: int, seconds: float) -> Generation:
        tokenizer, model = self._tokenizer, self._network
        ends = model.generation_config.eos_token_id
        ends = set(ends if isinstance(ends, list) else [ends]) | {tokenizer.eos_token_id, tokenizer.pad_token_id}
        n = next((at for at, id in enumerate(ids) if id in ends), len(ids))
        text = tokenizer.decode(ids[:n], skip_special_tokens=True)
        cut = min((at for stop in self.stop if (at := text.find(stop, 1)) >= 0), default=None)
        reason: StopReason = "length" if n == len(ids) >= self.max_new_tokens and cut is None else "stop"
        return Generation(text[:cut].strip(), n_prompt, n, seconds, reason)

    def base(self, dtype: str) -> tuple[Any, Any]:
        """A tokenizer that pads on the left, and the network without the adapter, both of the caller's own."""
        return self._load_tokenizer(), self._load_network(dtype)

    @cached_property
    def _tokenizer(self) -> Any:
        return self._load_tokenizer()

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

    def _load_tokenizer(self) -> Any:
        with self._loading():
            tokenizer = AutoTokenizer.from_pretrained(self.model, padding_side="left", **self._source)
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    @property
    def _is_adapted(self) -> bool:
        """Whether what was trained is an adapter rather than whole weights."""
        return self.adapter is not None and (Path(self.adapter) / "adapter_config.json").is_file()

    def _load_network(self, dtype: str, weights: str | None = None) -> Any:
        """The network of the model, or of a folder of weights in its place."""
        transformers.utils.logging.disable_progress_bar()
        source = self._source | {"local_files_only": True, "revision": None} if weights else self._source
        if dtype == "nf4":
            short = torch.bfloat16
            source |= {"dtype": short, "device_map": self.device, "quantization_config": BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=short
            )}  # fmt: skip
        else:
            source |= {"dtype": getattr(torch, dtype)}
        with self._loading():
            return AutoModelForCausalLM.from_pretrained(weights or self.model, use_safetensors=True, **source)

    @property
    def _source(self) -> dict[str, Any]:
        """How every part of the model is found."""
        return {"revision": self.revision, "local_files_only": Path(self.model).is_dir(), "trust_remote_code": False}

    @contextmanager
    def _loading(self) -> Iterator[None]:
        """Says in one line what a library says in many: the model is at fault, or else the disk or the way to the hub."""
        try:
            yield
        except (OSError, ValueError, SafetensorError) as error:
            said = f"generator.model={self.model} could not be loaded as a causal language model: {' '.join(str(error).split())}"
            is_unreachable = isinstance(error.__cause__, LocalEntryNotFoundError) and not HF_HUB_OFFLINE
            if getattr(error, "errno", None) is not None or is_unreachable:
                raise EnvironmentFault(said) from error
            raise DataError(said) from error
