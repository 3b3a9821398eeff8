"""Joules by hardware counters: processor packages (RAPL) and NVIDIA cards (NVML). What cannot be read is None, never 0.

Counters belong to the machine: work of other processes, and the power that an idle machine draws, are in every number.
`idle_power` measures the latter, so that a report may state energy with and without it.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
SHORTEST_S = 1.0  # NVML's counter moves every 20 to 100 ms: over a second a step is at most a tenth of what is counted
POLL_S = 20.0  # a RAPL counter starts again after 65 to 262 kJ; read this often, it cannot do so twice below 3 kW
IDLE_S = 2.0  # how long idle power is measured before a run
_MICRO, _MILLI = 1e-6, 1e-3


@dataclass(frozen=True)
class Counter:
    """One energy counter at one moment."""

    name: str
    joules: float  # since some moment in the past
    range_joules: float | None = None  # where it starts again at 0; None = not in a machine's life


@dataclass(frozen=True)
class Energy:
    """What was used between two moments, idle power included."""

    seconds: float
    cpu_joules: float | None  # of all processor packages, memory excluded; None = not measured
    device_joules: float | None  # of all visible cards, each as a whole, whoever uses it; None = not measured


@dataclass(frozen=True)
class Power:
    """Mean power over a window."""

    cpu_watts: float | None
    device_watts: float | None


def rapl_joules(root: Path = POWERCAP) -> float | None:
    """The sum of the processor packages' counters; None where one is absent or may only be read by root."""
    return _total(rapl_counters(root))


def nvml_joules() -> float | None:
    """The sum of the visible cards' counters; None without the package nvidia-ml-py, a driver or a card that counts."""
    return _total(nvml_counters())


def rapl_counters(root: Path = POWERCAP) -> tuple[Counter, ...]:
    """One counter a processor package: domains intel-rapl:N named package-M, on AMD too. () where one cannot be read.

    Subdomains (cores, memory) are parts of a package, and the domain psys is the platform around it: adding those would
    count the same joules twice.
    """
    try:
        folders = sorted(path for path in root.iterdir() if re.fullmatch(r"intel-rapl:\d+", path.name))
        packages = [path for path in folders if (path / "name").read_text(encoding="ascii").startswith("package")]
        return tuple(Counter(path.name, _micro(path / "energy_uj"), _micro(path / "max_energy_range_uj")) for path in packages)
    except (OSError, ValueError):
        return ()


def nvml_counters() -> tuple[Counter, ...]:
    """One counter a card that CUDA_VISIBLE_DEVICES shows, or () where one cannot be read (Volta and newer count)."""
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        return ()
    try:
        nvml.nvmlInit()  # never shut down again: opening it anew would lengthen the window that the next reading ends
        return tuple(Counter(uuid, nvml.nvmlDeviceGetTotalEnergyConsumption(card) * _MILLI) for uuid, card in _visible(nvml))
    except nvml.NVMLError:
        return ()


def joules(begun: Sequence[Counter], ended: Sequence[Counter]) -> float | None:
    """What a set of counters counted between two readings less than one turn apart.

    None where nothing was read, the two sets differ or a counter without a range went back (a driver was reloaded).
    """
    if not begun or [one.name for one in begun] != [one.name for one in ended]:
        return None
    steps = [_step(first, last) for first, last in zip(begun, ended, strict=True)]
    known = [step for step in steps if step is not None]
    return sum(known) if len(known) == len(steps) else None


def above_idle(used_joules: float | None, seconds: float | None, idle_watts: float | None) -> float | None:
    """Energy with the idle power of the same time taken off, not cut at 0, so that noise stays visible; None if any is None."""
    if used_joules is None or seconds is None or idle_watts is None:
        return None
    return used_joules - idle_watts * seconds


