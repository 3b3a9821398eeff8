"""The arms of a study by mode: those that are compared, and the others of their experiments."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rag_eval.record.load import read_run
from rag_eval.record.run_directory import RECORD, RunDirectory
from rag_eval.record.run_record import RunRecord
from rag_eval.record.selection import mismatches
from rag_eval.report.contrast import Arm


def by_mode(arms: Sequence[Arm]) -> dict[str, Arm]:
    """The newest of the arms of each mode."""
    return {arm.run.record.mode: arm for arm in sorted(arms, key=lambda arm: arm.run.record.ended or "")}


def fellows(arms: Sequence[Arm], modes: Collection[str]) -> dict[str, Arm]:
    """An arm for each mode that has one: of those that are compared, else the newest finished run that may be compared with them.

    That is one which differs in nothing in which they agree; where they differ, it is like one of them.
    """
    known = by_mode(arms)
    records = [arm.run.record for arm in arms]
    folders = {file.parent.resolve() for arm in arms for file in arm.run.folder.parent.glob(f"*/{RECORD}")}
    wanted = set(modes) - known.keys()
    found = [(folder, record) for folder in folders if (record := RunDirectory(folder).finished()) is not None and record.mode in wanted]
    fitting = [(folder, record) for folder, record in found if record.is_comparable and _fits(record, records)]
    newest = {record.mode: folder for folder, record in sorted(fitting, key=lambda one: one[1].ended or "")}
    return known | {mode: Arm(mode, read_run(folder)) for mode, folder in newest.items()}


def _fits(record: RunRecord, compared: Sequence[RunRecord]) -> bool:
    adds_nothing = len(mismatches([*compared, record])) == len(mismatches(compared))
    return adds_nothing and any(not mismatches([one, record]) for one in compared)
