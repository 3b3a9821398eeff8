"""Two processes train what one would: the same rows a step, the same losses and, but for rounding, the same weights."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from rag_eval.errors import ConfigError
from rag_eval.testing.models import write_random_model
from tests.adapt.tiny_training import fit as fit_lora
from tests.adapt.together_worker import CASES, fit, recorded
from tests.claims import every
from tests.commands import Ended

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]
TWO_ON_CPU = ROOT / "docs" / "accelerate" / "ddp_cpu.yaml"
OTHER = {"dropout", "no such layers"}  # masks are drawn by row, and each process has rows of its own
SAME = [case for case in CASES if case not in OTHER]
WHOLE = {"packed", "gradients recomputed"}  # whose rows do not share what they begin with
# Sums are added up in another order, by process and then over both: some 1e-7 of a loss of about 8. Adam divides a gradient by its
# own size, so that what is left of it after cancelling is a step like any other; 1e-4 is a hundredth of the first step of 0.01.
LOSS, WEIGHTS = 1e-4, 1e-4


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


def launched(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(TWO_ON_CPU), "--main_process_port", str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "OMP_NUM_THREADS": "1"}
    return subprocess.run([*launch, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def by_two(root: Path, base: Path, cases: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
    return launched(root, "-m", "tests.adapt.together_worker", str(root), str(base), json.dumps(cases), json.dumps(how))


def found(root: Path) -> dict[str, Any]:
    return dict(json.loads((root / "found.json").read_text(encoding="utf-8")))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


@pytest.fixture(scope="module")
def together(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("together")
    ended = by_two(root, base, SAME)
    assert ended.returncode == 0, ended.stderr
    return found(root)


@pytest.mark.slow
@pytest.mark.parametrize("case", SAME)
def test_two_processes_train_as_one(base: Path, tmp_path: Path, together: dict[str, Any], case: str) -> None:
    torch.set_num_threads(1)
    steps: list[dict[str, Any]] = []
    with recorded(steps):
        alone = fit(tmp_path, base, case, 1)
    pairs = list(zip(together[case]["steps"], steps, strict=True))
    shown = [one["rows"] for one in steps if "rows" in one]
    assert [len(rows) for rows in shown] == [6, 2] * 3
    assert (shown == shown[:2] * 3) == (case in {"in order", "one begins alike"})
    assert ("eval_loss" in str(steps)) == ("dev" in case)
    for both, one in pairs:
        assert both.get("rows") == one.get("rows")
        assert "rows" not in both or both["shares"] == [case not in WHOLE] * 2
        assert every(both[name] == pytest.approx(one[name], abs=LOSS) for name in ("loss", "eval_loss") if name in one)
    mine, theirs = weights(alone), weights(Path(together[case]["path"]))
    assert mine.keys() == theirs.keys()
    assert max((mine[name] - theirs[name]).abs().max().item() for name in mine) < WEIGHTS


@pytest.mark.slow
def test_a_killed_training_of_two_goes_on_to_the_same_bits(base: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for root in (whole, parts):
        root.mkdir()
    assert by_two(whole, base, ["dropout"]).returncode == 0
    assert by_two(parts, base, ["dropout"], end="killed", rank=1, step=8).returncode != 0
    assert [path.name for path in sorted(parts.rglob("state-*"))] == ["state-000000003", "state-000000006"]
    again = by_two(parts, base, ["dropout"])
    assert again.returncode == 0, again.stderr
    assert len(found(parts)["dropout"]["steps"]) < len(found(whole)["dropout"]["steps"])
    one, other = (weights(Path(found(root)["dropout"]["path"])) for root in (whole, parts))
    assert every(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_a_first_process_that_dies_ends_all(base: Path, tmp_path: Path) -> None:
    ended = by_two(tmp_path, base, ["in order"], end="killed", rank=0, step=2)
    assert ended.returncode != 0
    assert not list(tmp_path.rglob("adapter_model.safetensors"))


@pytest.mark.slow
def test_a_loss_that_is_no_number_in_one_process_ends_the_training_in_all_and_names_its_rows(base: Path, tmp_path: Path) -> None:
    ended = by_two(tmp_path, base, ["no such layers", "in order", "packed"], end="nan", rank=1, step=3)
    assert ended.returncode == 0, ended.stderr  # the first process caught it, and the second waited for the next training
    assert found(tmp_path)["no such layers"]["error"].startswith("adapter.target_modules does not suit the model: ")
    assert found(tmp_path)["in order"]["error"].startswith("the training loss became nan at step 3 with the training rows q")
    assert found(tmp_path)["in order"]["error"].count("q") == 3  # of six, those that the second process was shown
    assert "error" in found(tmp_path)["packed"]


@pytest.mark.slow
def test_a_run_of_two_processes_writes_one_of_everything(tmp_path: Path) -> None:
    run = (
        str(ROOT / "run.py"),
        *("mode=finetune", "dataset.preset=ci", "limit=4", "n_probe=0", "n_forgetting=0", "tracking=jsonl"),
        *("adapter.epochs=0.05", "adapter.rank=2", "output_dir=outputs", "cache.root=cache"),
    )
    ended = launched(tmp_path, *run)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("finetune on world-ci-0") == 1
    (record,) = (tmp_path / "outputs").rglob("run.json")
    assert json.loads(record.read_text(encoding="utf-8"))["facts"]["choices"]["adapter.n_processes"] == 2
    assert len(list((tmp_path / "cache" / "adapters").glob("*/adapter_model.safetensors"))) == 1
    assert len((tmp_path / "runs.jsonl").read_text(encoding="utf-8").splitlines()) == 1
    again = launched(tmp_path, *run)  # finished: nothing is trained, and the second process is sent home
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1] == ended.stdout.splitlines()[-1]


def test_a_batch_that_cannot_be_shared_equally_is_refused(command: Callable[..., Ended]) -> None:
    ended = command("mode=finetune", "adapter.n_processes=3", "adapter.batch_size=32")
    assert ended.code == 2
    assert "adapter.batch_size is 32, which 3 processes cannot share equally; take a multiple of 3" in ended.err


def test_an_adapter_of_two_is_not_trained_by_one_nor_is_that_of_one_taken_for_it(base: Path, tmp_path: Path) -> None:
    fit_lora(tmp_path, base)
    with pytest.raises(ConfigError, match=r"adapter\.n_processes is 2, but this command was started as 1 .*accelerate launch"):
        fit_lora(tmp_path, base, n_processes=2)


@pytest.mark.parametrize("way", ["FSDP", "DEEPSPEED"])
def test_weights_that_are_dealt_out_to_processes_are_refused(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv(f"ACCELERATE_USE_{way}", "true")
    with pytest.raises(ConfigError, match=r"deal the weights out .*not verified yet"):
        fit_lora(tmp_path, base)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_other_commands_than_run_are_started_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from rag_eval.cli.main import main

    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["latency", "mode=rag,finetune"]) == 2
    assert "rag-eval latency is started once" in capsys.readouterr().err


FILES = sorted((ROOT / "docs" / "accelerate").glob("*.yaml"))


def test_the_files_for_accelerate_are_understood_by_it() -> None:
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    found = {}
    for file in FILES:
        arguments, *_ = _validate_launch_command(launch_command_parser().parse_args(["--config_file", str(file), "run.py"]))
        found[file.stem] = (arguments.num_processes, bool(arguments.multi_gpu), bool(arguments.use_fsdp), arguments.mixed_precision)
        given = yaml.safe_load(file.read_text(encoding="utf-8")).get("fsdp_config", {})
        assert {name: str(getattr(arguments, name)) for name in given} == {name: str(value) for name, value in given.items()}
        if given:
            assert arguments.fsdp_version == 2
    assert found == {"ddp_cpu": (2, True, False, "no"), "fsdp2": (2, False, True, "no")}
