"""Questions that people ask, each answered by claims of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_eval.report.claims.claim import Finding


@dataclass(frozen=True)
class Asked:
    """A question that people ask."""

    text: str
    claims: tuple[str, ...]  # ids of those that answer it; () = none does
    remark: str = ""  # what these claims leave open


@dataclass(frozen=True)
class Answered:
    """A question with the claims that answer it."""

    text: str
    findings: tuple[tuple[str, Finding], ...]  # each with its row, those with a number first; () = no claim of these rows answers it
    remark: str


QUESTIONS = (
    Asked(
        "When fine-tuning, when RAG?",
        (
            "customization/rag-facts",
            "customization/fine-tuning-form",
            "adaptability/fine-tuning-update-time",
            "computational-cost/fine-tuning-pays",
            "inference-time/fine-tuning-slowest-answers",
        ),
    ),
    Asked(
        "Did training add knowledge, or only style?",
        ("customization/fine-tuning-knowledge", "customization/fine-tuning-form-without-facts"),
    ),
    Asked(
        "Does a fine-tuned model forget?",
        (
            "adaptability/fine-tuning-forgets-continued",
            "adaptability/fine-tuning-forgets-replay",
            "adaptability/fine-tuning-forgets-stacked",
            "adaptability/fine-tuning-replay",
            "customization/fine-tuning-other-forms",
        ),
    ),
    Asked(
        "Does it stay in its domain?",
        (
            "data-dependency/fine-tuning-hallucinates",
            "customization/fine-tuning-refusal",
            "customization/fine-tuning-form-precision",
        ),
    ),
    Asked(
        "Train on documents or on question-answer pairs?",
        ("data-dependency/fine-tuning-told-once", "data-dependency/fine-tuning-restatements", "data-dependency/fine-tuning-enough"),
    ),
    Asked(
        "How many examples does it take?",
        ("data-dependency/fine-tuning-enough", "data-dependency/fine-tuning-one-phrasing", "data-dependency/fine-tuning-phrasings"),
    ),
    Asked("Are both together better?", ("customization/fine-tuning-reading",)),
    Asked(
        "How much slower is RAG?",
        ("inference-time/fine-tuning-slowest-answers", "inference-time/fine-tuning-equal-length", "inference-time/rag-retrieval"),
    ),
    Asked(
        'Is it true that "below 100 examples use RAG"?',
        ("data-dependency/rag-untrained", "data-dependency/fine-tuning-told-once", "data-dependency/fine-tuning-one-phrasing"),
        "No training has so few examples; measured is each side without examples about what is asked, and with one of each fact.",
    ),
    Asked(
        'Is it true that "fine-tuning pays from 100,000 queries a month"?',
        ("computational-cost/fine-tuning-pays",),
    ),
)


def answered(findings: Mapping[str, Sequence[Finding]], questions: Sequence[Asked] = QUESTIONS) -> list[Answered]:
    """The questions with the claims, by id, that answer them.

    Args:
        findings: of each row.
        questions: that are answered.

    Returns:
        One for each question, in their order.
    """
    by_id = {one.claim.id: (name, one) for name, those in findings.items() for one in those}
    known = [(asked, [by_id[id] for id in asked.claims if id in by_id]) for asked in questions]
    return [Answered(asked.text, tuple(sorted(those, key=lambda one: one[1].number is None)), asked.remark) for asked, those in known]
