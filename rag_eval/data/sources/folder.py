"""A folder of documents in the formats of document_files.py, and a file of questions about them.

The id of a document is its path inside the folder (`guides/refunds.pdf`), which `evidence` in the questions refers to, in any
spelling accepted by file_names.py; its title is its own, else the file name. Questions are read by read_questions.py. Hidden files
are skipped silently, files of other types with a warning; any other unreadable file is an error.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt

from rag_eval.data.rows.assemble import assemble
from rag_eval.data.rows.document_files import READERS, read_file
from rag_eval.data.rows.file_names import FileNames, document_ids
from rag_eval.data.rows.problems import Problems
from rag_eval.data.rows.read import Row
from rag_eval.data.rows.read_questions import read_questions
from rag_eval.data.rows.split import Splitting
from rag_eval.data.rows.validate import check_documents, check_questions
from rag_eval.progress import progress
from rag_eval.types import QADataset

log = logging.getLogger(__name__)


def folder(
    documents: str,
    questions: str,
    train_share: Annotated[float, Field(ge=0, lt=1)],
    seed: NonNegativeInt,
    split_by: Literal["cluster", "question"] = "cluster",
    others_share: Annotated[float, Field(gt=0, lt=1)] | None = None,
    lessons: Literal["own", "others"] = "own",
) -> QADataset:
    """Read, validate and split a folder of documents and a file of questions.

    Args:
        documents: path of the folder; subfolders are included.
        questions: path of the questions, .jsonl, .csv, .tsv or .parquet.
        train_share: share of the clusters for training if the questions have no splits; 0 = all are for testing.
        seed: seed of the split.
        split_by: "cluster": tested articles are not trained on. "question": some questions about an article are for training and
            some for testing, and some articles are for dev and others only; see split_by_question.py.
        others_share: if split by question, share of the articles for others; None = as many questions as training has.
        lessons: "own", or "others" for a control that trains on as many questions about articles that are not tested.

    Returns:
        The dataset.

    Raises:
        DataError: listing every unreadable file and every fault of a question.
    """
    problems = Problems(documents, questions)
    files = _documents(documents, problems)
    corpus = check_documents(files, problems)
    rows = FileNames([str(file.fields["id"]) for file in files]).named(read_questions(questions, problems), problems)
    asked = check_questions(rows, problems)
    problems.raise_any()
    return assemble(
        f"folder-{Path(documents).resolve().name}", corpus, asked, train_share, seed, Splitting(split_by, others_share, lessons)
    )


def _documents(root: str, problems: Problems) -> list[Row]:
    """One row per readable file, sorted by id."""
    if not os.path.isdir(root):
        found = "is a file" if os.path.exists(root) else f"does not exist (looked in {Path.cwd()})"
        problems.add(root, f"{found}; give the path of a folder of documents")
        return []
    files = sorted(_files(root, problems))
    skipped = Counter(os.path.splitext(file)[1].lower() or "without a suffix" for file in files if not _has_reader(file))
    if skipped:
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in sorted(skipped.items()))
        log.warning("%s: passed over %d files of other types (%s); read are %s.", root, skipped.total(), kinds, ", ".join(READERS))
    readable = list(filter(_has_reader, files))
    if not readable and not problems.found:
        problems.add(root, f"holds no file of the types {', '.join(READERS)}; give a folder of documents")
    rows = []
    with progress("reading documents", len(readable)) as advance:
        for file, id in document_ids(readable).items():
            rows += _row(root, file, id, problems)
            advance(1)
    return sorted(rows, key=lambda row: str(row.fields["id"]))


def _row(root: str, file: str, id: str, problems: Problems) -> list[Row]:
    where = f"{root}/{file}"
    try:
        found = read_file(Path(root, file))
    except ValueError as fault:
        problems.add(where, str(fault))
        return []
    return [Row(where, {"id": id, "title": found.title or Path(id).stem, "text": found.text, "meta": dict(found.meta)})]


def _files(root: str, problems: Problems) -> Iterator[str]:
    """Posix paths inside the folder of all files that are not hidden. Symbolic links are followed for files inside the folder only."""
    home = os.path.realpath(root)
    for here, folders, names in os.walk(root, onerror=lambda fault: problems.add(str(fault.filename), f"cannot be read: {fault.strerror}")):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        files = {name for name in names if not _is_hidden(name)}
        for name in [*folders, *sorted(files)]:
            path = Path(here, name)
            inside = path.relative_to(root).as_posix()
            printable = inside.encode(errors="backslashreplace").decode()
            if printable != inside:
                problems.add(f"{root}/{printable}", "has a name that is not UTF-8; rename it")
            elif path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(home):
                problems.add(f"{root}/{inside}", "is a link out of the folder; put what it points at here, or remove the link")
            elif name in files:
                yield inside


def _is_hidden(name: str) -> bool:
    """Whether a name is hidden, including the lock files that Word writes."""
    return name.startswith((".", "~$"))


def _has_reader(file: str) -> bool:
    return os.path.splitext(file)[1].lower() in READERS
