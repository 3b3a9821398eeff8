"""Joules are differences of counters that start again, go missing or belong to someone else; what is not known is None."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from rag_eval.cost.energy import (
    Counter,
    Energy,
    EnergyMeter,
    Power,
    above_idle,
    idle_power,
    idle_watts,
    joules,
    nvml_joules,
    rapl_counters,
    rapl_joules,
)
from rag_eval.cost.meter import metered

RANGE_UJ = 262_143_000_000


def domain(root: Path, folder: str, name: str, energy_uj: int) -> Path:
    """One folder of a powercap tree."""
    path = root / folder
    path.mkdir(parents=True, exist_ok=True)
    for file, value in {"name": name, "energy_uj": energy_uj, "max_energy_range_uj": RANGE_UJ}.items():
        (path / file).write_text(f"{value}\n", encoding="ascii")
    return path


class Clock:
    """The clock, which only waiting moves, with the counter of one package at 20 W."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.s = root, 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.s)

    def wait(self, seconds: float) -> None:
        self.s += seconds
        file = self.root / "intel-rapl:0" / "energy_uj"
        file.write_text(str((int(file.read_text()) + int(20e6 * seconds)) % RANGE_UJ), encoding="ascii")


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(tmp_path, monkeypatch)


def used(clock: Clock, seconds: float) -> Energy:
    meter = EnergyMeter(False, clock.root)
    meter.begin()
    clock.wait(seconds)
    return meter.end()


def test_rapl_adds_packages_and_neither_their_parts_nor_the_platform_around_them(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", "package-0", 3_000_000)
    domain(tmp_path, "intel-rapl:1", "package-1", 500_000)
    domain(tmp_path, "intel-rapl:0:0", "core", 2_000_000)
    domain(tmp_path, "intel-rapl:2", "psys", 9_000_000)
    domain(tmp_path, "intel-rapl-mmio:0", "package-0", 3_000_000)
    assert rapl_joules(tmp_path) == pytest.approx(3.5)


def test_without_a_counter_or_with_one_unreadable_there_is_no_number(tmp_path: Path) -> None:
    assert rapl_joules(tmp_path / "absent") is None
    assert rapl_joules(tmp_path) is None
    domain(tmp_path, "intel-rapl:0", "package-0", 3_000_000)
    second = domain(tmp_path, "intel-rapl:1", "package-1", 500_000)
    (second / "energy_uj").unlink()
    (second / "energy_uj").mkdir()  # reading fails, as it does for all but root on many machines
    assert rapl_joules(tmp_path) is None


def test_a_counter_that_started_again_has_gone_on_by_the_rest_of_its_range() -> None:
    assert joules([Counter("a", 260.0, 262.0)], [Counter("a", 3.0, 262.0)]) == pytest.approx(5.0)
    assert joules([Counter("a", 1.0, 262.0), Counter("b", 4.0)], [Counter("a", 3.0, 262.0), Counter("b", 4.5)]) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("begun", "ended"),
    [
        ([], []),
        ([Counter("a", 1.0)], []),
        ([Counter("a", 1.0)], [Counter("b", 2.0)]),
        ([Counter("a", 1.0), Counter("b", 1.0)], [Counter("a", 2.0)]),
        ([Counter("a", 9.0), Counter("b", 1.0)], [Counter("a", 0.5), Counter("b", 2.0)]),  # no range: the driver was reloaded
    ],
)
def test_counters_that_do_not_belong_together_give_no_number(begun: list[Counter], ended: list[Counter]) -> None:
    assert joules(begun, ended) is None


def test_a_meter_counts_across_the_end_of_the_range(clock: Clock) -> None:
    domain(clock.root, "intel-rapl:0", "package-0", RANGE_UJ - 10_000_000)
    assert used(clock, seconds=3.0) == Energy(3.0, pytest.approx(60.0), None)


