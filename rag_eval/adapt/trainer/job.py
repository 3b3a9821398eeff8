"""Training with TRL's SFTTrainer: completion-only loss, resumable from checkpoints."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import peft
import torch
import transformers
import trl
from datasets import Dataset, disable_progress_bars, enable_progress_bars
from peft import LoraConfig
from transformers import PrinterCallback
from trl import SFTConfig

from rag_eval.adapt.data.length_check import check_length
from rag_eval.adapt.data.question_rows import dev_rows
from rag_eval.adapt.data.tokenize import tokenized, training_rows
from rag_eval.adapt.trainer.checkpoints import Checkpoints, Unsaved, trained_weights
from rag_eval.adapt.trainer.distributed_trainer import DistributedTrainer, filled, part_randomly
from rag_eval.adapt.trainer.divergence_check import FiniteTrainer, check_finite
from rag_eval.adapt.trainer.early_stopping import EarlyStopping
from rag_eval.adapt.trainer.history_callback import history
from rag_eval.adapt.trainer.model_checks import check_blind, check_linear, check_scored, choosing_layers
from rag_eval.adapt.trainer.process_group import check_started, follow_trainings, lead_training, world_size
from rag_eval.adapt.trainer.progress import TrainingBar
from rag_eval.adapt.trainer.until_learned import UntilLearned, sample_of
from rag_eval.adapt.training_config import TrainingConfig
from rag_eval.adapt.training_history import History, warn_unlearned
from rag_eval.adapt.warm_start import WarmStart
from rag_eval.device import faster_dtype
from rag_eval.errors import DataError
from rag_eval.processes import rank
from rag_eval.protocols import Cache, CheckpointStore, PromptWriter, Trainable, TrainingData
from rag_eval.types import Cached, QADataset, TrainingRow

CHANGE_BASE = ("pissa", "olora")  # initialisations that subtract the initial adapter from the frozen weights


@dataclass(frozen=True)
class TrainingJob:
    """A training job: model, rows and settings."""

    generator: Trainable
    rows: Sequence[TrainingRow]
    keeps_order: bool
    dev: Sequence[TrainingRow]  # rows for early stopping; empty = none
    schedule: TrainingConfig
    seed: int
    lora: LoraConfig | None  # None = all weights are trained
    code: str  # hash of the code that trains and saves
    is_quantized: bool = False  # whether the frozen weights are stored in 4 bits
    start: WarmStart | None = None  # None = start from the base model

    @classmethod
    def of(
        cls,
        generator: Trainable,
        prompt: PromptWriter,
        dataset: QADataset,
        data: TrainingData,
        schedule: TrainingConfig,
        seed: int,
        lora: LoraConfig | None,
        code: str,
        is_quantized: bool = False,
        start: WarmStart | None = None,
        made: Sequence[TrainingRow] | None = None,
    ) -> TrainingJob:
        """Training job for a dataset.

        Args:
            generator: the generator to be trained.
            prompt: renders prompts.
            dataset: the dataset.
            data: training data.
            schedule: settings of the training.
            seed: seed of rows and training.
            lora: configuration of the adapter; None = train all weights.
            code: hash of the code that trains and saves.
            is_quantized: whether the frozen weights are stored in 4 bits.
            start: adapter to start from.
            made: precomputed rows.

        Returns:
            The job.

        Raises:
            DataError: if the dataset lacks the required data, or a row does not fit the model's context.
        """
        rows = training_rows(data, generator, prompt, dataset, seed) if made is None else made
        dev = dev_rows(generator, prompt, dataset, rows) if schedule.eval_every else []
        if schedule.eval_every and not dev:
            raise DataError(
                f"{dataset.name}: adapter.eval_every needs dev questions, found none. Set it to 0, or dataset.dev_share above 0."
            )
        check_length(dev, generator)
        if schedule.epochs is None:
            sample_of(rows, seed)  # raises before a model is loaded if there are no questions
        return cls(generator, rows, data.keeps_order, dev, schedule, seed, lora, code, is_quantized, start)

    @property
    def key(self) -> Mapping[str, Any]:
        """Everything that determines the resulting weights."""
        return {
            "base_model": self.generator.identity()["base_model"],
            "rows": _sha(self.rows),
            "keeps_order": self.keeps_order,
            "dev": _sha(self.dev),
            "seed": self.seed,
            "code": [self.code, self.generator.base_code],
            **self.schedule.deciding,
            "lora": None if self.lora is None else json.loads(json.dumps(self.lora.to_dict(), default=sorted)),
            "is_quantized": self.is_quantized,
            "start": self.start and [self.start.sha, self.start.is_stacked],
            "precision": self.dtype,
            "device": self.generator.device,  # rounding differs
            "torch": torch.__version__.split("+")[0],
            "transformers": transformers.__version__,
            "tokenizers": version("tokenizers"),
            "peft": peft.__version__,
            "trl": trl.__version__,
            "accelerate": version("accelerate"),
            **({"bitsandbytes": version("bitsandbytes")} if self.is_quantized else {}),
        }

    @property
    def dtype(self) -> Literal["float32", "bfloat16"]:
        """Compute dtype of the training. Trained weights are float32, with 4-bit frozen weights bfloat16 (TRL's choice).

        On a CPU "auto" is float32, so that the adapter does not depend on the machine.

        Returns:
            "float32" or "bfloat16".
        """
        if self.schedule.precision != "auto":
            return self.schedule.precision
        return faster_dtype("cuda") if self.generator.device == "cuda" else "float32"


@dataclass(frozen=True)
class Trained:
    """Result of a training job."""

    model: Any
    first: Mapping[str, torch.Tensor]  # initial adapter weights if the frozen weights were changed by them, else empty
    earlier_s: float  # seconds of interrupted attempts that were resumed
    history: History


def train(lesson: TrainingJob, kind: str, cache: Cache, save: Callable[[Trained, Path], None]) -> Cached:
    """Folder of trained weights, from the cache or by training.

    Args:
        lesson: the training job.
        kind: cache directory.
        cache: cache of the weights and of checkpoints.
        save: writes the trained model into an empty folder.

    Returns:
        The cache entry.

    Raises:
        EnvironmentFault: if the training diverges.
        ConfigError: if the number of processes differs from the configured one, or the weights are sharded.
    """

    def write(folder: Path) -> float:
        check_started(lesson.schedule.n_processes)
        with lead_training(lesson):
            trained = _trained(lesson, cache.work(kind, lesson.key))
        save(trained, folder)
        trained.history.write(folder)
        return trained.earlier_s

    kept = cache.build(kind, lesson.key, write)
    warn_unlearned(kept)
    return kept


def take_part() -> None:
    """Main function of ranks 1 to N-1: take part in rank 0's jobs; nothing is written.

    Raises:
        EnvironmentFault: if another process ended during a job.
    """
    follow_trainings(lambda lesson: _trained(lesson, Unsaved()))


def trainer_of(lesson: TrainingJob, callbacks: Sequence[Any]) -> FiniteTrainer:
    """Trainer of a job, ready to start, with the seed set.

    Args:
        lesson: the training job.
        callbacks: callbacks of the trainer.

    Returns:
        The trainer.

    Raises:
        ConfigError: if the model lacks the target layers, TRL does not compute its logits, or it attends across packed rows.
    """
    transformers.set_seed(lesson.seed)
    tokenizer, model = lesson.generator.base("nf4" if lesson.is_quantized else "float32")
    rows, dev = (tokenized(tokenizer, those) if those else [] for those in (lesson.rows, lesson.dev))
    with choosing_layers() if lesson.lora else nullcontext():
        trainer = (FiniteTrainer if world_size() == 1 else DistributedTrainer)(
            model=lesson.start.frozen(model) if lesson.start else model,
            args=_settings(lesson),
            train_dataset=Dataset.from_list(filled(rows, lesson.schedule.batch_size, tokenizer.eos_token_id)),
            eval_dataset=Dataset.from_list(dev) if dev else None,
            processing_class=tokenizer,
            peft_config=lesson.lora,
            callbacks=list(callbacks),
        )
    trainer.rows, trainer.batch_tokens = lesson.rows, lesson.schedule.batch_tokens
    if lesson.start:
        lesson.start.begin(trainer.model)
    check_linear(trainer.model)
    check_scored(trainer)
    if lesson.schedule.packing:
        check_blind(trainer)
    part_randomly(lesson.seed)
    trainer.remove_callback(PrinterCallback)  # standard output is reserved for results
    return trainer


def _trained(lesson: TrainingJob, work: CheckpointStore) -> Trained:
    schedule = lesson.schedule
    best = EarlyStopping(schedule.eval_every, schedule.patience)
    until = UntilLearned(schedule, lesson.rows, lesson.seed)
    checkpoints = Checkpoints(work, schedule.checkpoint_every, best, until)
    disable_progress_bars()
    torch.set_flush_denormal(True)  # denormal attention weights slow down CPUs considerably
    try:
        with TrainingBar(schedule, len(until.sample)) as bar:
            trainer = trainer_of(lesson, [*([] if rank() else [bar]), until, best, checkpoints])
            until.watch(trainer)
            changes_base = lesson.lora is not None and lesson.lora.init_lora_weights in CHANGE_BASE
            first = {name: weight.detach().cpu().clone() for name, weight in trained_weights(trainer.model)} if changes_base else {}
            trainer.train(resume_from_checkpoint=None if checkpoints.last is None else str(checkpoints.last))
    finally:
        torch.set_flush_denormal(False)
        enable_progress_bars()
    check_finite(trainer.model, trainer.state.global_step)
    return Trained(trainer.model, first, checkpoints.earlier_s, history(trainer, until, best, schedule))


def _settings(lesson: TrainingJob) -> SFTConfig:
    schedule, has_cuda = lesson.schedule, lesson.generator.device == "cuda"
    n_steps = math.ceil(len(lesson.rows) / schedule.batch_size) * schedule.most_epochs
    settings = SFTConfig(
        output_dir=os.path.join(tempfile.gettempdir(), "rag_eval-trainer"),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        per_device_train_batch_size=schedule.batch_size // schedule.n_processes,
        per_device_eval_batch_size=schedule.batch_size,
        num_train_epochs=schedule.most_epochs,
        learning_rate=schedule.learning_rate,
        lr_scheduler_type=schedule.decay,
        warmup_steps=round(n_steps * schedule.warmup_share),
        weight_decay=0.0,
        seed=lesson.seed,
        data_seed=lesson.seed,
        use_cpu=not has_cuda,
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,  # buffers are identical in all processes, and are read before a step for shared prefixes
        bf16=lesson.dtype == "bfloat16",
        gradient_checkpointing=schedule.gradient_checkpointing,
        padding_free=schedule.packing,
        max_length=None,
        train_sampling_strategy="sequential" if lesson.keeps_order else "group_by_length",
        include_num_input_tokens_seen="non_padding",
        logging_steps=10,
        logging_nan_inf_filter=False,
        dataloader_pin_memory=has_cuda,
    )
    settings._n_gpu = min(settings.n_gpu, 1)  # otherwise all visible GPUs are used (DataParallel), which TRL rejects
    return settings


def _sha(rows: Sequence[TrainingRow]) -> str:
    return sha256(json.dumps(rows, default=vars).encode()).hexdigest()
