"""The prompt: system prompt, retrieved context, chat history and the user's question. Only the context slot differs between arms."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pydantic import NonNegativeInt

from rag_eval.errors import DataError
from rag_eval.types import Document, Example, Rendered, Turn


class Prompt:
    """Writes a question and its passages down for a model, as chat messages and as plain text."""

    def __init__(self, system: str, header: str = "Context:", n_exemplars: NonNegativeInt = 0, exemplars: Sequence[Example] = ()) -> None:
        """
        Args:
            system: what the model is told before anything else.
            header: the line above the passages; it goes when there are none.
            n_exemplars: solved training questions shown before the question, at least 0.
            exemplars: one more of those questions, each of another cluster, once `learn` has chosen them.
        """
        self.system = system
        self.header = header
        self.n_exemplars = n_exemplars
        self.exemplars = tuple(exemplars)

    def learn(self, train: Sequence[Example]) -> Prompt:
        """The same prompt with exemplars spread evenly over the clusters of the answerable training questions.

        One more than is shown, so that a question about the cluster of one is shown the others.

        Raises:
            DataError: if there are not enough clusters.
        """
        if self.n_exemplars == 0:
            return self
        clusters: dict[str, list[Example]] = {}
        for example in train:
            if example.is_answerable:
                clusters.setdefault(example.cluster, []).append(example)
        n = self.n_exemplars + 1
        if len(clusters) < n:
            raise DataError(
                f"prompt.n_exemplars={self.n_exemplars} needs answered training questions about {n} entities or articles, "
                f"found {len(clusters)}. Set dataset.train_share higher or prompt.n_exemplars lower."
            )
        groups = [clusters[name] for name in sorted(clusters)][:: len(clusters) // n][:n]
        # Which question stands for its cluster rotates, so that exemplars differ in kind.
        chosen = [group[at * len(group) // n] for at, group in enumerate(groups)]
        return Prompt(self.system, self.header, self.n_exemplars, chosen)

    def render(self, example: Example, documents: Sequence[Document]) -> Rendered:
        """The prompt for one question with these passages, best first."""
        context = self._context(documents)
        others = [one for one in self.exemplars if one.cluster != example.cluster][: self.n_exemplars]
        turns = (*(Turn(one.question, one.answers[0]) for one in others), *example.history)
        messages = [("system", self.system)]
        for turn in turns:
            messages += [("user", turn.question), ("assistant", turn.answer)]
        messages.append(("user", f"{context}Question: {example.question}"))
        return Rendered(
            messages=tuple(messages),
            text=self._plain(context, turns, example.question),
            stripped_sha=hashlib.sha256(self._plain("", example.history, example.question).encode()).hexdigest(),
            example_id=example.id,
            meta=example.meta,
        )

    def _context(self, documents: Sequence[Document]) -> str:
        if not documents:
            return ""
        passages = (f"[{rank}] {document.title}: {document.text}" for rank, document in enumerate(documents, start=1))
        return self.header + "\n" + "\n".join(passages) + "\n\n"

    def _plain(self, context: str, turns: Sequence[Turn], question: str) -> str:
        earlier = "".join(f"Question: {turn.question}\nAnswer: {turn.answer}\n" for turn in turns)
        return f"{self.system}\n\n{context}{earlier}Question: {question}\nAnswer:"


def n_shared(prompt: Sequence[int], whole: Sequence[int]) -> int:
    """How many tokens of a prompt and an answer are the prompt's: tokens may merge across the border."""
    return next((at for at, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), min(len(prompt), len(whole)))
