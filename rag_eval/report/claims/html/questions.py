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


@dataclass(frozen=True)
class Answered:
    """A question with the claims that answer it."""

    text: str
    findings: tuple[tuple[str, Finding], ...]  # each with its row; () = not measured


QUESTIONS = (
    Asked(
        "When fine-tuning, when RAG?",
        (
            "customization/rag-facts",
            "customization/fine-tuning-form",
            "adaptability/fine-tuning-update-time",
            "pays-at-utilisation-50",
            "tuned-is-faster",
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
    Asked("How many examples does it take?", ("data-dependency/fine-tuning-one-phrasing", "data-dependency/fine-tuning-phrasings")),
    Asked("Are both together better?", ("customization/fine-tuning-reading",)),
    Asked("How much slower is RAG?", ("tuned-is-faster", "tuned-is-faster-at-equal-length", "retrieval-step-is-felt")),
    Asked('Is it true that "below 100 examples use RAG"?', ()),
    Asked(
        'Is it true that "fine-tuning pays from 100,000 queries a month"?',
        ("pays-at-utilisation-10", "pays-at-utilisation-50", "pays-at-utilisation-100"),
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
    return [Answered(asked.text, tuple(by_id[id] for id in asked.claims if id in by_id)) for asked in questions]
