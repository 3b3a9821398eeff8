"""Physical units to money, by a dated price sheet. What was not measured, or has no price, makes the sum None, never 0.

Runs record physical units only; prices are applied when a report is made, so that a newer sheet never changes a result.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from rag_eval.errors import ConfigError
from rag_eval.types import Spend

HOUR_S = 3600.0
MONTH_H = 730.0  # a year's hours by 12, as clouds bill
GIB = 2**30
KWH_J = 3.6e6
MILLION = 1e6

Usd = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Watts = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class PriceSheet:
    """What one machine or service costs. None = it does not sell that, or nobody has said.

    A rented machine's price per hour includes its power: such a sheet states no electricity. An owned machine's is its
    purchase spread over the hours of its life, and electricity comes on top.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str  # the file's
    date: dt.date  # on which the prices were published
    source: Annotated[str, Field(strict=True, min_length=1)]  # where they come from, and whether that was checked
    storage_usd_per_gib_month: Usd
    currency: Literal["usd"] = "usd"
    device_usd_per_hour: Usd | None = None  # one accelerator with its share of the machine around it
    cpu_usd_per_hour: Usd | None = None  # the machine, where no accelerator is used
    electricity_usd_per_kwh: Usd | None = None  # None = the price per hour includes it
    assumed_watts: Watts | None = None  # of the whole machine at work; takes the place of joules that were not measured
    api_usd_per_million_prompt_tokens: Usd | None = None  # of a hosted model that answers
    api_usd_per_million_output_tokens: Usd | None = None
    teacher_usd_per_million_prompt_tokens: Usd | None = None  # of a hosted model that writes training data
    teacher_usd_per_million_output_tokens: Usd | None = None

    def __post_init__(self) -> None:
        for seller in ("api", "teacher"):
            names = [f"{seller}_usd_per_million_{kind}_tokens" for kind in ("prompt", "output")]
            absent = [name for name in names if getattr(self, name) is None]
            if len(absent) == 1:
                raise ValueError(f"{absent[0]} is missing: tokens in and out are priced together")

    @property
    def has_machine(self) -> bool:
        """Whether it prices time."""
        return self.device_usd_per_hour is not None or self.cpu_usd_per_hour is not None


@dataclass(frozen=True)
class Price:
    """A sum of money and how it came about."""

    usd: float | None  # None = NOT MEASURED: something is missing
    parts: Mapping[str, float] = field(default_factory=dict)  # usd by machine, electricity, tokens, storage: those that are known
    missing: tuple[str, ...] = ()  # fields of the spend, and of the sheet as sheet.field, without which there is no sum
    assumed: tuple[str, ...] = ()  # parts that rest on a declared figure instead of a measurement


def read_sheet(path: Path) -> PriceSheet:
    """Read a price sheet.

    Args:
        path: YAML file; its name without the ending becomes the name of the sheet.

    Returns:
        The sheet.

    Raises:
        ConfigError: if the file cannot be read, has an unknown key, lacks a date, a source or the price of storage, or has a price that is
            not a finite number of at least 0.
    """
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: expected a price sheet that can be read, found {str(error).splitlines()[0]}.") from error
    if not isinstance(plain, dict) or "name" in plain:
        raise ConfigError(f"{path}: expected prices by name, without the sheet's own name, which is the file's.")
    try:
        return TypeAdapter(PriceSheet).validate_python({**plain, "name": path.stem})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "prices"
        got = f", got {first['input']!r}" if key in plain else ""
        raise ConfigError(f"{path}: {key}: {first['msg']}{got}.") from error


def price(spend: Spend, sheet: PriceSheet, utilisation: float) -> Price:
    """Price of answering: the machine's time, its electricity and a hosted model's tokens, as far as the sheet has prices for them.

    Args:
        spend: what a stage or a question used.
        sheet: price sheet.
        utilisation: share of the paid hours in which the machine does such work, in (0, 1]; an hour of work costs price / utilisation.
            Tokens and electricity are paid as used: what an idle machine draws between two pieces of work is not in the sum.

    Returns:
        The price.

    Raises:
        ValueError: if utilisation is outside (0, 1].
    """
    check_utilisation(utilisation)
    parts = [machine_price(spend, sheet, utilisation)] if sheet.has_machine else []
    if sheet.api_usd_per_million_prompt_tokens is not None:
        parts.append(_tokens(spend, sheet, "api"))
    if not parts:
        return _unpriced({f"{sheet.name}.device_usd_per_hour": None})
    return add(parts)


