"""The thought that a model writes before its answer: told by how models spell it, and kept apart from what is scored.

| spelling | models that write it |
|---|---|
| `<think>` `</think>` | DeepSeek-R1, Qwen3, QwQ, SmolLM3, GLM-4.5, MiniMax-M2, Nemotron, Phi-4-reasoning, OLMo 3 and most others |
| `<thinking>`, `<thought>`, `<reasoning>` | EXAONE Deep, models trained on such tags |
| `<seed:think>` | Seed-OSS |
| `[THINK]` `[/THINK]` | Magistral, Ministral 3 |
| `◁think▷` `◁/think▷` | Kimi-VL |
| `<|START_THINKING|>` `<|END_THINKING|>` | Command A Reasoning |
| `<|begin_of_thought|>` `<|end_of_thought|>` | OpenThinker |
| `<|inner_prefix|>` `<|inner_suffix|>` | Apertus |
| `<|channel>thought` `<channel|>` | Gemma 4 |
| `<|think|>` ... `<|content|>` | Solar Open |
| `<mm:think>` `</mm:think>` | MiniMax-M3 |
| `Here are my reasoning steps:` `[BEGIN FINAL RESPONSE]` | Apriel Thinker |
| `Here is my thought process:` `Here is my response:` | Granite 3.2 |
| `<|channel|>analysis<|message|>` ... `<|channel|>final<|message|>` | gpt-oss (harmony) |
| `analysis` ... `assistantfinal` | the same with its control tokens left out |

A thought stands at the beginning of what is said, or behind another one; where the prompt opened it, only its end is said. An answer
that has tags of its own behind a thought (`<answer>`), or in control tokens (`<|START_RESPONSE|>`), is taken out of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>", "<channel|>"),
    ("<|think|>", "<|content|>"),
    ("<mm:think>", "</mm:think>"),
    ("Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]"),
)
PHRASES = (  # ordinary words: a thought only where they open what is said
    ("Here is my thought process:", "Here is my response:"),
    ("Here's my thought process:", "Here's my response:"),
)
WRAPPERS = (
    ("<|START_RESPONSE|>", "<|END_RESPONSE|>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("[BEGIN FINAL RESPONSE]", "[END FINAL RESPONSE]"),
)
ANSWER_TAG = ("<answer>", "</answer>")
HARMONY = ("<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>")
MARKERS = frozenset({*(one for pair in (*TAGS, *WRAPPERS) for one in pair), *HARMONY})  # what may be a control token

_CHANNEL = re.compile(r"\s*(?:<\|start\|>assistant)?<\|channel\|>")
_FINAL = re.compile(r"(?s)(?P<thought>.*)<\|channel\|>\s*final[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>(?P<answer>.*)")
_FINAL_BARE = re.compile(r"(?s)\s*analysis(?P<thought>.*)assistantfinal(?P<answer>.*)")
_TURN_END = re.compile(r"<\|(?:end|return|call|start)\|>")


@dataclass(frozen=True)
class Said:
    """What a model wrote, taken apart."""

    thought: str  # "" = none
    answer: str  # "" where the thought was cut
    is_cut: bool = False  # a thought was opened and never closed


def split(text: str) -> Said:
    """The thought and the answer of what a model wrote, the marker that its prompt ended with included."""
    if (found := _harmony(text)) is not None:
        return found
    thoughts, answer = [], text
    for opener, closer in (*TAGS, *PHRASES):
        before, mark, after = answer.rpartition(closer)
        if mark and ((opener, closer) in TAGS or before.lstrip().startswith(opener)):
            thoughts.append(before.strip().removeprefix(opener).strip())
            answer = after
    thought = "\n".join(filter(None, thoughts))
    unclosed = next((one for one, _ in (*TAGS, *PHRASES) if answer.lstrip().startswith(one)), None)
    if unclosed:
        rest = answer.strip().removeprefix(unclosed).strip()
        return Said("\n".join(filter(None, (thought, rest))), "", is_cut=True)
    for pair in (*WRAPPERS, *([ANSWER_TAG] if thoughts else [])):
        answer = _unwrapped(answer, *pair)
    return Said(thought, answer.strip() if thoughts else answer)


def opened(prompt: str) -> str:
    """The marker of a thought that a prompt ends in; "" = none."""
    end = prompt.rstrip()
    return next((one for opener, _ in TAGS for one in (opener, f"{opener}thought") if end.endswith(one)), "")


def closing(prompt: str) -> str:
    """What ends a thought that a prompt opened before anything is thought; "" = none is open."""
    marker = opened(prompt)
    return next((f"\n{closer}\n\n" for opener, closer in TAGS if marker.startswith(opener)), "") if marker else ""


def _harmony(text: str) -> Said | None:
    if _CHANNEL.match(text):
        found = _FINAL.fullmatch(text)
        if not found:
            return Said(text.strip(), "", is_cut=True)
        return Said(found["thought"].strip(), _TURN_END.split(found["answer"])[0].strip())
    bare = _FINAL_BARE.fullmatch(text)
    return Said(bare["thought"].strip(), bare["answer"].strip()) if bare else None


def _unwrapped(answer: str, opener: str, closer: str) -> str:
    inside = answer.strip()
    if inside.startswith(opener) or inside.endswith(closer):
        return inside.removeprefix(opener).partition(closer)[0].strip()
    return answer
