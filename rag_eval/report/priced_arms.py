"""What arms cost under stated terms, and from when on one is cheaper than another."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rag_eval.conf_folder import conf_dir
from rag_eval.cost.arm import ArmCost, mean_usd
from rag_eval.cost.breakeven import NOT_MEASURED as UNKNOWN
from rag_eval.cost.breakeven import BreakEven
from rag_eval.cost.ledger import priced, totals
from rag_eval.cost.prices import PriceSheet, add, machine_price, price, read_sheet, storage_price, writing_price
from rag_eval.errors import UserError
from rag_eval.record.load import RecordedRun
from rag_eval.record.run_record import RunRecord
from rag_eval.report.contrast import Arm
from rag_eval.report.ledger_entries import STAGES, entries, is_hosted, is_trial, n_silent, written_id
from rag_eval.report.warnings import is_recorded, is_same_study
from rag_eval.score.scoring import scoring_of
from rag_eval.types import Spend

MACHINE_SECONDS = "machine seconds"
NO_HORIZON = BreakEven(UNKNOWN, reason="give queries=, updates= and hours=")


@dataclass(frozen=True)
class Terms:
    """What costs depend on beside what was measured. None of them has a default."""

    sheet: PriceSheet
    utilisation: float
    hours: float  # the horizon
    n_queries: float | None  # None: not given, then only what does not depend on it is computed
    n_updates: float

    @property
    def unit(self) -> str:
        """What the amounts are in."""
        return self.sheet.currency if self.is_money else "s"

    @property
    def is_money(self) -> bool:
        """Whether a price sheet was given: seconds of the machine are no price."""
        return self.sheet.name != MACHINE_SECONDS

    @property
    def text(self) -> str:
        """What they say, and what a cost is of."""
        prices = f"prices {self.sheet.name} of {self.sheet.date}: {self.sheet.source}" if self.is_money else self.sheet.source
        asked = "an unstated number of" if self.n_queries is None else _as_given(self.n_queries)
        horizon = f"{_as_given(self.hours)} hours, {asked} questions and {_as_given(self.n_updates)} updates"
        return (
            f"Over {horizon}; {prices.rstrip('.')}. A question's cost is that of its share of a batch. An update replaces one document; "
            "for a trained arm it is taken as a new training."
        )

    @property
    def heading(self) -> str:
        """The unit and the utilisation, for titles."""
        return f"{self.unit}, utilisation {self.utilisation:g}"


def machine_seconds() -> PriceSheet:
    """A sheet that prices a second of the machine at 1: costs of runs on one machine are compared without money."""
    return PriceSheet(
        name=MACHINE_SECONDS,
        date=dt.date.min,
        source="no prices: a second of the machine counts 1",
        storage_usd_per_gib_month=0.0,
        device_usd_per_hour=3600.0,
        cpu_usd_per_hour=3600.0,
    )


def sheet_named(name: str) -> PriceSheet:
    """Read a price sheet of conf/hardware.

    Args:
        name: file name without `.yaml`.

    Returns:
        The price sheet.

    Raises:
        UserError: if there is no sheet of that name.
    """
    folder = conf_dir() / "hardware"
    path = folder / f"{name}.yaml"
    if not path.exists():
        raise UserError(f"hardware={name}: no such price sheet; choices: {', '.join(sorted(one.stem for one in folder.glob('*.yaml')))}.")
    return read_sheet(path)


@dataclass(frozen=True)
class PricedArm:
    """What an arm costs under some terms."""

    arm: Arm
    cost: ArmCost
    parts: Mapping[str, float | None]  # of what is spent before the first question
    per_question: Mapping[str, float]  # by question id; nan = not timed here
    right: Mapping[str, float | None]  # share of right answers by the score that tells which they are

    def judged_by(self, measure: str) -> ArmCost:
        """The costs, with the share of right answers by one score."""
        return replace(self.cost, accuracy=self.right[measure])


def priced_arm(arm: Arm, experiment: Sequence[RunRecord], terms: Terms, measures: Sequence[str]) -> PricedArm:
    """All costs of an arm, computed once for every table of them.

    Args:
        arm: the arm.
        experiment: every recorded run of the experiment, trials and failed runs included.
        terms: price sheet, utilisation and horizon.
        measures: tracked names of the scores that tell right answers.

    Returns:
        The costs; an amount that was not measured is None, or nan for a question.
    """
    record = arm.run.record
    learn = record.spends.get("learn")
    parts = {
        "learn": _machine(learn, terms),
        "data generation": _writing(record, terms),
        "evaluate": _evaluation(record, terms),
        "trials and failed runs": _trials(record, experiment, terms),
    }
    known = [usd for usd in parts.values() if usd is not None]
    stored = storage_price(learn.stored_bytes if learn is not None else None, terms.sheet, 1.0).usd
    has_nothing = learn is not None and learn.stored_bytes is None and record.facts.provenance.context == "none"
    per_question = usd_of_questions(arm.run, terms)
    cost = ArmCost(
        name=arm.label,
        fixed_usd=sum(known) if len(known) == len(parts) else None,
        update_usd=_update(record, terms),
        query_usd=mean_usd(list(per_question.values()), _clusters(arm)),
        storage_usd_per_hour=0.0 if has_nothing else stored,
        accuracy=None,
    )
    return PricedArm(arm, cost, parts, per_question, {name: _right(arm, name) for name in measures})


def _right(arm: Arm, measure: str) -> float | None:
    """Mean over all questions; None where some could not be judged."""
    values = right_of_questions(arm.run, measure)
    return sum(values) / len(values) if values and not any(map(math.isnan, values)) else None


def right_of_questions(run: RecordedRun, measure: str) -> list[float]:
    """The score of each answerable question, and of each other one whether the arm said that it does not know; nan = not judged."""
    otherwise = scoring_of(run.record).of_unanswerable
    return [one.score(measure if one.is_answerable else otherwise) for one in run.questions.values()]


def _writing(record: RunRecord, terms: Terms) -> float | None:
    """Having the training data written, in whole, although other arms may share them; machine seconds are of waiting too."""
    spend = record.spends.get("data_generation")
    if spend is None:
        return 0.0
    return writing_price(spend, _is_bought(is_hosted(record), terms), terms.sheet, terms.utilisation).usd


def _is_bought(is_hosted: bool, terms: Terms) -> bool:
    """Whether what was written is paid by the token: machine seconds know no tokens."""
    return is_hosted and terms.is_money


def _evaluation(record: RunRecord, terms: Terms) -> float | None:
    """Loading, answering the questions and asking again; of recorded answers the tokens alone, for their seconds are another machine's."""
    if "answer" not in record.spends:
        return None
    answer = record.spends["answer"]
    prices = [price(replace(answer, seconds=None) if is_recorded(record) else answer, terms.sheet, terms.utilisation)]
    prices += [machine_price(record.spends[name], terms.sheet, terms.utilisation) for name in ("load", "probe") if name in record.spends]
    return add(prices).usd


