"""Imports go in one direction, package files are empty, and the command line stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.claims import every

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rag_eval"
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
    {"types", "errors", "targets", "older_targets"},
    PURE,
    {"data", "retrieve", "adapt", "generate"},
    {"system"},
    {"latency"},
    {"config", "record", "report"},
    {"checks", "probes", "forgetting", "form", "answering"},
    {"preparation"},
    {"evaluate"},
    {"timing", "lessons", "testing"},
    {"cli", "api"},
)
ALLOWED_UP = {("config", "retrieve")}  # the resolver that finds the embedder from PyPI, without importing it


def layer(name: str) -> int:
    return next(at for at, names in enumerate(LAYERS) if name in names)


def imported(path: Path) -> list[str]:
    """Modules that a file imports, wherever in it; `from a import b` counts as a and as a.b."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return found


def imports() -> list[tuple[str, str, Path]]:
    return [
        (path.relative_to(PACKAGE).parts[0].removesuffix(".py"), name.split(".")[1], path)
        for path in PACKAGE.rglob("*.py")
        for name in imported(path)
        if name.startswith("rag_eval.")
    ]


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


def test_nothing_outside_the_tests_imports_them_and_the_package_imports_no_study() -> None:
    forbidden = {"rag_eval": ("tests", "experiments"), "experiments": ("tests",)}
    files = {folder: list((ROOT / folder).rglob("*.py")) for folder in forbidden}
    assert len(files["rag_eval"]) > 300
    assert len(files["experiments"]) > 35
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for folder, paths in files.items()
        for path in paths
        for name in imported(path)
        if name.split(".")[0] in forbidden[folder]
    ]
    assert wrong == []


def test_package_files_are_empty() -> None:
    files = list(PACKAGE.rglob("__init__.py"))
    assert len(files) >= 10
    assert every(not path.read_text(encoding="utf-8").strip() for path in files)


HELP = """
import sys, rag_eval, rag_eval.api, rag_eval.config.check
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


def test_no_test_claims_something_of_all_things_that_may_be_none() -> None:
    files = list((ROOT / "tests").rglob("*.py"))
    assert len(files) > 150
    hollow = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert) and ast.unparse(node.test).startswith(("all(", "not any("))
    ]
    assert hollow == [], "use every and none_of of tests/claims.py"
