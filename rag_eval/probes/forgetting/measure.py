"""What a trained model forgot: the same suite asked of the bare base model, once for all runs, and of the model that was trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np

from rag_eval.probes.forgetting.change import ModelReading, changes
from rag_eval.probes.forgetting.suite import Suite, suite
from rag_eval.protocols import Cache, Choosing, Generator, Probed
from rag_eval.source import code_sha
from rag_eval.system import System
from rag_eval.types import Estimate, Prompt

SAID, LOG_PROBS = "said.json", "log_probs.npy"


def forgotten(bare: System, ready: System, n: int, cache: Cache) -> dict[str, Estimate]:
    """Changes from the base model to the trained model on the suite of prompts.

    The base model is in memory beside the trained one, in the precision of answering; training needed more memory. Questions whose prompts
    do not fit the model are left out of n.

    Args:
        bare: the system before learning; its generator is the base model.
        ready: the system after learning; its prompt is used for both.
        n: largest number of questions, passages and beginnings; 0 = none.
        cache: cache of what the base model said.

    Returns:
        Estimates named `forgetting/*`; empty if no weights were trained, or if each question names its adapter, which the suite does not.
    """
    if n == 0 or ready.adapter.weights != "trained" or isinstance(ready.generator, Choosing):
        return {}
    bare = replace(bare, prompt=ready.prompt)
    asked = _fitting(suite(n), bare)
    prompts = [bare.prompt.render(one.example, one.documents) for one in asked.readings]
    before = _kept(bare.generator, prompts, asked, cache)
    return changes(before, _said(ready.generator, prompts, asked), [one.example for one in asked.readings])


def _fitting(whole: Suite, bare: System) -> Suite:
    limit = bare.generator.max_prompt_tokens
    if limit is None:
        return whole
    lengths = bare.generator.count_tokens([bare.prompt.render(one.example, one.documents) for one in whole.readings])
    fitting = tuple(one for one, length in zip(whole.readings, lengths, strict=True) if length <= limit)
    return Suite(fitting, whole.passages, whole.beginnings)


def _said(generator: Generator, prompts: Sequence[Prompt], asked: Suite) -> ModelReading:
    answers = tuple(one.text for one in generator.generate(prompts))
    if not isinstance(generator, Probed):
        return ModelReading(answers, (), np.empty((0, 0), dtype=np.float32))
    return ModelReading(answers, tuple(generator.nats_per_token(asked.passages)), generator.next_token_log_probs(asked.beginnings))


def _kept(base: Generator, prompts: Sequence[Prompt], asked: Suite, cache: Cache) -> ModelReading:
    """What the base model says, from the cache where it was asked before."""
    texts = [[(prompt.style, prompt.messages) for prompt in prompts], asked.passages, asked.beginnings]
    key = {
        "generator": dict(base.identity()),
        "device": base.device,
        "suite": sha256(json.dumps(texts).encode()).hexdigest(),
        "code": code_sha(__name__, type(base).__module__),
        "torch": version("torch"),
        "transformers": version("transformers"),
    }
    folder = cache.build("forgetting", key, lambda path: _write(_said(base, prompts, asked), path)).path
    plain = json.loads((folder / SAID).read_text(encoding="utf-8"))
    return ModelReading(tuple(plain["answers"]), tuple(plain["nats_per_token"]), np.load(folder / LOG_PROBS))


def _write(said: ModelReading, folder: Path) -> None:
    plain = {"answers": said.answers, "nats_per_token": said.nats_per_token}
    (folder / SAID).write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")
    np.save(folder / LOG_PROBS, said.log_probs)
