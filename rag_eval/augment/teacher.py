"""A generator that is asked everything once: its replies are kept in a file by the hash of all that decides them."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rag_eval.progress import progress
from rag_eval.protocols import Arriving, Generator
from rag_eval.record.atomic_io import write_atomically, writing
from rag_eval.record.serialize import from_line, sha256_of, to_line
from rag_eval.types import Generation, Prompt, Spend, StopReason

T = TypeVar("T", int, float)

log = logging.getLogger(__name__)

BATCH = 64  # replies of a generator that answers in batches between two entries of the file: what an interruption loses at most


@dataclass(frozen=True)
class Reply:
    """What a model wrote, and what that took."""

    key: str
    text: str
    stop_reason: StopReason
    n_prompt_tokens: int | None
    n_output_tokens: int | None
    seconds: float | None  # its share of its batch


class Teacher:
    """Asks a generator, or takes what it said to the same prompt before, in this process or another."""

    def __init__(self, generator: Generator, file: Path) -> None:
        """Read the replies that are stored.

        Args:
            generator: the writing model.
            file: JSON lines with the replies; need not exist. Only one process may write it.
        """
        self._generator, self._file = generator, file
        self._kept = _read(file)
        self._used: dict[str, Reply] = {}
        self._new: set[str] = set()

    def fits(self, prompts: Sequence[Prompt]) -> list[bool]:
        """Whether the generator can read each of the prompts."""
        limit = self._generator.max_prompt_tokens
        return [True] * len(prompts) if limit is None else [n <= limit for n in self._generator.count_tokens(prompts)]

    def ask(self, what: str, prompts: Sequence[Prompt]) -> list[Reply]:
        """Ask for a reply to each prompt whose reply is not stored.

        Failed replies are not stored, so that the next run asks again.

        Args:
            what: label of the progress bar.
            prompts: prompts that fit the model.

        Returns:
            One reply for each prompt, in order.
        """
        keys = [self._key(prompt) for prompt in prompts]
        missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._kept}
        with progress(what, len(missing)) as advance:
            for replies in self._answered(list(missing), list(missing.values())):
                self._keep(replies)
                advance(len(replies))
        self._used |= {key: self._kept[key] for key in keys}
        return [self._kept[key] for key in keys]

    @property
    def spend(self) -> Spend:
        """What all replies took that were used, whenever they were written; a reply used twice counts once."""
        used = list(self._used.values())
        seconds = _sum([one.seconds for one in used])
        reused = [one.seconds for one in used if one.key not in self._new]
        return Spend(
            seconds,
            device_seconds=seconds if self._generator.device == "cuda" else None,
            n_prompt_tokens=_sum([one.n_prompt_tokens for one in used]),
            n_output_tokens=_sum([one.n_output_tokens for one in used]),
            cached=bool(reused),
            reused_s=_sum(reused) if reused else None,
        )

    def _answered(self, keys: Sequence[str], prompts: Sequence[Prompt]) -> Iterator[list[Reply]]:
        """Replies as they come: one by one where the generator can, in batches otherwise."""
        if isinstance(self._generator, Arriving):
            yield from ([_reply(keys[at], said)] for at, said in self._generator.arriving(prompts))
            return
        for start in range(0, len(prompts), BATCH):
            said = self._generator.generate(prompts[start : start + BATCH])
            yield [_reply(key, one) for key, one in zip(keys[start : start + BATCH], said, strict=True)]

    def _key(self, prompt: Prompt) -> str:
        return sha256_of([self._generator.identity(), prompt.messages, prompt.text])

    def _keep(self, replies: Sequence[Reply]) -> None:
        self._kept |= {one.key: one for one in replies}
        self._new |= {one.key for one in replies}
        with writing(self._file), self._file.open("ab") as file:
            file.write("".join(to_line(one) + "\n" for one in replies if one.stop_reason != "error").encode())
            file.flush()
            os.fsync(file.fileno())


def _read(file: Path) -> dict[str, Reply]:
    """Replies by key; the file is mended where a crash cut its last line."""
    if not file.exists():
        return {}
    found: dict[str, Reply] = {}
    *lines, cut = file.read_bytes().split(b"\n")
    n_unreadable = int(bool(cut))
    for line in lines:
        try:
            reply = from_line(Reply, line)
        except ValueError:
            n_unreadable += 1
        else:
            found[reply.key] = reply
    if n_unreadable:
        log.warning("%s: %d unfinished or unreadable lines left out; they will be asked again", file, n_unreadable)
        write_atomically(file, "".join(to_line(one) + "\n" for one in found.values()))
    return found


def _reply(key: str, said: Generation) -> Reply:
    return Reply(key, said.text, said.stop_reason, said.n_prompt_tokens, said.n_output_tokens, said.total_s)


def _sum(values: Sequence[T | None]) -> T | None:
    known = [one for one in values if one is not None]
    return sum(known) if len(known) == len(values) else None
