"""Which tokens of a tokenizer control a model, and how a text that merely spells one is read as text.

A control token is an added token that is special, that the tokenizer's chat template writes, or that marks a thought. A tokenizer finds
added tokens in any text. Here those of a region that is text are not found: the text is read by a copy of the tokenizer in which every
control token has another name, by which the genuine ones are then called. All else is as in the tokenizer itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from hashlib import sha256
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from tokenizers import Tokenizer, normalizers

from rag_eval.models.thinking import MARKERS

_BREAK = "\u200b"  # parts the spelling of a token where a vocabulary holds it as a word


class _Generation(Extension):
    """The block with which some templates mark what an assistant wrote."""

    tags = {"generation"}  # noqa: RUF012  as Jinja declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@cache
def parsed(template: str) -> nodes.Template:
    """Parse a chat template.

    Args:
        template: Jinja source.

    Returns:
        The syntax tree.

    Raises:
        jinja2.TemplateSyntaxError: if the source is not valid.
    """
    return Environment(extensions=["jinja2.ext.loopcontrols", _Generation]).parse(template)


def control_tokens(tokenizer: Any) -> dict[str, Any]:
    """The added tokens of a tokenizer that control a model, by their spelling."""
    templates = tokenizer.chat_template or ""
    written = "\0".join(map(_literals, templates.values() if isinstance(templates, Mapping) else [templates]))
    named = {*MARKERS, *(getattr(tokenizer, "chat_control_tokens", None) or ())}

    def is_control(token: Any) -> bool:
        is_word = token.content.isspace() or token.content.strip("▁ ").isalnum()
        return token.special or token.content in named or (token.content in written and not is_word)

    return {token.content: token for token in tokenizer.added_tokens_decoder.values() if is_control(token)}


def spelling(tokens: Mapping[str, Any]) -> re.Pattern[str]:
    """Finds control tokens in a text, the longest of several at one place."""
    longest_first = sorted(filter(None, tokens), key=len, reverse=True)
    each = (rf"(?<!\w){re.escape(one)}(?!\w)" if getattr(tokens[one], "single_word", False) else re.escape(one) for one in longest_first)
    return re.compile("|".join(each) or r"(?!)")


def renamed(backend: Tokenizer, tokens: Collection[str]) -> tuple[Tokenizer, dict[str, str]]:
    """A copy of a tokenizer that knows some tokens by other names only, ids as they were, and these names.

    No special tokens are put around a text, and none is cut or padded.
    """
    stated = json.loads(backend.to_str())
    digest = sha256(backend.to_str().encode()).hexdigest()[:32]
    names = {token: f"{digest}x{at}x" for at, token in enumerate(sorted(tokens))}
    for added in stated["added_tokens"]:
        added["content"] = names.get(added["content"], added["content"])
    model = stated["model"]
    if isinstance(model.get("vocab"), dict):
        model["vocab"] = {names.get(token, token): id for token, id in model["vocab"].items()}
    elif isinstance(model.get("vocab"), list):
        model["vocab"] = [[names.get(token, token), score] for token, score in model["vocab"]]
    if model.get("unk_token"):
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    if "merges" in model:
        model["merges"] = [pair for pair in model["merges"] if names.keys().isdisjoint({*_pair(pair), "".join(_pair(pair))})]
    return Tokenizer.from_str(json.dumps(stated | {"post_processor": None, "truncation": None, "padding": None})), names


class Inert:
    """Has a tokenizer read what texts spell of its special tokens as text, for whoever calls it with text alone."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @contextmanager
    def reading(self, texts: Iterable[str]) -> Iterator[None]:
        """Within, the tokenizer reads these texts; the special tokens around a text are put there as ever."""
        found = {match.group() for text in texts for match in self._pattern.finditer(text)}
        if not found:
            yield
            return
        tokenizer, backend = self._tokenizer, getattr(self._tokenizer, "backend_tokenizer", None)
        was_split, before = tokenizer.split_special_tokens, getattr(backend, "normalizer", None)
        tokenizer.split_special_tokens = True
        words = [token for token in sorted(found) if self._is_word(token)]
        if backend and words:  # of a vocabulary whose likeliest words a text is made of, spelled control tokens among them
            parts = [normalizers.Replace(token, f"{token[:1]}{_BREAK}{token[1:]}") for token in words]
            backend.normalizer = normalizers.Sequence(parts if before is None else [*parts, before])
        try:
            yield
        finally:
            tokenizer.split_special_tokens = was_split
            if backend and words:
                backend.normalizer = before

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return spelling({token: one for token, one in control_tokens(self._tokenizer).items() if one.special})

    def _is_word(self, token: str) -> bool:
        return self._tokenizer.convert_tokens_to_ids(token) in self._tokenizer(token, add_special_tokens=False)["input_ids"]


def _literals(template: str) -> str:
    """What a template writes as it stands there."""
    with suppress(TemplateSyntaxError):  # whoever renders it says so
        tree = parsed(template)
        texts = [one.data for one in tree.find_all(nodes.TemplateData)]
        texts += [one.value for one in tree.find_all(nodes.Const) if isinstance(one.value, str)]
        return "\0".join(texts)
    return ""


def _pair(merge: Any) -> tuple[str, str]:
    first, second = merge.split(" ", 1) if isinstance(merge, str) else merge
    return first, second
