"""A test that needs more than its tier allows fails, and files of heavy libraries are told by what they import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiers import ROOT, is_heavy

TESTS = """
import subprocess, sys
import pytest

def test_adds(): assert 1 + 1 == 2

def test_imports(): import torch

@pytest.mark.flow
def test_imports_in_a_flow(): import torch

def test_starts(): subprocess.run([sys.executable, "-c", ""], check=True)

def test_adds_after_them(): assert 1 + 1 == 2
"""


@pytest.mark.flow
def test_a_unit_test_that_imports_a_library_of_models_or_starts_a_process_fails(tmp_path: Path) -> None:
    (tmp_path / "torch.py").touch()  # its name is enough
    (tmp_path / "test_some.py").write_text(TESTS)
    ini = ("-c", str(ROOT / "pyproject.toml"), "-o", "addopts=", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rA")
    command = [sys.executable, "-m", "pytest", *ini, str(tmp_path)]
    out = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT).stdout
    assert out.count("PASSED") == 3
    assert "test_imports is marked or taken for unit and imports torch" in out
    assert "test_starts is marked or taken for unit and starts a process" in out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import torch", True),
        ("from transformers import (\n    AutoTokenizer,\n)", True),
        ("import json, rag_eval.testing.models", True),
        ("from rag_eval.testing import models", True),
        ("from rag_eval.config.compose import composed", True),
        ("import torches", False),
        ("import rag_eval.types", False),
        ("def later():\n    import torch", False),
    ],
)
def test_a_file_is_heavy_if_what_it_loads_on_import_is(tmp_path: Path, line: str, expected: bool) -> None:
    path = tmp_path / "test_some.py"
    path.write_text(f"from pathlib import Path\n{line}\n")
    assert is_heavy(path) is expected