def test_a_meter_that_is_read_meanwhile_counts_several_turns(clock: Clock) -> None:
    domain(clock.root, "intel-rapl:0", "package-0", 0)
    meter = EnergyMeter(False, clock.root)
    meter.begin()
    for _ in range(6):
        clock.wait(5_000.0)  # 100 kJ: a turn is 262 kJ
        meter.count()
    assert meter.end() == Energy(30_000.0, pytest.approx(600_000.0), None)


def test_a_meter_reads_meanwhile_by_itself_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain(tmp_path, "intel-rapl:0", "package-0", 0)
    monkeypatch.setattr("rag_eval.cost.energy.POLL_S", 0.001)
    was_read = threading.Event()

    class Watched(EnergyMeter):
        def count(self) -> None:
            super().count()
            was_read.set()

    meter = Watched(False, tmp_path)
    meter.begin()
    assert was_read.wait(timeout=10)
    meter.end()
    assert "energy" not in {thread.name for thread in threading.enumerate()}


def test_a_counter_that_goes_missing_meanwhile_gives_no_number_and_leaves_no_thread(clock: Clock) -> None:
    path = domain(clock.root, "intel-rapl:0", "package-0", 0)
    meter = EnergyMeter(False, clock.root)
    meter.begin()
    clock.wait(3.0)
    (path / "name").rename(path / "lost")
    meter.count()
    (path / "lost").rename(path / "name")
    assert meter.end() == Energy(3.0, None, None)
    assert "energy" not in {thread.name for thread in threading.enumerate()}


def test_a_window_shorter_than_a_second_is_not_measured(clock: Clock) -> None:
    domain(clock.root, "intel-rapl:0", "package-0", 0)
    assert used(clock, seconds=0.99) == Energy(pytest.approx(0.99), None, None)
    assert used(clock, seconds=1.0).cpu_joules == pytest.approx(20.0)


def test_idle_power_of_a_machine_without_counters_is_not_measured_and_costs_no_time(tmp_path: Path) -> None:
    def wait(seconds: float) -> None:
        raise AssertionError("nothing can be read, so there is nothing to wait for")

    assert idle_watts(False, tmp_path, wait) == Power(None, None)


def test_idle_power_before_a_run_takes_two_seconds(clock: Clock) -> None:
    domain(clock.root, "intel-rapl:0", "package-0", 0)
    assert idle_watts(False, clock.root, clock.wait) == Power(pytest.approx(20.0), None)
    assert clock.s == 102.0


