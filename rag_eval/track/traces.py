"""The questions of a run as traces: what was found, asked and said, how long it took and whether it was right.

Computes only; imports no MLflow. A run records how long a stage took for a question, as its share of a batch, and not at what time of
day. So the stages of a trace stand one after the other from the start of the run, and one whose time was not measured has no length
and says so.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rag_eval.record.load import RecordedRun
from rag_eval.record.texts import Texts
from rag_eval.types import Example, Prediction, Prompt, QuestionScores

N_TRACES = 500  # of a run, at most
N_DOCUMENTS = 20  # of a trace, at most, best first
LONGEST = 4000  # characters of a passage or a message
MEASURED = "rag_eval.seconds"  # attribute: a number, or NOT_MEASURED
NOT_MEASURED = "not measured"
WITHHELD = "not mirrored, see tracking.texts"
UNANSWERABLE = "abstain/unanswerable"
ASSESSED = {  # name of a feedback -> score
    "exact_match": "answer/em",
    "contains": "answer/contains",
    "f1": "answer/f1",
    "evidence_in_prompt": "prompt/holds_evidence",
}
_PROMPT, _GENERATE, _WHOLE = ("prompt",), ("generate", "prefill", "decode"), "recorded"


@dataclass(frozen=True)
class SpanRow:
    """One stage of answering a question."""

    name: str
    kind: str  # one of MLflow's types of spans
    start_s: float  # after the start of the trace
    seconds: float | None  # None = not measured
    inputs: Any = None  # JSON; None = nothing to show
    outputs: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TraceRow:
    """One question of a run."""

    example_id: str
    asked: str  # the question, or its id where texts are withheld
    answered: str
    seconds: float | None  # all stages together; None = not measured
    is_error: bool
    spans: tuple[SpanRow, ...]  # the whole question first, then its stages in order
    is_right: bool | None  # by the primary score, or by saying unknown where nothing is known; None = it could not be judged
    why: str  # what the verdict rests on
    scores: Mapping[str, float]  # by name of a feedback, those that could be judged
    expected: tuple[str, ...] | None  # gold answers, () = none is right; None = withheld
    n_prompt_tokens: int | None
    n_output_tokens: int | None
    tags: Mapping[str, str]


def trace_rows(run: RecordedRun, texts: Texts, n_traces: int = N_TRACES) -> list[TraceRow]:
    """The traces of a run.

    Args:
        run: a finished run.
        texts: questions, documents and prompts by id; those that are absent are withheld.
        n_traces: how many at most. Of more questions those are taken whose ids have the smallest hashes, the same ones in every arm.

    Returns:
        Rows in the order of the run.
    """
    model = model_name(run.record.facts.provenance.choices)
    questions = [(id, one) for id, one in run.questions.items() if id in run.predictions]
    taken = set(sorted((id for id, _ in questions), key=_hash)[:n_traces])
    return [_trace(run, one, run.predictions[id], texts, model) for id, one in questions if id in taken]


def is_right(scores: QuestionScores, primary: str) -> bool | None:
    """Whether an answer is right.

    Args:
        scores: of one question.
        primary: tracked name of the score that says so of an answerable question.

    Returns:
        Of an unanswerable question whether the system says that it does not know; None where nothing could be judged.
    """
    score = scores.score(primary if scores.is_answerable else UNANSWERABLE)
    return None if math.isnan(score) else score == 1.0


def model_name(choices: Mapping[str, Any]) -> str:
    """The model that answers, as a person calls it: the last part of its path or hub id without the ending of a file."""
    path = str(choices.get("generator.model") or choices.get("generator") or "")
    name = path.rstrip("/").rpartition("/")[2].removesuffix(".gguf")
    stem, _, quantised = name.rpartition(".")
    return stem if stem and quantised[:1] in {"Q", "F", "I"} and quantised.isupper() else name


def _trace(run: RecordedRun, scored: QuestionScores, said: Prediction, texts: Texts, model: str) -> TraceRow:
    comparison = run.record.facts.comparison
    example, prompt = texts.examples.get(said.example_id), texts.prompts.get(said.example_id)
    asked = f"question {said.example_id}" if example is None else example.question
    right = is_right(scored, comparison.primary)
    whole = _whole(said)
    scores = {name: scored.score(tracked) for name, tracked in ASSESSED.items()}
    root = SpanRow(
        "question",
        "CHAIN",
        0.0,
        whole,
        {"question": asked, "history": [[turn.question, turn.answer] for turn in example.history]}
        if example is not None and example.history
        else {"question": asked},
        said.text,
        {
            "example_id": said.example_id,
            "mode": run.record.mode,
            "outcome": said.outcome,
            "is_answerable": scored.is_answerable,
            "started": "with the run; the time of day of a question is not recorded",
            "scores": {name: value for name, value in scored.scores.items() if math.isfinite(value)},
            **({"cause": scored.cause} if scored.cause is not None else {}),
        },
    )
    return TraceRow(
        said.example_id,
        asked,
        said.text,
        whole,
        said.outcome == "error",
        (root, *_stages(said, example, prompt, texts, model)),
        right,
        _why(scored, said, comparison.primary),
        {name: value for name, value in scores.items() if math.isfinite(value)},
        None if example is None else example.answers,
        said.n_prompt_tokens,
        said.n_output_tokens,
        {"mode": run.record.mode, "outcome": said.outcome, **({"cause": scored.cause} if scored.cause is not None else {})},
    )


def _stages(said: Prediction, example: Example | None, prompt: Prompt | None, texts: Texts, model: str) -> list[SpanRow]:
    searching = tuple(name for name in said.seconds if name not in {*_PROMPT, *_GENERATE, _WHOLE})
    asked = {"question": WITHHELD if example is None else example.question}
    spans: list[SpanRow] = []

    def add(name: str, kind: str, stages: Sequence[str], **shown: Any) -> None:
        parts = {stage: said.seconds[stage] for stage in stages if stage in said.seconds}
        start_s = sum(one.seconds or 0.0 for one in spans)
        attributes = {**shown.pop("attributes", {}), **({"seconds by stage": parts} if len(parts) > 1 else {})}
        spans.append(SpanRow(name, kind, start_s, sum(parts.values()) if parts else None, attributes=attributes, **shown))

    if said.retrieved or searching:
        documents = [_document(said, at, texts) for at in range(min(len(said.retrieved), N_DOCUMENTS))]
        add("retrieve", "RETRIEVER", searching, inputs=asked, outputs=documents, attributes={"n_found": len(said.retrieved)})
    if said.outcome != "unasked":
        shown = {"in_prompt": list(said.in_prompt[:N_DOCUMENTS]), "n_in_prompt": len(said.in_prompt), "n_left_out": said.n_truncated}
        add("prompt", "CHAIN", _PROMPT, inputs=shown, outputs=_written(prompt), attributes={"prompt_sha": said.prompt_sha})
        thought = {"thought": _cut(said.thought)} if said.thought else {}
        known = {"stop_reason": said.stop_reason, "outcome": said.outcome, "mlflow.llm.model": model}
        add("generate", "LLM", _GENERATE, inputs=_written(prompt), outputs={"answer": said.text, **thought}, attributes=known)
    return spans


def _document(said: Prediction, at: int, texts: Texts) -> dict[str, Any]:
    id = said.retrieved[at]
    document = texts.documents.get(id)
    score = said.retrieved_scores[at] if at < len(said.retrieved_scores) else None
    known = {"doc_uri": id, "rank": at + 1, "in_prompt": id in said.in_prompt}
    title = {"title": document.title} if document is not None and document.title else {}
    return {
        "id": id,
        "page_content": f"{id}: {WITHHELD}" if document is None else _cut(document.text),
        "metadata": {**known, **title, **({"score": score} if score is not None and math.isfinite(score) else {})},
    }


def _written(prompt: Prompt | None) -> Any:
    if prompt is None:
        return {"prompt": WITHHELD}
    if prompt.style == "plain":
        return {"prompt": _cut(prompt.text)}
    return {"messages": [{"role": role, "content": _cut(content)} for role, content in prompt.messages]}


def _whole(said: Prediction) -> float | None:
    """Seconds from the question to the answer; None where some part of the way was not measured."""
    is_timed = bool(said.seconds) and (said.outcome == "unasked" or any(name in said.seconds for name in (*_GENERATE, _WHOLE)))
    return sum(said.seconds.values()) if is_timed else None


def _why(scored: QuestionScores, said: Prediction, primary: str) -> str:
    if not scored.is_answerable:
        return "no document holds the answer, and the system says " + ("so" if said.outcome == "abstained" else "something else")
    cause = "" if scored.cause is None else f"; cause: {scored.cause}"
    return f"{primary} of an answerable question; outcome: {said.outcome}{cause}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _hash(id: str) -> str:
    return hashlib.sha256(id.encode()).hexdigest()
