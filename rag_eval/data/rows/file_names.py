"""Matching of file names in questions: NFC and NFD spellings, backslashes, `./` and surrounding blanks are equivalent."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import Row


def document_ids(files: Sequence[str]) -> dict[str, str]:
    """Document id of each file: its path in Unicode normal form C, or the unchanged path if two paths would become equal."""
    composed = {file: unicodedata.normalize("NFC", file) for file in files}
    times = Counter(composed.values())
    return {file: id if times[id] == 1 else file for file, id in composed.items()}


class FileNames:
    """Document ids of a folder, looked up by any equivalent spelling."""

    def __init__(self, ids: Collection[str]) -> None:
        self._ids = frozenset(ids)
        self._spelt: dict[str, list[str]] = {}
        for id in ids:
            self._spelt.setdefault(_plain(id), []).append(id)

    def named(self, rows: Sequence[Row], problems: Problems) -> list[Row]:
        """Replace file names in questions by document ids; unknown names are kept.

        Args:
            rows: questions before validation; names are in `evidence`, and in `spans` and `same_as` of `meta`.
            problems: receives names that match several documents.

        Returns:
            The rows with document ids.
        """
        return [Row(row.where, self._fields(row, problems)) for row in rows]

    def _fields(self, row: Row, problems: Problems) -> dict[str, Any]:
        fields, meta = dict(row.fields), row.fields.get("meta")
        try:
            if "evidence" in fields:
                fields["evidence"] = self._ids_of(fields["evidence"])
            if isinstance(meta, Mapping):
                fields["meta"] = {**meta, **{key: self._within(key, meta[key]) for key in ("spans", "same_as") if key in meta}}
        except ValueError as fault:
            problems.add(row.where, f"id {row.fields.get('id')} evidence: {fault}")
        return fields

    def _within(self, key: str, value: Any) -> Any:
        if key == "spans" and isinstance(value, list):
            return [
                {**one, "source": self._ids_of(one["source"])} if isinstance(one, Mapping) and "source" in one else one for one in value
            ]
        if key == "same_as" and isinstance(value, Mapping):
            return {self._id_of(name): self._ids_of(names) for name, names in value.items()}
        return value

    def _ids_of(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._ids_of(one) for one in value]
        return self._id_of(value) if isinstance(value, str) else value

    def _id_of(self, name: str) -> str:
        if name in self._ids:
            return name
        meant = self._spelt.get(_plain(name), [name])
        if len(meant) > 1:
            raise ValueError(f"{name!a} may be any of {', '.join(map(ascii, meant))}; give one of these names, or rename a file")
        return meant[0]


def _plain(name: str) -> str:
    return posixpath.normpath(unicodedata.normalize("NFC", name).strip().replace("\\", "/"))
