"""How fast an adapter is trained, beside TRL's SFTTrainer as it comes and as tuned by hand: same model, rows, rank, precision, steps.

Ours is the trainer of adapter=lora with checkpoints as it comes, every 100 steps, which is never here. TRL as it comes has gradient
checkpointing on and draws rows at random; tuned it has what ours sets: no gradient checkpointing, rows of like length in a batch,
the same warm-up. All have the loss on completions only, the same threads and log as often. The rows are those of mode=finetune
without its reading exercises, which are short, and of mode=raft, which show passages; the model is the embedded one.

The three take turns, in one order and then in the other; a block trains anew with a seed of its own, and each gives one ratio of
times. Building the trainer is excluded, so are the first steps. CPU seconds are those of the process, all threads together: other
work on the machine changes them less. The gate: after as many steps the mean loss on the same held-out rows is the same within what
ours differs by from seed to seed.

    OMP_NUM_THREADS=2 python -m experiments.bench.training
"""

from __future__ import annotations

import logging
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from experiments.bench.ratios import ratio, verdict
from experiments.study import Found, Report, Run, Study
from rag_eval.adapt.data.qa import QA
from rag_eval.adapt.data.raft import Raft
from rag_eval.adapt.data.tokenize import tokenized
from rag_eval.adapt.lora import Lora
from rag_eval.adapt.trainer.checkpoints import Checkpoints
from rag_eval.adapt.trainer.early_stopping import EarlyStopping
from rag_eval.adapt.trainer.job import TrainingJob, trainer_of
from rag_eval.adapt.trainer.until_learned import UntilLearned
from rag_eval.generate.hf import HF
from rag_eval.prompt import PromptTemplate
from rag_eval.protocols import TrainingData
from rag_eval.record.cache import DirectoryCache
from rag_eval.record.checkpoint_store import CheckpointDirectory
from rag_eval.report.table import Table
from rag_eval.testing.models import TINY
from rag_eval.types import TrainingRow
from synthworld.dataset import world

N_BLOCKS, N_SKIPPED, N_HELD_OUT = 4, 2, 16
RANK = 64
OURS = "rag_eval"
TARGETS = {OURS: None, "TRL as it comes": 2.0, "TRL tuned": 1.0}  # times its speed that ours should be


@dataclass(frozen=True)
class Options:
    """Where the report is."""

    out: Path = Path("reports/bench")


@dataclass(frozen=True)
class Kind:
    """Rows of one kind."""

    name: str
    data: TrainingData
    n_rows: int
    batch: int


KINDS = (
    Kind("short questions", QA(0.0), 320, 8),
    Kind("the same, the default batch", QA(0.0), 640, 32),
    Kind("questions with passages", Raft(3, 0.8), 80, 4),
)


@dataclass(frozen=True)
class Way:
    """One way of training on rows of one kind."""

    rows: str
    name: str
    n_tokens: int  # of a block, padding and the first steps not counted
    wall_s: list[float]  # of each block
    cpu_s: list[float]
    loss: list[float]  # on held-out rows after each block, each of another seed


class Clock(TrainerCallback):  # type: ignore[misc]
    """Wall and CPU seconds from the end of the first steps to the end of the last."""

    def __init__(self) -> None:
        self._begun = self._ended = (0.0, 0.0)

    @property
    def wall_s(self) -> float:
        return self._ended[0] - self._begun[0]

    @property
    def cpu_s(self) -> float:
        return self._ended[1] - self._begun[1]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._ended = time.perf_counter(), time.process_time()
        if state.global_step == N_SKIPPED:
            self._begun = self._ended


def runs(_: Options) -> list[Run[str, list[Way]]]:
    """All ways with each kind of rows."""
    logging.disable(logging.WARNING)
    disable_progress_bars()
    torch.set_flush_denormal(True)
    return [Run(kind.name, partial(compare, kind)) for kind in KINDS]


def lesson_of(kind: Kind, root: Path) -> tuple[TrainingJob, list[TrainingRow]]:
    """What all ways train on, and rows that none does."""
    lora = Lora(
        DirectoryCache(str(root)),
        kind.data,
        rank=RANK,
        alpha=RANK,
        dropout=0.0,
        target_modules="all-linear",
        init="zero",
        rank_stabilised=False,
        dora=False,
        quantized=False,
        learning_rate=0.002,
        schedule="linear",
        warmup_share=0.03,
        epochs=1.0,
        until_learned=0.99,
        max_epochs=30.0,
        batch_size=kind.batch,
        batch_tokens=2048,
        precision="float32",
        gradient_checkpointing=False,
        packing=False,
        eval_every=0,
        patience=0,
        checkpoint_every=100,
        start=None,
        stacked=False,
        n_processes=1,
    )
    generator = HF(str(TINY), "float32", "cpu", max_new_tokens=8, token_budget=4096)
    prompt = PromptTemplate("Answer the question in a few words. If the answer is not known, say unknown.")
    lesson = lora.training_job(generator, prompt, world("ci", 0), seed=0)
    end = kind.n_rows + N_HELD_OUT
    return replace(lesson, rows=lesson.rows[: kind.n_rows]), list(lesson.rows[kind.n_rows : end])


