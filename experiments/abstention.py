"""How well "the answer is not known" is recognised: the rule of rag_eval/text/abstention.py against labels made by hand.

    RAG_EVAL_DATA=<folder of public data> python -m experiments.abstention

Keys: labels=tests/score/abstention, out=reports. The answers are those of three models recorded by LaRA (Li et al. 2025, read
from RAG_EVAL_DATA) and those of SmolLM2-135M-Instruct that stand beside the labels; README.md there says how both were chosen
and labelled. Writes abstention.md and abstention.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.options import real_data
from experiments.study import Found, Report, Run, Study
from rag_eval.errors import UserError
from rag_eval.replay.answer import Answers
from rag_eval.replay.lara import lara_answers
from rag_eval.report.table import Cell, Figure, Table
from rag_eval.stats.interval import Interval
from rag_eval.stats.paired_tests import wilson
from rag_eval.text.abstention import REFUSALS, is_abstention
from rag_eval.text.normalize import normalize

LARA, SMOLLM2 = "LaRA (gpt-4o, llama-3.2-3b, mistral-nemo)", "SmolLM2-135M-Instruct"
DEVELOPMENT, HELD_OUT = "development", "held out"
READING = f"""Precision: of the answers taken for abstentions, the share that a reader takes for one; recall: of those that a reader takes
for one, the share that is recognised. 95 % intervals are Wilson's. The rule was written on the part "{DEVELOPMENT}" alone. Of the
other part, LaRA's answers had been read and labelled by then; SmolLM2's were made afterwards.
"Wordings alone" is equality with a list of {len(REFUSALS)} short texts, without any rule. One person
labelled all: an answer abstains if it says that what is asked is not known, not given or cannot be told, and gives no answer, not even
a guess. The samples are rich in abstentions and in answers that look like them, so that shares of all answers are not to be read off."""


@dataclass(frozen=True)
class Labelled:
    """A recorded answer and what a reader makes of it."""

    recording: str
    part: str  # DEVELOPMENT or HELD_OUT
    text: str
    abstains: bool


@dataclass(frozen=True)
class Recognition:
    """How well a rule agrees with the labels."""

    precision: Interval
    recall: Interval
    missed: tuple[str, ...]  # abstentions that it takes for answers
    mistaken: tuple[str, ...]  # answers that it takes for abstentions


Rule = Callable[[str], bool]
RULES: dict[str, Rule] = {"rule": is_abstention, "wordings alone": lambda text: normalize(text) in REFUSALS}


@dataclass(frozen=True)
class Options:
    """Where labels and reports are."""

    labels: Path = Path("tests/score/abstention")
    out: Path = Path("reports")


def runs(options: Options) -> list[Run[str, list[Labelled]]]:
    """The labelled answers of each recording."""
    data = real_data("lara_predictions")
    return [Run(LARA, lambda _: list(of_lara(options.labels, data))), Run(SMOLLM2, lambda _: list(of_smollm2(options.labels)))]


def report(_: Options, found: Found[str, list[Labelled]]) -> Report:
    """Precision and recall of the rule and of a list of wordings."""
    return Report([section([*found[LARA], *found[SMOLLM2]])])


def of_lara(labels: Path, folder: Path) -> Iterator[Labelled]:
    """The labelled answers of LaRA, whose texts are read from its folder."""
    texts: dict[tuple[str, str], Answers] = {}
    for row in _rows(labels / "lara.jsonl"):
        key = (row["model"], row["system"])
        texts[key] = texts.get(key) or lara_answers(str(folder), row["model"], row["system"])
        yield Labelled(LARA, row["part"], texts[key][row["id"]].text or "", row["abstains"])


def of_smollm2(labels: Path) -> Iterator[Labelled]:
    """The labelled answers of SmolLM2."""
    for row in _rows(labels / "smollm2.jsonl"):
        yield Labelled(SMOLLM2, row["part"], row["answer"], row["abstains"])


def recognition(labelled: Sequence[Labelled], rule: Rule) -> Recognition:
    """Precision and recall of a rule, and where it errs."""
    found = [one for one in labelled if rule(one.text)]
    wanted = [one for one in labelled if one.abstains]
    n_right = sum(one.abstains for one in found)
    return Recognition(
        _share(n_right, len(found)),
        _share(n_right, len(wanted)),
        tuple(one.text for one in wanted if one not in found),
        tuple(one.text for one in found if not one.abstains),
    )


def section(labelled: Sequence[Labelled]) -> Table:
    """One line a part, recording and rule."""
    rows: list[tuple[Cell, ...]] = []
    for part in (DEVELOPMENT, HELD_OUT):
        for recording in (LARA, SMOLLM2, "both"):
            chosen = [one for one in labelled if one.part == part and recording in (one.recording, "both")]
            for name, rule in RULES.items():
                found = recognition(chosen, rule)
                n = (len(chosen), sum(one.abstains for one in chosen))
                rows.append((part, recording, name, *n, _figure(found.precision), _figure(found.recall), len(found.mistaken)))
    header = ("part", "answers of", "recognised by", "answers", "abstentions", "precision", "recall", "answers mistaken for one")
    return Table("Precision and recall", " ".join(READING.split()), header, tuple(rows))


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; run in the repository, or give labels=FOLDER.")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _share(k: int, n: int) -> Interval:
    low, high = wilson(k, n) if n else (0.0, 1.0)
    return Interval(k / n if n else float("nan"), low, high, n, n)


def _figure(share: Interval) -> Figure:
    return Figure(share.value, share.low, share.high, share.n, share.n_clusters)


STUDY = Study("abstention", "Are abstentions recognised?", "experiments.abstention", Options, runs, report)
main = STUDY.main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
