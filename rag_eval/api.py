"""The Python door: runs and comparisons as values, for a notebook or a program.

    from rag_eval.api import compare, evaluate

    base = evaluate("mode=closed_book", "dataset.preset=ci")
    rag = evaluate("mode=rag", "dataset.preset=ci")
    compare(base, rag)

The same runs, files and words as `python run.py` and `python -m rag_eval.report compare` (docs/python.md). Importing this loads
neither models nor Hydra; errors are those of rag_eval.errors. Nothing here prints, ends the process, or changes loggers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_eval.errors import ConfigError
from rag_eval.processes import n_processes
from rag_eval.types import Estimate, Prediction, QuestionScores, Spend

if TYPE_CHECKING:
    import pandas as pd

    from rag_eval.record.load import RecordedRun
    from rag_eval.report.judgement import Judgement
    from rag_eval.report.table import Table

__all__ = ["Comparison", "Difference", "Pair", "Run", "compare", "evaluate", "load_run"]

INTEGER = "Int64"  # of pandas: integers that may be missing


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run. It shows itself as a table, in a notebook with a figure."""

    folder: Path  # absolute
    run_id: str
    experiment: str
    mode: str
    dataset: str  # the name of it
    estimates: Mapping[str, Estimate]  # by measure, unrounded; a mean of nan = no question could be judged
    spends: Mapping[str, Spend]  # by stage, in physical units; None = not measured
    questions: Mapping[str, QuestionScores]  # by example id, in the order of the run
    predictions: Mapping[str, Prediction]  # by example id
    labels: Mapping[str, str]  # by measure, what reports call it
    charted: tuple[str, ...]  # the measures in its figure: shares that tables of runs have a column for
    notes: tuple[str, ...]  # what must be known before the numbers are believed
    is_cached: bool  # whether it was finished before the call that gave it

    def to_pandas(self) -> pd.DataFrame:
        """A row a measure, unrounded.

        Returns:
            The columns mean, low and high (of the 95 % interval), n (questions that could be judged) and n_clusters, by measure.
        """
        import pandas as pd

        rows = [vars(one) for one in self.estimates.values()]
        made = pd.DataFrame(rows, index=pd.Index(self.estimates, name="measure"), columns=["mean", "low", "high", "n", "n_clusters"])
        return made.astype({"mean": float, "low": float, "high": float, "n": INTEGER, "n_clusters": INTEGER})

    def questions_to_pandas(self) -> pd.DataFrame:
        """A row a question.

        Returns:
            The columns cluster, is_answerable, text (what was answered), outcome, cause (of a wrong answer, where it is known) and
            one a score, by example id. A score is nan where it could not be judged or says nothing of such a question.
        """
        import pandas as pd

        rows = []
        for id, one in self.questions.items():
            said = self.predictions[id]
            told = {"cluster": one.cluster, "is_answerable": one.is_answerable, "text": said.text, "outcome": said.outcome}
            rows.append({**told, "cause": one.cause, **one.scores})
        return pd.DataFrame(rows, index=pd.Index(self.questions, name="example_id"))

    def __repr__(self) -> str:
        from rag_eval.report.notebook import as_text

        return as_text(self._title, self._sections(), self.notes)

    def _repr_html_(self) -> str:
        from rag_eval.report.bars import intervals_png
        from rag_eval.report.notebook import as_html

        shares = [(self.labels[name], self.estimates[name]) for name in self.charted]
        png = intervals_png(shares, "score, intervals of 95 %") if shares else None
        return as_html(self._title, self._sections(), self.notes, png, f"scores of {self.mode} with 95 % intervals")

    @property
    def _title(self) -> str:
        return f"{self.mode} on {self.dataset}, run {self.run_id} of {self.experiment}"

    def _sections(self) -> list[Table]:
        from rag_eval.report.console import SPENT
        from rag_eval.report.table import Column, Figure, Table, Term, figure

        scored = tuple((Term(name, self.labels[name]), figure(one), one.n, one.n_clusters) for name, one in self.estimates.items())
        spent = tuple((SPENT.get(stage, stage), Figure(one.seconds)) for stage, one in self.spends.items())
        return [
            Table("", "", ("measure", Column("mean [95 % interval]", kind="share"), "n", "clusters"), scored),
            Table("", "", ("spent", "seconds"), spent),
        ]


