"""Imports go in one direction, package files are empty, and the command line stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "rag_eval"
PURE = {
    "run_spec",
    "file_digest",
    "parts",
    "prompt",
    "score",
    "cost",
    "energy",
    "meter",
    "model_folder",
    "device",
    "machine",
    "source",
    "recorded",
    "progress",
    "processes",
    "exemplars",
    "hub",
    "control_tokens",
    "tokenization",
    "thinking",
}
LAYERS = (
    {"types", "errors"},
    PURE,
    {"data", "retrieve", "adapt", "generate"},
    {"system"},
    {"latency"},
    {"config", "record", "report"},
    {"checks", "probes", "forgetting", "form", "answering"},
    {"preparation"},
    {"evaluate"},
    {"timing", "lessons"},
    {"cli"},
)
ALLOWED_UP = {("config", "retrieve")}  # the resolver that finds the embedder from PyPI, without importing it


def layer(name: str) -> int:
    return next(at for at, names in enumerate(LAYERS) if name in names)


def imports() -> list[tuple[str, str, Path]]:
    found = []
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [(inside, name.split(".")[1], path) for name in names if name.startswith("rag_eval.")]
            if isinstance(node, ast.ImportFrom) and node.module == "rag_eval":
                found += [(inside, alias.name, path) for alias in node.names]
    return found


def test_imports_point_downwards_and_stages_do_not_import_each_other() -> None:
    found = imports()
    assert len(found) > 100
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for inside, other, path in found
        if inside not in {other, "__init__"} and layer(other) >= layer(inside) and not _same_upper_layer(inside, other)
    ]
    assert wrong == []


def _same_upper_layer(inside: str, other: str) -> bool:
    """Record and report may use config and each other; they are the upper house."""
    upper = {"config", "record", "report"}
    return {inside, other} <= upper or {inside, other} <= PURE


def test_package_files_are_empty() -> None:
    files = list(PACKAGE.rglob("__init__.py"))
    assert len(files) >= 10
    assert all(not path.read_text(encoding="utf-8").strip() for path in files)


HELP = """
import sys, rag_eval, rag_eval.config.check
from rag_eval.cli import run
run(["--help"])
heavy = {"torch", "transformers", "mlflow", "faiss", "datasets", "pandas", "scipy"} & set(sys.modules)
print("HEAVY", sorted(heavy))
"""


def test_the_package_and_the_help_load_no_torch() -> None:
    out = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "HEAVY []" in out
    assert "dataset" in out


def test_no_target_outside_the_package_and_no_unsafe_loading_in_the_source() -> None:
    source = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert len(source) > 40
    banned = (
        "import pickle",
        "pickle.load",
        "torch.load",
        "allow_pickle=True",
        "yaml.load(",
        "trust_remote_code=True",
        "weights_only=False",
        "import joblib",
    )
    assert [(path.name, word) for path, text in source.items() for word in banned if word in text.replace('"trust_remote_code"', "")] == []
