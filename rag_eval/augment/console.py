"""The table at the end of `rag-eval lessons`."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from rag_eval.augment.command import Made

TITLES = {
    "n_documents": "documents",
    "n_passages": "passages read",
    "n_too_long": "passages too long for the model",
    "n_failed": "requests that failed",
    "n_malformed": "malformed parts of replies",
    "n_pairs": "questions written",
    "n_duplicates": "of these asked before",
    "n_leaks": "of these test questions or nearly, or with one",
    "n_unanswerable": "of these not answered by their passage",
    "n_lessons": "training questions",
    "n_confirmed": "of these confirmed by the model alone",
    "n_poor_restatements": "restatements empty, cut, copied or far off",
    "n_leaking_restatements": "restatements with a test question",
    "n_restatements": "restatements",
}


def show_lessons(made: Made) -> None:
    """Print what was made, what was dropped, and what that took."""
    table = Table(title="lessons")
    table.add_column("what")
    table.add_column("found", justify="right")
    counts = vars(made.lessons.counts)
    for name, title in TITLES.items():
        table.add_row(title, f"{counts[name]:,}")
    table.add_section()
    spend = made.spend
    for title, amount in {"tokens read": spend.n_prompt_tokens, "tokens written": spend.n_output_tokens, "seconds": spend.seconds}.items():
        table.add_row(title, "not measured" if amount is None else f"{amount:,.0f}")
    if spend.reused_s is not None:
        table.add_row("of these by an earlier run", f"{spend.reused_s:,.0f}")
    table.add_row("usd", _usd(made))
    Console().print(table)


def _usd(made: Made) -> str:
    if made.price is None:
        return "not priced (hardware=)"
    if made.price.usd is None:
        return f"not measured ({', '.join(made.price.missing)})"
    return f"{made.price.usd:.4f}"
