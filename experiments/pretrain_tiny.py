"""Train the embedded base model from nothing on invented worlds of reserved seeds.

    python -m experiments.pretrain_tiny out=build/tiny minutes=90

The same command resumes from the last checkpoint. Recipe, gates and limits are in the model card that it writes.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rag_eval.data.world.model import RESERVED_SEED
from rag_eval.data.world.reading import ALL_SPLITS, exercises
from rag_eval.prompt import Prompt
from rag_eval.types import ABSTENTION, Reading

SYSTEM = "Answer the question in a few words. If the answer is not known, say unknown."
END = "<|end|>"
PAD = "<|pad|>"
CONTEXT_TOKENS = 1024


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights."""

    seed: int = RESERVED_SEED
    hidden: int = 160
    layers: int = 5
    heads: int = 4
    intermediate: int = 432
    vocabulary: int = 2048
    step_tokens: int = 4096  # at first; twice that after two fifths of the time, four times in the last quarter
    muon_lr: float = 0.01
    adam_lr: float = 3e-3
    warmup_steps: int = 50
    decay_share: float = 0.35  # of the time, at the end, linearly to a twentieth
    background_weight: float = 0.15  # of tokens that are not an answer


LEVELS = ((3, 1), (4, 2), (5, 3), (5, 5))  # (passages, facts a passage) at most; the next one begins when this one is read
LEVEL_READ_AT = 0.35  # nats a token of the answers, over the last 25 steps


def shape(rng: random.Random, level: int) -> dict[str, int]:
    """How large the next exercise is: short passages about several diseases first; a third always comes from an earlier level."""
    n_documents, n_facts = (rng.randint(1, most) for most in LEVELS[rng.randint(0, level) if rng.random() < 0.35 else level])
    if level == len(LEVELS) - 1 and rng.random() < 0.04:
        n_documents, n_facts = rng.randint(6, 9), rng.randint(1, 2)
    n_diseases = rng.randint(1, n_documents) if rng.random() < 0.3 else n_documents
    return {"n_documents": n_documents, "n_diseases": n_diseases, "n_facts": n_facts, "n_questions": rng.randint(6, 8)}


def sample(rng: random.Random, level: int) -> list[Reading]:
    """One set of passages with its questions; one in twelve comes without passages, and then nothing is known."""
    readings = exercises(rng, **shape(rng, level), reserved=True, splits=ALL_SPLITS, follow_up_share=0.12)
    if rng.random() < 1 / 12 and not all(one.example.history for one in readings[:6]):
        return [Reading(replace(one.example, answers=()), ()) for one in readings[:6] if not one.example.history]
    return readings


