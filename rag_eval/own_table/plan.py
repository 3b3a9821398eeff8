"""What `rag-eval table` will run, for how long on this machine and at what cost, computed from what `probe` timed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag_eval.cost.prices import PriceSheet, machine_price
from rag_eval.own_table.probed import BARE, N_QUESTIONS_TIMED, N_STEPS_TIMED, READING, Probed, Training
from rag_eval.own_table.seconds import NOTHING, Seconds, of_samples, summed
from rag_eval.probes.phrasings import N_TRAIN_PROBE
from rag_eval.progress import duration
from rag_eval.report.claims.costs import SHEETS
from rag_eval.report.claims.timed import FORCED, NATURAL, Size
from rag_eval.report.table import Cell, Column, Table
from rag_eval.types import Spend

if TYPE_CHECKING:
    from rag_eval.own_table.arms import Arm

TIMED = ("rag", "finetune")  # the two sides
CHEAP_S = 60.0  # that other arms may add to a session
N_QUERIES, N_BLOCKS = 80, 10  # a 95th percentile needs 59 questions, an interval 10 clusters
N_WARM_UP, N_BUCKETS = 20, (1, 2)  # requests of conf/latency/default.yaml for each power of two of prompt tokens, of which an arm has few
LEARNED_SAMPLE = 100  # questions by which a training sees that it has learned
PART_OF_STEP = 1 / 3  # a pass forward alone, of one forward and backward
READING_OF_PLAN = f"""Seconds on this machine, from {N_QUESTIONS_TIMED} questions of each kind of arm and {N_STEPS_TIMED} training steps; in
brackets 95 % intervals. Runs that are on disk already take none of it. Questions were asked one by one, and runs ask them in batches, which
is no slower. Loading of models is left out. A training that ends when its questions are learned takes from one pass to the most that are
allowed."""


@dataclass(frozen=True)
class Piece:
    """Something that will be run."""

    name: str
    what: str
    seconds: Seconds | None  # None = it could not be told


@dataclass(frozen=True)
class Plan:
    """What will be run."""

    pieces: tuple[Piece, ...]
    sheet: PriceSheet
    utilisation: float
    device: str
    session: tuple[str, ...]  # arms that are timed together
    size: Size  # of the session
    notes: tuple[str, ...]

    @property
    def total(self) -> Seconds:
        """Of the pieces whose seconds are told."""
        return summed(one.seconds for one in self.pieces if one.seconds is not None)

    def usd(self, seconds: float) -> float | None:
        """What the machine costs for so many seconds; None = the sheet does not say."""
        spend = Spend(seconds, device_seconds=seconds if self.device == "cuda" else None)
        return machine_price(spend, self.sheet, self.utilisation).usd

    @property
    def sentence(self) -> str:
        """The whole in a line."""
        total = self.total
        mean, low, high = (self._usd_told(one) for one in (total.mean, total.low, total.high))
        unknown = [one.name for one in self.pieces if one.seconds is None]
        rest = f"; how long {', '.join(unknown)} will take is not known" if unknown else ""
        return (
            f"in all {_told(total)}, {mean} [{low}, {high}] USD of machine time by the sheet {self.sheet.name} at utilisation "
            f"{self.utilisation:g}{rest}"
        )

    def _usd_told(self, seconds: float) -> str:
        if not math.isfinite(seconds):
            return "not bounded"
        usd = self.usd(seconds)
        return "not measured" if usd is None else f"{usd:.2g}"


def planned(arms: Mapping[str, Arm], timed: Probed, sheet: PriceSheet, utilisation: float) -> Plan:
    """The plan.

    Args:
        arms: that will be run, in order.
        timed: pieces that were timed.
        sheet: of prices.
        utilisation: share of the paid hours in which the machine works.

    Returns:
        Every run, what it asks and trains, and how long it takes.
    """
    asked = {kind: of_samples(samples) for kind, samples in timed.asked_s.items()}
    n = min((one.n_questions for one in arms.values()), default=0)
    size = Size(min(N_QUERIES, n), min(N_BLOCKS, n))
    session = in_session(arms, asked, size)
    pieces = [
        *_once(timed, asked),
        *(_training(one, timed.step_s) for one in timed.trainings),
        *(_arm(one, asked) for one in arms.values()),
        *_sessions(arms, asked, session, size),
    ]
    return Plan(tuple(pieces), sheet, utilisation, timed.device, session, size, timed.notes)


def sheet_of(timed: Probed, hardware: str) -> str:
    """The price sheet that was named, else that of the device."""
    return hardware or SHEETS[timed.device]


def in_session(arms: Mapping[str, Arm], asked: Mapping[str, Seconds], size: Size) -> tuple[str, ...]:
    """The arms that are timed together: both sides, and as many others as take no more than `CHEAP_S` seconds.

    Args:
        arms: that will be run.
        asked: seconds of a question, by kind of arm.
        size: of the session.

    Returns:
        Names, the two sides first. None where there are too few questions for a session.
    """
    if size.n_blocks < 2:
        return ()
    chosen = [name for name in TIMED if name in arms]
    left_s = CHEAP_S
    for name, arm in arms.items():
        seconds = asked[_kind(arm)].mean * (size.n_queries + N_WARM_UP)
        if name not in TIMED and seconds <= left_s:
            chosen.append(name)
            left_s -= seconds
    return tuple(chosen)


def _kind(arm: Arm) -> str:
    return READING if arm.has_passages else BARE


def _once(timed: Probed, asked: Mapping[str, Seconds]) -> Iterator[Piece]:
    """What is done once for all arms."""
    if timed.n_form_questions:
        each = asked.get(READING, asked.get(BARE, NOTHING))
        what = f"at most {timed.n_form_questions} questions in each of {timed.n_forms} forms, once for this model and these data"
        n = timed.n_form_questions * timed.n_forms
        yield Piece("form of the prompt", what, each.times(0.0, n, n))
    if timed.n_documents:
        seconds = of_samples([timed.indexed_s]).each(timed.n_documents) if timed.indexed_s else None
        yield Piece("index", f"{timed.n_documents} documents or chunks", seconds)


def _training(one: Training, step_s: Sequence[float]) -> Piece:
    """A training: its steps, and the passes over a sample by which it sees whether its questions are learned."""
    steps = math.ceil(one.n_rows / one.batch_size)
    is_open = one.epochs is None
    steps_of_epoch = steps + (PART_OF_STEP * math.ceil(min(LEARNED_SAMPLE, one.n_rows) / one.batch_size) if is_open else 0.0)
    most = one.max_epochs if one.epochs is None else one.epochs
    least = min(1.0, most) if is_open else most
    passes = f"{least:g} to {most:g} passes" if is_open else f"{most:g} passes"
    seconds = None
    if step_s:
        seconds = of_samples([step_s]).times(least * steps_of_epoch, (least + most) / 2 * steps_of_epoch, most * steps_of_epoch)
    return Piece(f"training of {' and '.join(one.arms)}", f"{one.n_rows} rows, {steps} steps a pass, {passes}", seconds)


def _arm(arm: Arm, asked: Mapping[str, Seconds]) -> Piece:
    """The questions of an arm, those asked again, and what a trained one is asked beside them."""
    each, spec = asked[_kind(arm)], arm.spec
    parts = [each.each(arm.n_questions), each.each(min(spec.n_probe, arm.n_questions))]
    what = f"{arm.n_questions} questions about {arm.n_clusters} clusters, {min(spec.n_probe, arm.n_questions)} of them again"
    if arm.is_trained:
        bare, reading = asked.get(BARE, each), asked.get(READING, each)
        n_train = min(N_TRAIN_PROBE, sum(one.is_answerable for one in arm.dataset.train))
        parts += [bare.each(n_train), bare.each(spec.n_forgetting), reading.each(spec.n_forgetting)]
        what += f", {n_train} of its training"
        what += f", {2 * spec.n_forgetting} to see what was forgotten" if spec.n_forgetting else ""
    return Piece(arm.name, what, summed(parts))


def _sessions(arms: Mapping[str, Arm], asked: Mapping[str, Seconds], session: Sequence[str], size: Size) -> Iterator[Piece]:
    """Latency with answers as they are, and of both sides with answers of one length."""
    for name, members in ((NATURAL, session), (FORCED, TIMED if set(TIMED) <= set(session) else ())):
        if members:
            least, most = (size.n_queries + n * N_WARM_UP for n in N_BUCKETS)
            each = [asked[_kind(arms[arm])].times(least, (least + most) / 2, most) for arm in members]
            yield Piece(name, f"{size.n_queries} questions one at a time to {', '.join(members)} in alternation", summed(each))


def plan_table(plan: Plan) -> Table:
    """The plan, a line for each piece.

    Args:
        plan: what will be run.

    Returns:
        The table.
    """
    rows: list[tuple[Cell, ...]] = [(one.name, one.what, _told(one.seconds)) for one in plan.pieces]
    header = tuple(Column(title, kind="text") for title in ("what", "how much", "seconds"))
    return Table("What will be run", READING_OF_PLAN, header, tuple(rows))


def _told(seconds: Seconds | None) -> str:
    if seconds is None:
        return "not known"
    high = duration(seconds.high) if math.isfinite(seconds.high) else "not bounded"
    return f"{duration(seconds.mean)} [{duration(seconds.low)}, {high}]"
