"""CSV and TSV files to rows that know where they stand, from a folder or from a zip archive, of which nothing is unpacked to disk."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

from rag_eval.data.problems import Problems, shown
from rag_eval.data.read import Row, decoded
from rag_eval.data.text_file import file_text

MAX_BYTES = 2**28  # of an archive's member when unpacked
MAX_CELL = 2**31 - 1  # characters; the library's own limit is 131,072


def read_csv(path: str, columns: Collection[str], problems: Problems) -> list[Row]:
    """The rows of a CSV file whose first line names the columns; all values are texts. Cells of a .tsv file have tabs between.

    Args:
        path: of the file.
        columns: that it must have; others are read too.
        problems: gets what is wrong, by line.
    """
    is_tsv = Path(path).suffix.lower() == ".tsv"
    return _rows(file_text(path, "TSV" if is_tsv else "CSV", problems), path, columns, problems, "\t" if is_tsv else ",")


def read_zipped_csv(path: str, member: str, columns: Collection[str], problems: Problems) -> list[Row]:
    """The same of one member of a zip archive, by its exact name."""
    return _rows(_unpacked(path, member, problems), f"{path}/{member}", columns, problems)


def _unpacked(path: str, member: str, problems: Problems) -> str:
    """The text of a member; empty, and a problem more, if there are none."""
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
    # A byte order mark, or the blanks for it, is no part of the first column's name.
    lines = csv.reader(io.StringIO(text.lstrip(" \ufeff"), newline=""), delimiter=between, strict=True)
    rows: list[Row] = []
    names: list[str] = []
    limit = csv.field_size_limit(MAX_CELL)  # of the whole process
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
            elif any(cells):  # spreadsheets write rows of nothing but commas
                rows.append(Row(f"{where}:{start}", dict(zip(names, cells, strict=True))))
            start = lines.line_num + 1
    except csv.Error as fault:
        problems.add(f"{where}:{lines.line_num}", f"is broken CSV: {fault}; was the file cut off?")
    finally:
        csv.field_size_limit(limit)
    return rows