def ours(lesson: TrainingJob, clock: Clock) -> SFTTrainer:
    best, until = EarlyStopping(0, 0), UntilLearned(lesson.schedule, lesson.rows, lesson.seed)
    work = CheckpointDirectory(Path(tempfile.mkdtemp()) / "work")
    return trainer_of(lesson, [best, until, Checkpoints(work, lesson.schedule.checkpoint_every, best, until), clock])


def theirs(lesson: TrainingJob, clock: Clock, **changed: Any) -> SFTTrainer:
    """TRL's own trainer; what `changed` does not name is as it comes."""
    transformers.set_seed(lesson.seed)
    tokenizer, model = lesson.generator.base("float32")
    settings = SFTConfig(
        output_dir=tempfile.mkdtemp(),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        bf16=False,
        per_device_train_batch_size=lesson.schedule.batch_size,
        num_train_epochs=lesson.schedule.epochs,
        learning_rate=lesson.schedule.learning_rate,
        seed=lesson.seed,
        logging_steps=10,
        dataloader_pin_memory=False,
        **changed,
    )
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=Dataset.from_list(tokenized(tokenizer, lesson.rows)),
        processing_class=tokenizer,
        peft_config=LoraConfig(r=RANK, lora_alpha=RANK, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[clock],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def compare(kind: Kind, _: Found[str, list[Way]]) -> list[Way]:
    """Blocks of all ways in turn, after a few steps of each that do not count."""
    with tempfile.TemporaryDirectory() as root:
        lesson, held_out = lesson_of(kind, Path(root))
    n_steps = math.ceil(kind.n_rows / kind.batch)
    tuned: dict[str, Any] = {
        "gradient_checkpointing": False,
        "max_length": None,
        "train_sampling_strategy": "group_by_length",
        "warmup_steps": round(n_steps * lesson.schedule.warmup_share),
    }
    begin: dict[str, Callable[[TrainingJob, Clock], SFTTrainer]] = {
        OURS: ours,
        "TRL as it comes": theirs,
        "TRL tuned": lambda lesson, clock: theirs(lesson, clock, **tuned),
    }
    tokenizer = lesson.generator.base("float32")[0]
    judged = tokenized(tokenizer, held_out)
    n_tokens = sum(len(row["input_ids"]) for row in tokenized(tokenizer, lesson.rows)) * (n_steps - N_SKIPPED) // n_steps
    ways = {name: Way(kind.name, name, n_tokens, [], [], []) for name in begin}
    for make in begin.values():
        make(replace(lesson, rows=lesson.rows[: 2 * kind.batch]), Clock()).train()
    for block in range(N_BLOCKS):
        for name in list(begin)[:: -1 if block % 2 else 1]:
            clock = Clock()
            trainer = begin[name](replace(lesson, seed=block), clock)
            trainer.train()
            ways[name].wall_s.append(clock.wall_s)
            ways[name].cpu_s.append(clock.cpu_s)
            ways[name].loss.append(loss(trainer.model, judged))
    return list(ways.values())


@torch.inference_mode()
def loss(model: Any, rows: Sequence[dict[str, list[int]]]) -> float:
    """Mean over rows of the loss on their completions."""
    model.eval()
    losses = [model(input_ids=torch.tensor([row["input_ids"]]), labels=torch.tensor([row["labels"]])).loss.item() for row in rows]
    return statistics.fmean(losses)


def row(ours: Way, way: Way) -> tuple[str, ...]:
    speed = f"{way.n_tokens / statistics.median(way.wall_s):,.0f}"
    after = f"{statistics.fmean(way.loss):.4f}"
    target = TARGETS[way.name]
    if target is None:
        return (way.rows, way.name, speed, "", "", "", "", after, "")
    wall, cpu = ratio(way.wall_s, ours.wall_s), ratio(way.cpu_s, ours.cpu_s)
    gap = abs(statistics.fmean(way.loss) - statistics.fmean(ours.loss))
    gate = "same" if gap <= max(ours.loss) - min(ours.loss) else "DIFFERS"
    times = ["{:.2f} ({:.2f} to {:.2f})".format(*one) for one in (wall, cpu)]
    return (way.rows, way.name, speed, *times, f"{target:.1f}", verdict(target, *wall[1:]), after, gate)


COLUMNS = ("rows", "trainer", "tokens/s", "rag_eval, times as fast, wall", "CPU", "target", "reached", "loss after", "gate")


def report(_: Options, found: Found[str, list[Way]]) -> Report:
    """A line for each way and kind of rows."""
    rows = [row(ways[0], way) for ways in found.values() for way in ways]
    sizes = "; ".join(f"{kind.name}: {kind.n_rows} rows, {kind.batch} a step" for kind in KINDS)
    about = f"LoRA of rank {RANK} on the embedded model, float32. {sizes}. {N_BLOCKS} blocks in turn, 95 % intervals over blocks."
    ways = [asdict(way) for of_kind in found.values() for way in of_kind]
    return Report([Table("Tokens a second", about, COLUMNS, tuple(rows))], [f"threads: {torch.get_num_threads()}"], {"ways": ways})


STUDY = Study("training", "Training speed", "experiments.bench.training", Options, runs, report)
main = STUDY.main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