def _update(record: RunRecord, terms: Terms) -> float | None:
    """Replacing a document in the index, and a new training where weights were trained."""
    parts = [record.spends["update"]] if "update" in record.spends else []
    if record.facts.provenance.is_trained and "learn" in record.spends:
        parts.append(record.spends["learn"])
    if not parts and record.facts.provenance.context == "none":
        return 0.0  # nothing of it follows the documents
    return add([machine_price(one, terms.sheet, terms.utilisation) for one in parts]).usd if parts else None


def _machine(spend: Spend | None, terms: Terms) -> float | None:
    return None if spend is None else machine_price(spend, terms.sheet, terms.utilisation).usd


def _trials(record: RunRecord, experiment: Sequence[RunRecord], terms: Terms) -> float | None:
    """What other settings of this arm, and runs that did not finish, cost beyond what this run took over from them.

    Not measured where one of them ended without a word of what it spent.
    """
    own = [one for one in experiment if one.run_id == record.run_id or is_trial(one, record) or _is_failed(one, record)]
    if n_silent(own):
        return None
    others = [one for one in entries(own, [record]) if one.run_id not in (record.run_id, written_id(record))]
    extra = [replace(one, is_hosted=_is_bought(one.is_hosted, terms)) for one in others]
    taken = {STAGES[name]: spend.reused_s or 0.0 for name, spend in record.spends.items()}
    prices = []
    for (mode, stage), total in totals(extra).items():
        usd = priced([one for one in extra if one.stage == stage], terms.sheet, terms.utilisation)[mode, stage].usd
        seconds = total.spend.seconds
        if usd is None or seconds is None:
            return None
        prices.append(usd * max(0.0, seconds - taken.get(stage, 0.0)) / seconds if seconds else 0.0)
    return sum(prices)


def _is_failed(one: RunRecord, record: RunRecord) -> bool:
    return one.mode == record.mode and one.status != "FINISHED" and is_same_study(one, record)


def usd_of_questions(run: RecordedRun, terms: Terms) -> dict[str, float]:
    """What each question costs, nan where it was not timed here; joules are shared out by seconds."""
    answer = run.record.spends.get("answer")
    total = answer.seconds if answer is not None else None
    found: dict[str, float] = {}
    for id in run.questions:
        said = run.predictions[id]
        seconds = sum(said.seconds.values()) if said.seconds and not is_recorded(run.record) else None  # elsewhere is another machine
        share = seconds / total if seconds is not None and total else None
        spend = Spend(
            seconds,
            device_seconds=seconds if answer is not None and answer.device_seconds is not None else None,
            device_joules=_part(answer.device_joules if answer is not None else None, share),
            cpu_joules=_part(answer.cpu_joules if answer is not None else None, share),
            n_prompt_tokens=said.n_prompt_tokens,
            n_output_tokens=said.n_output_tokens,
        )
        usd = price(spend, terms.sheet, terms.utilisation).usd
        found[id] = math.nan if usd is None else usd
    return found


def _as_given(value: float) -> str:
    """A number of the horizon, not rounded, because costs are computed from all of it."""
    return f"{value:,.15g}"


def _part(whole: float | None, share: float | None) -> float | None:
    return whole * share if whole is not None and share is not None else None


def _clusters(arm: Arm) -> list[str]:
    return [one.cluster for one in arm.run.questions.values()]
