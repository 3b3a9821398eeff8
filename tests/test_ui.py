"""The command that serves the dashboards: what it refuses, and how it starts and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from rag_eval.cli.main import main
from rag_eval.cli.ui import read_dashboards
from tests.record.conftest import migrated_store as migrated_store

pytestmark = pytest.mark.flow


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@pytest.mark.parametrize(
    ("argument", "code", "said"),
    [
        ("port=5000x", 2, "expected a number from 1 to 65535, got '5000x'"),
        ("port=70000", 2, "expected a number from 1 to 65535"),
        ("host=0.0.0.0", 2, "would show your runs to others"),
        ("tracking.uri=https://host", 2, "is a server, which has its dashboards already"),
        ("tracking.uri=postgresql://me:hunter2@host/x", 2, "holds a user or a password"),
        ("tracking.uri=mlruns", 2, "is a file store"),
        ("tracking.uri=sqlite:///none.db", 4, "none.db does not exist; run `python run.py mode=rag` first"),
        ("prot=5000", 2, "got 'prot=5000'"),
        ("5000", 2, "got '5000'"),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    argument: str, code: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").touch()
    assert main(["ui", argument]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert "hunter2" not in line
    assert "Traceback" not in line


def test_a_port_that_is_taken_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["ui", f"port={taken.getsockname()[1]}"]) == 4
    assert "choose another with port=" in capsys.readouterr().err


def test_another_host_is_served_to_those_who_call_it_by_a_given_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").touch()
    made = read_dashboards(["host=0.0.0.0", "allowed_hosts=lab.example.org", f"port={free_port()}"])
    assert (made.host, made.allowed_hosts) == ("0.0.0.0", "lab.example.org")


@pytest.mark.slow
def test_the_dashboards_are_there_until_ctrl_c(migrated_store: Path) -> None:
    port = free_port()
    command = [
        sys.executable,
        "-c",
        "import sys; from rag_eval.cli.main import main; sys.exit(main())",
        "ui",
        f"tracking.uri=sqlite:///{migrated_store}",
        f"port={port}",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == f"MLflow shows sqlite:///{migrated_store} at http://127.0.0.1:{port} until Ctrl-C.\n"
        assert started.stdout.readline().startswith("Default: http://127.0.0.1:")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=30) as answer:
            assert answer.read() == b"OK"
        os.kill(started.pid, signal.SIGINT)
        assert started.wait(60) == 130
        assert started.stderr is not None
        assert started.stderr.read() == "MLflow has stopped.\n"
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
def test_a_store_that_is_none_ends_the_command_with_a_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.db"
    broken.write_text("this is no database" * 100)
    assert main(["ui", f"tracking.uri=sqlite:///{broken}", f"port={free_port()}"]) == 4
    (line,) = capfd.readouterr().err.splitlines()
    assert "did not start" in line
