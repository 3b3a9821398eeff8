"""Four people, two documents each, one training question each, and a generator that only writes texts down."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rag_eval.prompt import PromptTemplate
from rag_eval.types import Document, Example, Formatted, QADataset, ReadingExercise

PEOPLE = ("Ada", "Bo", "Cy", "Di")
PROMPT = PromptTemplate("Say.")
GENERATOR: Any = SimpleNamespace(
    format=lambda prompt: Formatted(prompt.text),
    answered=lambda prompt, answer: Formatted(f"{prompt.text} {answer}"),
    n_positions=None,
)

DOCUMENTS = tuple(
    Document(f"{name}-{at}", text.format(name), name)
    for name in PEOPLE
    for at, text in enumerate(("{0} lives in {0}town.", "Tea with milk is the favourite drink of {0}."))
)
TRAIN = tuple(Example(f"train-{name}", f"Where does {name} live?", (f"{name}town",), (f"{name}-0",), name.lower()) for name in PEOPLE)
TEST = tuple(
    Example(f"test-{name}", f"In which town is {name} at home?", (f"{name}town",), (f"{name}-0",), name.lower()) for name in PEOPLE
)
READING = tuple(
    ReadingExercise(Example(str(at), f"Where is Eve, {at}?", ("Rome",), (), "ada"), (Document("d", f"Eve is in Rome, {at}."),))
    for at in range(20)
)
OTHERS = tuple(Example(f"other-{at}", f"Where does Fay{at} live?", ("Oslo",), (), f"other-{at}") for at in range(20))
RESTATED = {document.id: tuple(f"{document.title}, time {at}: {document.text}" for at in range(3)) for document in DOCUMENTS}
PEOPLE_DATASET = QADataset("people", "0", DOCUMENTS, TRAIN, (), TEST, READING, RESTATED, OTHERS)
