"""The table at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rag_eval.record.facts import Counts, History
from rag_eval.record.run_record import RunResult
from rag_eval.report.form import keeps_other_form, two_scores
from rag_eval.report.knowledge import knowledge_note
from rag_eval.report.runs import ENOUGH_LEARNED
from rag_eval.score.outcome import ABSTAINED
from rag_eval.score.primary import train_phrasing
from rag_eval.score.summary import HOLDS_EVIDENCE


def show(result: RunResult) -> None:
    """Print what a run measured; the last line on standard output is its directory."""
    comparison, provenance, outcomes = result.facts.comparison, result.facts.provenance, result.facts.outcomes
    counts, seconds = outcomes.counts, outcomes.seconds
    table = Table(title=escape(f"{provenance.mode} on {comparison.dataset_name}" + (" (recorded before)" if result.cached else "")))
    for name in ("measure", "mean", "95 % interval", "n"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for group in dict.fromkeys(name.partition("/")[0] for name in result.estimates):
        for name, one in result.estimates.items():
            if name.startswith(f"{group}/"):
                table.add_row(name, f"{one.mean:.3f}", f"{one.low:.3f} to {one.high:.3f}", str(one.n))
        table.add_section()
    for stage, found in seconds.items():
        table.add_row(f"seconds a question, {stage}", f"{found.mean:.3g}", f"median {found.p50:.3g}", str(counts.n_questions))
    if (rate := outcomes.throughput.searches_per_s) is not None:
        table.add_row("questions searched a second", f"{rate:.0f}", "", "")
    if outcomes.chance is not None:
        table.add_row(f"{comparison.primary} of these answers shuffled", f"{outcomes.chance:.3f}", "", "")
    if not seconds:
        table.add_row("seconds a question", "not measured", "", "")
    for name, spend in result.spends.items():
        shown = "not measured" if spend.seconds is None else f"{spend.seconds:.2f}"
        table.add_row(_SPENT[name], shown, "some by an earlier run" if spend.reused_s else "", "")
    console = Console()
    console.print(table)
    notes = [f"{n} {what}" for what, n in _problems(counts).items() if n]
    if all(name in result.estimates and result.estimates[name].mean > 0.5 for name in (HOLDS_EVIDENCE, ABSTAINED)):
        notes.append("the passages mostly held the answer and the model mostly said unknown: it may not be able to read these documents")
    if keeps_other_form(result):
        notes.append(f"most answers keep another form than the gold ones, which exact match counts as wrong: {two_scores(result)}")
    taught = result.estimates.get(train_phrasing(comparison.primary))
    if provenance.is_trained and taught is not None and taught.mean < ENOUGH_LEARNED:
        notes.append(
            f"under-trained: {taught.mean:.3f} of the training questions right, below {ENOUGH_LEARNED}, so that this run says nothing "
            "about what fine-tuning can do; raise adapter.epochs or adapter.max_epochs, or adapter.learning_rate"
        )
    if outcomes.training is not None:
        console.print(_trained(outcomes.training), soft_wrap=True)
    if (knowledge := result.facts.data.knowledge) is not None:
        console.print(f"{knowledge_note(knowledge).capitalize()}.", soft_wrap=True)
    if notes:
        console.print("Note: " + "; ".join(notes) + ".", soft_wrap=True)
    print(result.directory, flush=True)


def _trained(training: History) -> str:
    """What a training took and why it ended."""
    curve = training.curve
    learned = f", {curve[-1].share:.3f} of {training.n_asked} training questions learned word for word" if curve else ""
    return f"Trained: {training.epochs:g} passes over {training.n_rows:,} rows, {training.n_steps:,} steps{learned}."


def _problems(counts: Counts) -> Mapping[str, int | None]:
    """How many questions something went wrong with, by what it was."""
    return {
        "questions did not fit the model": counts.n_error,
        "questions had passages left out to fit the model": counts.n_truncated_questions,
        "answers were empty": counts.n_malformed,
        "answers were cut at the limit of new tokens": counts.n_cut_answers,
    }


_SPENT = {
    "learn": "seconds to learn",
    "load": "seconds to load and warm up",
    "answer": "seconds to answer",
    "probe": "seconds to ask again",
    "update": "seconds to replace one document",
    "data_generation": "seconds of a model that wrote training data, before",
}
