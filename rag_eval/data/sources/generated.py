"""A dataset extended with the training questions and paraphrases that `rag-eval lessons` generated from its documents.

    lessons.jsonl: {"id": "d1#lesson-1", "question": ..., "answers": [...], "evidence": ["d1"], "cluster": "d1", "split": "train"}
    restated.jsonl: {"document": "d1", "text": "The same in other words."}

    manifest.json: {"spend": {"seconds": ..., "n_prompt_tokens": ...}, "is_hosted": true}

The evaluated questions are those of the original dataset, so that arms with and without the generated data can be compared in one
table. The cost of generation is charged to the arms that train on it; without a manifest it is unknown.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from rag_eval.data.rows.assemble import example_of
from rag_eval.data.rows.problems import Problems, shown
from rag_eval.data.rows.read import Row, read_jsonl
from rag_eval.data.rows.validate import check_questions
from rag_eval.errors import DataError
from rag_eval.fingerprint import identified
from rag_eval.types import Example, QADataset, Spend, WrittenByModel


def generated(of: QADataset, path: str) -> QADataset:
    """Add generated training data to a dataset.

    Args:
        of: the dataset whose documents the data were generated from.
        path: folder written by `rag-eval lessons`.

    Returns:
        The extended dataset.

    Raises:
        DataError: listing every fault of a generated row and every row that does not belong to these documents; or if the
            folder holds no data or the manifest cannot be read.
    """
    lessons = _lessons(f"{path}/lessons.jsonl", of)
    restated = _restated(f"{path}/restated.jsonl", of)
    if not lessons and not restated:
        raise DataError(f"{path}: holds neither training questions nor restatements. Make some with `rag-eval lessons`.")
    train = (*of.train, *lessons)
    taught = replace(
        of,
        name=f"{of.name} with lessons",
        train=train,
        restated=restated,
        written=_written(Path(path)),
        counterpart=of.counterpart or of.fingerprint,
    )
    return identified(taught)


def _written(folder: Path) -> WrittenByModel:
    """Cost of the generation. The id is a hash of the three files, independent of the dataset.

    Args:
        folder: folder written by `rag-eval lessons`.

    Returns:
        The cost; unknown without a manifest.

    Raises:
        DataError: if the manifest is invalid.
    """
    manifest = folder / "manifest.json"
    files = (folder / "lessons.jsonl", folder / "restated.jsonl", manifest)
    shas = [hashlib.sha256(file.read_bytes() if file.exists() else b"").hexdigest() for file in files]
    id = hashlib.sha256(" ".join(shas).encode()).hexdigest()[:16]
    if not manifest.exists():
        return WrittenByModel(id, Spend(None), is_hosted=False)
    try:
        plain = json.loads(manifest.read_text(encoding="utf-8"))
        spend = TypeAdapter(Spend).validate_python(plain["spend"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{manifest}: expected what `rag-eval lessons` writes, with a spend, found something else. Run it again."
        ) from error
    return WrittenByModel(id, replace(spend, cached=False, reused_s=None), bool(plain.get("is_hosted", False)))


def _lessons(file: str, of: QADataset) -> tuple[Example, ...]:
    problems = Problems(file)
    rows = _rows(file, problems)
    checked = check_questions(rows, problems)
    problems.raise_any()
    known, taken = {one.id for one in of.documents}, {one.id for part in (of.train, of.dev, of.test) for one in part}
    for row, lesson in zip(rows, checked, strict=True):
        strange = [id for id in lesson.evidence if id not in known]
        if strange:
            problems.add(row.where, f"is made of {shown(strange[0])}, which is no document of {of.name}")
        if lesson.id in taken:
            problems.add(row.where, f"id {shown(lesson.id)} is a question of {of.name} already")
    problems.raise_any()
    return tuple(example_of(of.name, lesson) for lesson in checked)


def _restated(file: str, of: QADataset) -> dict[str, tuple[str, ...]]:
    problems = Problems(file)
    known = {one.id for one in of.documents}
    found: dict[str, list[str]] = {}
    for row in _rows(file, problems):
        document, text = row.fields.get("document"), row.fields.get("text")
        if not isinstance(document, str) or document not in known:
            problems.add(row.where, f"restates {shown(document)}, which is no document of {of.name}")
        elif not isinstance(text, str) or not text.strip():
            problems.add(row.where, f"text: must be a text but is {shown(text)}")
        else:
            found.setdefault(document, []).append(text)
    problems.raise_any()
    return {id: tuple(texts) for id, texts in found.items()}


def _rows(file: str, problems: Problems) -> list[Row]:
    """Rows of a file; [] if it is empty."""
    path = Path(file)
    return [] if path.is_file() and not path.stat().st_size else read_jsonl(file, problems)
