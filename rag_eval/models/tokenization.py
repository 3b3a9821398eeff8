"""Formatted texts to token ids: a begin token at most once, no end token, and text that spells a control token read as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from rag_eval.errors import DataError
from rag_eval.models.control_tokens import control_tokens, renamed, spelling
from rag_eval.types import Formatted


class Tokenization:
    """How a tokenizer of Hugging Face transformers reads texts."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def ids(self, texts: Sequence[Formatted]) -> list[list[int]]:
        """Token ids of texts; the begin token comes first unless a chat template wrote the text.

        Args:
            texts: formatted texts.

        Returns:
            Token ids of each text, in order.

        Raises:
            DataError: if a text spells a control token, which a slow tokenizer cannot read as text.
        """
        if not texts:
            return []
        given = {"add_special_tokens": False, "split_special_tokens": False, "verbose": False}
        found = self.tokenizer([one.text for one in texts], **given)["input_ids"]
        return [
            ([] if one.is_templated else [*self.begin]) + self._as_text(one, ids)  # the tokenizer's own end token stands behind no text
            for one, ids in zip(texts, found, strict=True)
        ]

    def spells_control(self, text: str) -> bool:
        """Whether a text spells a control token somewhere."""
        return bool(self.pattern.search(text))

    @cached_property
    def begin(self) -> tuple[int, ...]:
        """What the tokenizer puts in front of a text; most often one begin token, or nothing."""
        whole, bare = (self.tokenizer("a", add_special_tokens=adds, verbose=False)["input_ids"] for adds in (True, False))
        starts = (at for at in range(len(whole) - len(bare) + 1) if whole[at : at + len(bare)] == bare)
        return tuple(whole[: next(starts, 0)])

    @cached_property
    def end(self) -> int:
        """The token that ends an answer.

        Returns:
            Its id.

        Raises:
            DataError: if the tokenizer has none.
        """
        if self.tokenizer.eos_token_id is None:
            raise DataError(
                f"{self._name}: its tokenizer has no end token, so that no end of an answer can be trained. "
                "Set eos_token in tokenizer_config.json."
            )
        return int(self.tokenizer.eos_token_id)

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds what spells a control token."""
        return spelling(self._control)

    def _as_text(self, text: Formatted, ids: list[int]) -> list[int]:
        spelled = list(self.pattern.finditer(text.text))
        genuine = [one for one in spelled if not _overlaps(one, text.literal)]
        if len(genuine) == len(spelled) and self._n_control(ids) <= len(genuine):
            return ids
        backend, names = self._renamed
        called = _replaced(text.text, genuine, names)
        found = list(backend.encode(called, add_special_tokens=False).ids)
        if self._n_control(found) > len(genuine):
            raise DataError(f"{self._name}: its tokenizer reads a control token where a text only spells one ({text.text[:60]!r}...).")
        return found

    def _n_control(self, ids: Sequence[int]) -> int:
        return sum(id in self._control_ids for id in ids)

    @cached_property
    def _control(self) -> dict[str, Any]:
        return control_tokens(self.tokenizer)

    @cached_property
    def _control_ids(self) -> frozenset[int]:
        """All but the one that stands for what a tokenizer does not know, which text may hold."""
        return frozenset(map(int, self.tokenizer.convert_tokens_to_ids(list(self._control)))) - {self.tokenizer.unk_token_id}

    @cached_property
    def _renamed(self) -> tuple[Any, dict[str, str]]:
        if not self.tokenizer.is_fast:
            raise DataError(
                f"{self._name}: its slow tokenizer ({type(self.tokenizer).__name__}) reads what a text spells as control tokens. "
                "Use a model with a tokenizer.json, or take them out of the texts."
            )
        return renamed(self.tokenizer.backend_tokenizer, self._control)

    @property
    def _name(self) -> str:
        return str(self.tokenizer.name_or_path or "the model")


def _overlaps(match: re.Match[str], literal: Sequence[tuple[int, int]] | None) -> bool:
    return literal is None or any(start < match.end() and match.start() < end for start, end in literal)


def _replaced(text: str, matches: Sequence[re.Match[str]], names: dict[str, str]) -> str:
    pieces, at = [], 0
    for one in matches:
        pieces += [text[at : one.start()], names[one.group()]]
        at = one.end()
    return "".join([*pieces, text[at:]])