def train_tokenizer(recipe: Recipe) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: digits and line breaks stand alone, so a prompt may be cut before a question."""
    rng = random.Random(f"tokenizer/{recipe.seed}")
    prompt = Prompt(SYSTEM)
    texts = (
        prompt.render(one.example, one.documents).text + " " + gold(one)
        for _ in range(6000)
        for one in exercises(rng, n_documents=2, n_diseases=2, n_facts=4, n_questions=3, reserved=True, splits=ALL_SPLITS)
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=recipe.vocabulary, special_tokens=[PAD, END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, padding_side="left", model_max_length=CONTEXT_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def new_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A small Llama with random weights from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=recipe.vocabulary, hidden_size=recipe.hidden, intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers, num_attention_heads=recipe.heads, num_key_value_heads=recipe.heads,
        max_position_embeddings=CONTEXT_TOKENS, tie_word_embeddings=True, bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def gold(reading: Reading) -> str:
    """The text that the model is to write."""
    return reading.example.answers[0] if reading.example.answers else ABSTENTION


@dataclass
class Row:
    """Passages followed by questions that see the passages but not each other."""

    tokens: list[int]
    segments: list[int]  # 0 = passages, then 1, 2, ... for each question
    positions: list[int]
    is_answer: list[bool]


def to_row(readings: list[Reading], tokenizer: PreTrainedTokenizerFast, prompt: Prompt) -> Row:
    """Each question continues the passages at the position that it would have if it were the only one."""
    texts = [prompt.render(one.example, one.documents).text for one in readings]
    cut = texts[0].index("\n\nQuestion: ") + 2
    pieces = [texts[0][:cut]] + [text[cut:] for text in texts]
    answers = [" " + gold(one) for one in readings]
    encoded = tokenizer(pieces + answers, add_special_tokens=False)["input_ids"]
    context, questions, finals = encoded[0], encoded[1 : len(pieces)], encoded[len(pieces) :]
    row = Row(list(context), [0] * len(context), list(range(len(context))), [False] * len(context))
    for at, (question, final) in enumerate(zip(questions, finals, strict=True), start=1):
        block = question + final + [tokenizer.eos_token_id]
        row.tokens += block
        row.segments += [at] * len(block)
        row.positions += range(len(context), len(context) + len(block))
        row.is_answer += [False] * len(question) + [True] * (len(final) + 1)
    return row


def batches(recipe: Recipe, tokenizer: PreTrainedTokenizerFast, step: int, progress: float, level: int) -> list[Row]:
    """The rows of one step, reproducible from the step's number; padding counts towards the budget."""
    rng = random.Random(f"pretrain/{recipe.seed}/{step}")
    budget = recipe.step_tokens * (1 if progress < 0.4 else 2 if progress < 0.75 else 4)
    prompt = Prompt(SYSTEM)
    rows = [to_row(sample(rng, level), tokenizer, prompt)]
    while True:
        row = to_row(sample(rng, level), tokenizer, prompt)
        if sum(len(one.tokens) for one in rows) + len(row.tokens) > budget:
            return sorted(rows, key=lambda one: len(one.tokens))
        rows.append(row)


