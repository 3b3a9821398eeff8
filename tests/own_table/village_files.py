"""A small folder of documents with questions, for commands that read a user's own."""

from __future__ import annotations

import csv
from pathlib import Path

PLACES = ("Arvo", "Belt", "Corin", "Dusk", "Elm", "Faro", "Gant", "Hale", "Iver", "Jole", "Karst", "Lund")


def write_villages(folder: Path, n: int = len(PLACES), has_evidence: bool = True) -> list[str]:
    """Write a document and four questions for each village; returns the overrides that name them."""
    documents = folder / "docs"
    documents.mkdir(parents=True)
    rows = []
    for at, name in enumerate(PLACES[:n]):
        text = f"The village of {name} has {30 + at} houses. Its river is the {name}wash. The mayor of {name} is Ms {name}son.\n"
        (documents / f"{name}.txt").write_text(text, encoding="utf-8")
        asked = (
            (f"How many houses has {name}?", str(30 + at)),
            (f"What is the river of {name}?", f"{name}wash"),
            (f"Who is the mayor of {name}?", f"{name}son"),
            (f"Which river runs through {name}?", f"{name}wash"),
        )
        evidence = f"{name}.txt" if has_evidence else ""
        rows += [(f"{name}{form}", question, answer, evidence, name) for form, (question, answer) in enumerate(asked)]
    with (folder / "qa.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "question", "answers", "evidence", "cluster"), *rows])
    return ["dataset=folder", f"dataset.documents={documents}", f"dataset.questions={folder / 'qa.csv'}"]
