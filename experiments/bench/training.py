"""How fast an adapter is trained, beside TRL's SFTTrainer as it comes and as tuned by hand: same model, rows, rank, precision, steps.

Ours is the trainer of adapter=lora, with checkpoints every 10 steps, which theirs are without. TRL as it comes has gradient
checkpointing on and draws rows at random; tuned it has gradient checkpointing off and rows of like length in a batch. Prompts are
of lognormal length, as with passages. The three take turns, block by block, each as often; a block trains anew from the same
weights. Building the trainer is excluded, so are the first steps. The gate: after as many steps the loss on the same held-out rows
is the same within what two seeds differ by.

    OMP_NUM_THREADS=2 python -m experiments.bench.training
"""

from __future__ import annotations

import json
import logging
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from rich.console import Console
from rich.table import Table
from transformers import LlamaConfig, LlamaForCausalLM, PrinterCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

import rag_eval
from rag_eval.adapt.best_on_dev import BestOnDev
from rag_eval.adapt.checkpoints import Checkpoints
from rag_eval.adapt.data_qa import QA
from rag_eval.adapt.lora import Lora
from rag_eval.adapt.training import Lesson, trainer_of
from rag_eval.adapt.training_set import tokenized
from rag_eval.generate.hf import HF
from rag_eval.prompt import Prompt
from rag_eval.record.cache import DirectoryCache
from rag_eval.record.work import WorkDirectory
from rag_eval.types import Example, QADataset

REPORT = Path("reports/bench/training")
N_ROWS, BATCH, N_BLOCKS, N_SKIPPED = 96, 8, 3, 2
RANK = 16
LOSS_MARGIN = 0.05  # share of the loss by which two seeds may differ


@dataclass(frozen=True)
class Way:
    """One way of training."""

    name: str
    target: float | None  # times its speed that ours should be
    tokens_per_s: list[float]  # of each block, padding not counted
    loss: list[float]  # on held-out rows after each block


class Clock(TrainerCallback):  # type: ignore[misc]
    """Seconds from the end of the first steps to the end of the last."""

    def __init__(self) -> None:
        self.begun = self.ended = 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.ended = time.perf_counter()
        if state.global_step == N_SKIPPED:
            self.begun = self.ended


def questions(n: int, seed: int) -> tuple[Example, ...]:
    """Questions about made-up words, mostly short and now and then long, as prompts with passages are."""
    rng = random.Random(seed)
    words = [f"{a}{b}" for a in ("ve", "zo", "mi", "ra", "tu") for b in ("lor", "nu", "xa", "pid", "gen")]
    lengths = [max(5, min(220, int(rng.lognormvariate(3.5, 0.8)))) for _ in range(n)]
    return tuple(Example(f"q{at}", f"{' '.join(rng.choices(words, k=k))}?", (rng.choice(words),)) for at, k in enumerate(lengths))


def model_folder(folder: Path) -> Path:
    """A model of random weights and about six million parameters, with the embedded model's tokenizer."""
    tiny = Path(rag_eval.__file__).parent / "assets" / "tiny"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=3072,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=6,
        num_attention_heads=4,
        max_position_embeddings=1024,
        eos_token_id=1,
        bos_token_id=None,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((tiny / name).read_bytes())
    return folder


def lesson_of(generator: HF, root: Path) -> Lesson:
    """What all ways train on."""
    lora = Lora(
        DirectoryCache(str(root)),
        QA(0.0),
        rank=RANK,
        alpha=RANK,
        dropout=0.0,
        target_modules="all-linear",
        init="zero",
        rank_stabilised=False,
        dora=False,
        quantized=False,
        learning_rate=0.002,
        epochs=1.0,
        batch_size=BATCH,
        precision="float32",
        gradient_checkpointing=False,
        packing=False,
        eval_every=0,
        patience=0,
        checkpoint_every=10,
    )
    dataset = QADataset("made up", "0", (), questions(N_ROWS, 0), (), ())
    return lora.lesson(generator, Prompt("Say."), dataset, seed=0)


def ours(lesson: Lesson, clock: Clock) -> SFTTrainer:
    work = WorkDirectory(Path(tempfile.mkdtemp()) / "work")
    return trainer_of(lesson, [Checkpoints(work, lesson.schedule.checkpoint_every, BestOnDev(0, 0)), clock])


def theirs(lesson: Lesson, clock: Clock, **changed: Any) -> SFTTrainer:
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
        per_device_train_batch_size=BATCH,
        num_train_epochs=lesson.schedule.epochs,
        learning_rate=lesson.schedule.learning_rate,
        seed=lesson.seed,
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