def machine_price(spend: Spend, sheet: PriceSheet, utilisation: float) -> Price:
    """Price of the time that an accelerator was held, or the machine if none was used, and of the electricity of an owned machine.

    A stage that used no accelerator is never priced as if it had one: seconds on a processor say nothing about seconds on an accelerator.
    Electricity is priced by the measured joules; if any of them is missing, by `assumed_watts`.

    Args:
        spend: what the stage used.
        sheet: price sheet.
        utilisation: share of the paid hours in which the machine does such work, in (0, 1].

    Returns:
        The price.

    Raises:
        ValueError: if utilisation is outside (0, 1].
    """
    check_utilisation(utilisation)
    has_device = spend.device_seconds is not None
    seconds = spend.device_seconds if has_device else spend.seconds
    hour = sheet.device_usd_per_hour if has_device else sheet.cpu_usd_per_hour
    if seconds is None or hour is None:
        return _unpriced({"seconds": seconds, f"{sheet.name}.{'device' if has_device else 'cpu'}_usd_per_hour": hour})
    usd = seconds * hour / HOUR_S / utilisation
    time = Price(usd, {"machine": usd})
    if sheet.electricity_usd_per_kwh is None:
        return time
    return add([time, _electricity(spend, sheet, sheet.electricity_usd_per_kwh)])


def teacher_price(spend: Spend, sheet: PriceSheet) -> Price:
    """What a hosted model costs that wrote training data: its tokens."""
    return _tokens(spend, sheet, "teacher")


def writing_price(spend: Spend, is_hosted: bool, sheet: PriceSheet, utilisation: float) -> Price:
    """Price of training data that a model wrote: the tokens of a hosted model, the machine's time of an own model.

    Args:
        spend: what the writing used.
        is_hosted: whether the model is hosted.
        sheet: price sheet.
        utilisation: share of the paid hours in which the machine does such work, in (0, 1].

    Returns:
        The price.

    Raises:
        ValueError: if an own model's utilisation is outside (0, 1].
    """
    return teacher_price(spend, sheet) if is_hosted else machine_price(spend, sheet, utilisation)


def storage_price(stored_bytes: int | None, sheet: PriceSheet, hours: float) -> Price:
    """Price of keeping an index or an adapter; a month has 730 hours.

    Args:
        stored_bytes: size; None = not measured.
        sheet: price sheet.
        hours: duration, at least 0.

    Returns:
        The price.

    Raises:
        ValueError: if hours is negative.
    """
    if hours < 0:
        raise ValueError(f"hours: expected at least 0, got {hours}.")
    if stored_bytes is None:
        return _unpriced({"stored_bytes": None})
    usd = stored_bytes / GIB * sheet.storage_usd_per_gib_month * hours / MONTH_H
    return Price(usd, {"storage": usd})


def add(prices: Sequence[Price]) -> Price:
    """The sum, part by part; None as soon as one of them is, with all that is missing."""
    parts: dict[str, float] = {}
    for one in prices:
        for name, usd in one.parts.items():
            parts[name] = parts.get(name, 0.0) + usd
    known = [one.usd for one in prices if one.usd is not None]
    missing = dict.fromkeys(name for one in prices for name in one.missing)
    assumed = dict.fromkeys(name for one in prices for name in one.assumed)
    return Price(sum(known) if len(known) == len(prices) else None, parts, tuple(missing), tuple(assumed))


def check_utilisation(utilisation: float) -> None:
    """Check that a utilisation is in (0, 1].

    Args:
        utilisation: the share.

    Raises:
        ValueError: if it is not.
    """
    if not 0 < utilisation <= 1:
        raise ValueError(f"utilisation: expected a share above 0 and at most 1, got {utilisation}.")


def _electricity(spend: Spend, sheet: PriceSheet, usd_per_kwh: float) -> Price:
    joules = {"cpu_joules": spend.cpu_joules}
    if spend.device_seconds is not None:
        joules["device_joules"] = spend.device_joules
    known = [value for value in joules.values() if value is not None]
    if len(known) == len(joules):
        usd = sum(known) / KWH_J * usd_per_kwh
        return Price(usd, {"electricity": usd})
    if sheet.assumed_watts is None or spend.seconds is None:
        return _unpriced(joules)
    usd = sheet.assumed_watts * spend.seconds / KWH_J * usd_per_kwh
    return Price(usd, {"electricity": usd}, assumed=("electricity",))


def _tokens(spend: Spend, sheet: PriceSheet, seller: Literal["api", "teacher"]) -> Price:
    rates = asdict(sheet)
    needs: dict[str, float | None] = {"n_prompt_tokens": spend.n_prompt_tokens, "n_output_tokens": spend.n_output_tokens}
    names = [f"{seller}_usd_per_million_{kind}_tokens" for kind in ("prompt", "output")]
    needs |= {f"{sheet.name}.{name}": rates[name] for name in names}
    known = [value for value in needs.values() if value is not None]
    if len(known) < len(needs):
        return _unpriced(needs)
    n_prompt, n_output, per_prompt, per_output = known
    usd = (n_prompt * per_prompt + n_output * per_output) / MILLION
    return Price(usd, {"tokens": usd})


def _unpriced(needs: Mapping[str, float | None]) -> Price:
    return Price(None, missing=tuple(name for name, value in needs.items() if value is None))
