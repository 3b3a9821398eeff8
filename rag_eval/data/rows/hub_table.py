"""Tables of the Hugging Face hub at a commit, or local ones, read through `datasets`. No code of a dataset is executed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
from datasets.exceptions import DatasetNotFoundError, DatasetsError
from datasets.packaged_modules.cache.cache import Cache
from huggingface_hub.constants import HF_HUB_CACHE

from rag_eval.data.rows.hub_text import EXTRA, TEXTS, as_texts, has_dates, json_rows
from rag_eval.data.rows.problems import shown
from rag_eval.data.rows.read import Row
from rag_eval.data.rows.typed_values import named
from rag_eval.errors import DataError, EnvironmentFault

BUILDERS = {".parquet": "parquet", ".json": "json", ".jsonl": "json", ".csv": "csv", ".tsv": "csv"}
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")
Loaded = tuple[datasets.Dataset, Sequence[Mapping[str, Any]] | None]  # a split; its original rows if `datasets` converted values


@dataclass(frozen=True)
class Table:
    """A dataset: a hub id with a commit, or a local folder or file without one."""

    path: str
    revision: str | None = None  # commit of a hub id, 40 hexadecimal digits
    config: str | None = None  # configuration name of a dataset that has several

    def rows(self, split: str, columns: Sequence[str]) -> Iterator[Row]:
        """Rows of a split, with the place `path:split[row]`.

        Args:
            split: name of the split.
            columns: column names, dotted if nested.

        Yields:
            One row per row of the split, with these columns.

        Raises:
            DataError: if the table, the split or a column is missing, or a hub id has no commit.
            EnvironmentFault: if the hub does not respond and there is no local copy.
        """
        table, texts = self._load(split)
        outer = {column if column in table.column_names else column.split(".")[0] for column in columns}
        if missing := sorted(outer.difference(table.column_names)):
            raise DataError(f"{self.path}: {split} has no column {', '.join(missing)}; found {', '.join(table.column_names)}.")
        is_csv = table.info.builder_name == "csv"
        for number, fields in enumerate(texts or table.select_columns(sorted(outer))):
            where = f"{self.path}:{split}[{number}]"
            values = {name: named(fields[name], table.features[name]) for name in outer}
            given = {name: None if is_csv and value == "" else value for name, value in values.items()}
            yield Row(where, {column: _at(given, column, where) for column in columns})

    def _load(self, split: str) -> Loaded:
        if os.path.exists(self.path):
            return self._local(split)
        if not HUB_ID.fullmatch(self.path):
            expected = "a path that exists or a hub id such as owner/name"
            raise DataError(f"{self.path} does not exist (looked in {Path.cwd()}); expected {expected}.")
        if not COMMIT.fullmatch(self.revision or ""):
            raise DataError(
                f"{self.path}: revision is {self.revision!r}; a hub id needs the commit that its numbers belong to, 40 hexadecimal "
                "digits: dataset.revision=<commit, from Files and versions on its page>."
            )
        return self._remote(split)

    def _local(self, split: str) -> Loaded:
        if self.revision is not None:
            raise DataError(f"{self.path} is on this disk and has no revision; set dataset.revision=null.")
        is_saved = os.path.exists(os.path.join(self.path, "dataset_dict.json"))
        try:
            if is_saved or os.path.exists(os.path.join(self.path, "state.json")):
                found = datasets.load_from_disk(self.path)
                return _of(self.path, split, dict(found) if is_saved else {str(found.split or "train"): found}), None
            if os.path.isdir(self.path):
                return self._built(split, self.path, self.config)
            suffix = Path(self.path).suffix.lower()
            if suffix not in BUILDERS:
                raise DataError(f"{self.path}: expected a folder or a file that ends in {', '.join(BUILDERS)}.")
            return self._built(split, BUILDERS[suffix], data_files=self.path, **({"sep": "\t"} if suffix == ".tsv" else {}))
        except IndexError:  # of a saved table without files
            raise DataError(f"{self.path} holds no rows.") from None
        except (OSError, RuntimeError, ValueError, DatasetsError) as fault:
            raise DataError(f"{self.path}: {_first_line(fault)}.") from fault

    def _remote(self, split: str) -> Loaded:
        what = f"{self.path} at {self.revision}"
        try:
            found, texts = self._built(split, self.path, self.config, revision=self.revision)
        except (ValueError, RuntimeError, DatasetNotFoundError, DatasetsError) as fault:
            raise DataError(f"{what}: {_first_line(fault)}.") from fault
        except OSError as fault:
            looked = f"looked in {datasets.config.HF_DATASETS_CACHE} and {HF_HUB_CACHE}"
            raise EnvironmentFault(
                f"{what} is not on this machine ({looked}) and the hub does not answer ({_first_line(fault)}). "
                "Run it once with a connection, or give a local copy: dataset.path=<folder> dataset.revision=null."
            ) from fault
        # Offline, `datasets` uses the newest cached copy, whatever revision was requested.
        if not all(self.revision in Path(file["filename"]).parts for file in found.cache_files):
            raise EnvironmentFault(f"{what} is not on this machine, only another commit is, and the hub does not answer.")
        return found, texts

    def _built(self, split: str, *which: Any, **how: Any) -> Loaded:
        """Load a split with its builder, and the original rows if `datasets` converted values.

        Args:
            split: name of the split.
            *which: positional arguments of `datasets.load_dataset`.
            **how: keyword arguments of `datasets.load_dataset`.

        Returns:
            The split, and its rows or None.

        Raises:
            ValueError: if rows have more cells than columns, or JSON dates cannot be read as text.
        """
        builder = datasets.load_dataset_builder(*which, **how)
        if isinstance(builder, Cache):
            return self._copied(split, *which, **how), None
        found = datasets.load_dataset(*which, split=split, **how, **as_texts(builder))
        if EXTRA in found.column_names:
            raise ValueError("its rows have more cells than its first line names columns")
        if found.info.builder_name != "json" or not has_dates(found.features):
            return found, None
        rows = json_rows(builder, split, found.features)
        if len(rows) != len(found):
            raise ValueError("holds dates in JSON that is neither lines nor a list of objects")
        return found, rows

    def _copied(self, split: str, *which: Any, **how: Any) -> datasets.Dataset:
        """Load a cached copy offline, with CSV cells as text.

        Args:
            split: name of the split.
            *which: positional arguments of `datasets.load_dataset`.
            **how: keyword arguments of `datasets.load_dataset`.

        Returns:
            The split.

        Raises:
            ConnectionError: if the cached copy holds converted numbers or dates.
        """
        try:
            return datasets.load_dataset(*which, split=split, **how, **TEXTS)
        except ValueError:
            found = datasets.load_dataset(*which, split=split, **how)
        name = found.info.builder_name
        if name == "csv" or (name == "json" and has_dates(found.features)):
            raise ConnectionError(f"the copy on this machine has other values than the {name} files, numbers or dates for texts")
        return found


def _of(path: str, split: str, splits: dict[str, datasets.Dataset]) -> datasets.Dataset:
    if split not in splits:
        raise DataError(f"{path}: there is no split {shown(split)}; found {', '.join(splits)}.")
    return splits[split]


def _at(value: Any, column: str, where: str) -> Any:
    """Value of a dotted column name; for a list, the list of the values."""
    return value[column] if column in value else _under(value, column.split("."), column, where)


def _under(value: Any, names: Sequence[str], column: str, where: str) -> Any:
    if not names or value is None:
        return value
    if isinstance(value, list):
        return [_under(one, names, column, where) for one in value]
    if not isinstance(value, dict) or names[0] not in value:
        found = ", ".join(value) if isinstance(value, dict) else shown(value)
        raise DataError(f"{where}: there is no column {column}; found {found}.")
    return _under(value[names[0]], names[1:], column, where)


def _first_line(fault: BaseException) -> str:
    """First line of the library's message, or of its cause, without a final period."""
    cause = fault.__cause__ if isinstance(fault, DatasetsError) and fault.__cause__ else fault
    return str(cause).splitlines()[0].rstrip(".!") if str(cause) else type(cause).__name__
