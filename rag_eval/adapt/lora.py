"""Low-rank adaptation with PEFT through TRL's SFTTrainer; the loss is on the answers only."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import peft
import torch
import transformers
import trl
from datasets import Dataset, disable_progress_bars, enable_progress_bars
from peft import LoraConfig
from pydantic import Field, PositiveFloat, PositiveInt
from transformers import PrinterCallback
from trl import SFTConfig, SFTTrainer

from rag_eval.adapt.finite import StopOnNonFinite
from rag_eval.adapt.progress import TrainingBar
from rag_eval.adapt.training_set import Row, tokenized, training_rows
from rag_eval.errors import DataError
from rag_eval.parts import Cache, Cached, Generator, PromptWriter, Trainable, Weights
from rag_eval.source import source_sha
from rag_eval.types import QADataset


class Lora:
    """Trains a LoRA adapter on the dataset's train questions, or takes it from the cache."""

    weights: Weights = "trained"

    def __init__(
        self,
        cache: Cache,
        rank: PositiveInt,
        alpha: PositiveInt,
        dropout: Annotated[float, Field(ge=0, lt=1)],
        target_modules: str | list[str],
        learning_rate: Annotated[float, Field(gt=0, le=1)],
        epochs: PositiveFloat,
        batch_size: PositiveInt,
        reading_share: Annotated[float, Field(ge=0, lt=1)],
        warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.03,
    ) -> None:
        """
        Args:
            cache: keeps adapters by everything that decides them.
            rank: r of the paper (Hu et al. 2021, arXiv 2106.09685).
            alpha: the update is scaled by alpha / rank.
            dropout: on the adapter's input while training.
            target_modules: names of linear layers, or "all-linear".
            learning_rate: of AdamW, after warm-up, decaying linearly to 0.
            epochs: passes over the training rows.
            batch_size: rows a step.
            reading_share: share of the rows that are reading exercises about other documents.
            warmup_share: share of the steps.
        """
        self.cache, self.rank, self.alpha, self.dropout, self.target_modules = cache, rank, alpha, dropout, target_modules
        self.learning_rate, self.epochs, self.batch_size = learning_rate, epochs, batch_size
        self.reading_share, self.warmup_share = reading_share, warmup_share

    def fit(self, generator: Trainable, prompt: PromptWriter, dataset: QADataset, seed: int) -> tuple[Generator, Cached | None]:
        if not dataset.train:
            raise DataError(f"{dataset.name}: expected training questions to fine-tune on, found none. Set dataset.train_share above 0.")
        rows = training_rows(generator, prompt, dataset, self.reading_share, seed)
        kept = self.cache.build("adapters", self._key(generator, rows, seed), lambda folder: self._train(generator, rows, seed, folder))
        return generator.with_adapter(str(kept.path)), kept

    def _key(self, generator: Trainable, rows: list[Row], seed: int) -> Mapping[str, Any]:
        hyperparameters = {name: value for name, value in vars(self).items() if name != "cache"}
        return {
            "base_model": generator.identity()["base_model"],
            "rows": sha256(json.dumps(rows).encode()).hexdigest(),
            "seed": seed,
            "code": source_sha("adapt"),
            **hyperparameters,
            "precision": "bfloat16" if _has_bfloat16(generator) else "float32",
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
            "peft": peft.__version__,
            "trl": trl.__version__,
        }

    def _train(self, generator: Trainable, rows: list[Row], seed: int, folder: Path) -> None:
        """Train on the rows and save a standard PEFT folder."""
        disable_progress_bars()
        torch.set_flush_denormal(True)  # the smallest weights of sharp attention cost many times the time
        try:
            with TrainingBar() as bar:
                trainer = self._trainer(generator, rows, seed, bar)
                trainer.train()
        finally:
            torch.set_flush_denormal(False)
            enable_progress_bars()
        trainer.save_model(str(folder))
        _tidy(folder, is_local=_is_local(generator))

    def _trainer(self, generator: Trainable, rows: list[Row], seed: int, bar: TrainingBar) -> SFTTrainer:
        transformers.set_seed(seed)
        tokenizer, model = generator.base("float32")
        has_cuda = generator.device == "cuda"
        n_steps = math.ceil(len(rows) / self.batch_size) * self.epochs
        settings = SFTConfig(
            output_dir=os.path.join(tempfile.gettempdir(), "rag_eval-trainer"),
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            per_device_train_batch_size=self.batch_size,
            num_train_epochs=self.epochs,
            learning_rate=self.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=round(n_steps * self.warmup_share),
            weight_decay=0.0,
            seed=seed,
            data_seed=seed,
            use_cpu=not has_cuda,
            bf16=_has_bfloat16(generator),
            gradient_checkpointing=False,
            max_length=None,
            train_sampling_strategy="group_by_length",
            logging_steps=10,
            logging_nan_inf_filter=False,
            dataloader_pin_memory=has_cuda,
        )
        lora = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.target_modules,
            task_type="CAUSAL_LM",
            revision=generator.revision,
        )
        trainer = SFTTrainer(
            model=model,
            args=settings,
            train_dataset=Dataset.from_list(tokenized(tokenizer, rows)),
            processing_class=tokenizer,
            peft_config=lora,
            callbacks=[bar, StopOnNonFinite()],
        )
        trainer.remove_callback(PrinterCallback)  # standard output is for results
        return trainer


def _tidy(folder: Path, is_local: bool) -> None:
    """Leave the two files of an adapter, equal for equal trainings on every machine.

    What the trainer adds for its own use (a pickle among it) goes; a base model's local path becomes null.
    """
    for path in folder.iterdir():
        if path.name not in {"adapter_config.json", "adapter_model.safetensors"}:
            path.unlink()
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    if is_local:
        config["base_model_name_or_path"] = None
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()  # PEFT keeps them in a set
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _is_local(generator: Trainable) -> bool:
    return Path(generator.model).is_dir()


def _has_bfloat16(generator: Trainable) -> bool:
    return generator.device == "cuda" and torch.cuda.is_bf16_supported()
