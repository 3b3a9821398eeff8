"""Which recorded arms keep the form of the gold answers, and by which score answers then count as right."""

from __future__ import annotations

from collections.abc import Sequence

from rag_eval.record.run_record import RunRecord
from rag_eval.score.form import KEPT, OF_FORM, Scores, share_in_form
from rag_eval.score.scoring import Scored, scoring_of

BARE = ("closed_book", "rag", "oracle")  # modes that tell in which form the base model answers, given the prompt of the study


def keeps_some_form(record: Scored, strict: str = "") -> bool | None:
    """Whether the answers of a run keep the form of the gold answers often enough for exact match to measure more than form.

    Args:
        record: the run.
        strict: tracked name of the strict score; "" = that of the run's scoring.

    Returns:
        False = exact match measures form; None = too few answers contain a gold answer to tell.
    """
    share = share_in_form([_scores(record, strict)])
    return None if share is None else share >= OF_FORM


def keeps_other_form(record: Scored) -> bool:
    """Whether most answers that hold a gold answer do not equal it."""
    share = share_in_form([_scores(record)])
    return share is not None and share < KEPT


def base_keeps_form(records: Sequence[RunRecord]) -> bool | None:
    """Whether the base model keeps the form of the gold answers, by the answers of its arms together; None = not known."""
    share = share_in_form([_scores(record) for record in records if record.mode in BARE])
    return None if share is None else share >= KEPT


def has_two_scores(record: Scored) -> bool:
    """Whether a run has both scores that tell the form of its answers."""
    return None not in _scores(record)


def two_scores(record: Scored, strict: str = "") -> str:
    """The strict score beside the lenient one, in words."""
    scoring = scoring_of(record)
    names = (strict or scoring.strict(), scoring.lenient)
    return " where ".join(f"{scoring.label(name)} is {record.estimates[name].mean:.3f}" for name in names)


def form_reason(label: str, record: Scored, strict: str = "") -> str:
    """Sentence that says why exact match does not decide about an arm.

    Args:
        label: name of the arm in the report.
        record: its run.
        strict: tracked name of the strict score; "" = that of the run's scoring.

    Returns:
        The sentence, with both scores.
    """
    scoring = scoring_of(record)
    strict = strict or scoring.strict()
    return f"{scoring.label(strict)} measures the form of the answers of {label}, not what they say: {two_scores(record, strict)}"


def right_by(records: Sequence[RunRecord], measure: str) -> str:
    """The score by which answers count as right: the given one, or the lenient one if the given one measures the form of some arm.

    Args:
        records: runs of the compared arms; the lenient score replaces the given one only if all have it.
        measure: tracked name of the declared score, or of the primary one.

    Returns:
        The tracked name of the score.
    """
    scoring = scoring_of(*records)
    strict, lenient = scoring.strict(measure), scoring.lenient
    is_read = scoring.judges_answers(measure) and scoring.rests_on(measure) != lenient and all(lenient in one.estimates for one in records)
    return lenient if is_read and any(keeps_some_form(record, strict) is False for record in records) else measure


def _scores(record: Scored, strict: str = "") -> Scores:
    scoring = scoring_of(record)
    return record.estimates.get(strict or scoring.strict()), record.estimates.get(scoring.lenient)
