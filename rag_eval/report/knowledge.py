"""What each side of a trained run was given to know, as a sentence."""

from __future__ import annotations

from rag_eval.types import ExerciseCounts, KnowledgeBudget


def knowledge_note(knowledge: KnowledgeBudget) -> str:
    """The differences between what retrieval and what training can know of the questions."""
    n = knowledge
    rows = ", ".join(f"{count} {source}" for source, count in n.rows.items())
    otherwise = f" ({n.n_beside_trained} about documents that training questions are about)" if n.n_beside_trained else ""
    return (
        f"knowledge budget: of {n.n_questions} questions with known evidence, documents hold {n.n_retrievable} and training rows "
        f"({rows or 'not counted by source'}) {n.n_trained}; both {n.n_retrievable - n.n_only_retrievable}, "
        f"only documents {n.n_only_retrievable}{otherwise}, only training {n.n_only_trained}, neither {n.n_neither}"
        f"{_exercises(n.exercises)}"
    )


def _exercises(counts: ExerciseCounts | None) -> str:
    """Where the reading exercises come from; nothing where there are none by choice."""
    if counts is None or counts == ExerciseCounts():
        return ""
    if counts.why_none:
        return f"; no reading exercises, for {counts.why_none}"
    too_long = f", {counts.n_too_long} left out as too long for the model" if counts.n_too_long else ""
    made = f"{counts.n_made} made of training questions ({counts.n_unanswered} without an answer){too_long}"
    return f"; reading exercises: {f'{counts.n_brought} brought by the dataset' if counts.n_brought else made}"