@dataclass(frozen=True)
class Difference:
    """One score of two runs, second minus first, over the questions that both were asked."""

    measure: str
    estimate: Estimate | None  # None = not measured
    mde: float | None  # the smallest difference that would have been found, with 80 % power; None = not known
    design_effect: float | None  # variance over that of as many independent questions; None = not known


@dataclass(frozen=True)
class Pair:
    """The verdicts on two runs."""

    first: str  # what the runs are called
    second: str  # claimed to be better
    differences: Mapping[str, Difference]  # by measure: the declared one, then those that it is read beside
    judged_on: str  # the measure that decides; of a METRIC-DEPENDENT verdict the declared one
    verdict: str  # whether the second is better: SUPPORTED, REFUTED, INCONCLUSIVE, METRIC-DEPENDENT or NOT MEASURED
    verdict_text: str  # the same as reports print it, such as INCONCLUSIVE(MDE=0.03)
    same: str  # whether they are the same within the margin, in the same words
    same_text: str
    winner: str | None  # None = no one can be named
    p: float | None  # of no difference, corrected by Holm's method over the pairs; None = not measured


@dataclass(frozen=True, repr=False)
class Comparison:
    """What is said of two or more runs. It shows itself as tables, in a notebook with a figure."""

    runs: Mapping[str, Run]  # by what they are called here, in the order given
    labels: Mapping[str, str]  # by measure, what reports call it
    measure: str  # the score that the claims are about
    threshold: float  # by how much the second must be better
    margin: float  # what counts as no difference
    pairs: tuple[Pair, ...]  # of several pairs, intervals hold for all together
    verdicts: tuple[str, ...]  # in sentences
    notes: tuple[str, ...]  # what must be known before they are believed

    def to_pandas(self) -> pd.DataFrame:
        """A row for each pair and measure, unrounded.

        Returns:
            The columns first, second, measure, difference, low, high, n, n_clusters, mde and design_effect, and of the pair is_judged_on
            (whether this measure decides), verdict, same, winner and p. nan, or None of a winner, = not measured, not known or none.
        """
        import pandas as pd

        rows = [
            {
                "first": pair.first,
                "second": pair.second,
                "measure": name,
                **_numbers(one.estimate),
                "mde": one.mde,
                "design_effect": one.design_effect,
                "is_judged_on": name == pair.judged_on,
                "verdict": pair.verdict,
                "same": pair.same,
                "winner": pair.winner,
                "p": pair.p,
            }
            for pair in self.pairs
            for name, one in pair.differences.items()
        ]
        numbers = dict.fromkeys(("difference", "low", "high", "mde", "design_effect", "p"), float)
        return pd.DataFrame(rows).astype({**numbers, "n": INTEGER, "n_clusters": INTEGER})

    def __repr__(self) -> str:
        from rag_eval.report.notebook import as_text

        return as_text(self._title, self._sections(), [*self.verdicts, *self._noted()])

    def _repr_html_(self) -> str:
        from rag_eval.report.bars import intervals_png
        from rag_eval.report.notebook import as_html
        from rag_eval.report.sections.declared_comparison import simultaneous

        lines = [(f"{_name(pair)}, {self.labels[name]}", one.estimate) for pair in self.pairs for name, one in pair.differences.items()]
        title = f"second - first, {simultaneous(len(self.pairs))}; shaded: within {self.margin:g}"
        png = intervals_png(lines, title, self.margin)
        return as_html(self._title, self._sections(), [*self.verdicts, *self._noted()], png, "differences with 95 % intervals")

    @property
    def _title(self) -> str:
        return f"{self.labels[self.measure]}: better by more than {self.threshold:g}? same within {self.margin:g}?"

    def _noted(self) -> list[str]:
        return [f"note: {one}" for one in self.notes]

    def _sections(self) -> list[Table]:
        from rag_eval.report.sections.declared_comparison import simultaneous
        from rag_eval.report.table import Cell, Column, Figure, Table, Term, figure

        names = list(dict.fromkeys(name for pair in self.pairs for name in pair.differences))
        scores: list[tuple[Cell, ...]] = [(label, *(figure(run.estimates.get(name)) for name in names)) for label, run in self.runs.items()]
        differences = [
            (_name(pair), Term(name, self.labels[name]), figure(one.estimate), *_sizes(one.estimate))
            for pair in self.pairs
            for name, one in pair.differences.items()
        ]
        verdicts = tuple(
            (_name(pair), Term(pair.judged_on, self.labels[pair.judged_on]), pair.verdict_text, pair.same_text, Figure(pair.p))
            for pair in self.pairs
        )
        titled = (Column(self.labels[name], name) for name in names)
        measure, judged_on, better, same = (Column(title, kind="text") for title in ("measure", "judged on", "second better?", "same?"))
        reading = f"Paired by question, clustered; {simultaneous(len(self.pairs))}."
        return [
            Table("Scores", "", ("run", *titled), tuple(scores)),
            Table("Differences", reading, ("pair", measure, "second - first", "n", "clusters"), tuple(differences)),
            Table("Verdicts", "", ("pair", judged_on, better, same, "p (Holm)"), verdicts),
        ]


