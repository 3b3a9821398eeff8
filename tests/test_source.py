"""The hash of the code follows the files of its folder, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag_eval import source


def test_the_hash_follows_names_and_contents_of_the_code_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "__file__", str(tmp_path / "source.py"))
    (tmp_path / "adapt").mkdir()
    (tmp_path / "assets").mkdir()
    part = tmp_path / "adapt" / "lora.py"

    def hashes() -> tuple[str, str]:
        return source.source_sha.__wrapped__("adapt"), source.source_sha.__wrapped__()

    part.write_text("a = 1")
    first = hashes()
    for passed_over in ("assets/card.yaml", "adapt/notes.md"):
        (tmp_path / passed_over).write_text("x")
    assert hashes() == first
    (tmp_path / "other.py").write_text("b = 1")
    assert hashes()[0] == first[0]
    assert hashes()[1] != first[1]
    part.write_text("a = 2")
    changed = hashes()
    assert changed[0] != first[0]
    part.rename(tmp_path / "adapt" / "dora.py")
    assert hashes()[0] != changed[0]


@pytest.mark.parametrize("name", source.TOKENIZING)
def test_the_hash_of_a_file_follows_its_content(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Path(source.__file__).parent / name).is_file()
    monkeypatch.setattr(source, "__file__", str(tmp_path / "source.py"))
    found = []
    for content in ("a = 1", "a = 2"):
        (tmp_path / name).write_text(content)
        found.append(source.source_sha.__wrapped__(name))
    assert found[0] != found[1]
