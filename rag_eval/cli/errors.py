"""How a command begins and how it ends: signals, warnings, and errors as one line and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
import warnings
from typing import Any

from rag_eval.errors import Terminated

RESUMES = (
    "the same command goes on after the last recorded answer, or from the last state of its training, "
    "of which one is kept every adapter.checkpoint_every steps"
)


def prepare() -> None:
    """Set up a command's process: warnings as one line on standard error, SIGTERM as an exception, errors of Hydra handed to us."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors to us instead of ending the process
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(OnceAProcess())
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", handlers=[handler])
    warnings.simplefilter("ignore", FutureWarning)  # of libraries about themselves
    signal.signal(signal.SIGTERM, _terminate)


class OnceAProcess(logging.Filter):
    """Lets each warning about data through once: every run of a sweep reads the same files."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[tuple[str, str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("rag_eval.data."):
            return True
        said = (record.name, record.getMessage())
        is_new = said not in self._said
        self._said.add(said)
        return is_new


def fail(error: BaseException, prefix: str = "", is_debug: bool = False) -> int:
    """Print an error as one line.

    Args:
        error: exception that ended a command or one of its jobs.
        prefix: text before the message, such as the job's name.
        is_debug: whether the traceback is printed too; that of a bug always is.

    Returns:
        The exit code.
    """
    message, code = _verdict(error)
    if is_debug or code == 1:
        traceback.print_exception(error)
    print(f"error: {prefix}{message}", file=sys.stderr)
    return code


def _verdict(error: BaseException) -> tuple[str, int]:
    """What to say of an error, and its exit code: expected ones have their own, a signal's is the shell's, anything else is a bug."""
    from rag_eval.config.expected import expected

    if isinstance(error, KeyboardInterrupt):
        return f"interrupted; {RESUMES}", 130
    if isinstance(error, Terminated):
        return f"terminated; {RESUMES}", 143
    if (ours := expected(error)) is not None:
        return str(ours), ours.exit_code
    return f"{type(error).__name__}: {error}. This is a bug of rag_eval; please report it with the lines above.", 1


def _terminate(*_: Any) -> None:
    raise Terminated
