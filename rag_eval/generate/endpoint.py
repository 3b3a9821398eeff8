"""Generator for endpoints with OpenAI's chat completions API: hosted models or a local server such as vLLM."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt

from rag_eval.errors import ConfigError, EnvironmentFault
from rag_eval.models.thinking import split
from rag_eval.progress import progress
from rag_eval.types import Generation, Prompt, Timed

try:
    import openai
except ImportError as error:
    raise EnvironmentFault("generator=openai needs the openai client. Run: pip install 'rag_eval[openai]'") from error

log = logging.getLogger(__name__)

# Status codes that concern the endpoint rather than one question, with a remedy.
REFUSALS = {
    401: "it does not accept the key; mend the environment variable that generator.api_key_env names",
    402: "it wants to be paid first",
    403: "the key may not use this model; choose another generator.model or another key",
    404: "there is no such model or address; check generator.model and generator.base_url, which mostly ends in /v1",
    429: "it takes no more requests now; lower generator.concurrency or raise generator.retries, and mind your quota",
}


class Message(BaseModel):
    content: str | None = None
    reasoning: str | None = None  # reasoning text, if the endpoint separates it; reasoning_content is its older name
    reasoning_content: str | None = None


class Choice(BaseModel):
    message: Message
    finish_reason: str | None = None


class Details(BaseModel):
    reasoning_tokens: int | None = None


class Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    completion_tokens_details: Details | None = None


class Reply(BaseModel):
    """The fields of a chat completion that are used."""

    choices: Annotated[list[Choice], Field(min_length=1)]
    usage: Usage | None = None

    @property
    def n_thought_tokens(self) -> int | None:
        details = self.usage and self.usage.completion_tokens_details
        return details.reasoning_tokens or None if details else None


class Endpoint:
    """A chat model behind a URL: greedy decoding, concurrent requests, token counts from the endpoint."""

    device: Literal["cpu", "cuda"] = "cpu"  # device of this machine; that of the endpoint is unknown
    max_prompt_tokens: int | None = None  # unknown; the endpoint rejects a prompt that is too long, which counts as an error

    def __init__(
        self,
        base_url: str,
        model: str,
        api_key_env: str | None,
        max_new_tokens: PositiveInt,
        concurrency: PositiveInt,
        timeout_s: PositiveFloat,
        retries: NonNegativeInt,
        seed: int,
        stop: list[str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        """Configure the client.

        Args:
            base_url: URL before `/chat/completions`.
            model: name of the model at the endpoint.
            api_key_env: environment variable that contains the API key; None = no key.
            max_new_tokens: maximum number of tokens of an answer.
            concurrency: number of concurrent requests.
            timeout_s: timeout of one attempt in seconds.
            retries: further attempts after a timeout, a lost connection, 408, 409, 429 or 5xx, with increasing pauses or those that
                the endpoint requests.
            seed: sent with every request; its effect depends on the endpoint.
            stop: texts that end an answer.
            extra: additional or replaced fields of a request; fields that are null are not sent.

        Raises:
            ConfigError: if the URL is invalid or contains a user or password.
            EnvironmentFault: if the environment variable is not set.
        """
        self.host = _host(base_url)
        self.model, self.concurrency = model, concurrency
        fields = {"temperature": 0, "max_tokens": max_new_tokens, "seed": seed, "stop": stop or None, **(extra or {})}
        self._decoding = {name: value for name, value in fields.items() if value is not None}
        self._client = openai.OpenAI(base_url=base_url, api_key=_key(api_key_env), timeout=timeout_s, max_retries=retries)

    def identity(self) -> Mapping[str, Any]:
        return {"base_model": f"{self.model} at {self.host}", "decoding": self._decoding}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        """Number of words of each prompt, as an estimate without the model's tokenizer.

        Args:
            prompts: prompts in chat style.

        Returns:
            One count per prompt.

        Raises:
            ConfigError: if a prompt is in plain style.
        """
        _refuse_plain(prompts)
        return [len(prompt.text.split()) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Answer prompts.

        Args:
            prompts: prompts in chat style.

        Returns:
            One generation per prompt, in order; a request that failed permanently has stop_reason "error".

        Raises:
            EnvironmentFault: if the endpoint is not reachable, times out, or rejects the key, the model or further requests.
        """
        begun = time.perf_counter()
        said: dict[int, Generation] = {}
        with progress("answering", len(prompts)) as advance:
            for at, generation in self.arriving(prompts):
                said[at] = generation
                advance(1)
        share = (time.perf_counter() - begun) / max(1, len(said))
        return [replace(said[at], total_s=share) for at in range(len(prompts))]

    def arriving(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Generation]]:
        """Yields results as requests complete; persist each at once.

        After the first fault, requests that have not started are cancelled; the fault is raised once the running ones have completed.

        Args:
            prompts: prompts in chat style.

        Yields:
            Index of the prompt and its generation.

        Raises:
            EnvironmentFault: as for `generate`.
        """
        faults: list[BaseException] = []
        begun = time.perf_counter()
        with ThreadPoolExecutor(self.concurrency) as pool:
            asked = {pool.submit(self._ask, prompt): at for at, prompt in enumerate(prompts)}
            try:
                for one in as_completed(asked):
                    if one.cancelled():
                        continue
                    if (fault := one.exception()) is not None:
                        faults.append(fault)
                        _cancel(asked)
                        continue
                    yield asked[one], replace(one.result(), total_s=time.perf_counter() - begun)
                    begun = time.perf_counter()
            finally:
                _cancel(asked)
        if faults:
            raise faults[0]

    def time_one(self, prompt: Prompt, forced_tokens: int | None) -> Timed:
        """Time one streamed request on the client, including network and queue.

        Args:
            prompt: prompt in chat style.
            forced_tokens: must be None.

        Returns:
            The generation with the times of its first and last token.

        Raises:
            ConfigError: if a length is forced, which the API does not support.
            EnvironmentFault: as for `generate`; also if this request fails or the endpoint returns no token counts.
        """
        if forced_tokens is not None:
            raise ConfigError("an endpoint cannot be made to answer at a given length; set latency.forced_tokens=null.")
        begun = time.perf_counter()
        first, text, reason, usage = None, "", "stop", None
        try:
            for part in self._client.chat.completions.create(**self._request(prompt), stream=True, stream_options={"include_usage": True}):
                usage = part.usage or usage
                for choice in part.choices:
                    text += choice.delta.content or ""
                    reason = choice.finish_reason or reason
                first = time.perf_counter() - begun if text and first is None else first
        except openai.APIError as error:
            raise self._fault(error) or EnvironmentFault(f"{self.host}: one timed request failed: {_said(error)}") from error
        if usage is None:
            raise EnvironmentFault(f"{self.host} streams no token counts (stream_options.include_usage); it cannot be timed.")
        total = time.perf_counter() - begun
        counts = (usage.prompt_tokens, usage.completion_tokens)
        spoken = split(text)
        said = Generation(spoken.answer.strip(), *counts, total, "length" if reason == "length" else "stop", first, thought=spoken.thought)
        return Timed(said, n_generated=usage.completion_tokens)

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        _refuse_plain([prompt])
        messages = [{"role": role, "content": content} for role, content in prompt.messages]
        return {"model": self.model, "messages": messages, "extra_body": self._decoding}

    def _ask(self, prompt: Prompt) -> Generation:
        try:
            answered = self._client.chat.completions.with_raw_response.create(**self._request(prompt)).text
        except openai.APIError as error:
            if (fault := self._fault(error)) is not None:
                raise fault from error
            return self._failed(prompt, _said(error))
        try:
            reply = Reply.model_validate_json(answered)
        except ValueError:
            return self._failed(prompt, f"no chat completion but {answered[:60]!r}")
        choice, usage = reply.choices[0], reply.usage
        said = split(choice.message.content or "")
        thought = choice.message.reasoning or choice.message.reasoning_content or said.thought
        return Generation(
            text=said.answer.strip(),
            n_prompt_tokens=usage.prompt_tokens if usage else None,
            n_output_tokens=usage.completion_tokens if usage else None,
            total_s=None,
            stop_reason="length" if choice.finish_reason == "length" else "stop",
            thought=thought,
            n_thought_tokens=reply.n_thought_tokens,
        )

    def _failed(self, prompt: Prompt, why: str) -> Generation:
        log.warning("%s: the request about %r failed: %s", self.host, prompt.example_id, why)
        return Generation("", None, None, None, "error")

    def _fault(self, error: openai.APIError) -> EnvironmentFault | None:
        """Error that ends the run, without text of the response; None if only this request failed."""
        if isinstance(error, openai.APITimeoutError):
            return EnvironmentFault(f"{self.host} did not answer in time; raise generator.timeout_s or lower generator.concurrency.")
        if isinstance(error, openai.APIConnectionError):
            return EnvironmentFault(f"{self.host} cannot be reached; check generator.base_url and whether the server runs.")
        status = error.status_code if isinstance(error, openai.APIStatusError) else 0
        if status in REFUSALS:
            return EnvironmentFault(f"{self.host} answered {status} to model {self.model!r}: {REFUSALS[status]}.")
        return None


