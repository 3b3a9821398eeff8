"""An experiment's total holds every run, failed ones too, counts nothing twice and is unknown where a part is."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from rag_eval.cost.ledger import Entry, Total, priced, stage_price, totals
from rag_eval.cost.prices import PriceSheet
from rag_eval.types import Spend

FULL = Spend(
    seconds=10.0,
    device_seconds=9.0,
    cpu_seconds=12.0,
    peak_bytes=100,
    device_peak_bytes=70,
    stored_bytes=5,
    n_prompt_tokens=1_000,
    n_output_tokens=20,
    device_joules=900.0,
    cpu_joules=300.0,
)
SHEET = PriceSheet("s", dt.date(2026, 1, 2), "made up", 0.1, device_usd_per_hour=3600.0, cpu_usd_per_hour=360.0)


def entry(run_id: str, spend: Spend, **fields: object) -> Entry:
    return replace(Entry(run_id, "finetune", "learn", "FINISHED", False, spend), **fields)  # type: ignore[arg-type]


def test_units_are_added_and_peaks_and_stored_bytes_are_the_largest() -> None:
    other = replace(FULL, seconds=2.0, peak_bytes=300, device_peak_bytes=10, stored_bytes=6, n_output_tokens=1)
    found = totals([entry("a", FULL), entry("b", other)])
    expected = Spend(12.0, 11.0, 24.0, 300, 70, 6, 2_000, 21, 1_800.0, 600.0)
    assert found == {("finetune", "learn"): Total(replace(expected, device_seconds=9.0 + 2.0), n=2, n_failed=0, n_trials=0)}


def test_arms_and_stages_are_kept_apart() -> None:
    found = totals(
        [
            entry("a", Spend(1.0)),
            entry("a", Spend(2.0), stage="answer"),
            entry("b", Spend(4.0), mode="rag"),
            entry("c", Spend(8.0)),
        ]
    )
    assert {key: total.spend.seconds for key, total in found.items()} == {
        ("finetune", "learn"): 9.0,
        ("finetune", "answer"): 2.0,
        ("rag", "learn"): 4.0,
    }


def test_failed_killed_and_trial_runs_are_in_the_sum_and_counted_apart() -> None:
    entries = [
        entry("a", Spend(1.0)),
        entry("b", Spend(2.0), status="FAILED"),
        entry("c", Spend(4.0), status="KILLED", is_trial=True),
        entry("d", Spend(8.0), is_trial=True),
        entry("e", Spend(16.0), status="RUNNING"),
    ]
    total = totals(entries)["finetune", "learn"]
    assert (total.spend.seconds, total.n, total.n_failed, total.n_trials) == (31.0, 5, 3, 2)


def test_seconds_from_a_cache_are_counted_in_the_run_that_spent_them_only() -> None:
    built = entry("a", Spend(100.0, device_seconds=100.0))
    reused = entry("b", Spend(101.0, device_seconds=101.0, cached=True, reused_s=100.0))
    total = totals([built, reused])["finetune", "learn"]
    assert total.spend == Spend(101.0, device_seconds=101.0)
    own_only = entry("b", Spend(101.0, device_seconds=1.0, cached=True, reused_s=100.0))
    assert totals([built, own_only]) == totals([built, reused])
    with pytest.raises(ValueError, match="run b: reused_s"):
        totals([entry("b", Spend(1.0, reused_s=2.0))])


@pytest.mark.parametrize(
    "field", ["seconds", "cpu_seconds", "peak_bytes", "stored_bytes", "n_prompt_tokens", "n_output_tokens", "cpu_joules", "device_joules"]
)
def test_a_sum_with_an_unmeasured_part_is_no_number(field: str) -> None:
    total = totals([entry("a", FULL), entry("b", replace(FULL, **{field: None}))])["finetune", "learn"]
    assert getattr(total.spend, field) is None


def test_a_run_without_an_accelerator_adds_nothing_to_what_accelerators_did() -> None:
    on_cpu = replace(FULL, device_seconds=None, device_peak_bytes=None, device_joules=None)
    spend = totals([entry("a", FULL), entry("b", on_cpu)])["finetune", "learn"].spend
    assert (spend.seconds, spend.device_seconds, spend.device_peak_bytes, spend.device_joules) == (20.0, 9.0, 70, 900.0)
    alone = totals([entry("b", on_cpu)])["finetune", "learn"].spend
    assert (alone.device_seconds, alone.device_joules) == (None, None)


def test_an_entry_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="run a: expected one entry for learn, got two"):
        totals([entry("a", FULL), entry("a", FULL)])


def test_runs_are_priced_one_by_one_each_on_what_it_ran_on_and_only_for_what_it_spent() -> None:
    entries = [
        entry("a", Spend(10.0, device_seconds=10.0)),  # 10 usd
        entry("b", Spend(10.0)),  # 1 usd on the processor
        entry("c", Spend(12.0, device_seconds=12.0, reused_s=10.0, cached=True), status="FAILED"),  # 2 usd
    ]
    assert priced(entries, SHEET, utilisation=1.0)["finetune", "learn"].usd == pytest.approx(13.0)
    assert priced(entries, SHEET, utilisation=0.5)["finetune", "learn"].usd == pytest.approx(26.0)
    unknown = priced([*entries, entry("d", Spend(None))], SHEET, 1.0)["finetune", "learn"]
    assert (unknown.usd, unknown.missing) == (None, ("seconds",))


def test_tokens_are_bought_for_answers_and_for_training_data_and_never_for_training() -> None:
    spend = Spend(10.0, n_prompt_tokens=1_000_000, n_output_tokens=1_000_000)
    hosted = replace(
        SHEET,
        device_usd_per_hour=None,
        cpu_usd_per_hour=None,
        api_usd_per_million_prompt_tokens=1.0,
        api_usd_per_million_output_tokens=2.0,
        teacher_usd_per_million_prompt_tokens=10.0,
        teacher_usd_per_million_output_tokens=20.0,
    )
    both = replace(hosted, cpu_usd_per_hour=360.0)
    assert stage_price("answer", spend, False, hosted, 1.0).usd == pytest.approx(3.0)
    assert stage_price("evaluate", spend, False, hosted, 1.0).usd == pytest.approx(3.0)
    assert stage_price("data_generation", spend, True, both, 1.0).usd == pytest.approx(30.0)
    assert stage_price("data_generation", spend, False, both, 1.0).usd == pytest.approx(1.0)  # by one's own machine
    assert stage_price("data_generation", spend, True, SHEET, 1.0).usd is None  # waiting is no work of the machine
    assert stage_price("learn", spend, False, hosted, 1.0).missing == ("s.cpu_usd_per_hour",)
    assert stage_price("update", spend, False, both, 1.0).usd == pytest.approx(1.0)
    with pytest.raises(ValueError, match="utilisation"):
        stage_price("data_generation", spend, True, hosted, 0.0)
