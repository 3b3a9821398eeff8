"""What the command line prints of a finished run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.text import Text

from rag_eval.record.facts import Counts, History
from rag_eval.record.run_record import RunRecord, RunResult
from rag_eval.record.selection import ENOUGH_LEARNED
from rag_eval.report.form import keeps_other_form, two_scores
from rag_eval.report.knowledge import knowledge_note
from rag_eval.report.markdown import inert
from rag_eval.report.table import NOT_MEASURED, Cell, Column, Figure, Table, Term, figure
from rag_eval.report.terminal import show
from rag_eval.score.labels import timed_label
from rag_eval.score.outcome import ABSTAINED
from rag_eval.score.primary import train_phrasing
from rag_eval.score.scorer import HOLDS_EVIDENCE
from rag_eval.text.counted import counted


def show_run(result: RunResult) -> None:
    """Print what a run measured; the last line on standard output is its directory."""
    console = Console()
    show([run_table(result)], [], console)
    for line in _said(result):
        console.print(Text(inert(line)), soft_wrap=True)
    print(result.directory, flush=True)


def run_table(result: RunResult) -> Table:
    """Every score with its interval, one group after the other, then what the run took."""
    groups = dict.fromkeys(name.partition("/")[0] for name in result.estimates)
    names = [name for group in groups for name in result.estimates if name.startswith(f"{group}/")]
    rows: list[tuple[Cell, ...]] = [
        (Term(name, result.scoring.label(name)), figure(one), one.n) for name, one in ((name, result.estimates[name]) for name in names)
    ]
    rules = {number for number, name in enumerate(names) if [*names, ""][number + 1].partition("/")[0] != name.partition("/")[0]}
    what = f"{result.facts.provenance.mode} on {result.facts.comparison.dataset_name}"
    header = (Column("measure", kind="text"), Column("mean [95 % interval]", kind="share"), "n")
    return Table(f"{what} (recorded before)" if result.cached else what, "", header, (*rows, *_taken(result)), rules)


def _taken(result: RunResult) -> Iterator[tuple[Cell, ...]]:
    """Rows of times and the like."""
    outcomes, scoring = result.facts.outcomes, result.scoring
    n: Cell = Figure(None) if outcomes.counts.n_questions is None else outcomes.counts.n_questions
    for stage, found in outcomes.seconds.items():
        yield f"seconds a question, {timed_label(stage)}", f"{found.mean:.3g} (median {found.p50:.3g})", n
    if (rate := outcomes.throughput.searches_per_s) is not None:
        yield "questions searched a second", f"{rate:.0f}", ""
    if outcomes.chance is not None:
        yield f"{scoring.label(scoring.primary)} of these answers shuffled", f"{outcomes.chance:.3f}", ""
    if not outcomes.seconds:
        yield "seconds a question", NOT_MEASURED, ""
    for name, spend in result.spends.items():
        shown = NOT_MEASURED if spend.seconds is None else f"{spend.seconds:.2f}"
        yield SPENT[name], f"{shown} (some by an earlier run)" if spend.reused_s else shown, ""


def _said(result: RunResult) -> Iterator[str]:
    """What a training took, what a trained run was given to know, and what to beware of."""
    if (training := result.facts.outcomes.training) is not None:
        yield _trained(training)
    if (knowledge := result.facts.data.knowledge) is not None:
        yield f"{knowledge_note(knowledge).capitalize()}."
    if notes := remarks(result):
        yield f"Note: {'; '.join(notes)}."


def remarks(result: RunRecord | RunResult) -> list[str]:
    """What must be known before the numbers of a run are believed."""
    provenance, outcomes = result.facts.provenance, result.facts.outcomes
    notes = [counted(n, *what) for what, n in _problems(outcomes.counts).items() if n]
    if all(name in result.estimates and result.estimates[name].mean > 0.5 for name in (HOLDS_EVIDENCE, ABSTAINED)):
        notes.append("the passages mostly held the answer and the model mostly said unknown: it may not be able to read these documents")
    if keeps_other_form(result):
        notes.append(f"most answers keep another form than the gold ones, which exact match counts as wrong: {two_scores(result)}")
    taught = result.estimates.get(train_phrasing(result.facts.comparison.primary))
    if provenance.is_trained and taught is not None and taught.mean < ENOUGH_LEARNED:
        notes.append(
            f"under-trained: {taught.mean:.3f} of the training questions right, below {ENOUGH_LEARNED}, so that this run says nothing "
            "about what fine-tuning can do; raise adapter.epochs or adapter.max_epochs, or adapter.learning_rate"
        )
    return notes


def _trained(training: History) -> str:
    """What a training took and why it ended."""
    curve = training.curve
    asked = counted(training.n_asked, "training question", "training questions")
    learned = f", {curve[-1].share:.3f} of {asked} learned word for word" if curve else ""
    passes, rows = counted(training.epochs, "pass", "passes"), counted(training.n_rows, "row", "rows")
    return f"Trained: {passes} over {rows}, {counted(training.n_steps, 'step', 'steps')}{learned}."


def _problems(counts: Counts) -> Mapping[tuple[str, str], int | None]:
    """How many questions something went wrong with, by what it was, said of one and of several."""
    return {
        ("question could not be asked", "questions could not be asked"): counts.n_error,
        ("question had passages left out to fit the model", "questions had passages left out to fit the model"): (
            counts.n_truncated_questions
        ),
        ("answer was empty", "answers were empty"): counts.n_malformed,
        ("answer was cut at the limit of new tokens", "answers were cut at the limit of new tokens"): counts.n_cut_answers,
    }


SPENT = {
    "learn": "seconds to learn",
    "load": "seconds to load and warm up",
    "answer": "seconds to answer",
    "probe": "seconds to ask again",
    "update": "seconds to replace one document",
    "data_generation": "seconds of a model that wrote training data, before",
}
