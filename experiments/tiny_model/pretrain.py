"""Train the embedded base model from nothing on invented worlds of reserved seeds.

    python -m experiments.pretrain_tiny out=build/tiny

The same command resumes from the last checkpoint. The weights are then measured by `python -m experiments.admission
model=build/tiny`; what was measured of the shipped ones stands in rag_eval/assets/tiny/README.md.
"""

from __future__ import annotations

import copy
import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from experiments.options import options_of
from experiments.study import ended
from experiments.tiny_model.guidance import Guidance
from experiments.tiny_model.rows import CONTEXT_TOKENS, LEVELS, Row, micro_batches, rows_of, tensors, train_tokenizer
from synthworld.model import RESERVED_SEED

REPORT_STEPS = 25
CHECKPOINT_S = 120
MICRO_BATCH_TOKENS = 2048


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights."""

    seed: int = RESERVED_SEED
    hidden: int = 160
    layers: int = 7
    heads: int = 4
    intermediate: int = 432
    vocabulary: int = 3072
    tokens: int = 20_000_000  # seen in all
    step_tokens: int = 4096  # at first; twice that after two fifths of the tokens, four times in the last quarter
    muon_lr: float = 0.01
    adam_lr: float = 1.5e-3
    weight_decay: float = 0.1  # of the matrices inside the layers
    warmup_steps: int = 50
    decay_share: float = 0.35  # of the tokens, at the end, linearly to a twentieth
    background_weight: float = 0.15  # of tokens that are not an answer
    guide_weight: float = 0.3  # of a guided look, at first; none in the last quarter of the tokens
    level_read_at: float = 0.3  # nats a token of the answers; below it the next level begins
    late_at: float = 0.66  # share of the tokens after which the kinds of question that take longest are asked most
    level_latest: float = 0.2  # share of the tokens at which the second level begins at the latest, the others 0.15 apart


@dataclass(frozen=True)
class Place:
    """Where weights, checkpoints and the log go."""

    out: Path = Path("build/tiny")


@dataclass
class State:
    """How far the training is."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    level: int = 0
    # Since the last report: summed loss of answers, their tokens, summed loss of guided looks, their number.
    window: list[float] = field(default_factory=lambda: [0.0] * 4)


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A small Llama with random weights from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=recipe.vocabulary,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=CONTEXT_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=recipe.muon_lr, weight_decay=recipe.weight_decay, momentum=0.95),
        torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate(progress: float, step: int, recipe: Recipe) -> float:
    """The factor on the learning rates: linear warm-up, flat, linear decay."""
    decay = min(1.0, (1.0 - progress) / recipe.decay_share)
    return min(1.0, (step + 1) / recipe.warmup_steps) * max(0.05, decay)


def step_loss(
    model: LlamaForCausalLM, guidance: Guidance, rows: list[Row], recipe: Recipe, pad: int, n_answer: int, guide_weight: float
) -> tuple[torch.Tensor, float, float]:
    """Loss a token of the step's answers, and the summed next-token loss of these rows' answers, and of their guided looks.

    Answers weigh 1. Of the other tokens half are drawn, at twice the background weight.
    """
    tokens, positions, mask, is_answer = tensors(rows, pad)
    hidden = model.model(input_ids=tokens, position_ids=positions, attention_mask=mask, use_cache=False).last_hidden_state
    target, answer = tokens[:, 1:], is_answer[:, 1:]
    # A question's first token does not follow from the token before it, which belongs to another question.
    follows = (positions[:, 1:] == positions[:, :-1] + 1) & (target != pad)
    chosen = answer | (follows & (torch.rand(follows.shape) < 0.5))
    logits = model.lm_head(hidden[:, :-1][chosen]).float()
    losses = functional.cross_entropy(logits, target[chosen], reduction="none")
    weights = torch.where(answer[chosen], 1.0, recipe.background_weight * 2)
    looks = guidance.loss([row.guides for row in rows], positions, mask) if guide_weight else torch.zeros(())
    return ((losses * weights).sum() + guide_weight * looks) / n_answer, float(losses.detach()[answer[chosen]].sum()), float(looks.detach())