def tensors(rows: list[Row], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """int64 (b, t) tokens, int64 (b, t) positions, bool (b, 1, t, t) mask, bool (b, t) is_answer."""
    width = max(len(row.tokens) for row in rows)

    def padded(values: list[list[int]], fill: int) -> torch.Tensor:
        return torch.tensor([value + [fill] * (width - len(value)) for value in values])

    tokens = padded([row.tokens for row in rows], pad)
    positions = padded([row.positions for row in rows], 0)
    segments = padded([row.segments for row in rows], -1)
    sees = (segments[:, None, :] == 0) | (segments[:, None, :] == segments[:, :, None])
    mask = sees & torch.ones(width, width, dtype=torch.bool).tril()
    mask |= torch.eye(width, dtype=torch.bool)
    return tokens, positions, mask[:, None], padded([[int(x) for x in row.is_answer] for row in rows], 0).bool()


def step_loss(model: LlamaForCausalLM, rows: list[Row], recipe: Recipe, pad: int, scale: float) -> tuple[torch.Tensor, float]:
    """Weighted next-token loss of some rows, divided by `scale` answer tokens, and the summed loss of the answers."""
    tokens, positions, mask, is_answer = tensors(rows, pad)
    hidden = model.model(input_ids=tokens, position_ids=positions, attention_mask=mask, use_cache=False).last_hidden_state
    target, answer = tokens[:, 1:], is_answer[:, 1:]
    # A question's first token does not follow from the token before it, which belongs to another question.
    follows = (positions[:, 1:] == positions[:, :-1] + 1) & (target != pad)
    sampled = follows & (torch.rand(follows.shape) < 0.5)
    chosen = answer | sampled
    logits = model.lm_head(hidden[:, :-1][chosen]).float()
    losses = functional.cross_entropy(logits, target[chosen], reduction="none")
    weights = torch.where(answer[chosen], 1.0, recipe.background_weight * 2)
    return (losses * weights).sum() / scale, float(losses.detach()[answer[chosen]].sum())


def micro_batches(rows: list[Row], budget: int) -> Iterator[list[Row]]:
    """Consecutive rows, sorted by length, whose padded size stays within a budget of tokens."""
    group: list[Row] = []
    for row in rows:
        if group and (len(group) + 1) * len(row.tokens) > budget:
            yield group
            group = []
        group.append(row)
    yield group


def optimizers(model: LlamaForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name and "lm_head" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        torch.optim.Muon(matrices, lr=recipe.muon_lr, weight_decay=0.1, momentum=0.95),
        torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate(progress: float, step: int, recipe: Recipe) -> float:
    """The factor on the learning rates: linear warm-up, flat, linear decay."""
    decay = min(1.0, (1.0 - progress) / recipe.decay_share)
    return min(1.0, (step + 1) / recipe.warmup_steps) * max(0.05, decay)


def main() -> None:
    arguments = dict(one.split("=", 1) for one in sys.argv[1:])
    out = Path(arguments.pop("out", "build/tiny"))
    minutes = float(arguments.pop("minutes", 90))
    recipe = Recipe(**{key: type(getattr(Recipe, key))(value) for key, value in arguments.items()})
    out.mkdir(parents=True, exist_ok=True)
    torch.set_flush_denormal(True)  # sharp attention makes numbers so small that they cost ten times the time
    tokenizer = train_tokenizer(recipe)
    tokenizer.save_pretrained(out)
    model = new_model(recipe, tokenizer)
    opts = optimizers(model, recipe)
    state_path = out / "state.pt"
    step, spent, level = 0, 0.0, 0
    if state_path.exists():
        model.load_state_dict(load_file(out / "resume.safetensors"), strict=False)
        state = torch.load(state_path, weights_only=True)
        step, spent, level = state["step"], state["spent"], state["level"]
        for opt, saved in zip(opts, state["optimizers"], strict=True):
            decay = opt.param_groups[0]["weight_decay"]
            opt.load_state_dict(saved)
            opt.param_groups[0]["weight_decay"] = decay
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, from step {step}", flush=True)
    base = [[group["lr"] for group in opt.param_groups] for opt in opts]
    log = open(out / "log.jsonl", "a")
    begun, window, n_window, saved_at = time.perf_counter() - spent, 0.0, 0, spent
    while spent < minutes * 60:
        progress = spent / (minutes * 60)
        factor = rate(progress, step, recipe)
        for opt, lrs in zip(opts, [[recipe.muon_lr], [recipe.adam_lr]], strict=True):
            opt.param_groups[0]["lr"] = lrs[0] * factor
        rows = batches(recipe, tokenizer, step, progress, level)
        n_answer = sum(sum(row.is_answer) for row in rows)
        for group in micro_batches(rows, 2048):
            loss, answer_loss = step_loss(model, group, recipe, tokenizer.pad_token_id, n_answer)
            loss.backward()
            window += answer_loss
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for opt in opts:
            opt.step()
            opt.zero_grad(set_to_none=True)
        n_window += n_answer
        step += 1
        spent = time.perf_counter() - begun
        if step % 25 == 0:
            entry = {"step": step, "seconds": round(spent), "answer_loss": round(window / n_window, 4), "lr": round(factor, 3), "level": level}
            print(json.dumps(entry), flush=True)
            log.write(json.dumps(entry) + "\n")
            log.flush()
            if level < len(LEVELS) - 1 and (window / n_window < LEVEL_READ_AT or progress > 0.2 + 0.15 * level):
                level += 1
            window, n_window = 0.0, 0
        if spent - saved_at > 120 or spent >= minutes * 60:
            saved_at = spent
            save_file({k: v.contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}, out / "resume.safetensors.new")
            torch.save({"step": step, "spent": spent, "level": level, "optimizers": [opt.state_dict() for opt in opts]}, out / "state.pt.new")
            os.replace(out / "resume.safetensors.new", out / "resume.safetensors")
            os.replace(out / "state.pt.new", state_path)
            model.half().save_pretrained(out)
            model.float()
            (out / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1))


if __name__ == "__main__":
    main()
