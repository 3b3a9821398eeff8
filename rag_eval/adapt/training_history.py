"""Summary of a training stored with its weights, and its reader; torch is not imported."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rag_eval.text.counted import counted
from rag_eval.types import Cached

log = logging.getLogger(__name__)

FILE = "training.json"  # file in the folder of the weights
Stopped = Literal["learned", "max_epochs", "epochs", "patience"]


@dataclass(frozen=True)
class Asked:
    """One evaluation of the sample of training questions."""

    epoch: float
    step: int
    share: float  # learned share of the sample


@dataclass(frozen=True)
class History:
    """Size, length and stopping reason of a training; independent of the machine's speed."""

    stopped: Stopped  # learning criterion met; not met after max_epochs; configured epochs done; dev loss did not improve
    n_rows: int
    n_tokens: int  # of the rows, prompts included
    n_learned_tokens: int
    n_steps: int
    kept_step: int  # step of the saved weights: the last, or that with the lowest dev loss
    epochs: float  # epochs trained
    until_learned: float | None  # target share of the sample; None = fixed number of epochs
    n_asked: int  # questions in the sample; 0 = no learning criterion
    curve: tuple[Asked, ...]

    def write(self, folder: Path) -> None:
        """Write it into the folder of the weights."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def history_of(kept: Cached | None) -> History | None:
    """Summary of the training of some weights; None if there was no training or no summary."""
    path = kept.path / FILE if kept else None
    if path is None or not path.is_file():
        return None
    plain = json.loads(path.read_text(encoding="utf-8"))
    return History(**{**plain, "curve": tuple(Asked(**one) for one in plain["curve"])})


def warn_unlearned(kept: Cached) -> None:
    """Log a warning if the training ended before its learning criterion was met."""
    found = history_of(kept)
    if found and found.stopped == "max_epochs":
        log.warning(
            "under-trained: %.3f of %d training questions were learned after %s (adapter.max_epochs), adapter.until_learned is %g; "
            "raise adapter.max_epochs or adapter.learning_rate",
            found.curve[-1].share,
            found.n_asked,
            counted(found.epochs, "pass", "passes"),
            found.until_learned,
        )
