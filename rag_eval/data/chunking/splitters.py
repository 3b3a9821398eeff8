"""Chunk boundaries: ends of sentences, Markdown structure, or a fixed number of tokens of an embedder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import huggingface_hub.constants
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from pydantic import NonNegativeInt, PositiveInt
from semantic_text_splitter import MarkdownSplitter, TextSplitter
from tokenizers import Tokenizer

from rag_eval.data.chunking.chunker import DocumentChunker, Piece
from rag_eval.errors import ConfigError, DataError, EnvironmentFault
from rag_eval.protocols import Cache
from rag_eval.source import code_sha

_FILE = "tokenizer.json"


def sentences(tokenizer: str, size: PositiveInt, overlap: NonNegativeInt, cache: Cache, revision: str | None = None) -> DocumentChunker:
    """Chunker that fills chunks with paragraphs if they fit, else sentences, else words.

    Args:
        tokenizer: model whose tokens are counted (the embedder): a folder with tokenizer.json, or a hub id.
        size: maximum number of tokens of a chunk; its title and the model's special tokens are added to it.
        overlap: maximum number of tokens shared with the previous chunk; fewer if no boundary is that close.
        cache: cache of the chunk boundaries.
        revision: commit of a hub model; None = the newest.

    Returns:
        The chunker.

    Raises:
        ConfigError: if the overlap is not less than the size.
        DataError: if there is no readable tokenizer.json.
        EnvironmentFault: if the hub does not respond.
    """
    return DocumentChunker(Semantic("sentences", TextSplitter, _tokens(tokenizer, revision, size, overlap)), cache)


def markdown(tokenizer: str, size: PositiveInt, overlap: NonNegativeInt, cache: Cache, revision: str | None = None) -> DocumentChunker:
    """Chunker that fills chunks with the largest Markdown sections that fit, else their blocks, else sentences.

    Args:
        tokenizer: as for `sentences`.
        size: as for `sentences`.
        overlap: as for `sentences`.
        cache: as for `sentences`.
        revision: as for `sentences`.

    Returns:
        The chunker. Raises the errors of `sentences`.
    """
    return DocumentChunker(Semantic("markdown", MarkdownSplitter, _tokens(tokenizer, revision, size, overlap)), cache)


def tokens(tokenizer: str, size: PositiveInt, overlap: NonNegativeInt, cache: Cache, revision: str | None = None) -> DocumentChunker:
    """Chunker with sliding windows of `size` tokens, regardless of words and sentences.

    A window that begins or ends inside a word may have another number of tokens when tokenized on its own.

    Args:
        tokenizer: as for `sentences`.
        size: tokens of a window.
        overlap: tokens shared with the previous window, exactly.
        cache: as for `sentences`.
        revision: as for `sentences`.

    Returns:
        The chunker. Raises the errors of `sentences`.
    """
    return DocumentChunker(Windows(_tokens(tokenizer, revision, size, overlap)), cache)


@dataclass(frozen=True)
class Tokens:
    """A tokenizer and the sizes in its tokens."""

    tokenizer: Tokenizer  # without truncation and padding
    sha256: str  # of the tokenizer file
    size: int
    overlap: int  # less than size

    def identity(self, boundaries: str, *libraries: str) -> Mapping[str, Any]:
        """Everything that determines the boundaries.

        Args:
            boundaries: kind of boundary.
            *libraries: distributions whose version matters, besides tokenizers.

        Returns:
            Values for a cache key.
        """
        versions = {name: version(name) for name in ("tokenizers", *libraries)}
        sizes = {"size": self.size, "overlap": self.overlap}
        return {"boundaries": boundaries, **sizes, "tokenizer": self.sha256, "versions": versions, "code": code_sha(__name__)}

    def name(self, boundaries: str) -> str:
        """Short description of the boundaries and sizes."""
        return f"{boundaries} of {self.size}" + (f" over {self.overlap}" if self.overlap else "")

    def counted(self, text: str, places: Sequence[tuple[int, int]]) -> list[Piece]:
        """Pieces for spans of a text, with their token counts."""
        read = self.tokenizer.encode_batch([text[start:end] for start, end in places], add_special_tokens=False)
        return [Piece(start, end, len(one.ids)) for (start, end), one in zip(places, read, strict=True)]


class Semantic:
    """Splits at the boundaries of highest rank that keep the size, with semantic_text_splitter."""

    def __init__(self, boundaries: str, splitter: type[TextSplitter] | type[MarkdownSplitter], tokens: Tokens) -> None:
        self.name = tokens.name(boundaries)
        self._tokens = tokens
        self._boundaries = boundaries
        self._splitter = splitter.from_huggingface_tokenizer(tokens.tokenizer, tokens.size, overlap=tokens.overlap)

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the pieces."""
        return self._tokens.identity(self._boundaries, "semantic-text-splitter")

    def cut(self, text: str) -> list[Piece]:
        """Split a text.

        Args:
            text: text of a document.

        Returns:
            The pieces.

        Raises:
            ConfigError: if a piece that cannot be split further has more tokens than the size.
        """
        whole = self._tokens.counted(text, [_trimmed(text, 0, len(text))])
        if whole[0].n_tokens <= self._tokens.size:  # same result as the library, faster
            return whole
        pieces = self._tokens.counted(text, [(start, start + len(part)) for start, part in self._splitter.chunk_indices(text)])
        for piece in pieces:
            if piece.n_tokens > self._tokens.size:
                shown = text[piece.start : piece.end][:20]
                raise ConfigError(f"chunker.size={self._tokens.size} is too small: {shown!r} alone has {piece.n_tokens} tokens.")
        return pieces


