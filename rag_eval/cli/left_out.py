"""Settings of a sweep that only some of its arms have."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

from rag_eval.errors import RagEvalError


class LeftOut:
    """Settings of parts that only some arms of a sweep over modes have, as adapter.rank in mode=rag,finetune."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._given = [found[1] for one in arguments if (found := re.match(r"[+~]*(\w+\.[\w.]+)=", one))]
        self._n_jobs = 0
        self._n_times: dict[str, int] = {}

    def leave_out(self, cfg: Any) -> None:
        """Take from a job's configuration, with a word, what its arm has no use for."""
        from rag_eval.config.foreign import without_foreign

        self._n_jobs += 1
        for key in without_foreign(cfg, self._given):
            self._n_times[key] = self._n_times.get(key, 0) + 1
            print(f"{cfg.mode.name}: {key} is left out, this arm's {key.partition('.')[0]} has no such setting.", file=sys.stderr)

    def unused(self) -> RagEvalError | None:
        """An error that names the settings for which no arm had a use, if there are any."""
        from rag_eval.errors import ConfigError

        keys = ", ".join(key for key, n_times in self._n_times.items() if n_times == self._n_jobs)
        return ConfigError(f"{keys}: no arm of {self._n_jobs} has such a setting; name an arm that has, or leave it out.") if keys else None
