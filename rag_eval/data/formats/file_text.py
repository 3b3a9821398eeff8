"""Text of a file, independent of its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BETWEEN = "\n\n"  # separator of paragraphs and pages


@dataclass(frozen=True)
class FileText:
    """Text, title and meta of a file."""

    text: str  # paragraphs separated by a blank line
    title: str  # title of the document; "" if it has none
    meta: Mapping[str, Any] = field(default_factory=dict)
