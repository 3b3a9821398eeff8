"""What comes of having training questions written, by a stub behind an address and by the embedded model: each filter counted.

    RAG_EVAL_DATA=DATA python -m experiments.lessons_study

Keys: n_documents=60, work=outputs/lessons, out=reports. The documents are answers about rare diseases (GARD of MedQuAD) and the
questions of that collection may not be among the lessons. The stub takes its questions from the text by rules and gets some
wrong on purpose, so that its shares say whether the filters do what they should, and nothing about a model. Writes
lessons.md and lessons.json.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from experiments.options import real_data, whole
from experiments.study import Found, Report, Run, Study
from rag_eval.augment.command import Made, make, read_plan
from rag_eval.augment.generate import Counts
from rag_eval.report.table import Cell, Figure, Table
from rag_eval.stats.paired_tests import wilson
from rag_eval.testing.chat_endpoint import Answer, completion, serving
from rag_eval.testing.models import TINY

N_QUESTIONS, N_RESTATED, ANSWER_TOKENS = 5, 1, 64
STUB, MODEL = "stub behind an address (no model)", "embedded model, generator=hf"
PASSAGE = re.compile(r"(?:Title: (?P<title>.*)\n)?<text>\n(?P<text>.*)\n</text>", re.DOTALL)
# The fate of a passage's third question, by the hash of the passage.
SLIPS = ("malformed", "asked twice", "not in the passage", "a question of the test", "good")
READING = f"""The same sample of documents, uncut; {N_QUESTIONS} questions and {N_RESTATED} restatement asked for of each, the model cut at
{ANSWER_TOKENS} tokens. The stub is a program and no model: it takes questions from the text by rules, of which a fixed share is bad
on purpose, so that its shares say that the filters find these and nothing about any model. Shares of a filter are of the questions or
restatements written. Tokens of the stub are words. usd: the stub as if by conf/hardware/api_small.yaml, the model by laptop_cpu.yaml."""


@dataclass(frozen=True)
class Options:
    """Of how many documents, and where replies and reports go."""

    n_documents: Annotated[int, whole(1)] = 60
    work: Path = Path("outputs/lessons")
    out: Path = Path("reports")


def runs(options: Options) -> list[Run[str, Made]]:
    """Both ways of having questions written."""
    data = real_data("medquad_gard")
    return [Run(STUB, lambda _: _by_stub(options, data)), Run(MODEL, lambda _: _by_model(options, data))]


def stub_answer(body: Mapping[str, Any], n_before: int) -> Answer:
    """What the stub says: questions by rules, restatements by moving words about, and that it does not know; some refusals pass."""
    system, user = body["messages"][0]["content"], body["messages"][-1]["content"]
    place = int(sha256(user.encode()).hexdigest(), 16)
    if place % 7 == 0 and n_before == 0:
        return 429, b"{}"
    passage = PASSAGE.search(user)
    if passage is None:
        text = "unknown"
    elif "exam questions" in system:
        text = "\n".join(_questions(passage["title"] or "", passage["text"], place))
    else:
        text = passage["text"] if place % 4 == 0 else _moved(passage["text"], len(system))
    return completion(text, n_prompt=len(f"{system} {user}".split()), n_output=len(text.split()))


def _questions(title: str, text: str, place: int) -> list[str]:
    """One for each of the first sentences that are long enough, the third with a slip."""
    sentences = [words for one in re.split(r"(?<=[.?!])\s+", text) if len(words := one.split()) >= 10]
    lines = [
        _line(f"In what is written about {title}, which words follow: {' '.join(words[:6])}?", " ".join(words[6:10]))
        for words in sentences[:N_QUESTIONS]
    ]
    slip = SLIPS[place % len(SLIPS)]
    slips = {
        "malformed": "Here is another question:",
        "asked twice": lines[0] if lines else "",
        "not in the passage": _line(f"Who was the first to describe {title}?", "nobody that anybody remembers"),
        "a question of the test": _line(f"What are the symptoms of {title}?", " ".join(text.split()[:4])),
    }
    return [*lines[:2], slips[slip], *lines[3:]] if slip in slips else lines


def _line(question: str, answer: str) -> str:
    return json.dumps({"question": question, "answer": answer})


def _moved(text: str, by: int) -> str:
    """The words in groups of three to five, from the last to the first: names and numbers stay, the order does not."""
    words, size = text.split(), 3 + by % 3
    groups = [words[at : at + size] for at in range(0, len(words), size)]
    return " ".join(" ".join(group) for group in reversed(groups))


def _by_stub(options: Options, data: Path) -> Made:
    with serving(stub_answer) as endpoint:
        where = ["generator=openai", "generator.model=stub", f"generator.base_url={endpoint.url}", "generator.api_key_env=null"]
        return _made(options, data, "stub", [*where, "hardware=api_small"])


def _by_model(options: Options, data: Path) -> Made:
    who = ["generator=hf", f"generator.model={TINY}", f"generator.max_new_tokens={ANSWER_TOKENS}"]
    return _made(options, data, "tiny", [*who, "hardware=laptop_cpu"])


def _made(options: Options, data: Path, name: str, generator: Sequence[str]) -> Made:
    documents = ["dataset=medquad", f"dataset.path={data}/2_GARD_QA"]
    wanted = [f"n_documents={options.n_documents}", f"n_questions={N_QUESTIONS}", f"n_restated={N_RESTATED}"]
    return make(*read_plan([*documents, *wanted, *generator, f"out={options.work}/{name}"]))


def rows(made: Mapping[str, Made]) -> list[tuple[Cell, ...]]:
    """What was made, dropped and spent, a column a way."""
    counts = [one.lessons.counts for one in made.values()]
    spends, prices = [one.spend for one in made.values()], [one.price for one in made.values()]

    def of(name: str) -> list[int]:
        return [getattr(one, name) for one in counts]

    def share(name: str, whole: Sequence[int]) -> list[Cell]:
        return [_share(n, of_all) for n, of_all in zip(of(name), whole, strict=True)]

    restated = [_n_restated(one) for one in counts]
    parts = [one.n_pairs + one.n_malformed for one in counts]
    return [
        ("documents", *of("n_documents")),
        ("passages read", *of("n_passages")),
        ("passages too long for the model", *of("n_too_long")),
        ("requests that failed", *of("n_failed")),
        ("question-answer pairs written", *of("n_pairs")),
        ("parts of replies that were malformed", *share("n_malformed", parts)),
        ("pairs dropped: asked before", *share("n_duplicates", of("n_pairs"))),
        ("pairs dropped: leak of a test question", *share("n_leaks", of("n_pairs"))),
        ("pairs dropped: not answered by the passage", *share("n_unanswerable", of("n_pairs"))),
        ("training questions kept", *of("n_lessons")),
        ("restatements dropped: empty, cut, copied or far off", *share("n_poor_restatements", restated)),
        ("restatements dropped: leak of a test question", *share("n_leaking_restatements", restated)),
        ("restatements kept", *of("n_restatements")),
        ("tokens read", *(Figure(one.n_prompt_tokens) for one in spends)),
        ("tokens written", *(Figure(one.n_output_tokens) for one in spends)),
        ("seconds", *(Figure(one.seconds) for one in spends)),
        ("usd", *(Figure(None if one is None else one.usd) for one in prices)),
    ]


def _n_restated(counts: Counts) -> int:
    return counts.n_poor_restatements + counts.n_leaking_restatements + counts.n_restatements


def _share(n: int, n_all: int) -> Figure:
    note = f"{n} of {n_all}"
    return Figure(n / n_all, *wilson(n, n_all), n=n_all, note=note) if n_all else Figure(None, note=note)


def report(_: Options, found: Found[str, Made]) -> Report:
    """A table of what was made, dropped and spent."""
    title, reading = "Training questions written from documents", " ".join(READING.split("\n"))
    return Report([Table(title, reading, ("what", *found), tuple(rows(found)))], ["data: GARD of MedQuAD, CC BY 4.0"])


STUDY = Study("lessons", "Lessons", "experiments.lessons_study", Options, runs, report)
main = STUDY.main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
