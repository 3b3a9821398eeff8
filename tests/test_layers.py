"""What the contracts of imports in pyproject.toml cannot say: package files are empty, the command line stays light, nothing unsafe."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.claims import every

ROOT = Path(__file__).parents[1]
PACKAGES = (ROOT / "rag_eval", ROOT / "synthworld")


@pytest.mark.flow
def test_imports_go_the_ways_that_pyproject_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    cli = pytest.importorskip("importlinter.cli", reason="needs pip install import-linter")
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    assert cli.lint_imports(no_cache=True) == 0


def test_every_folder_with_modules_is_a_package() -> None:
    """Another folder would be imported all the same, and left out by tools that look for packages."""
    folders = {path.parent for package in PACKAGES for path in package.rglob("*.py")}
    assert len(folders) >= 25
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_package_files_are_empty() -> None:
    files = [path for package in PACKAGES for path in package.rglob("__init__.py")]
    assert len(files) >= 10
    assert every(not path.read_text(encoding="utf-8").strip() for path in files)


HELP = """
import sys, rag_eval, rag_eval.api, rag_eval.config.check
from rag_eval.cli.run import run
run(["--help"])
heavy = {"torch", "transformers", "mlflow", "faiss", "datasets", "pandas", "scipy"} & set(sys.modules)
print("HEAVY", sorted(heavy))
"""


def test_the_package_and_the_help_load_no_torch() -> None:
    out = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "HEAVY []" in out
    assert "dataset" in out


def test_no_target_outside_the_package_and_no_unsafe_loading_in_the_source() -> None:
    source = {path: path.read_text(encoding="utf-8") for package in PACKAGES for path in package.rglob("*.py")}
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