def evaluate(*overrides: str) -> Run:
    """Run a configuration, resume it where it was interrupted, or return it if it is finished.

    The run has the same id, files and tracking as with `python run.py` and the same overrides; relative paths start at the current folder.

    Args:
        *overrides: overrides of conf/config.yaml, as on the command line: "mode=rag", "dataset.preset=ci".

    Returns:
        The finished run. Questions that could not be asked are counted in its notes.

    Raises:
        ConfigError: if an override is wrong; found before a model is loaded.
        DataError: if a dataset, model or adapter cannot be used as it is.
        EnvironmentFault: if the machine lacks something, or another process writes this run.
    """
    for one in overrides:
        _check_override(one)
    if n_processes() > 1:
        raise ConfigError("evaluate runs in one process; of several, use accelerate launch run.py with the same overrides.")
    with _expected_errors():
        from rag_eval.config.compose import composed
        from rag_eval.config.secrets import refuse_secrets

        refuse_secrets(overrides)
        cfg = composed(overrides)
        from rag_eval.evaluate import evaluate as evaluated
        from rag_eval.record.load import read_run

        result = evaluated(cfg)
        return _run(read_run(Path(result.directory)), result.cached)


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a finished run and verify its files.

    Args:
        path: directory of the run, <output_dir>/<experiment_name>/<run id>.

    Returns:
        The run.

    Raises:
        UserError: if there is no finished run, its files were changed, or an earlier version recorded it.
    """
    with _expected_errors():
        return _run(_read(path), is_cached=True)


def compare(
    run_a: Run | str | os.PathLike[str],
    run_b: Run | str | os.PathLike[str],
    *more: Run | str | os.PathLike[str],
    measure: str = "",
    threshold: float = 0.0,
    margin: float = 0.02,
    allow_mismatch: bool = False,
) -> Comparison:
    """Judge for every pair of runs whether the later one is better, question by question.

    Statistics, refusals and words are those of `python -m rag_eval.report compare`. Declare measure, threshold and margin before you
    look at the scores.

    Args:
        run_a: a run, or its directory.
        run_b: another run, which is claimed to be better.
        *more: further runs; with several pairs, intervals are widened so that they hold together.
        measure: tracked name of the score that is claimed to be better; "" = the primary score of the runs.
        threshold: difference by which it must be better, at least 0.
        margin: largest difference that counts as none, above 0.
        allow_mismatch: whether runs that differ in what should be equal are compared nevertheless, which is noted.

    Returns:
        Differences, verdicts and notes.

    Raises:
        UserError: if the runs may not be compared, one of them is missing or not finished, or the claim cannot be made.
    """
    with _expected_errors():
        from rag_eval.report.context import ReportContext
        from rag_eval.report.declared_comparison import caveats, check_comparable, declaration, verdicts
        from rag_eval.report.judgement import adjusted_p

        given = (run_a, run_b, *more)
        read = [_read(one.folder if isinstance(one, Run) else one) for one in given]
        differing = check_comparable(read, allow_mismatch)
        context = ReportContext(read, declaration(read, measure, threshold, margin))
        runs = [one if isinstance(one, Run) else _run(other, is_cached=True) for one, other in zip(given, read, strict=True)]
        pairs = [_pair(one, p) for one, p in zip(context.judged, adjusted_p(context.judged), strict=True)]
        names = {context.measure, *(name for one in pairs for name in (one.judged_on, *one.differences))}
        return Comparison(
            {arm.label: run for arm, run in zip(context.arms, runs, strict=True)},
            {name: context.label(name) for name in sorted(names)},
            context.measure,
            threshold,
            margin,
            tuple(pairs),
            tuple(verdicts(context)),
            (*differing, *caveats(context)),
        )


def _check_override(one: object) -> None:
    if not isinstance(one, str):
        raise ConfigError(f'expected overrides as texts, as in evaluate("mode=rag", "seed=1"), got {type(one).__name__}.')
    if one.startswith("-") or one.lstrip("+~").startswith(("hydra.", "hydra/")):
        raise ConfigError(f"{one.partition('=')[0]} is for the command line; evaluate takes the overrides of one run, as in mode=rag.")


@contextmanager
def _expected_errors() -> Iterator[None]:
    """Whatever is expected to go wrong, as an error of the package; a bug stays what it is."""
    try:
        yield
    except Exception as error:
        from rag_eval.config.expected import expected

        if (ours := expected(error)) is None or ours is error:
            raise
        raise ours from None


def _read(path: str | os.PathLike[str]) -> RecordedRun:
    from rag_eval.record.load import read_run

    return read_run(Path(path).resolve())


def _run(read: RecordedRun, is_cached: bool) -> Run:
    from rag_eval.report.console import remarks

    record = read.record
    declared = record.scoring.declared.items()
    return Run(
        folder=read.folder,
        run_id=record.run_id,
        experiment=record.experiment,
        mode=record.mode,
        dataset=record.facts.comparison.dataset_name,
        estimates=record.estimates,
        spends=record.spends,
        questions=read.questions,
        predictions=read.predictions,
        labels={name: record.scoring.label(name) for name in record.estimates},
        charted=tuple(name for name, one in declared if one.is_column and one.is_share and name in record.estimates),
        notes=tuple(remarks(record)),
        is_cached=is_cached,
    )


def _pair(one: Judgement, p: float | None) -> Pair:
    contrast = one.judged.contrast
    return Pair(
        first=contrast.first.label,
        second=contrast.second.label,
        differences={
            name: Difference(name, said.contrast.difference, said.contrast.mde, said.contrast.deff) for name, said in one.said.items()
        },
        judged_on=one.judged_on,
        verdict=one.better.word,
        verdict_text=one.better.text,
        same=one.same.word,
        same_text=one.same.text,
        winner=one.winner,
        p=p,
    )


def _name(pair: Pair) -> str:
    return f"{pair.second} - {pair.first}"


def _sizes(found: Estimate | None) -> tuple[int | str, int | str]:
    return ("", "") if found is None else (found.n, found.n_clusters)


def _numbers(found: Estimate | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(("difference", "low", "high", "n", "n_clusters"))
    return {"difference": found.mean, "low": found.low, "high": found.high, "n": found.n, "n_clusters": found.n_clusters}
