"""Knowledge available to retrieval and to training: documents and facts that each of them covers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from rag_eval.adapt.data.documents import origin
from rag_eval.adapt.data.tokenize import training_set
from rag_eval.protocols import Adapter, Generator, PromptWriter, Teaching
from rag_eval.text.normalize import normalize
from rag_eval.types import Example, ExerciseCounts, KnowledgeBudget, QADataset, TrainingRow, TrainingSet

Asked = tuple[str, str]  # cluster, answer in normal form


def taught_by(adapter: Adapter, generator: Generator, prompt: PromptWriter, dataset: QADataset, seed: int) -> TrainingSet | None:
    """What an adapter trains on.

    Args:
        adapter: the adapter.
        generator: the generator to be trained.
        prompt: renders prompts.
        dataset: the dataset.
        seed: seed of the rows.

    Returns:
        The rows and the origin of their reading exercises; None if the adapter does not train.

    Raises:
        DataError: for any fault of the rows, before a model is loaded.
    """
    if not isinstance(adapter, Teaching):
        return None
    return training_set(adapter.data, generator, prompt, dataset, seed)  # type: ignore[arg-type]  # the configuration is checked for that


def budget(dataset: QADataset, rows: Sequence[TrainingRow], exercises: ExerciseCounts | None = None) -> KnowledgeBudget:
    """Coverage of the test questions by retrieval and by training. A fact is an answer about a cluster, as in the audit.

    Whether a model generalises from a trained question to another form of it (reversed, or combining several facts) is unknown. Such
    questions count as not trained; n_beside_trained is an upper bound of their number.

    Args:
        dataset: the dataset as the system gets it.
        rows: the training rows.
        exercises: counts of the reading exercises among them.

    Returns:
        The counts.
    """
    taught = {example.id: example for example in dataset.train}
    asked_in_training = [taught[id] for id in {row.id for row in rows if row.prompt} if id in taught]
    facts = _facts(*asked_in_training)
    beside = {id for example in asked_in_training for id in example.holders}
    learned = {row.id for row in rows if not row.prompt}
    trained = {one.id for one in dataset.documents if one.id in learned or origin(one) in learned}
    corpus = {one.id for one in dataset.documents}
    asked = [one for one in dataset.test if one.evidence]
    sides = [(one.held(corpus), one.held(trained) or not facts.isdisjoint(_facts(one))) for one in asked]
    only_retrievable = [one for one, side in zip(asked, sides, strict=True) if side == (True, False)]
    return KnowledgeBudget(
        n_documents=len(corpus),
        n_documents_trained=len(trained),
        n_facts_trained=len(facts),
        n_questions=len(asked),
        n_retrievable=sum(is_retrievable for is_retrievable, _ in sides),
        n_trained=sum(is_trained for _, is_trained in sides),
        n_only_retrievable=len(only_retrievable),
        n_only_trained=sides.count((False, True)),
        n_neither=sides.count((False, False)),
        rows=dict(sorted(Counter(row.source for row in rows).items())),
        n_beside_trained=sum(one.held(beside) for one in only_retrievable),
        exercises=exercises,
    )


def asked_as_trained(dataset: QADataset, rows: Sequence[TrainingRow] | None) -> QADataset:
    """The dataset with only those training questions that are trained on without passages; unchanged if `rows` is None."""
    if rows is None:
        return dataset
    alone = {row.id for row in rows if row.source == "qa"}
    return replace(dataset, train=tuple(example for example in dataset.train if example.id in alone))


def _facts(*examples: Example) -> set[Asked]:
    said = {(example.cluster, answer) for example in examples for answer in example.answers}
    return {(cluster, normalize(answer)) for cluster, answer in said}
