"""What arms cost under stated terms, and from when on one is cheaper than another."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from rag_eval.config.paths import conf_dir
from rag_eval.cost.arm import Amount, ArmCost, cost_per_correct, cost_per_query
from rag_eval.cost.breakeven import NOT_MEASURED as UNKNOWN
from rag_eval.cost.breakeven import BreakEven, break_even_queries, indifference_error_price, maximum_updates
from rag_eval.cost.ledger import priced, totals
from rag_eval.cost.prices import PriceSheet, add, machine_price, price, read_sheet, storage_price, writing_price
from rag_eval.errors import UserError
from rag_eval.record.run_record import RunRecord
from rag_eval.report.contrast import Arm
from rag_eval.report.guards import is_recorded, is_same_study
from rag_eval.report.ledger import STAGES, entries, is_hosted, is_trial, n_silent, written_id
from rag_eval.report.paired import shared
from rag_eval.report.recorded_run import RecordedRun
from rag_eval.report.sections import NOT_MEASURED, Cell, Figure, Section, figure, interval_figure
from rag_eval.score.estimate import estimate
from rag_eval.score.ratio import ratio_of_means
from rag_eval.score.scoring import scoring_of
from rag_eval.types import Estimate, Spend

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
    """A price sheet of conf/hardware. Raises UserError where there is none of that name."""
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
    """An arm's costs, computed once for every table of them.

    Args:
        arm: what is priced.
        experiment: every recorded run, trials and failed ones too.
        terms: what costs depend on beside what was measured.
        measures: the scores that tell right answers.
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
        query_usd=estimate(list(per_question.values()), _clusters(arm), binary=False, bounds=None),
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
    """Loading, answering the questions and asking again."""
    if "answer" not in record.spends:
        return None
    prices = [price(record.spends["answer"], terms.sheet, terms.utilisation)]
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


def cost_section(arms: Sequence[PricedArm], terms: Terms) -> Section:
    """What each arm costs under these terms; of a right answer by every score that tells which those are."""
    measures = list(arms[0].right)
    rows: list[tuple[Cell, ...]] = []
    for one in arms:
        cost = one.cost
        rows.append(
            (
                cost.name,
                *(Figure(value) for value in one.parts.values()),
                Figure(cost.update_usd),
                figure(cost.query_usd),
                Figure(cost.storage_usd_per_hour),
                _all_in(cost_per_query, cost, terms),
                *(_all_in(cost_per_correct, one.judged_by(name), terms) for name in measures),
            )
        )
    header = (
        "arm",
        "learn",
        "data generation",
        "evaluate",
        "trials and failed runs",
        "an update",
        "a question",
        "storage an hour",
        "all in, a question",
        *("all in, a right answer" if len(measures) == 1 else f"all in, a right answer by {name}" for name in measures),
    )
    return Section(f"Cost, {terms.unit}, utilisation {terms.utilisation:g}", _terms_text(terms), header, tuple(rows))


def break_even_section(arms: Sequence[PricedArm], terms: Terms) -> Section:
    """From when on the second arm of a pair is the cheaper one; by what an error costs, where the scores agree on the answer."""
    rows: list[tuple[Cell, ...]] = []
    for a, b in combinations(arms, 2):
        first, second = a.cost, b.cost
        saving, ratio = _saving_and_ratio(a, b)
        queries = break_even_queries(first, second, hours=terms.hours, n_updates=terms.n_updates, saving=saving)
        updates, errors = NO_HORIZON, dict.fromkeys(a.right, NO_HORIZON)
        if terms.n_queries is not None:
            horizon = {"hours": terms.hours, "n_queries": terms.n_queries}
            updates = maximum_updates(first, second, **horizon, saving=saving)
            updated = {**horizon, "n_updates": terms.n_updates}
            errors = {name: indifference_error_price(a.judged_by(name), b.judged_by(name), **updated) for name in a.right}
        right = _by_measure({name: " against ".join(str(Figure(one.right[name])) for one in (b, a)) for name in a.right})
        rows.append((f"{second.name} instead of {first.name}", right, ratio, _words(queries), _words(updates), _by_error(errors)))
    header = ("choice", "right answers", "cost ratio of a question", "pays, in questions", "pays, in updates", "pays, by price of an error")
    reading = (
        "Cost alone; how often the arms are right stands beside it. The second arm pays from or until that number; the ratio is of mean "
        f"costs with Fieller's interval. METRIC-DEPENDENT: by which price of an error it pays is another matter by another score of the "
        f"same answers. {_terms_text(terms)}"
    )
    return Section(f"Break-even, {terms.unit}, utilisation {terms.utilisation:g}", reading, header, tuple(rows))


def _terms_text(terms: Terms) -> str:
    sheet = terms.sheet
    prices = f"prices {sheet.name} of {sheet.date}: {sheet.source}" if terms.is_money else sheet.source
    asked = "an unstated number of" if terms.n_queries is None else f"{terms.n_queries:,.0f}"
    horizon = f"{terms.hours:g} hours, {asked} questions and {terms.n_updates:,.0f} updates"
    return (
        f"Over {horizon}; {prices}. A question's cost is that of its share of a batch. An update replaces one document; for a trained "
        "arm it is taken as a new training."
    )


def _all_in(of: Callable[..., Amount], cost: ArmCost, terms: Terms) -> Figure:
    if terms.n_queries is None:
        return Figure(None, note=NO_HORIZON.reason)
    found = of(cost, hours=terms.hours, n_queries=terms.n_queries, n_updates=terms.n_updates)
    return Figure(found.usd, found.low, found.high, note=found.reason)


def _by_error(errors: Mapping[str, BreakEven]) -> str:
    """By what price of an error the second arm pays, by every score; they may disagree even on whether it does."""
    said = _by_measure({name: _words(one) for name, one in errors.items()})
    return said if len({one.verdict for one in errors.values()}) == 1 else f"METRIC-DEPENDENT: {said}"


def _by_measure(said: Mapping[str, str]) -> str:
    """What is said by each score, once where all say the same."""
    return next(iter(said.values())) if len(set(said.values())) == 1 else "; ".join(f"{name} {text}" for name, text in said.items())


def _words(one: BreakEven) -> str:
    if one.value is None:
        return f"{one.verdict if one.verdict != UNKNOWN else NOT_MEASURED}: {one.reason}"
    return f"{one.verdict} {Figure(one.value, one.low, one.high)}"


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


def _part(whole: float | None, share: float | None) -> float | None:
    return whole * share if whole is not None and share is not None else None


def _clusters(arm: Arm) -> list[str]:
    return [one.cluster for one in arm.run.questions.values()]


def _saving_and_ratio(a: PricedArm, b: PricedArm) -> tuple[Estimate | None, Figure]:
    """What a question saves with b, and its cost with b over that with a, over the questions that both were asked."""
    questions = shared([a.arm.run, b.arm.run])
    one, other = ([each.per_question[id] for id in questions.ids] for each in (a, b))
    saving = estimate([x - y for x, y in zip(one, other, strict=True)], questions.clusters, binary=False, bounds=None)
    return saving, interval_figure(ratio_of_means(other, one, questions.clusters))
