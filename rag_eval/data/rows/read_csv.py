"""CSV and TSV readers, from files or from members of a zip archive, which is not unpacked to disk."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, decoded
from rag_eval.data.rows.text_file import file_text

MAX_BYTES = 2**28  # maximum uncompressed size of an archive member
MAX_CELL = 2**31 - 1  # characters; the csv module's default limit is 131,072


def read_csv(path: str, columns: Collection[str], problems: Problems) -> list[Row]:
    """Rows of a CSV file with a header; all values are text. A .tsv file is tab-separated.

    Args:
        path: path of the file.
        columns: required columns; others are read too.
        problems: receives the faults, by line.

    Returns:
        One row per record.
    """
    is_tsv = Path(path).suffix.lower() == ".tsv"
    return _rows(file_text(path, "TSV" if is_tsv else "CSV", problems), path, columns, problems, "\t" if is_tsv else ",")


def read_zipped_csv(path: str, member: str, columns: Collection[str], problems: Problems) -> list[Row]:
    """Rows of a CSV member of a zip archive.

    Args:
        path: path of the archive.
        member: exact name of the member.
        columns: required columns; others are read too.
        problems: receives the faults, by line.

    Returns:
        One row per record.
    """
    return _rows(_unpacked(path, member, problems), f"{path}/{member}", columns, problems)


def _unpacked(path: str, member: str, problems: Problems) -> str:
    """Text of a member; "" with a fault if it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if member not in names:
                problems.add(path, f"has no member {member}; found {', '.join(map(shown, names[:20])) or 'nothing'}")
            elif (size := archive.getinfo(member).file_size) > MAX_BYTES:
                problems.add(path, f"member {member} would take {size:,} bytes unpacked, more than {MAX_BYTES:,}")
            elif not size:
                problems.add(path, f"member {member} is empty (0 bytes); expected CSV")
            else:
                return decoded(archive.read(member))
    except FileNotFoundError:
        problems.add(path, f"does not exist (looked in {Path.cwd()}); give the path of an existing file")
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as fault:
        problems.add(path, f"is no zip archive that can be read: {fault}")
    except ValueError as fault:
        problems.add(f"{path}/{member}", str(fault))
    return ""


def _rows(text: str, where: str, columns: Collection[str], problems: Problems, between: str = ",") -> list[Row]:
    # A byte order mark, or the spaces that replace it, is not part of the first column's name.
    lines = csv.reader(io.StringIO(text.lstrip(" \ufeff"), newline=""), delimiter=between, strict=True)
    rows: list[Row] = []
    names: list[str] = []
    limit = csv.field_size_limit(MAX_CELL)  # a setting of the whole process, restored below
    try:
        names = next(lines, [])
        missing = [column for column in columns if column not in names]
        if problems.has_repeated(f"{where}:1", filter(None, names)):
            return []
        if missing and text:
            problems.add(f"{where}:1", f"lacks the columns {', '.join(missing)}; found {', '.join(map(shown, names[:20])) or 'nothing'}")
        if missing:
            return []
        start = lines.line_num + 1
        for cells in lines:
            if any(cells) and len(cells) != len(names):
                problems.add(f"{where}:{start}", f"has {len(cells)} cells where line 1 names {len(names)} columns")
            elif any(cells):  # spreadsheets write rows of empty cells
                rows.append(Row(f"{where}:{start}", dict(zip(names, cells, strict=True))))
            start = lines.line_num + 1
    except csv.Error as fault:
        problems.add(f"{where}:{lines.line_num}", f"is broken CSV: {fault}; was the file cut off?")
    finally:
        csv.field_size_limit(limit)
    return rows
