"""Money follows from physical units and a dated sheet; what is missing is named and never 0."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rag_eval.cost.prices import KWH_J, Price, PriceSheet, add, machine_price, price, read_sheet, storage_price, teacher_price
from rag_eval.errors import ConfigError
from rag_eval.types import Spend

HARDWARE = Path(__file__).parents[2] / "conf" / "hardware"
FILES = sorted(HARDWARE.rglob("*.yaml"))

NOTHING = PriceSheet("s", dt.date(2026, 1, 2), "made up", storage_usd_per_gib_month=0.08)
CPU = replace(NOTHING, cpu_usd_per_hour=0.36)
GPU = replace(NOTHING, device_usd_per_hour=7.2)
OWNED = replace(CPU, electricity_usd_per_kwh=0.2)
API = replace(NOTHING, api_usd_per_million_prompt_tokens=0.5, api_usd_per_million_output_tokens=2.0)
HOUR = Spend(3600.0, device_seconds=3600.0)


def test_these_are_all_sheets_and_each_says_what_it_is_and_where_its_prices_come_from() -> None:
    assert [path.stem for path in FILES] == ["a100", "a10g", "api_small", "cloud_cpu", "h100", "h200", "l4", "laptop_cpu", "t4"]
    for path in FILES:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# ")
        terms = "utilisation=0.5 queries=100000 updates=0 hours=720"
        assert first.endswith(f": python -m rag_eval.report compare rag finetune hardware={path.stem} {terms}")
        sheet = read_sheet(path)
        assert sheet.name == path.stem
        assert dt.date(2024, 1, 1) < sheet.date < dt.date(2100, 1, 1)
        assert sheet.has_machine or sheet.api_usd_per_million_prompt_tokens is not None
        assert ("not re-checked" in sheet.source) or ("Assumptions" in sheet.source)


def test_a_dearer_card_costs_more_an_hour_and_only_an_owned_machine_pays_electricity() -> None:
    sheets = {path.stem: read_sheet(path) for path in FILES}
    hours = [price(HOUR, sheets[name], utilisation=1.0).usd for name in ("t4", "l4", "a10g", "a100", "h100", "h200")]
    assert None not in hours
    assert hours == sorted(hours, key=lambda usd: usd or 0.0)
    assert [name for name, sheet in sheets.items() if sheet.electricity_usd_per_kwh is not None] == ["laptop_cpu"]


def test_time_costs_its_share_of_an_hour_by_the_utilisation() -> None:
    assert price(Spend(100.0), CPU, utilisation=1.0) == Price(pytest.approx(0.01), {"machine": pytest.approx(0.01)})
    assert price(Spend(100.0), CPU, utilisation=0.1).usd == pytest.approx(0.1)
    assert price(Spend(1000.0, device_seconds=500.0), GPU, utilisation=0.5).usd == pytest.approx(2.0)  # held 500 s


@pytest.mark.parametrize("utilisation", [0.0, -0.5, 1.5, float("nan")])
def test_a_utilisation_is_a_share_above_0(utilisation: float) -> None:
    for sheet in (GPU, API):
        with pytest.raises(ValueError, match="utilisation"):
            price(HOUR, sheet, utilisation)


def test_time_on_a_processor_is_not_priced_as_time_on_a_card_nor_the_reverse() -> None:
    assert price(Spend(100.0), GPU, 1.0) == Price(None, missing=("s.cpu_usd_per_hour",))
    assert price(HOUR, CPU, 1.0) == Price(None, missing=("s.device_usd_per_hour",))
    assert price(Spend(None), CPU, 1.0) == Price(None, missing=("seconds",))
    assert price(Spend(None), GPU, 1.0).missing == ("seconds", "s.cpu_usd_per_hour")
    assert price(HOUR, NOTHING, 1.0) == Price(None, missing=("s.device_usd_per_hour",))


def test_an_owned_machine_pays_the_electricity_that_was_measured_whatever_the_utilisation() -> None:
    spend = Spend(3600.0, cpu_joules=KWH_J / 2)
    expected = {"machine": pytest.approx(0.72), "electricity": pytest.approx(0.1)}
    assert price(spend, OWNED, utilisation=0.5) == Price(pytest.approx(0.82), expected)
    owned = replace(OWNED, device_usd_per_hour=7.2)
    both = replace(HOUR, cpu_joules=KWH_J, device_joules=2 * KWH_J)
    assert price(both, owned, 1.0).parts["electricity"] == pytest.approx(0.6)


def test_without_joules_declared_watts_stand_in_and_are_marked() -> None:
    unmeasured = replace(HOUR, cpu_joules=KWH_J)  # the card's are missing
    owned = replace(OWNED, device_usd_per_hour=7.2)
    assert price(unmeasured, owned, 1.0) == Price(None, {"machine": pytest.approx(7.2)}, missing=("device_joules",))
    guessed = price(unmeasured, replace(owned, assumed_watts=500.0), 1.0)
    assert guessed == Price(
        pytest.approx(7.3), {"machine": pytest.approx(7.2), "electricity": pytest.approx(0.1)}, assumed=("electricity",)
    )
    measured = price(Spend(3600.0, cpu_joules=KWH_J), replace(OWNED, assumed_watts=500.0), 1.0)
    assert measured.assumed == ()


def test_a_hosted_model_costs_its_tokens_and_not_the_time_that_its_caller_waits() -> None:
    spend = Spend(100.0, n_prompt_tokens=2_000_000, n_output_tokens=100_000)
    assert price(spend, API, utilisation=0.1) == Price(pytest.approx(1.2), {"tokens": pytest.approx(1.2)})
    assert price(Spend(100.0, n_prompt_tokens=5), API, 1.0) == Price(None, missing=("n_output_tokens",))
    with_caller = price(spend, replace(API, cpu_usd_per_hour=0.36), utilisation=0.1)
    assert with_caller.parts == {"machine": pytest.approx(0.1), "tokens": pytest.approx(1.2)}


def test_a_teacher_costs_its_tokens() -> None:
    spend = Spend(100.0, n_prompt_tokens=1_000_000, n_output_tokens=1_000_000)
    sheet = replace(GPU, teacher_usd_per_million_prompt_tokens=3.0, teacher_usd_per_million_output_tokens=15.0)
    assert teacher_price(spend, sheet).usd == pytest.approx(18.0)
    names = ("s.teacher_usd_per_million_prompt_tokens", "s.teacher_usd_per_million_output_tokens")
    assert teacher_price(spend, GPU) == Price(None, missing=names)


def test_storage_costs_by_the_gibibyte_and_the_month_of_730_hours() -> None:
    assert storage_price(2 * 2**30, NOTHING, hours=365.0) == Price(pytest.approx(0.08), {"storage": pytest.approx(0.08)})
    assert storage_price(0, NOTHING, hours=365.0).usd == 0
    assert storage_price(None, NOTHING, hours=365.0) == Price(None, missing=("stored_bytes",))
    with pytest.raises(ValueError, match="hours"):
        storage_price(1, NOTHING, hours=-1.0)


def test_a_sum_adds_part_by_part_and_is_unknown_as_soon_as_one_is() -> None:
    known = machine_price(Spend(100.0), CPU, 1.0)
    assert add([known, known]) == Price(pytest.approx(0.02), {"machine": pytest.approx(0.02)})
    assert add([known, Price(None, missing=("seconds",))]) == Price(None, known.parts, missing=("seconds",))
    assert add([]) == Price(0)


WRITTEN = {"date": dt.date(2026, 1, 2), "source": "made up", "storage_usd_per_gib_month": 0.1, "cpu_usd_per_hour": 1}


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sheet_is_named_as_its_file(tmp_path: Path) -> None:
    assert read_sheet(write(tmp_path, yaml.safe_dump(WRITTEN))) == PriceSheet(
        "mine", dt.date(2026, 1, 2), "made up", storage_usd_per_gib_month=0.1, cpu_usd_per_hour=1.0
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gpu_usd_per_hour": 1.0}, "gpu_usd_per_hour"),
        ({"date": None}, "date"),
        ({"date": "yesterday"}, "date"),
        ({"source": None}, "source"),
        ({"source": ""}, "source"),
        ({"storage_usd_per_gib_month": None}, "storage_usd_per_gib_month"),
        ({"cpu_usd_per_hour": -0.1}, "cpu_usd_per_hour"),
        ({"cpu_usd_per_hour": "1.0"}, "cpu_usd_per_hour"),
        ({"cpu_usd_per_hour": True}, "cpu_usd_per_hour"),
        ({"cpu_usd_per_hour": float("inf")}, "cpu_usd_per_hour"),
        ({"assumed_watts": 0}, "assumed_watts"),
        ({"currency": "eur"}, "currency"),
        ({"api_usd_per_million_prompt_tokens": 1.0}, "api_usd_per_million_output_tokens is missing"),
        ({"teacher_usd_per_million_output_tokens": 1.0}, "teacher_usd_per_million_prompt_tokens is missing"),
        ({"name": "mine"}, "without the sheet's own name"),
    ],
)
def test_a_wrong_sheet_is_refused_in_one_line_with_file_and_key(tmp_path: Path, change: dict[str, object], said: str) -> None:
    plain = {name: value for name, value in {**WRITTEN, **change}.items() if value is not None}
    path = write(tmp_path, yaml.safe_dump(plain))
    with pytest.raises(ConfigError) as caught:
        read_sheet(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert said in message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [", "a: \x00"])
def test_what_is_no_sheet_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_sheet(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: expected")


def test_an_absent_sheet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_sheet(tmp_path / "absent.yaml")
