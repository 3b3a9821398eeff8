"""What an experiment used up in all: every run of it, trials and failed runs too, by arm and stage, nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from rag_eval.cost.prices import Price, PriceSheet, add, check_utilisation, machine_price, price, writing_price
from rag_eval.types import Spend

Stage = Literal["learn", "load", "answer", "probe", "update", "data_generation", "evaluate"]
T = TypeVar("T", int, float)


@dataclass(frozen=True)
class Entry:
    """What one stage of one run used up."""

    run_id: str
    mode: str
    stage: Stage
    status: Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
    is_trial: bool  # a run that only searched for settings
    spend: Spend
    is_hosted: bool = False  # the data_generation of a service that sells tokens, so that the seconds are of waiting


@dataclass(frozen=True)
class Total:
    """What all runs of an arm used up in one stage."""

    spend: Spend  # seconds are those really spent: what came from a cache is left out
    n: int  # runs
    n_failed: int  # of which did not finish; their spends are in the sum
    n_trials: int  # of which only searched for settings


def totals(entries: Iterable[Entry]) -> Mapping[tuple[str, Stage], Total]:
    """Sum of what the entries of each arm and stage used.

    - A sum with an unmeasured part is None. Units of an accelerator are summed over the runs that used one, so that a run without one does
      not make the sum unknown.
    - Seconds that an earlier run spent (`reused_s`) count in that run only. Processor seconds, joules and tokens are taken as they are:
      what the run itself measured.
    - Peak memory and stored bytes are the largest, not the sum: runs need not hold them at the same time.

    Give a part of the entries (the trials, the failed ones) to know what that part used.

    Args:
        entries: what each stage of each run used.

    Returns:
        Totals by (mode, stage), in order of appearance.

    Raises:
        ValueError: if a run has two entries for one stage, or reused more seconds than it has.
    """
    return {key: _total(group) for key, group in _grouped(entries).items()}


def priced(entries: Iterable[Entry], sheet: PriceSheet, utilisation: float) -> Mapping[tuple[str, Stage], Price]:
    """Price of the same runs, entry by entry, because a total may mix runs with and without an accelerator.

    Args:
        entries: what each stage of each run used.
        sheet: price sheet.
        utilisation: share of the paid hours in which the machine does such work, in (0, 1].

    Returns:
        Prices by (mode, stage), in order of appearance.

    Raises:
        ValueError: as `totals` does, or if utilisation is outside (0, 1].
    """
    return {
        (mode, stage): add([stage_price(stage, _fresh(entry), entry.is_hosted, sheet, utilisation) for entry in group])
        for (mode, stage), group in _grouped(entries).items()
    }


def stage_price(stage: Stage, spend: Spend, is_hosted: bool, sheet: PriceSheet, utilisation: float) -> Price:
    """Price of a stage.

    Training data are priced by `writing_price`; learning and updating by the machine's time only, because tokens trained on are not bought
    from a model that answers; the rest by `price`.

    Args:
        stage: the stage.
        spend: what it used.
        is_hosted: whether a hosted model wrote the training data.
        sheet: price sheet.
        utilisation: share of the paid hours in which the machine does such work, in (0, 1].

    Returns:
        The price.

    Raises:
        ValueError: if utilisation is outside (0, 1].
    """
    check_utilisation(utilisation)
    if stage == "data_generation":
        return writing_price(spend, is_hosted, sheet, utilisation)
    if stage in ("answer", "evaluate"):
        return price(spend, sheet, utilisation)
    return machine_price(spend, sheet, utilisation)


def _grouped(entries: Iterable[Entry]) -> dict[tuple[str, Stage], list[Entry]]:
    seen: set[tuple[str, Stage]] = set()
    groups: dict[tuple[str, Stage], list[Entry]] = {}
    for entry in entries:
        if (entry.run_id, entry.stage) in seen:
            raise ValueError(f"run {entry.run_id}: expected one entry for {entry.stage}, got two.")
        seen.add((entry.run_id, entry.stage))
        groups.setdefault((entry.mode, entry.stage), []).append(entry)
    return groups


def _total(group: Sequence[Entry]) -> Total:
    return Total(
        spend=_sum([_fresh(entry) for entry in group]),
        n=len(group),
        n_failed=sum(entry.status != "FINISHED" for entry in group),
        n_trials=sum(entry.is_trial for entry in group),
    )


def _fresh(entry: Entry) -> Spend:
    """The part of a spend that its run did itself.

    Args:
        entry: the entry; its device is held at most as long as the run lasts.

    Returns:
        The spend without the seconds that an earlier run spent.

    Raises:
        ValueError: if the run reused more seconds than it has.
    """
    spend, reused = entry.spend, entry.spend.reused_s or 0.0
    if spend.seconds is None:
        return spend
    seconds = spend.seconds - reused
    if seconds < 0:
        raise ValueError(f"run {entry.run_id}: reused_s: expected at most {spend.seconds}, got {reused}.")
    held = None if spend.device_seconds is None else min(spend.device_seconds, seconds)
    return replace(spend, seconds=seconds, device_seconds=held)


def _sum(spends: Sequence[Spend]) -> Spend:
    on_device = [spend for spend in spends if spend.device_seconds is not None]
    return Spend(
        seconds=_over(sum, [spend.seconds for spend in spends]),
        device_seconds=_over(sum, [spend.device_seconds for spend in on_device]),
        cpu_seconds=_over(sum, [spend.cpu_seconds for spend in spends]),
        peak_bytes=_over(max, [spend.peak_bytes for spend in spends]),
        device_peak_bytes=_over(max, [spend.device_peak_bytes for spend in on_device]),
        stored_bytes=_over(max, [spend.stored_bytes for spend in spends]),
        n_prompt_tokens=_over(sum, [spend.n_prompt_tokens for spend in spends]),
        n_output_tokens=_over(sum, [spend.n_output_tokens for spend in spends]),
        device_joules=_over(sum, [spend.device_joules for spend in on_device]),
        cpu_joules=_over(sum, [spend.cpu_joules for spend in spends]),
        cached=all(spend.cached for spend in spends),
    )


def _over(join: Callable[[Sequence[T]], T], values: Sequence[T | None]) -> T | None:
    known = [value for value in values if value is not None]
    return join(known) if known and len(known) == len(values) else None
