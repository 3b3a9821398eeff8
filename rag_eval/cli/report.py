"""`rag-eval report`: the table of recorded runs."""

from __future__ import annotations


def report(arguments: list[str]) -> int:
    """The table of recorded runs."""
    from rag_eval.report.__main__ import main as report_main

    return report_main(arguments)
