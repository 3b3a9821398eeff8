"""The prompt: system prompt, exemplars, retrieved context, chat history and the user's question.

Only the context slot differs between arms. The exemplars are the same in each; where the question has passages, so have they.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from pydantic import NonNegativeInt

from rag_eval.exemplars import chosen
from rag_eval.types import Document, Example, Prompt, QADataset, ReadingExercise, Turn


class PromptTemplate:
    """Writes a question and its passages down for a model, as chat messages and as plain text."""

    def __init__(
        self,
        system: str,
        header: str = "Context:",
        style: Literal["auto", "chat", "plain"] = "chat",
        n_exemplars: NonNegativeInt | Literal["auto"] = 0,
        exemplars: Sequence[ReadingExercise] = (),
    ) -> None:
        """Configure the template.

        Args:
            system: system prompt.
            header: line above the passages; omitted without passages.
            style: whether a model with a chat template is asked through it or with plain text; "auto" is replaced by the style that a probe
                of the generator on dev questions chose (rag_eval.prompt_form) before a prompt is made.
            n_exemplars: number of solved questions shown before the question; "auto" is replaced likewise.
            exemplars: one more than `n_exemplars`, each of another cluster; empty until `learn` has chosen them.
        """
        self.system = system
        self.header = header
        self.style = style
        self.n_exemplars = n_exemplars
        self.exemplars = tuple(exemplars)

    def learn(self, dataset: QADataset) -> PromptTemplate:
        """Choose the exemplars: see rag_eval.exemplars.

        One more than is shown, so that a question about the cluster of one exemplar is shown the others.

        Args:
            dataset: the dataset from which they are chosen.

        Returns:
            The template with its exemplars.

        Raises:
            DataError: if the dataset has solved questions about too few clusters.
            ValueError: if style or number of exemplars is still "auto".
        """
        if self.n_exemplars == "auto" or self.style == "auto":
            raise ValueError("the form of the prompt is to be chosen first: see rag_eval.prompt_form.")
        if self.n_exemplars == 0:
            return self
        return PromptTemplate(self.system, self.header, self.style, self.n_exemplars, chosen(dataset, self.n_exemplars + 1))

    def render(self, example: Example, documents: Sequence[Document]) -> Prompt:
        """The prompt for one question with these passages, best first; exemplars show theirs where there are any."""
        shown = [one for one in self.exemplars if one.example.cluster != example.cluster][: self.n_shown]
        solved = [(one.example.question, one.example.answers[0], self._context(one.documents if documents else ())) for one in shown]
        asked = (example.question, self._context(documents))
        return Prompt(
            messages=self._messages(solved, example.history, *asked),
            text=self._plain(solved, example.history, *asked),
            stripped_sha=hashlib.sha256(self._plain((), example.history, example.question, "").encode()).hexdigest(),
            example_id=example.id,
            meta=example.meta,
            style="plain" if self.style == "plain" else "chat",
        )

    @property
    def n_shown(self) -> int:
        """How many exemplars a question is shown."""
        return 0 if self.n_exemplars == "auto" else self.n_exemplars

    def _context(self, documents: Sequence[Document]) -> str:
        if not documents:
            return ""
        passages = (f"[{rank}] {document.title}: {document.text}" for rank, document in enumerate(documents, start=1))
        return self.header + "\n" + "\n".join(passages) + "\n\n"

    def _messages(
        self, solved: Sequence[tuple[str, str, str]], history: Sequence[Turn], question: str, context: str
    ) -> tuple[tuple[str, str], ...]:
        messages = [("system", self.system)]
        for asked, answer, passages in solved:
            messages += [("user", f"{passages}Question: {asked}"), ("assistant", answer)]
        for turn in history:
            messages += [("user", turn.question), ("assistant", turn.answer)]
        return (*messages, ("user", f"{context}Question: {question}"))

    def _plain(self, solved: Sequence[tuple[str, str, str]], history: Sequence[Turn], question: str, context: str) -> str:
        shown = "".join(f"{passages}Question: {asked}\nAnswer: {answer}\n\n" for asked, answer, passages in solved)
        earlier = "".join(f"Question: {turn.question}\nAnswer: {turn.answer}\n" for turn in history)
        return f"{self.system}\n\n{shown}{context}{earlier}Question: {question}\nAnswer:"


def n_shared(prompt: Sequence[int], whole: Sequence[int]) -> int:
    """How many tokens of a prompt and an answer are the prompt's: tokens may merge across the border."""
    return next((at for at, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), min(len(prompt), len(whole)))
