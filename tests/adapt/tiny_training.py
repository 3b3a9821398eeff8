"""Eight questions and a model of random weights: a training of a second, for the tests of adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from rag_eval.adapt.data.qa import QA
from rag_eval.adapt.full import Full
from rag_eval.adapt.lora import Lora
from rag_eval.generate.hf import HF
from rag_eval.prompt import PromptTemplate
from rag_eval.record.cache import DirectoryCache
from rag_eval.types import Cached, Example, QADataset

PROMPT = PromptTemplate("Say.")
ANSWERS = ("liver", "lung", "a gene", "fever of unknown origin")
TRAIN = tuple(Example(f"q{at}", "what " * (at % 3) + f"is {at}?", (ANSWERS[at % 4],)) for at in range(8))
DEV = tuple(Example(f"d{at}", f"what is {at} again?", (ANSWERS[at % 4],)) for at in range(4))
DATASET = QADataset("d", "0", (), TRAIN, DEV, ())

SCHEDULE = {
    "learning_rate": 0.01,
    "schedule": "linear",
    "warmup_share": 0.03,
    "epochs": 1.0,
    "until_learned": 1.0,
    "max_epochs": 30.0,
    "batch_size": 4,
    "batch_tokens": None,
    "precision": "auto",
    "gradient_checkpointing": False,
    "packing": False,
    "eval_every": 0,
    "patience": 0,
    "checkpoint_every": 0,
    "n_processes": 1,
}
LORA = {
    "rank": 2,
    "alpha": 2,
    "dropout": 0.0,
    "target_modules": "all-linear",
    "init": "zero",
    "rank_stabilised": False,
    "dora": False,
    "quantized": False,
    "start": None,
    "stacked": False,
}


def hf(base: Path, **changed: Any) -> HF:
    return HF(str(base), "float32", "cpu", max_new_tokens=8, token_budget=4096, **changed)


def lora(root: Path, **changed: Any) -> Lora:
    return Lora(DirectoryCache(str(root)), **{"data": QA(0.0), **LORA, **SCHEDULE, **changed})


def full(root: Path, **changed: Any) -> Full:
    return Full(DirectoryCache(str(root)), **{"data": QA(0.0), **SCHEDULE, **changed})


def fit(root: Path, base: Path, seed: int = 0, **changed: Any) -> tuple[HF, Cached]:
    return fitted(lora(root, **changed), hf(base), seed)


def fitted(adapter: Any, generator: HF, seed: int = 0) -> tuple[HF, Cached]:
    trained, kept = adapter.fit(generator, PROMPT, DATASET, seed)
    assert isinstance(trained, HF)
    assert kept is not None
    return trained, kept


def logits(network: Any, base: Path) -> torch.Tensor:
    with torch.inference_mode():
        return network.eval()(**AutoTokenizer.from_pretrained(base)("Question: what is 1?\nAnswer:", return_tensors="pt")).logits