def train_step(
    model: LlamaForCausalLM,
    guidance: Guidance,
    opts: list[torch.optim.Optimizer],
    recipe: Recipe,
    state: State,
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    """One optimiser step on rows that follow from the seed and the step's number."""
    progress = state.tokens / recipe.tokens
    factor = rate(progress, state.step, recipe)
    for opt, lr in zip(opts, (recipe.muon_lr, recipe.adam_lr), strict=True):
        opt.param_groups[0]["lr"] = lr * factor
    n_tokens = recipe.step_tokens * (1 if progress < 0.4 else 2 if progress < 0.75 else 4)
    rows = rows_of(random.Random(f"pretrain/{recipe.seed}/{state.step}"), tokenizer, state.level, n_tokens, progress >= recipe.late_at)
    torch.manual_seed(recipe.seed + state.step)
    n_answer = sum(sum(row.is_answer) for row in rows)
    guide_weight = recipe.guide_weight * max(0.0, 1 - progress / 0.75)
    for group in micro_batches(rows, MICRO_BATCH_TOKENS):
        loss, answer_loss, looks = step_loss(model, guidance, group, recipe, tokenizer.pad_token_id, n_answer, guide_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        state.window[0] += answer_loss
        state.window[2] += looks
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for opt in opts:
        opt.step()
        opt.zero_grad(set_to_none=True)
    state.window[1] += n_answer
    state.window[3] += sum(len(row.guides) for row in rows)
    state.step += 1
    state.tokens += sum(len(row.tokens) for row in rows)


def report(state: State, recipe: Recipe, log: Path) -> str:
    """Note the loss of the last steps, go to the next level where this one is read, and say how it stands."""
    loss = state.window[0] / state.window[1]
    entry = {
        "step": state.step,
        "tokens": state.tokens,
        "seconds": round(state.seconds),
        "answer_loss": round(loss, 4),
        "guide_loss": round(state.window[2] / max(1, state.window[3]), 4),
        "level": state.level,
    }
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    is_late = state.tokens / recipe.tokens > recipe.level_latest + 0.15 * state.level
    if state.level < len(LEVELS) - 1 and (loss < recipe.level_read_at or is_late):
        state.level += 1
    state.window = [0.0] * 4
    return f"level {state.level}, answer loss {loss:.3f}"


def save(out: Path, model: LlamaForCausalLM, opts: list[torch.optim.Optimizer], state: State) -> None:
    """A checkpoint to resume from, and the weights in half precision as they are shipped."""
    weights = {name: value.contiguous() for name, value in model.state_dict().items() if name != "lm_head.weight"}
    save_file(weights, out / "resume.safetensors.new")
    torch.save({"state": asdict(state), "optimizers": [opt.state_dict() for opt in opts]}, out / "state.pt.new")
    os.replace(out / "resume.safetensors.new", out / "resume.safetensors")
    os.replace(out / "state.pt.new", out / "state.pt")
    copy.deepcopy(model).half().save_pretrained(out)


def resume(out: Path, model: LlamaForCausalLM, opts: list[torch.optim.Optimizer]) -> State:
    """The state of the last checkpoint, put into model and optimisers; a new one where there is none."""
    if not (out / "state.pt").exists():
        return State()
    model.load_state_dict(load_file(out / "resume.safetensors"), strict=False)
    kept = torch.load(out / "state.pt", weights_only=True)
    for opt, saved in zip(opts, kept["optimizers"], strict=True):
        opt.load_state_dict(saved)
    return State(**kept["state"])


def tokenizer_of(out: Path, recipe: Recipe) -> PreTrainedTokenizerFast:
    """The tokenizer of a training that goes on, or a new one."""
    if (out / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(out)
    tokenizer = train_tokenizer(recipe.seed, recipe.vocabulary)
    tokenizer.save_pretrained(out)
    return tokenizer


def main(argv: Sequence[str]) -> int:
    """Train, from the last checkpoint on; returns the exit code."""
    return ended(lambda: _main(argv))


def _main(argv: Sequence[str]) -> int:
    """`out` is where to, everything else is of the recipe."""
    places = [one for one in argv if one.startswith("out=")]
    out, recipe = options_of(places, Place).out, options_of([one for one in argv if one not in places], Recipe)
    torch.set_flush_denormal(True)  # sharp attention makes numbers so small that they cost ten times the time
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1), encoding="utf-8")
    train(out, recipe)
    return 0


def train(out: Path, recipe: Recipe) -> None:
    """Train until the recipe's tokens are seen, with a checkpoint every CHECKPOINT_S seconds."""
    tokenizer = tokenizer_of(out, recipe)
    model = new_model(recipe, tokenizer)
    guidance = Guidance(model)
    opts = optimizers(model, recipe)
    state = resume(out, model, opts)
    before, saved_at = state.seconds, time.perf_counter()
    begun = saved_at
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=recipe.tokens, completed=state.tokens)
        while state.tokens < recipe.tokens:
            train_step(model, guidance, opts, recipe, state, tokenizer)
            state.seconds = before + time.perf_counter() - begun
            bar.update(task, completed=state.tokens)
            if state.step % REPORT_STEPS == 0:
                bar.update(task, description=report(state, recipe, out / "log.jsonl"))
            if time.perf_counter() - saved_at > CHECKPOINT_S or state.tokens >= recipe.tokens:
                saved_at = time.perf_counter()
                save(out, model, opts, state)
