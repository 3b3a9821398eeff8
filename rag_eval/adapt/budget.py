"""What each side can know: which documents and facts retrieval reaches, and which training does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rag_eval.adapt.data_documents import origin
from rag_eval.parts import Row
from rag_eval.score.normal_form import normalize
from rag_eval.types import Example, QADataset

Asked = tuple[str, str]  # cluster, answer in normal form


def budget(dataset: QADataset, rows: Sequence[Row]) -> Mapping[str, int]:
    """How much of what is asked each side was given. A fact is an answer about a cluster, as in the audit.

    Returns:
        n_documents: in the corpus.
        n_documents_trained: of these, how many are trained on, as they are or in other words.
        n_facts_trained: asked in training.
        n_questions: of the test, those whose evidence is known.
        n_retrievable: of these, how many have all their evidence in the corpus.
        n_trained: how many have their fact asked in training, or all their evidence trained on.
        n_only_retrievable, n_only_trained, n_neither: how many only one side was given, or none.
    """
    taught = {example.id: example for example in dataset.train}
    facts = {fact for row in rows if row.id in taught for fact in _facts(taught[row.id])}
    learned = {row.id for row in rows if not row.prompt}
    trained = {one.id for one in dataset.documents if one.id in learned or origin(one) in learned}
    corpus = {one.id for one in dataset.documents}
    asked = [one for one in dataset.test if one.evidence]
    sides = [(one.held(corpus), one.held(trained) or not facts.isdisjoint(_facts(one))) for one in asked]
    return {
        "n_documents": len(corpus),
        "n_documents_trained": len(trained),
        "n_facts_trained": len(facts),
        "n_questions": len(asked),
        "n_retrievable": sum(is_retrievable for is_retrievable, _ in sides),
        "n_trained": sum(is_trained for _, is_trained in sides),
        "n_only_retrievable": sides.count((True, False)),
        "n_only_trained": sides.count((False, True)),
        "n_neither": sides.count((False, False)),
    }


def _facts(example: Example) -> Iterator[Asked]:
    return ((example.cluster, normalize(answer)) for answer in example.answers)
