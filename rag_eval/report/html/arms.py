"""What arms differ in, what they took, and what they ran on, as tables: an arm is told by one of its runs."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rag_eval.record.facts import Choice
from rag_eval.record.run_record import RunRecord
from rag_eval.report.summary import hardware
from rag_eval.report.table import Cell, Column, Figure, Header, Table

LONGEST = 60  # characters of a setting's value
MIB = 2**20
NOT_SET = "-"


def differing_settings(arms: Mapping[str, RunRecord]) -> Table:
    """A line for each setting in which arms differ, a column an arm.

    Args:
        arms: a run of each.

    Returns:
        The table; a setting in which no two arms differ has no line.
    """
    settings = {arm: {"seed": one.facts.provenance.seed, **one.facts.provenance.choices} for arm, one in arms.items()}
    names = dict.fromkeys(name for those in settings.values() for name in those)
    rows = [(name, *(_value(those, name) for those in settings.values())) for name in names]
    header = (Column("setting", kind="text"), *(Column(arm, kind="text") for arm in arms))
    reading = f"Those in which the arms differ; {NOT_SET}: the arm has no such setting. Folders are told by their last name."
    return Table("Settings", reading, header, tuple(row for row in rows if len(set(row[1:])) > 1))


def spent(arms: Mapping[str, RunRecord]) -> Table:
    """What learning and answering took, a line an arm.

    Args:
        arms: a run of each.

    Returns:
        The table.
    """
    titles = ("seconds to learn", "seconds to answer all", "questions", "tokens in a prompt", "tokens of an answer", "MiB of memory")
    header: Header = ("arm", *(Column(title, kind="amount") for title in (*titles, "MiB kept on disk")))
    reading = (
        "Of one run of each arm on the machine below. Learning is indexing or training, and of a stage that came from a cache what it "
        "took when it was made; memory is the peak of the process while it answered."
    )
    return Table("Cost in time, tokens and memory", reading, header, tuple((arm, *_spent(one)) for arm, one in arms.items()))


def fingerprints(arms: Mapping[str, RunRecord]) -> Table:
    """What identifies the run of each arm.

    Args:
        arms: a run of each.

    Returns:
        The table.
    """
    titles = ("arm", "run", "started", "dataset", "sha256", "base model", "scorer", "code", "commit", "machine")
    rows = []
    for arm, one in arms.items():
        compared, provenance = one.facts.comparison, one.facts.provenance
        commit = f"{(provenance.git.commit or 'unknown')[:12]}{' with changes' if provenance.git.dirty else ''}"
        digests = (compared.dataset, compared.base_model, compared.scorer, provenance.source)
        data, model, scorer, source = (NOT_SET if digest is None else digest[:12] for digest in digests)
        rows.append((arm, one.run_id[:12], one.started, compared.dataset_name, data, model, scorer, source, commit, hardware(one)))
    return Table(
        "Runs and fingerprints", "Digests by their first 12 digits.", tuple(Column(one, kind="text") for one in titles), tuple(rows)
    )


def _value(settings: Mapping[str, Choice], name: str) -> str:
    if name not in settings:
        return NOT_SET
    value = settings[name]
    text = value.rstrip("/").rpartition("/")[2] if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _spent(one: RunRecord) -> tuple[Cell, ...]:
    learn, answer, outcomes = one.spends.get("learn"), one.spends.get("answer"), one.facts.outcomes
    peak = None if answer is None or answer.peak_bytes is None else answer.peak_bytes / MIB
    stored = None if learn is None or learn.stored_bytes is None else learn.stored_bytes / MIB
    return (
        Figure(None if learn is None else learn.seconds, is_cached=learn is not None and learn.cached),
        Figure(None if answer is None else answer.seconds),
        Figure(outcomes.counts.n_questions),
        Figure(outcomes.tokens.prompt_mean),
        Figure(outcomes.tokens.output_mean),
        Figure(peak),
        Figure(stored),
    )
