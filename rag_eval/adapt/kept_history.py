"""How a training went that left some weights, kept in their folder; loads no torch."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rag_eval.parts import Cached

log = logging.getLogger(__name__)

FILE = "training.json"  # in the folder of the weights
Stopped = Literal["learned", "max_epochs", "epochs", "patience"]


@dataclass(frozen=True)
class Asked:
    """One time that the sample of training questions was asked."""

    epoch: float
    step: int
    share: float  # of the sample that is learned


@dataclass(frozen=True)
class History:
    """What a training took and why it ended; nothing of it depends on the machine's speed."""

    stopped: Stopped  # enough was learned, or not after all passes; the passes that were set were over; dev loss rose
    n_rows: int
    n_tokens: int  # of the rows, prompts included
    n_learned_tokens: int
    n_steps: int
    kept_step: int  # whose weights were kept: the last, or the one with the least dev loss
    epochs: float  # passes over the rows
    until_learned: float | None  # share of the sample that was to be learned; None = the number of passes was set
    n_asked: int  # questions of the sample; 0 = none was asked
    curve: tuple[Asked, ...]

    def write(self, folder: Path) -> None:
        """Keep it with the weights."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def history_of(kept: Cached | None) -> History | None:
    """How the training went that left these weights; None where none did, or where it is not known."""
    path = kept.path / FILE if kept else None
    if path is None or not path.is_file():
        return None
    plain = json.loads(path.read_text(encoding="utf-8"))
    return History(**{**plain, "curve": tuple(Asked(**one) for one in plain["curve"])})


def warn_unlearned(kept: Cached) -> None:
    """A line on a training that ended before enough was learned, whenever it was."""
    found = history_of(kept)
    if found and found.stopped == "max_epochs":
        log.warning(
            "under-trained: %.3f of %d training questions were learned after adapter.max_epochs=%g passes, adapter.until_learned is %g; "
            "raise adapter.max_epochs or adapter.learning_rate",
            found.curve[-1].share,
            found.n_asked,
            found.epochs,
            found.until_learned,
        )
