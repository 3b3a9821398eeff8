"""CSV cells and JSON dates as text, where `datasets` would convert them to numbers, missing values or timestamps."""

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
# The same for every table, because cached copies are found by these arguments when offline.
TEXTS: Mapping[str, Any] = {"converters": dict.fromkeys(range(MAX_COLUMNS), str), "na_filter": False}
EXTRA = "__index_level_0__"  # column that pandas creates if rows have more cells than the header


def as_texts(builder: datasets.DatasetBuilder) -> Mapping[str, Any]:
    """Keyword arguments that load a CSV table with all cells as text, including empty ones; {} for other formats.

    Column types declared in the dataset card are ignored, so that 007 stays text.

    Args:
        builder: builder of the table.

    Returns:
        Arguments of `datasets.load_dataset`.
    """
    if not isinstance(builder.config, CsvConfig):
        return {}
    declared = builder.info.features
    if declared is None:
        return TEXTS
    return {"na_filter": False, "features": Features({name: Value("large_string") for name in declared})}


def has_dates(feature: Any) -> bool:
    """Whether a column, or any column of a table, contains dates or times at any depth."""
    if isinstance(feature, Mapping):
        return any(map(has_dates, feature.values()))
    if isinstance(feature, List | LargeList):
        return has_dates(feature.feature)
    return isinstance(feature, Value) and feature.dtype.startswith(("timestamp", "date", "time"))


def json_rows(builder: datasets.DatasetBuilder, split: str, features: Features) -> Sequence[Mapping[str, Any]]:
    """Rows of a split of JSON files with unconverted values.

    Args:
        builder: builder of the table.
        split: name of a split, or an instruction such as `train[:100]`.
        features: features of the table; missing columns of a row are None.

    Returns:
        The rows.

    Raises:
        ValueError: if the split does not exist, or a file is not JSON.
        OSError: if a file is not available.
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
    """Rows of a file: a JSON list, one JSON object, or JSON lines."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    found = whole[field] if field else whole
    return found if isinstance(found, list) else [found]


def _filled(value: Any, feature: Any) -> Any:
    """A value with all fields of its feature, at any depth."""
    if isinstance(feature, Mapping) and isinstance(value, Mapping):
        return {name: _filled(value.get(name), one) for name, one in feature.items()}
    if isinstance(feature, List | LargeList) and isinstance(value, list):
        return [_filled(one, feature.feature) for one in value]
    return value