class EnergyMeter:
    """Joules from `begin` to `end`; both must be called, once each, on a device that has finished its work.

    Args:
        uses_cuda: whether cards are read too.
        root: where the kernel shows RAPL; None = POWERCAP.
    """

    def __init__(self, uses_cuda: bool, root: Path | None = None) -> None:
        self._root = root or POWERCAP
        self._read_cards = nvml_counters if uses_cuda else tuple
        self._packages: tuple[Counter, ...] = ()
        self._cards: tuple[Counter, ...] = ()
        self._cpu_joules: float | None = 0.0
        self._begun_s = 0.0
        self._is_over = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="energy", daemon=True)

    def begin(self) -> None:
        """Read the counters; where RAPL is readable, go on reading it, because it starts again within minutes."""
        self._cards, self._packages, self._begun_s = self._read_cards(), rapl_counters(self._root), time.perf_counter()
        if self._packages:
            self._poller.start()

    def end(self) -> Energy:
        """What was used since. Windows shorter than a second are not measured: see SHORTEST_S."""
        seconds = time.perf_counter() - self._begun_s
        self._is_over.set()
        if self._poller.is_alive():
            self._poller.join()
        self.count()
        cards = self._read_cards()
        if seconds < SHORTEST_S:
            return Energy(seconds, None, None)
        return Energy(seconds, self._cpu_joules, joules(self._cards, cards))

    def count(self) -> None:
        """Add what the packages used since they were last read."""
        packages = rapl_counters(self._root)
        used = joules(self._packages, packages)
        self._cpu_joules = None if used is None or self._cpu_joules is None else self._cpu_joules + used
        self._packages = packages

    def _poll(self) -> None:
        while not self._is_over.wait(POLL_S):
            self.count()


def idle_power(seconds: float, meter: EnergyMeter, wait: Callable[[float], None] = time.sleep) -> Power:
    """Mean power of the machine while this process waits.

    Args:
        seconds: length of the window, at least SHORTEST_S.
        meter: energy meter that has not begun.
        wait: waits for a number of seconds.

    Returns:
        Watts; None = the counters cannot be read.

    Raises:
        ValueError: if the window is too short to be measured.
    """
    if seconds < SHORTEST_S:
        raise ValueError(f"seconds: expected at least {SHORTEST_S}, got {seconds}.")
    meter.begin()
    wait(seconds)
    used = meter.end()
    cpu, device = used.cpu_joules, used.device_joules
    return Power(None if cpu is None else cpu / used.seconds, None if device is None else device / used.seconds)


def idle_watts(uses_cuda: bool, root: Path | None = None, wait: Callable[[float], None] = time.sleep) -> Power:
    """Idle power over two seconds; at once and without a number on a machine whose counters cannot be read."""
    if rapl_joules(root or POWERCAP) is None and not (uses_cuda and nvml_counters()):
        return Power(None, None)
    return idle_power(IDLE_S, EnergyMeter(uses_cuda, root), wait)


def _visible(nvml: Any) -> list[tuple[str, Any]]:
    """The cards that CUDA shows, with their UUIDs. None of them where it cannot be told which they are.

    CUDA takes a list of indices or beginnings of UUIDs and stops at the first that names no card (CUDA C++ Programming
    Guide, environment variables). Its indices follow the bus only on demand, NVML's always; among equal cards both do in practice.
    """
    cards = [nvml.nvmlDeviceGetHandleByIndex(at) for at in range(nvml.nvmlDeviceGetCount())]
    found = [(str(nvml.nvmlDeviceGetUUID(card)), card) for card in cards]
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is None:
        return found
    follows_bus = os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({nvml.nvmlDeviceGetName(card) for card in cards}) < 2
    picked: list[tuple[str, Any]] = []
    for token in (token.strip() for token in shown.split(",")):
        named = _named(token, found)
        if named is None:
            break
        if token.isdigit() and not follows_bus:
            return []
        picked.append(named)
    return picked


def _named(token: str, found: Sequence[tuple[str, Any]]) -> tuple[str, Any] | None:
    if token.isdigit():
        return found[int(token)] if int(token) < len(found) else None
    matching = [one for one in found if token and one[0].startswith(token)]
    return matching[0] if len(matching) == 1 else None


def _step(first: Counter, last: Counter) -> float | None:
    step = last.joules - first.joules
    if step >= 0:
        return step
    return None if last.range_joules is None else step + last.range_joules


def _micro(path: Path) -> float:
    return int(path.read_text(encoding="ascii")) * _MICRO


def _total(counters: Sequence[Counter]) -> float | None:
    return sum(counter.joules for counter in counters) if counters else None
