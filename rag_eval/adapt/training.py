"""One training through TRL's SFTTrainer: the loss is on completions only, and an interruption costs what came after the last state."""

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

from rag_eval.adapt.best_on_dev import BestOnDev
from rag_eval.adapt.checkpoints import Checkpoints, Unsaved, trained_weights
from rag_eval.adapt.data_qa import row_of
from rag_eval.adapt.finite import FiniteTrainer, check_finite
from rag_eval.adapt.fitting import check_length
from rag_eval.adapt.history import history
from rag_eval.adapt.kept_history import History, warn_unlearned
from rag_eval.adapt.progress import TrainingBar
from rag_eval.adapt.schedule import Schedule
from rag_eval.adapt.shares import SharingTrainer, filled, part_randomly
from rag_eval.adapt.started import Start
from rag_eval.adapt.suits import check_blind, check_linear, check_scored, choosing_layers
from rag_eval.adapt.together import check_started, follow, led, n_together
from rag_eval.adapt.training_set import tokenized, training_rows
from rag_eval.adapt.until_learned import UntilLearned, sample_of
from rag_eval.device import faster_dtype
from rag_eval.errors import DataError
from rag_eval.parts import Cache, Cached, PromptWriter, Row, Trainable, TrainingData, Work
from rag_eval.processes import rank
from rag_eval.types import QADataset

CHANGE_BASE = ("pissa", "olora")  # initial weights of adapters that are taken out of the frozen ones


@dataclass(frozen=True)
class Lesson:
    """What is taught to which model, and how."""

    generator: Trainable
    rows: Sequence[Row]
    keeps_order: bool
    dev: Sequence[Row]  # whose loss ends the training early; none = it does not
    schedule: Schedule
    seed: int
    lora: LoraConfig | None  # None = all weights are trained
    code: str  # identity of the code that trains and writes what is kept
    is_quantized: bool = False  # whether the frozen weights are held in 4 bits
    start: Start | None = None  # None = with the model as it is

    @classmethod
    def of(
        cls,
        generator: Trainable,
        prompt: PromptWriter,
        dataset: QADataset,
        data: TrainingData,
        schedule: Schedule,
        seed: int,
        lora: LoraConfig | None,
        code: str,
        is_quantized: bool = False,
        start: Start | None = None,
        made: Sequence[Row] | None = None,
    ) -> Lesson:
        """The lesson that a dataset gives; `made` are its rows where they were made before.

        Raises:
            DataError: if it lacks what is to be trained on, or a row is longer than the model can read.
        """
        rows = training_rows(data, generator, prompt, dataset, seed) if made is None else made
        dev = [row_of(generator, prompt, example, ()) for example in dataset.dev] if schedule.eval_every else []
        if schedule.eval_every and not dev:
            raise DataError(
                f"{dataset.name}: adapter.eval_every needs dev questions, found none. Set it to 0, or dataset.dev_share above 0."
            )
        check_length(dev, generator)
        if schedule.epochs is None:
            sample_of(rows, seed)  # refused before a model is loaded, where there is nothing to ask
        return cls(generator, rows, data.keeps_order, dev, schedule, seed, lora, code, is_quantized, start)

    @property
    def key(self) -> Mapping[str, Any]:
        """Everything that decides the weights that come out."""
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
            "device": self.generator.device,  # sums come out otherwise, in the last bits
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
        """Of the sums of the training; the weights that are trained are float32, over 4 bits bfloat16 (TRL's choice).

        On a CPU `auto` is float32, so that every machine makes the same adapter.
        """
        if self.schedule.precision != "auto":
            return self.schedule.precision
        return faster_dtype("cuda") if self.generator.device == "cuda" else "float32"


@dataclass(frozen=True)
class Trained:
    """What a training leaves."""

    model: Any
    first: Mapping[str, torch.Tensor]  # the trained weights before the first step, where the frozen ones were changed to fit them
    earlier_s: float  # what earlier attempts took whose state it went on from
    history: History


def taught(lesson: Lesson, kind: str, cache: Cache, save: Callable[[Trained, Path], None]) -> Cached:
    """The folder of trained weights, from the cache or by training.

    Args:
        lesson: what decides the weights.
        kind: of cache directory.
        cache: keeps the result, and the states of a training that is not finished.
        save: writes what is kept of the trained model into an empty folder.

    Raises:
        EnvironmentFault: if the training diverges.
        ConfigError: if it is to be trained by another number of processes than there are, or by parts of the model.
    """

    def write(folder: Path) -> float:
        check_started(lesson.schedule.n_processes)
        with led(lesson):
            trained = _trained(lesson, cache.work(kind, lesson.key))
        save(trained, folder)
        trained.history.write(folder)
        return trained.earlier_s

    kept = cache.build(kind, lesson.key, write)
    warn_unlearned(kept)
    return kept


def take_part() -> None:
    """What every process but the first does: it trains what the first trains, writes nothing and has no adapter in the end.

    Raises:
        EnvironmentFault: if another process ended in the midst of a training.
    """
    follow(lambda lesson: _trained(lesson, Unsaved()))


def trainer_of(lesson: Lesson, callbacks: Sequence[Any]) -> FiniteTrainer:
    """A trainer that has not begun, with the seed set.

    Raises:
        ConfigError: if the model has no such layers to train, is scored otherwise in training, or does not keep rows apart that are laid
            end to end.
    """
    transformers.set_seed(lesson.seed)
    tokenizer, model = lesson.generator.base("nf4" if lesson.is_quantized else "float32")
    rows, dev = (tokenized(tokenizer, those) if those else [] for those in (lesson.rows, lesson.dev))
    with choosing_layers() if lesson.lora else nullcontext():
        trainer = (FiniteTrainer if n_together() == 1 else SharingTrainer)(
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
    trainer.remove_callback(PrinterCallback)  # standard output is for results
    return trainer


def _trained(lesson: Lesson, work: Work) -> Trained:
    schedule = lesson.schedule
    best = BestOnDev(schedule.eval_every, schedule.patience)
    until = UntilLearned(schedule, lesson.rows, lesson.seed)
    checkpoints = Checkpoints(work, schedule.checkpoint_every, best, until)
    disable_progress_bars()
    torch.set_flush_denormal(True)  # the smallest weights of sharp attention cost many times the time
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


def _settings(lesson: Lesson) -> SFTConfig:
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
        ddp_broadcast_buffers=False,  # they are the same everywhere, and read before a step by rows that share their beginning
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
    settings._n_gpu = min(settings.n_gpu, 1)  # or all that can be seen are taken, which is another training and refused by TRL
    return settings


def _sha(rows: Sequence[Row]) -> str:
    return sha256(json.dumps(rows, default=vars).encode()).hexdigest()