def _refuse_plain(prompts: Sequence[Prompt]) -> None:
    """Check that no prompt is in plain style, because chat endpoints apply a template to every message.

    Args:
        prompts: prompts.

    Raises:
        ConfigError: if a prompt is in plain style.
    """
    if any(prompt.style == "plain" for prompt in prompts):
        raise ConfigError("prompt.style=plain cannot be asked of an endpoint of chat completions; set prompt.style=chat.")


def _cancel(asked: Iterable[Future[Generation]]) -> None:
    """Cancel requests that have not started; running ones continue."""
    for one in asked:
        one.cancel()


def _host(base_url: str) -> str:
    """Host and port of a URL, the only part that is recorded.

    Args:
        base_url: URL of the endpoint.

    Returns:
        "host:port".

    Raises:
        ConfigError: if the URL is invalid or contains a user, password or query.
    """
    parts = urlsplit(base_url)
    if parts.username or parts.password or parts.query:
        raise ConfigError("generator.base_url: expected no user, password or query in the address; give the key through the environment.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"generator.base_url: expected an address such as http://localhost:8000/v1, got {base_url!r}.")
    return parts.netloc


def _key(variable: str | None) -> str:
    if variable is None:
        return "none"  # the client requires a value
    if not os.environ.get(variable):
        raise EnvironmentFault(
            f"generator.api_key_env: the environment variable {variable} is not set; set it, or generator.api_key_env=null for an "
            "endpoint without keys."
        )
    return os.environ[variable]


def _said(error: openai.APIError) -> str:
    """Short description of an error without text of the response, which might contain the key."""
    status = getattr(error, "status_code", "")
    return f"{type(error).__name__} {status}".strip()
