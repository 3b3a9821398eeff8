"""Cells of CSV files and dates of JSON files as the texts that they are, where `datasets` would make numbers, nothing or times of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
from datasets import DownloadConfig, DownloadManager, Features, LargeList, List, ReadInstruction, Value
from datasets.packaged_modules.csv.csv import CsvConfig

MAX_COLUMNS = 2_000
# The same for every table, so that without a connection a copy that was made with it is found again by it.
TEXTS: Mapping[str, Any] = {"converters": dict.fromkeys(range(MAX_COLUMNS), str), "na_filter": False}
EXTRA = "__index_level_0__"  # a column that pandas makes of cells before the first name


def as_texts(builder: datasets.DatasetBuilder) -> Mapping[str, Any]:
    """What to load a table with so that its cells are texts, an empty one included; nothing if it is not of CSV files.

    Types that the card of a table declares for its columns do not count either: 007 is no number because of them.
    """
    if not isinstance(builder.config, CsvConfig):
        return {}
    declared = builder.info.features
    if declared is None:
        return TEXTS
    return {"na_filter": False, "features": Features({name: Value("large_string") for name in declared})}


def has_dates(feature: Any) -> bool:
    """Whether a column, or all of a table's, holds dates or times at any depth."""
    if isinstance(feature, Mapping):
        return any(map(has_dates, feature.values()))
    if isinstance(feature, List | LargeList):
        return has_dates(feature.feature)
    return isinstance(feature, Value) and feature.dtype.startswith(("timestamp", "date", "time"))


def json_rows(builder: datasets.DatasetBuilder, split: str, features: Features) -> Sequence[Mapping[str, Any]]:
    """The rows of a split of JSON files, values as they stand there.

    Args:
        builder: of the table.
        split: name of one, or an instruction such as `train[:100]`.
        features: of the table; a row has all of its columns.

    Raises:
        ValueError: if there is no such split, or a file is no JSON.
        OSError: if a file cannot be had.
    """
    files, field = builder.config.data_files, builder.config.field
    manager = DownloadManager(download_config=DownloadConfig(token=builder.token, storage_options=builder.storage_options))

    def of(name: str) -> list[Mapping[str, Any]]:
        local = manager.iter_files(manager.download_and_extract(list(files[name])))
        return [_filled(row, features) for file in local for row in _objects(Path(file).read_text(encoding="utf-8-sig"), field)]

    return list(_sliced(split, list(files), of))


def _sliced(split: str, names: Sequence[str], of: Callable[[str], list[Mapping[str, Any]]]) -> Iterator[Mapping[str, Any]]:
    if split in names:
        return iter(of(split))
    parts = ReadInstruction.from_spec(split).to_absolute({name: len(of(name)) for name in names})
    return chain.from_iterable(of(part.splitname)[part.from_ : part.to] for part in parts)


def _objects(text: str, field: str | None) -> list[Any]:
    """The rows of a file: a JSON list, one JSON object, or JSON lines."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    found = whole[field] if field else whole
    return found if isinstance(found, list) else [found]


def _filled(value: Any, feature: Any) -> Any:
    """A value with all the names that its column has, at any depth."""
    if isinstance(feature, Mapping) and isinstance(value, Mapping):
        return {name: _filled(value.get(name), one) for name, one in feature.items()}
    if isinstance(feature, List | LargeList) and isinstance(value, list):
        return [_filled(one, feature.feature) for one in value]
    return value