def compare(lesson: Lesson) -> list[Way]:
    """Blocks of all ways in turn, after a block of each that does not count."""
    tuned: dict[str, Any] = {"gradient_checkpointing": False, "max_length": None, "train_sampling_strategy": "group_by_length"}
    begin: dict[str, Callable[[Clock], SFTTrainer]] = {
        "rag_eval": lambda clock: ours(lesson, clock),
        "TRL as it comes": lambda clock: theirs(lesson, clock),
        "TRL tuned": lambda clock: theirs(lesson, clock, **tuned),
    }
    targets = {"rag_eval": None, "TRL as it comes": 2.0, "TRL tuned": 1.0}
    tokenizer = lesson.generator.base("float32")[0]
    held_out = tokenized(tokenizer, QA(0.0).rows(lesson.generator, Prompt("Say."), QADataset("", "", (), questions(16, 1), (), ()), 0))
    n_tokens = sum(len(row["input_ids"]) for row in tokenized(tokenizer, lesson.rows))
    n_steps = -(-N_ROWS // BATCH)
    ways = {name: Way(name, targets[name], [], []) for name in begin}
    for block in range(N_BLOCKS + 1):
        for name, make in begin.items():
            clock = Clock()
            trainer = make(clock)
            trainer.train()
            if block:
                ways[name].tokens_per_s.append(n_tokens * (1 - N_SKIPPED / n_steps) / (clock.ended - clock.begun))
                ways[name].loss.append(loss(trainer.model, held_out))
    return list(ways.values())


@torch.inference_mode()
def loss(model: Any, rows: Sequence[dict[str, list[int]]]) -> float:
    """Mean over rows of the loss on their completions."""
    model.eval()
    losses = [model(input_ids=torch.tensor([row["input_ids"]]), labels=torch.tensor([row["labels"]])).loss.item() for row in rows]
    return statistics.fmean(losses)


def ratio(ours: Way, other: Way) -> list[float]:
    """How many times as fast ours was, block by block."""
    return [mine / its for mine, its in zip(ours.tokens_per_s, other.tokens_per_s, strict=True)]


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):,.2f} ({min(values):,.2f} to {max(values):,.2f})"


def row(ours: Way, way: Way) -> tuple[str, ...]:
    gap = abs(statistics.fmean(way.loss) - statistics.fmean(ours.loss)) / statistics.fmean(ours.loss)
    gate = "same" if gap <= LOSS_MARGIN else "DIFFERS"
    if way.target is None:
        return (way.name, spread(way.tokens_per_s), "", "", "", f"{statistics.fmean(way.loss):.4f}", "")
    times = ratio(ours, way)
    met = "met" if statistics.median(times) >= way.target else "NOT met"
    return (way.name, spread(way.tokens_per_s), spread(times), f"{way.target:.1f}", met, f"{statistics.fmean(way.loss):.4f}", gate)


COLUMNS = ("", "tokens/s", "rag_eval, times as fast", "target", "", "loss after", "gate")


def main() -> None:
    logging.disable(logging.WARNING)
    disable_progress_bars()
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        generator = HF(str(model_folder(root / "model")), "float32", "cpu", max_new_tokens=8, token_budget=4096)
        ways = compare(lesson_of(generator, root / "cache"))
    rows = [row(ways[0], way) for way in ways]
    machine = f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, {torch.get_num_threads()} threads"
    versions = {name: version(name) for name in ("torch", "transformers", "peft", "trl")}
    about = (
        f"LoRA of rank {RANK} on a model of 6 million parameters, float32, {N_ROWS} rows, {BATCH} a step, {N_BLOCKS} blocks in turn, "
        f"median (least to most). {machine}, {', '.join(f'{name} {number}' for name, number in versions.items())}; "
        f"load average {os.getloadavg()[0]:.1f}."
    )
    table = Table(*COLUMNS)
    for one in rows:
        table.add_row(*one)
    console = Console(width=160)
    console.print(about)
    console.print(table)
    lines = [f"| {' | '.join(cells)} |" for cells in (COLUMNS, ["---"] * len(COLUMNS), *rows)]
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.with_suffix(".md").write_text("\n".join(["# Training speed", about, "", *lines, ""]), encoding="utf-8")
    measured = {"about": about, "versions": versions, "ways": [asdict(one) for one in ways]}
    REPORT.with_suffix(".json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
