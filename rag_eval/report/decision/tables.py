"""A decision in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase

from rag_eval.cost.arm import Amount
from rag_eval.report.decision.candidate import Candidate
from rag_eval.report.decision.decision import Decision, WinnerMap
from rag_eval.report.decision.flips import Flip, Input
from rag_eval.report.decision.outcome import NO_WINNER, Assessment, Word, few
from rag_eval.report.table import Cell, Column, Figure, Table, figure, interval_figure, number

IN_WORDS: Mapping[Input, str] = {
    "queries_per_day": "questions a day",
    "updates_per_week": "updates a week",
    "p95_ms": "p95, ms",
    "min_accuracy": "least accuracy",
    "utilisation": "utilisation",
    "horizon_days": "horizon, days",
}
SHORT = 8  # characters of a name that a map of six columns has room for within 80
OPEN = "-"  # of a cell of the map without a winner


def sentence(decision: Decision) -> str:
    """The answer with its numbers."""
    by_name = {one.name: one for one in decision.assessments}
    unknown = [one.name for one in decision.assessments if one.word == "not measured"]
    if decision.cheapest is None:
        failed = "; ".join(f"{one.name} fails {_which(one, 'fails')}" for one in decision.assessments if one.word == "fails")
        if decision.outcome.kind == "none meets":
            return f"none meets: no arm meets the constraints ({failed})."
        return f"not measured: of {', '.join(unknown)} not all is known that the answer needs{f'; {failed}' if failed else ''}."
    best = by_name[decision.cheapest]
    beside = f" Not measured, and so not in the answer: {', '.join(unknown)}." if unknown else ""
    if decision.outcome.kind == "no winner":
        return f"no winner: {'; '.join(_open(decision, best))}.{beside}"
    cost = f"{best.name} meets the constraints at least cost, {_usd(best.usd_per_month)} a month"
    if not decision.margins:
        return f"{cost}; every other arm that was measured fails them.{beside}"
    following = decision.margins[0]
    return f"{cost}, {_usd(following.usd_per_month)} less than {following.name}, the next.{beside}"


def tables(decision: Decision) -> list[Table]:
    """The arms against the constraints, the margins, and what would change the answer."""
    return [_arms(decision), *([_margins(decision)] if decision.margins else []), _sensitivities(decision)]


def map_table(made: WinnerMap) -> Table:
    """The winner by load, of at most 80 columns for six loads of questions; long names are letters."""
    names = list(dict.fromkeys(name for row in made.winners for name in row if name != NO_WINNER))
    is_short = all(len(name) <= SHORT for name in names)
    letters = dict(zip(names, ascii_uppercase, strict=False))
    shown = {**{name: name if is_short or name not in letters else letters[name] for name in names}, NO_WINNER: OPEN}
    legend = [] if is_short else [f"{letter}: {name}" for name, letter in letters.items()]
    header = (Column("updates a week", kind="text"), *(Column(_load(queries), kind="text") for queries in made.queries_per_day))
    rows = tuple((_load(updates), *(shown[name] for name in row)) for updates, row in zip(made.updates_per_week, made.winners, strict=True))
    reading = f"Columns: questions a day. {'. '.join([*legend, f'{OPEN}: {NO_WINNER}'])}. All else is as asked for."
    return Table("The answer by load", reading, header, rows)


def hardware_table(name: str, outcomes: Mapping[str, str]) -> Table:
    """The answer by each price sheet.

    Args:
        name: of the sheet that was asked for.
        outcomes: by sheet.

    Returns:
        One line a sheet.
    """
    rows = tuple((f"{sheet} (asked for)" if sheet == name else sheet, text) for sheet, text in outcomes.items())
    reading = "The same runs at the prices of other sheets; a sheet that does not sell what the runs used prices none of them."
    return Table("The answer by hardware", reading, (Column("hardware", kind="text"), Column("answer", kind="text")), rows)


def notes_of(decision: Decision) -> list[str]:
    """Why arms were not measured, and which intervals decide nothing."""
    found = [f"{one.name}: not measured: {_why(one, decision)}" for one in decision.candidates if _why(one, decision)]
    clusters = [(one.name, few(one.accuracy.n_clusters)) for one in decision.candidates if one.accuracy is not None]
    return [*found, *(f"{name}: its accuracy cannot be told: {reason}" for name, reason in clusters if reason)]


def plain(decision: Decision) -> list[dict[str, object]]:
    """What would change the answer, unrounded, for JSON."""
    return [
        {"input": one.input, "now": one.now, "below": [*map(_plain, one.below)], "above": [*map(_plain, one.above)]}
        for one in decision.sensitivities
    ]


def _plain(flip: Flip) -> dict[str, object]:
    how = "exact" if flip.bracket is None else "bisection"
    return {"value": flip.value, "side": flip.side, "answer": flip.outcome.text, "how": how, "bracket": flip.bracket}


def _arms(decision: Decision) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for candidate, one in zip(decision.candidates, decision.assessments, strict=True):
        n_seeds = max((len(asked.right) for asked in candidate.questions.values()), default=0)
        rows.append(
            (
                one.name,
                one.word,
                _amount(one.usd_per_month),
                figure(candidate.accuracy),
                interval_figure(candidate.p95_ms),
                one.accuracy,
                one.p95,
                _of_accuracy(candidate),
                n_seeds,
            )
        )
    asked = decision.constraints
    header = (
        Column("arm", kind="text"),
        Column("verdict", kind="text"),
        Column("USD a month", "usd_per_month"),
        Column("accuracy", kind="share"),
        Column("p95, ms", "p95_ms"),
        Column(f"accuracy at least {asked.min_accuracy:g}?", "min_accuracy", kind="text"),
        Column(f"p95 within {asked.p95_ms:g} ms?", "within", kind="text"),
        Column("n (clusters)", kind="text"),
        Column("seeds"),
    )
    load = f"Questions a day {_given(asked.queries_per_day)}, updates a week {_given(asked.updates_per_week)}"
    reading = (
        f"{load}, over {asked.horizon_days:g} days, utilisation {asked.utilisation:g}; a month has 730 hours. "
        "Brackets: 95 % intervals; of p95 between order "
        "statistics. An interval on both sides of its bound cannot be told."
    )
    return Table("Arms against the constraints", reading, header, tuple(rows))


def _margins(decision: Decision) -> Table:
    rows = tuple(
        (
            one.name,
            _amount(one.usd_per_month),
            "yes" if one.is_dearer else "cannot be told",
            figure(one.accuracy),
            "" if one.accuracy is None else f"{one.accuracy.n} ({one.accuracy.n_clusters})",
        )
        for one in decision.margins
    )
    header = (
        Column("arm", kind="text"),
        Column("USD a month more", "usd_per_month"),
        Column("dearer?", kind="text"),
        Column("accuracy more", "accuracy"),
        Column("n (clusters)", kind="text", place="where it fits"),
    )
    level = f"{100 * decision.confidence:.4g} %"
    reading = (
        f"Arms that meet the constraints or may, paired by question. Intervals of {level}, which hold for all pairs of the arms at 95 %."
    )
    return Table(f"Other arms against {decision.cheapest}", reading, header, rows)


def _sensitivities(decision: Decision) -> Table:
    rows = tuple((IN_WORDS[one.input], _given(one.now), _flips([*one.below, *one.above])) for one in decision.sensitivities)
    header = (
        Column("input", kind="text"),
        Column("now", kind="text"),
        Column("another answer", kind="text"),
    )
    reading = (
        f"The answer is {decision.outcome.text}. From which values on it is another, and from which on another arm wins, all else as asked "
        "for; - where no value changes it. Exact, or with the bracket in which bisection found the value."
    )
    return Table("What would change the answer", reading, header, rows)


def _flips(flips: Sequence[Flip]) -> str:
    return "; ".join(map(_flip, flips)) or "-"


def _flip(flip: Flip) -> str:
    bracket = "" if flip.bracket is None else f" (bisection, {flip.bracket[0]:.6g} to {flip.bracket[1]:.6g})"
    return f"{flip.side} {number(flip.value)}: {flip.outcome.text}{bracket}"


def _open(decision: Decision, best: Assessment) -> list[str]:
    """What keeps the intervals from an answer."""
    found = []
    if best.word != "meets":
        found.append(
            f"{best.name} would cost least, and whether it meets the constraints cannot be told ({_which(best, 'cannot be told')})"
        )
    near = [one for one in decision.margins if not one.is_dearer]
    words = {one.name: one for one in decision.assessments}
    for one in near:
        other = words[one.name]
        doubt = "" if other.word == "meets" else f" (whether it meets them cannot be told: {_which(other, 'cannot be told')})"
        found.append(
            f"whether {best.name} or {one.name}{doubt} costs less cannot be told, the difference is {_usd(one.usd_per_month)} a month"
        )
    shown = next((one for one in decision.margins if words[one.name].word == "meets"), None)
    if best.word != "meets":
        found.append(f"{shown.name} is the cheapest that is shown to meet them" if shown is not None else "no arm is shown to meet them")
    return found


def _which(one: Assessment, word: Word) -> str:
    """The constraints of which an assessment says this word."""
    said = {"min_accuracy": one.accuracy, "p95_ms": one.p95}
    return ", ".join(name for name, own in said.items() if own == word)


def _why(candidate: Candidate, decision: Decision) -> str:
    """Why something that the answer needs of an arm was not measured; "" = all was."""
    one = next(one for one in decision.assessments if one.name == candidate.name)
    unknown = {"accuracy": one.accuracy == "not measured", "p95_ms": one.p95 == "not measured", "cost": one.usd_per_month.usd is None}
    said = {"accuracy": "accuracy", "p95_ms": "p95", "cost": one.usd_per_month.reason.replace(f"{one.name}: ", "cost of ")}
    return "; ".join(candidate.reasons.get(name) or said[name] for name, is_unknown in unknown.items() if is_unknown)


def _of_accuracy(candidate: Candidate) -> str:
    return "" if candidate.accuracy is None else f"{candidate.accuracy.n} ({candidate.accuracy.n_clusters})"


def _amount(amount: Amount) -> Figure:
    return Figure(amount.usd, amount.low, amount.high)


def _usd(amount: Amount) -> str:
    return f"{_amount(amount)} USD"


def _given(value: float) -> str:
    """An input as it was given."""
    return f"{value:,.0f}" if value.is_integer() else f"{value:g}"


def _load(value: float) -> str:
    """A load in few characters: 300, 10k, 1M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