class Windows:
    """Splits into windows of a fixed number of tokens; white space at the ends of a window is removed."""

    def __init__(self, tokens: Tokens) -> None:
        self.name = tokens.name("tokens")
        self._tokens = tokens

    def identity(self) -> Mapping[str, Any]:
        """Everything that determines the pieces."""
        return self._tokens.identity("tokens")

    def cut(self, text: str) -> list[Piece]:
        """Split a text. Characters that belong to no token are assigned to the window before them."""
        starts = [start for start, _ in self._tokens.tokenizer.encode(text, add_special_tokens=False).offsets]
        bounds = [0, *starts[1:], len(text)]
        n, size = len(bounds) - 1, self._tokens.size
        firsts = range(0, max(1, n - self._tokens.overlap), size - self._tokens.overlap)  # a further window would lie in the last one
        windows = (_trimmed(text, bounds[first], bounds[min(first + size, n)]) for first in firsts)
        return self._tokens.counted(text, [(start, end) for start, end in windows if start < end])


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return end - len(part.lstrip()), start + len(part.rstrip())


def _tokens(model: str, revision: str | None, size: int, overlap: int) -> Tokens:
    if overlap >= size:
        raise ConfigError(f"chunker.overlap is {overlap}, but must be less than chunker.size={size}: each chunk must go on.")
    file = _file(model, revision)
    content = file.read_bytes()
    try:
        tokenizer = Tokenizer.from_str(content.decode())
    except Exception as error:  # the library raises no narrower one
        raise DataError(f"{file}: expected a tokenizer of the library tokenizers: {error}. Get the file again.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Tokens(tokenizer, hashlib.sha256(content).hexdigest(), size, overlap)


def _file(model: str, revision: str | None) -> Path:
    folder = Path(model)
    if folder.is_dir():
        if not (folder / _FILE).is_file():
            raise DataError(
                f"chunker.tokenizer={model}: expected {_FILE} in this folder, found none. Give the folder of the embedder's model."
            )
        return folder / _FILE
    try:
        return Path(hf_hub_download(model, _FILE, revision=revision))
    except LocalEntryNotFoundError as error:
        if huggingface_hub.constants.HF_HUB_OFFLINE:
            raise DataError(f"chunker.tokenizer={model} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it.") from error
        raise EnvironmentFault(f"chunker.tokenizer={model} is not on this machine and the hub does not answer: {error}") from error
    except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as error:
        raise DataError(
            f"chunker.tokenizer={model}: neither a folder nor a model of the hub with {_FILE} at revision {revision}. "
            "Give the embedder's model."
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise EnvironmentFault(f"chunker.tokenizer={model} is not on this machine and could not be fetched: {error}") from error
