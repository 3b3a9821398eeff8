"""Which errors are expected, whoever raises them: each as one of rag_eval.errors, with one line that says what is wrong."""

from __future__ import annotations

import re

from hydra.errors import HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from rag_eval.conf_folder import conf_dir
from rag_eval.config.compose import composed, keys
from rag_eval.config.suggest import suggest
from rag_eval.errors import ConfigError, EnvironmentFault, RagEvalError, is_out_of_memory


def expected(error: BaseException) -> RagEvalError | None:
    """An error as one of the package's own.

    Hydra's errors are about the configuration; a full disk and too little memory are the machine's.

    Args:
        error: what ended a run.

    Returns:
        The error itself, or the one inside it, if it is the package's own; None if it is not expected.
    """
    ours = next((one for one in (error, error.__cause__) if isinstance(one, RagEvalError)), None)
    if ours is not None:
        return ours
    if isinstance(error, HydraException | OmegaConfBaseException):
        return ConfigError(_explained(error))
    if is_out_of_memory(error):
        said = str(error).splitlines()[0] if str(error) else "the machine has no more"
        return EnvironmentFault(f"out of memory: {said}; use a smaller model or batch")
    return EnvironmentFault(f"{type(error).__name__}: {error}") if isinstance(error, OSError) else None


def _explained(error: BaseException) -> str:
    """Hydra's complaint in one line, with the nearest valid name."""
    text = " ".join(str(error).split("\n")[:1])
    if isinstance(error, MissingConfigException) and error.options is not None and error.missing_cfg_file:
        group, _, choice = str(error.missing_cfg_file).rpartition("/")
        near = suggest(choice, sorted(error.options))
        hint = near if "did you mean" in near else ""  # else it is the choices, which follow
        return f"{group}={choice} does not exist{hint}; choices: {', '.join(sorted(error.options))}."
    if found := re.search(r"(?:Could not override|Key) '([^']+)'", str(error)):
        known = [*keys(composed([])), *(path.name for path in conf_dir().iterdir() if path.is_dir())]
        known = [key for key in known if key != found[1]]  # the default mode may know what the chosen one does not
        return f"{found[1]} is unknown{suggest(found[1], known)}"
    if found := re.match(r"Ambiguous value for argument '(.+)'", text):
        return f"{found[1]} gives several values: a sweep has -m on the command line and is one call a value in Python; a list is [a,b]."
    return text
