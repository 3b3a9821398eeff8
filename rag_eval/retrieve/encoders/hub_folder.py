"""Resolution of a model name to a folder, and the checks of it before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import huggingface_hub.constants
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from rag_eval.errors import DataError, EnvironmentFault
from rag_eval.models.model_files import check_sha256, check_weights

_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model"]  # neither pickles nor code
_UNWANTED = ["onnx/*", "openvino/*"]


@dataclass(frozen=True)
class ModelSource:
    """Where the files of a model come from, and what they are checked for; nothing is read before `folder` is asked for."""

    model: str  # a folder or a hub id
    revision: str | None  # commit of a hub model; None = the newest
    sha256: str | None  # expected hash of model.safetensors; None = not verified
    key: str  # configuration key of the model, for error messages
    check: Callable[[Path], None]  # raises DataError if the folder is not of the expected kind; called before the weights are read

    @cached_property
    def folder(self) -> Path:
        """Path of the folder, located and checked once.

        Raises DataError if the model is neither a folder nor on the hub, of another kind, or its weights are not whole or not those
        expected; EnvironmentFault if it could not be downloaded.
        """
        folder = _hub_folder(self.model, self.revision, self.key)
        self.check(folder)
        check_weights(folder)
        if self.sha256 is not None:
            check_sha256(folder, self.sha256)
        return folder


def _hub_folder(model: str, revision: str | None, key: str) -> Path:
    """The folder itself, or the snapshot of a hub model in the local cache, downloaded if missing.

    Args:
        model: a folder or a hub id.
        revision: commit of a hub model; None = the newest.
        key: configuration key of the model, for error messages.

    Returns:
        Path of the folder.

    Raises:
        DataError: if it is neither, or not cached while HF_HUB_OFFLINE is set.
        EnvironmentFault: if it could not be downloaded.
    """
    if Path(model).is_dir():
        return Path(model)
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=_WANTED, ignore_patterns=_UNWANTED))
    except (HFValidationError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise DataError(f"{key}={model}: neither a folder nor a model of the hub at revision {revision}.") from error
    except LocalEntryNotFoundError as error:
        if huggingface_hub.constants.HF_HUB_OFFLINE:
            raise DataError(f"{key}={model} is not on this machine, and HF_HUB_OFFLINE forbids to fetch it.") from error
        raise EnvironmentFault(f"{key}={model} is not on this machine and the hub does not answer: {error}") from error
    except (HfHubHTTPError, OSError) as error:
        raise EnvironmentFault(f"{key}={model} is not on this machine and could not be fetched: {error}") from error
