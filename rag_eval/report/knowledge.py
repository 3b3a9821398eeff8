"""What each side of a trained run was given to know, as a sentence."""

from __future__ import annotations

from rag_eval.types import KnowledgeBudget


def knowledge_note(knowledge: KnowledgeBudget) -> str:
    """The differences between what retrieval and what training can know of the questions."""
    n = knowledge
    rows = ", ".join(f"{count} {source}" for source, count in n.rows.items())
    otherwise = f" ({n.n_beside_trained} about documents that training questions are about)" if n.n_beside_trained else ""
    return (
        f"knowledge budget: of {n.n_questions} questions with known evidence, documents hold {n.n_retrievable} and training rows "
        f"({rows or 'not counted by source'}) {n.n_trained}; both {n.n_retrievable - n.n_only_retrievable}, "
        f"only documents {n.n_only_retrievable}{otherwise}, only training {n.n_only_trained}, neither {n.n_neither}"
    )
