"""Low-rank adaptation with PEFT: LoRA, rsLoRA, DoRA, QLoRA, and other initialisations."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from copy import copy
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from peft import LoraConfig
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from safetensors.torch import load_file, save_file

from rag_eval.adapt.adapter_base import check_fits
from rag_eval.adapt.trainer.job import CHANGE_BASE, Trained, TrainingJob, train
from rag_eval.adapt.training_config import TrainingConfig
from rag_eval.adapt.warm_start import WarmStart, start_of
from rag_eval.device import choose_device
from rag_eval.errors import ConfigError, EnvironmentFault
from rag_eval.protocols import DECIDES_NOTHING, Cache, Generator, PromptWriter, Trainable, TrainingData
from rag_eval.source import code_sha
from rag_eval.types import Cached, QADataset, TrainingRow, Weights

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


class Lora:
    """Trains a LoRA adapter on a dataset, or loads it from the cache."""

    weights: Weights = "trained"

    def __init__(
        self,
        cache: Cache,
        data: TrainingData,
        rank: PositiveInt,
        alpha: PositiveInt,
        dropout: Annotated[float, Field(ge=0, lt=1)],
        target_modules: str | list[str],
        learning_rate: Annotated[float, Field(gt=0, le=1)],
        schedule: Literal["linear", "cosine"],
        warmup_share: Annotated[float, Field(ge=0, lt=1)],
        epochs: PositiveFloat | None,
        until_learned: Annotated[float, Field(gt=0, le=1)],
        max_epochs: PositiveFloat,
        batch_size: PositiveInt,
        batch_tokens: PositiveInt | None,
        init: Literal["zero", "gaussian", "orthogonal", "pissa", "olora"],
        rank_stabilised: bool,
        dora: bool,
        quantized: bool,
        precision: Literal["auto", "float32", "bfloat16"],
        gradient_checkpointing: bool,
        packing: bool,
        eval_every: NonNegativeInt,
        patience: NonNegativeInt,
        checkpoint_every: Annotated[NonNegativeInt, DECIDES_NOTHING],
        start: str | None,
        stacked: bool,
        n_processes: PositiveInt,
        asked_every: PositiveFloat = 1.0,
    ) -> None:
        """Configure the training.

        Args:
            cache: cache of the adapters, keyed by everything that determines them.
            data: training data.
            rank: r of the paper (Hu et al. 2021, arXiv 2106.09685).
            alpha: the update is scaled by alpha / rank.
            dropout: dropout on the adapter's input during training.
            target_modules: names of linear layers, or "all-linear".
            learning_rate: peak learning rate of AdamW.
            schedule: decay of the learning rate to 0: linear or cosine.
            warmup_share: share of the steps for linear warm-up.
            epochs: passes over the training rows; None = until the training questions are learned.
            until_learned: share of a sample of 100 training questions that greedy decoding must answer with exactly the trained tokens.
            max_epochs: maximum number of epochs, after which training ends with a warning; also the length of the decay.
            batch_size: rows per step.
            batch_tokens: maximum tokens per forward pass, including padding; larger batches are accumulated over parts, with the same
                gradient up to rounding. None = no limit.
            init: initial weights. "zero", "gaussian" and "orthogonal" leave the model unchanged; "pissa" (arXiv 2404.02948) and "olora"
                (arXiv 2406.01775) take the leading components of the model's weights, and are saved at twice the rank.
            rank_stabilised: scale the update by alpha / sqrt(rank) (arXiv 2312.03732).
            dora: train magnitude and direction of weights separately (arXiv 2402.09353).
            quantized: store the frozen weights in 4 bits during training (QLoRA, arXiv 2305.14314); needs CUDA. The adapter is used with
                the full-precision weights.
            precision: compute dtype; "auto" is bfloat16 on CUDA if that is faster, float32 elsewhere. With 4-bit weights it is always
                bfloat16.
            gradient_checkpointing: recompute activations: less memory, more time.
            packing: concatenate the rows of a batch without attention between them instead of padding; the same result.
            eval_every: steps between evaluations on the dev questions, whose best weights are kept; 0 = none.
            patience: consecutive evaluations without improvement before training stops; 0 = no early stopping.
            checkpoint_every: steps between checkpoints; 0 = none.
            start: folder of an adapter that training continues from, with the same base model, rank and targets; None = none.
            stacked: merge that adapter into the frozen weights and train a new one on top. The result is one adapter that combines both,
                for the original model.
            n_processes: number of processes that train together, started by `accelerate launch`, each on an equal share of a batch.
            asked_every: epochs between evaluations of the sample.

        Raises:
            ConfigError: if settings exclude each other, or need CUDA where there is none.
            DataError: if the adapter to start from is not safe to load or has another shape.
            EnvironmentFault: if bitsandbytes is missing.
        """
        if init in CHANGE_BASE and (dora or quantized):
            raise ConfigError(
                f"adapter.init={init} changes the frozen weights, which excludes adapter.dora and adapter.quantized; use zero."
            )
        if init == "orthogonal" and rank % 2:
            raise ConfigError(f"adapter.init=orthogonal needs an even adapter.rank, found {rank}.")
        if quantized:
            _check_quantizing()
        self.cache, self.data, self.is_quantized = cache, data, quantized
        self._rows: Sequence[TrainingRow] | None = None  # precomputed rows; None = computed from the data
        self._lora = {
            "r": rank,
            "lora_alpha": alpha,
            "lora_dropout": dropout,
            "target_modules": target_modules,
            "init_lora_weights": True if init == "zero" else init,
            "use_rslora": rank_stabilised,
            "use_dora": dora,
            "task_type": "CAUSAL_LM",
        }
        self._start = start_of(start, stacked, self._lora, quantized)
        self._schedule = TrainingConfig(
            learning_rate=learning_rate,
            decay=schedule,
            warmup_share=warmup_share,
            epochs=epochs,
            until_learned=until_learned,
            asked_every=asked_every,
            max_epochs=max_epochs,
            batch_size=batch_size,
            batch_tokens=batch_tokens,
            precision=precision,
            gradient_checkpointing=gradient_checkpointing,
            packing=packing,
            eval_every=eval_every,
            patience=patience,
            checkpoint_every=checkpoint_every,
            n_processes=n_processes,
        )

    def with_rows(self, rows: Sequence[TrainingRow]) -> Lora:
        """Copy of the adapter that trains on precomputed rows."""
        same = copy(self)
        same._rows = rows
        return same

    def fit(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        lesson = self.training_job(generator, prompt, dataset, seed)
        is_local = Path(generator.model).is_dir()
        kept = train(lesson, "adapters", self.cache, lambda trained, folder: _save(trained, folder, is_local, self._start))
        return generator.with_adapter(str(kept.path)), kept

    def training_job(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingJob:
        """Training job for a dataset.

        Args:
            generator: the generator to be trained.
            prompt: renders prompts.
            dataset: the dataset.
            seed: seed of rows and training.

        Returns:
            The job.

        Raises:
            DataError: if the dataset lacks the required data, or the adapter to start from is for another model.
            ConfigError: if 4-bit weights are requested for a generator that is not on CUDA.
        """
        if self.is_quantized and generator.device != "cuda":
            raise ConfigError(f"adapter.quantized needs CUDA, generator.device is {generator.device}; set it to cuda.")
        if self._start:
            base = str(generator.identity()["base_model"])
            check_fits(str(self._start.folder), generator.model, generator.revision, base)
            self._start.check_asked_alike(generator)
        lora = LoraConfig(**self._lora, revision=generator.revision)
        return TrainingJob.of(
            generator,
            prompt,
            dataset,
            self.data,
            self._schedule,
            seed,
            lora,
            code_sha(__name__),
            is_quantized=self.is_quantized,
            start=self._start,
            made=self._rows,
        )


def _check_quantizing() -> None:
    choose_device("cuda")
    if find_spec("bitsandbytes") is None:
        raise EnvironmentFault("adapter.quantized needs bitsandbytes, which is not installed: pip install 'rag_eval[gpu]'")


def _save(trained: Trained, folder: Path, is_local: bool, start: WarmStart | None) -> None:
    """Write the two files of an adapter, identical for identical trainings on every machine; a local base model path becomes null."""
    trained.model.save_pretrained(str(folder))
    for path in folder.iterdir():
        if path.name not in {CONFIG, WEIGHTS}:
            path.unlink()
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if is_local:
        config["base_model_name_or_path"] = None
    for key in ("target_modules", "target_parameters"):
        if isinstance(config[key], list):
            config[key].sort()  # PEFT stores a set
    if trained.first:
        config |= _over_unchanged_base(config, folder / WEIGHTS, trained.first)
    if start and start.is_stacked:
        config |= start.joined(config, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _over_unchanged_base(config: Mapping[str, Any], path: Path, first: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Rewrite weights for changed frozen weights into weights of twice the rank for the original model.

    The frozen weights were changed to W - B0 A0, so the trained model is W + B A - B0 A0.

    Args:
        config: configuration of the adapter.
        path: file of the weights, rewritten in place.
        first: initial adapter weights A0 and B0.

    Returns:
        Changed configuration entries; the scale of the update stays the same.
    """
    weights = load_file(path)
    for name, weight in weights.items():
        begun = first[name.replace(".weight", ".default.weight")]
        is_a = ".lora_A." in name
        weights[name] = torch.cat([weight, begun if is_a else -begun], dim=0 if is_a else 1)
    save_file(weights, path, metadata={"format": "pt"})
    scale = math.sqrt(2) if config["use_rslora"] else 2
    return {"r": 2 * config["r"], "lora_alpha": scale * config["lora_alpha"], "init_lora_weights": True}
