"""The folder of a model that is given as a folder or as an id of the hub."""

from __future__ import annotations

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

_WANTED = ["*.safetensors", "*.json", "*.txt", "*.model"]  # no pickles and no code
_UNWANTED = ["onnx/*", "openvino/*"]


def hub_folder(model: str, revision: str | None, key: str) -> Path:
    """The folder itself, or that of a hub model in the local hub cache, fetched if it is not there.

    Args:
        model: a folder or a hub id.
        revision: commit of a hub model; None takes the newest.
        key: of the configuration that gave the model, for messages.

    Raises:
        DataError: if it is neither, or not on this machine while HF_HUB_OFFLINE is set.
        EnvironmentFault: if it could not be fetched.
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
