"""Which commit a hub model is: a branch may move between two runs, a commit cannot."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag_eval.errors import DataError, EnvironmentFault
from rag_eval.run_spec import Part, RunSpec

log = logging.getLogger(__name__)

TIMEOUT_S = 10.0  # of asking the hub
_COMMIT = re.compile(r"[0-9a-f]{40}")


def pinned(spec: RunSpec) -> RunSpec:
    """Replace the branch of every hub model in a run by its commit.

    Args:
        spec: a part with `model` and `revision` is a model, of the hub unless `model` is a path on this machine.

    Returns:
        The run with commits.

    Raises:
        DataError: if a model or revision does not exist, or is not on this machine while HF_HUB_OFFLINE is set.
        EnvironmentFault: if the hub does not answer and no copy is on this machine.
    """
    return replace(spec, **{name: _pinned(part) for name, part in spec.parts.items()})


def _pinned(value: Any) -> Any:
    if isinstance(value, Part):
        params = _pinned(value.params)
        model = params.get("model")
        if "revision" in params and isinstance(model, str) and not Path(model).exists():
            params["revision"] = commit_of(model, params["revision"])
        return replace(value, params=params)
    if isinstance(value, Mapping):
        return {name: _pinned(one) for name, one in value.items()}
    return [_pinned(one) for one in value] if isinstance(value, list) else value


def commit_of(model: str, revision: str | None) -> str:
    """Commit of a hub model.

    Args:
        model: hub id.
        revision: a branch, a tag, or a commit, which is returned unchanged; None = branch main.

    Returns:
        40 hexadecimal digits.

    Raises:
        DataError: if the model or revision does not exist, or is not on this machine while HF_HUB_OFFLINE is set.
        EnvironmentFault: if the hub does not answer and no copy is on this machine.
    """
    name = revision or "main"
    if _COMMIT.fullmatch(name):
        return name
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    kept = Path(constants.HF_HUB_CACHE) / f"models--{model.replace('/', '--')}" / "refs" / name
    if not constants.HF_HUB_OFFLINE:
        try:
            return str(HfApi().model_info(model, revision=name, timeout=TIMEOUT_S).sha)
        except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
            raise DataError(f"{model}: neither a folder nor a model of the hub with a revision {name}.") from error
        except Exception as error:  # whatever the way to the hub raises: a copy on this machine will do
            if not kept.is_file():
                raise EnvironmentFault(
                    f"{model} is not on this machine and the hub does not say which commit {name} is: {type(error).__name__}. "
                    "Try again, or give its commit as revision."
                ) from error
            log.warning("the hub does not answer; %s at %s is the copy on this machine", model, name)
    if not kept.is_file():
        raise DataError(f"{model} at {name} is not on this machine, and HF_HUB_OFFLINE forbids to ask the hub. Fetch it, or give a folder.")
    return kept.read_text(encoding="utf-8").strip()
