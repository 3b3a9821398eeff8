"""Which errors are expected, whoever raises them: each as one of rag_eval.errors, with one line that says what is wrong."""

from __future__ import annotations

import re

import yaml
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
        if (conf_dir() / found[1]).is_dir():
            return _no_such_part(found[1])
        known = [*keys(composed([])), *(path.name for path in conf_dir().iterdir() if path.is_dir())]
        known = [key for key in known if key != found[1]]  # the default mode may know what the chosen one does not
        return f"{found[1]} is unknown{suggest(found[1], known)}"
    if found := re.match(r"Ambiguous value for argument '(.+)'", text):
        return f"{found[1]} gives several values: a sweep has -m on the command line and is one call a value in Python; a list is [a,b]."
    return text


def _no_such_part(group: str) -> str:
    """What to say where a part is chosen of something that has none of this kind, as retriever/embedder of retriever=bm25."""
    whole, _, part = group.rpartition("/")
    files = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((conf_dir() / whole).glob("*.yaml"))}
    having = [name for name, node in files.items() if any(isinstance(one, dict) and part in one for one in node.get("defaults", ()))]
    if not whole or not having:
        return f"{group} cannot be chosen here; leave it out"
    return f"{group} chooses a part that this {whole} does not have; leave it out, or choose {whole}=<one of {', '.join(having)}>"