def test_idle_power_is_measured_over_a_window_and_can_be_taken_off(clock: Clock) -> None:
    domain(clock.root, "intel-rapl:0", "package-0", 0)
    assert idle_power(4.0, EnergyMeter(False, clock.root), wait=clock.wait) == Power(pytest.approx(20.0), None)
    assert above_idle(100.0, seconds=3.0, idle_watts=20.0) == pytest.approx(40.0)
    assert above_idle(50.0, seconds=3.0, idle_watts=20.0) == pytest.approx(-10.0)
    assert above_idle(None, 3.0, 20.0) is None
    assert above_idle(100.0, None, 20.0) is None
    assert above_idle(100.0, 3.0, None) is None
    with pytest.raises(ValueError, match="at least"):
        idle_power(0.5, EnergyMeter(False, clock.root), wait=clock.wait)


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A fake NVML with cards by UUID, their model and their counter in mJ; a counter of None cannot be read."""

    def install(*known: tuple[str, str, int | None], **environment: str) -> None:
        monkeypatch.setitem(sys.modules, "pynvml", nvml(known))
        for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return install


def nvml(known: tuple[tuple[str, str, int | None], ...]) -> ModuleType:
    class NVMLError(Exception):
        """As nvidia-ml-py names it."""

    class Fake(ModuleType):
        def nvmlInit(self) -> None:
            if not known:
                raise NVMLError("no driver")

        def nvmlDeviceGetTotalEnergyConsumption(self, card: int) -> int:
            energy = known[card][2]
            if energy is None:
                raise NVMLError("not supported")
            return energy

    fake = Fake("pynvml")
    fake.NVMLError = NVMLError
    fake.nvmlDeviceGetCount = lambda: len(known)
    fake.nvmlDeviceGetHandleByIndex = lambda at: at
    fake.nvmlDeviceGetUUID = lambda card: known[card][0]
    fake.nvmlDeviceGetName = lambda card: known[card][1]
    return fake


A, B, C = ("GPU-aa11", "H100", 1_000), ("GPU-bb22", "H100", 20_000), ("GPU-bb33", "H100", 300_000)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("0", 1.0),
        ("2,0", 301.0),
        (" 1 , 2 ", 320.0),
        ("GPU-aa", 1.0),  # the beginning of a UUID
        ("GPU-bb33,GPU-bb22", 320.0),
        ("GPU-bb", None),  # two cards begin so
        ("1,7,0", 20.0),  # CUDA stops at the first that is none
        ("-1", None),
    ],
)
def test_only_visible_cards_count(cards: Callable[..., None], shown: str, expected: float | None) -> None:
    cards(A, B, C, CUDA_VISIBLE_DEVICES=shown)
    found = nvml_joules()
    assert found == (None if expected is None else pytest.approx(expected))


def test_all_cards_count_where_none_is_hidden_and_none_where_all_are(cards: Callable[..., None]) -> None:
    cards(A, B, C)
    assert nvml_joules() == pytest.approx(321.0)
    cards(A, CUDA_VISIBLE_DEVICES="")
    assert nvml_joules() is None


def test_an_index_among_unequal_cards_names_one_only_if_cuda_follows_the_bus(cards: Callable[..., None]) -> None:
    unequal = (A, ("GPU-cc44", "T4", 5_000))
    cards(*unequal, CUDA_VISIBLE_DEVICES="1")
    assert nvml_joules() is None
    cards(*unequal, CUDA_VISIBLE_DEVICES="1", CUDA_DEVICE_ORDER="PCI_BUS_ID")
    assert nvml_joules() == pytest.approx(5.0)
    cards(*unequal, CUDA_VISIBLE_DEVICES="GPU-cc44")
    assert nvml_joules() == pytest.approx(5.0)


def test_without_a_driver_the_package_or_a_card_that_counts_there_is_no_number(
    cards: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cards()
    assert nvml_joules() is None
    cards(A, ("GPU-dd55", "P100", None))
    assert nvml_joules() is None
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert nvml_joules() is None


def test_a_meter_reads_cards_only_where_cuda_is_used(cards: Callable[..., None], clock: Clock) -> None:
    for uses_cuda, expected in ((True, 7.0), (False, None)):
        cards(("GPU-aa11", "H100", 1_000))
        meter = EnergyMeter(uses_cuda, clock.root)
        meter.begin()
        clock.s += 2.0
        cards(("GPU-aa11", "H100", 8_000))
        assert meter.end().device_joules == (None if expected is None else pytest.approx(expected))


def test_a_package_is_known_by_its_folder(tmp_path: Path) -> None:
    domain(tmp_path, "intel-rapl:0", "package-0", 3_000_000)
    assert rapl_counters(tmp_path) == (Counter("intel-rapl:0", pytest.approx(3.0), pytest.approx(262_143.0)),)


@pytest.mark.flow  # it imports what stands for torch
def test_what_a_block_used_is_in_its_spend(cards: Callable[..., None], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_eval.cost.energy.POWERCAP", clock.root)
    torch = ModuleType("torch")
    torch.cuda = SimpleNamespace(synchronize=int, reset_peak_memory_stats=int, max_memory_allocated=int)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    domain(clock.root, "intel-rapl:0", "package-0", 0)
    cards(("GPU-aa11", "H100", 1_000))
    with metered(uses_cuda=True) as reading:
        clock.wait(3.0)
        cards(("GPU-aa11", "H100", 8_000))
    assert (reading.spend.cpu_joules, reading.spend.device_joules) == (pytest.approx(60.0), pytest.approx(7.0))
