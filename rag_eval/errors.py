"""Every error that rag_eval raises on purpose, and the exit code that it ends with.

RagEvalError
├── UserError         2   the command, the configuration or the input is wrong; found before a model loads
│   ├── ConfigError
│   └── DataError
└── EnvironmentFault  4   disk, device, store or a missing package
A run in which some questions failed, and a sweep in which some jobs did, end with 3; what succeeded is kept.
A signal ends with 130 (interrupt) or 143 (terminate); anything else is a bug of ours and ends with 1.
"""

from __future__ import annotations


class RagEvalError(Exception):
    """An expected failure: one line that says what was expected, what was found and what to do."""

    exit_code = 1


class UserError(RagEvalError):
    """The command or its input is wrong."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration value is unknown, of the wrong type, out of range or at odds with another."""


class DataError(UserError):
    """A dataset, model or adapter that the user named cannot be used as it is."""


class EnvironmentFault(RagEvalError):
    """The machine lacks something: disk, device, a store that answers, an optional package."""

    exit_code = 4


class Terminated(BaseException):
    """The process was asked to end (SIGTERM); no error, so nothing that handles errors stops it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python, CUDA or torch on the CPU had no memory left; told by name, for torch need not be there."""
    is_torch = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    return isinstance(error, MemoryError) or is_torch
