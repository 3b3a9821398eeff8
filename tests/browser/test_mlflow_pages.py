"""Recorded runs in the pages of a real MLflow server: the experiment with its runs, the metrics of a run, and its files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rag_eval.cli.ui import PAGE
from tests.browser.watched import Watched
from tests.claims import every

pytestmark = pytest.mark.browser

Open = Callable[..., Watched]
ROOT = Path(__file__).parents[2]
MODES = ("rag", "closed_book")
PATIENCE_S = 180


@dataclass(frozen=True)
class Served:
    """A server over a store of two runs."""

    address: str
    experiment: str  # id
    runs: dict[str, Any]  # by name, as MLflow's client tells them
    files: dict[str, list[str]]  # paths of the artifacts of each run

    def page(self, run: Any, place: str = "") -> str:
        """The address of a page of a run."""
        return f"{self.address}/#/experiments/{self.experiment}/runs/{run.info.run_id}/{place}"


@pytest.fixture(scope="module")
def served(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Runs of the scripted generator, mirrored into a fresh SQLite file, behind `mlflow server` on a free port of this machine."""
    folder = tmp_path_factory.mktemp("mlflow")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    common = ("generator=scripted", "retriever/embedder=hashed", "dataset.preset=ci", "limit=20", "n_probe=0", "tracking=mlflow")
    for mode in MODES:
        own = [one for one in common if mode == "rag" or not one.startswith("retriever")]
        command = [sys.executable, str(ROOT / "run.py"), f"mode={mode}", *own]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, timeout=PATIENCE_S)
    store = f"sqlite:///{folder / 'mlflow.db'}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen([*serve, "--workers", "1"], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/health", server, folder / "server.log")
        yield _served(address, store)
    finally:
        _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End a server and its workers, which are a group of processes of their own."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:  # a connection is still open
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=10)


def _wait(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"mlflow server does not answer at {address}: {log.read_text()[-2000:]}")


def _served(address: str, store: str) -> Served:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store)
    (experiment,) = [one.experiment_id for one in client.search_experiments() if one.name != "Default"]
    runs = {str(run.info.run_name): run for run in client.search_runs([experiment])}
    return Served(address, experiment, runs, {name: _files(client, run.info.run_id) for name, run in runs.items()})


def _files(client: Any, run_id: str, folder: str | None = None) -> list[str]:
    found = client.list_artifacts(run_id, folder)
    return [path for one in found for path in (_files(client, run_id, one.path) if one.is_dir else [one.path])]


def shown(one: Watched, text: str) -> bool:
    """Whether a text becomes visible."""
    one.page.get_by_text(text, exact=False).locator("visible=true").first.wait_for(timeout=1000 * PATIENCE_S)
    return True


def test_the_experiment_shows_its_runs(served: Served, open_page: Open, screenshots: Path) -> None:
    assert len(served.runs) == len(MODES)
    one = open_page(f"{served.address}/#/experiments/{served.experiment}/runs", is_fresh=True)
    assert every(shown(one, name) for name in served.runs)
    one.page.screenshot(path=screenshots / "mlflow-runs.png")


def test_the_address_that_is_printed_shows_the_arms(served: Served, open_page: Open, screenshots: Path) -> None:
    one = open_page(f"{served.address}/#/experiments/{served.experiment}/{PAGE}", is_fresh=True)
    assert every(shown(one, name) for name in served.runs)
    one.page.screenshot(path=screenshots / "mlflow-arms.png")


def test_the_overview_shows_how_many_answers_are_right(served: Served, open_page: Open, screenshots: Path) -> None:
    one = open_page(f"{served.address}/#/experiments/{served.experiment}/overview/quality?workflowType=genai", is_fresh=True)
    assert every(shown(one, name) for name in ("correctness", "exact_match", "contains"))
    one.page.screenshot(path=screenshots / "mlflow-quality.png")


def test_a_run_shows_its_metrics(served: Served, open_page: Open, screenshots: Path) -> None:
    scores = [(run, name) for run in served.runs.values() for name, value in sorted(run.data.metrics.items()) if is_telling(name, value)]
    run, name = scores[0]
    one = open_page(served.page(run), is_fresh=True)
    one.page.get_by_placeholder("Search metrics").fill(name, timeout=1000 * PATIENCE_S)
    assert shown(one, name)
    row = one.page.get_by_role("row").filter(has=one.page.get_by_text(name, exact=True)).first
    assert float(row.inner_text().split()[-1]) == pytest.approx(run.data.metrics[name], abs=1e-3)
    one.page.screenshot(path=screenshots / "mlflow-metrics.png")


def is_telling(name: str, value: float) -> bool:
    """Whether a metric is a score with a value that others hardly have."""
    return name.startswith("answer/") and 0 < value < 1


def test_a_run_shows_its_files(served: Served, open_page: Open, screenshots: Path) -> None:
    assert "run.json" in {name for names in served.files.values() for name in names}
    run = next(iter(served.runs.values()))
    one = open_page(served.page(run, "artifacts"), is_fresh=True)
    assert every(shown(one, Path(name).parts[0]) for name in served.files[run.info.run_name])
    one.page.screenshot(path=screenshots / "mlflow-files.png")


def test_a_run_shows_its_figures(served: Served, open_page: Open, screenshots: Path) -> None:
    figures = [(run, name) for run in served.runs.values() for name in served.files[run.info.run_name] if name.endswith((".png", ".svg"))]
    if not figures:
        pytest.skip("no run has figures")
    run, name = figures[0]
    one = open_page(served.page(run, f"artifacts/{name}"), is_fresh=True)
    drawn = "[...document.images].some(one => one.src.startsWith('blob:') && one.naturalWidth > 50 && one.checkVisibility())"
    one.page.wait_for_function(drawn, timeout=1000 * PATIENCE_S)
    one.page.screenshot(path=screenshots / "mlflow-figure.png")
