"""Reader of the training summary stored with weights, without importing torch."""

from __future__ import annotations

import json
import logging
from typing import Any

from rag_eval.parts import Cached

log = logging.getLogger(__name__)

FILE = "training.json"  # file in the folder of the weights


def history_of(kept: Cached | None) -> dict[str, Any] | None:
    """Summary of the training of some weights; None if there was no training or no summary."""
    path = kept.path / FILE if kept else None
    return json.loads(path.read_text(encoding="utf-8")) if path and path.is_file() else None


def warn_unlearned(kept: Cached) -> None:
    """Log a warning if the training ended before its learning criterion was met."""
    found = history_of(kept)
    if found and found["stopped"] == "max_epochs":
        log.warning(
            "under-trained: %.3f of %d training questions were learned after adapter.max_epochs=%g passes, adapter.until_learned is %g; "
            "raise adapter.max_epochs or adapter.learning_rate",
            found["curve"][-1]["share"],
            found["n_asked"],
            found["epochs"],
            found["until_learned"],
        )
