"""`rag-eval report` and `rag-eval decide`: what follows from recorded runs."""

from __future__ import annotations


def report(arguments: list[str]) -> int:
    """The table of recorded runs."""
    from rag_eval.report.__main__ import main as report_main

    return report_main(arguments)


def decide(arguments: list[str]) -> int:
    """Which recorded arm meets given constraints at least cost."""
    return report(["decide", *arguments])
