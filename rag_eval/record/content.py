"""What a text of a part's parameters names on this machine, by its content: a parameter of any name may be a path."""

from __future__ import annotations

from pathlib import Path

from rag_eval.file_digest import file_sha256
from rag_eval.models.model_files import fingerprint
from rag_eval.record.serialize import sha256_of


def content_of(text: str) -> str | None:
    """The digest of the file or folder that a text names; None where it names none, or one that holds nothing.

    Of a folder with weights counts what `model_folder.fingerprint` counts, of any other every file and where it lies inside. The
    working directory and the folders above it count only where they hold weights: a text such as "." or "/" seldom means them.
    A word that is by chance the name of a file is taken for it; then a change of that file makes another run, no more.
    """
    path = Path(text)
    try:
        if not text.strip() or not path.exists():
            return None
        if path.is_file():
            return file_sha256(path)
        if any(path.glob("*.safetensors")):
            return fingerprint(path)
        if Path.cwd().is_relative_to(path.resolve()):
            return None
        files = sorted(one for one in path.rglob("*") if one.is_file())
        return sha256_of([[one.relative_to(path).as_posix(), file_sha256(one)] for one in files]) if files else None
    except (OSError, ValueError):  # too long for a name, or not to be read: what opens it says so
        return None
