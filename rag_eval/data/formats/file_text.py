"""What a file says, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BETWEEN = "\n\n"  # paragraphs, pages


@dataclass(frozen=True)
class FileText:
    """The text of a file."""

    text: str  # paragraphs with a blank line between
    title: str  # the document's own; "" = it has none
    meta: Mapping[str, Any] = field(default_factory=dict)
