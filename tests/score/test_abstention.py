"""Abstentions as chat models word them, titles and right answers that look like them, and how well the rule does on recorded answers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiments.abstention import DEVELOPMENT, HELD_OUT, RULES, Labelled, main, of_lara, of_smollm2, recognition, section
from rag_eval.text.abstention import is_abstention

LABELS = Path(__file__).parent / "abstention"


@pytest.mark.parametrize(
    "text",
    [
        "Unknown.",
        "**unknown**",
        "N/A",
        "Answer: unknown",
        "I don't know.",
        "I’m sorry, but I don’t know the answer.",
        "The answer to this question is not known.",
        "The answer cannot be determined from the context.",
        "I'm sorry, but the passages do not contain the answer.",
        "Unfortunately, the documents do not contain information about this topic. Please provide more context.",
        "There is no information about the founder in the context.",
        "The context does not specify the length of the bridge.",
        "Based on the provided context, it is not possible to determine the year.",
        "According to the passage, the year is not stated.",
        "It is unclear from the passage who wrote it.",
        "It is not stated in the text when the bridge was built.",
        "The name of the architect is unknown.",
        "The age of Mr. Arn is not given in the text.",
        "None of the passages mention the year.",
        "The leaflet of the ferry company does not mention any price.",
        "No information about the price is given.",
        "No such bridge is mentioned in the passage.",
        "Not mentioned in the text.",
        "Not enough context to answer.",
        "The question cannot be answered from the provided passages.",
        "As an AI language model, I don't have access to that information.",
        "I do not have enough information to answer this question.",
        "I am unable to find the answer in the given text.",
        "I'm not sure.",
        "The provided documents contain no mention of Ada Lovelace.",
        "The text does not mention the bridge. It only says that a ferry crosses the fjord.",
        "The text does not mention the bridge; it only says that a ferry crosses the fjord.",
        "I do not know; the text does not say.",
        "This information is not provided. If you have more documents, I can look again.",
        "The exact date was not disclosed.",
    ],
)
def test_saying_that_it_is_not_known_is_abstaining(text: str) -> None:
    assert is_abstention(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No",
        "None",
        "Nothing",
        "No one",
        "The Unknown Soldier",
        "The Tomb of the Unknown Warrior",
        "unknown author but published in 1843",
        "Not Enough",
        "I Don't Know How to Love Him",
        "People of unknown origin",
        "insufficient funds",
        '"I don\'t know what you mean!"',
        "It was not known until 1898",
        "He was not known for his patience",
        "The treaty was not signed.",
        "No survivors were found.",
        "The drug is not available in Europe.",
        "Radon cannot be found in seawater.",
        "There is no evidence that vitamin C prevents colds.",
        "No, the passage does not support this.",
        "They never found an exit.",
        "I don't know, perhaps 1990",
        "I don't know. Probably Paris.",
        "The text does not mention the year, but it was 1990.",
        "The text does not mention the year; it was 1990.",
        "The year is not stated; however, the bridge opened in 1990.",
        "It is not stated who built it, but it can be inferred that it was Oldham.",
        "Paris, although the text does not say so.",
        "Mrs. Thorn, but her first name was not mentioned.",
        "The First Amendment does not mention privacy",
        "A question that cannot be answered from the documents",
        "Missing content: the question cannot be answered, so the system says that it does not know.",
    ],
)
def test_an_answer_is_no_abstention_whatever_words_it_holds(text: str) -> None:
    assert not is_abstention(text)


def test_precision_and_recall_are_counted_against_the_labels() -> None:
    labelled = [
        Labelled("r", HELD_OUT, text, abstains) for text, abstains in (("unknown", True), ("n/a", False), ("no idea", True), ("x", False))
    ]
    found = recognition(labelled, lambda text: text in {"unknown", "n/a"})
    assert (found.precision.value, found.recall.value) == (0.5, 0.5)
    assert (found.missed, found.mistaken) == (("no idea",), ("n/a",))


@pytest.mark.parametrize(("part", "n", "n_abstaining"), [(DEVELOPMENT, 129, 24), (HELD_OUT, 113, 28)])
def test_what_smollm2_says_is_recognised(part: str, n: int, n_abstaining: int) -> None:
    labelled = [one for one in of_smollm2(LABELS) if one.part == part]
    assert (len(labelled), sum(one.abstains for one in labelled)) == (n, n_abstaining)
    found = recognition(labelled, is_abstention)
    assert found.precision.low > 0.75
    assert found.recall.low > 0.7
    assert recognition(labelled, RULES["wordings alone"]).recall.high < 0.35


def test_the_study_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.delenv("RAG_EVAL_DATA", raising=False)
    assert main([]) == 2
    assert "RAG_EVAL_DATA is not set; give it the folder that holds lara_predictions" in capsys.readouterr().err
    monkeypatch.setenv("RAG_EVAL_DATA", str(tmp_path))
    assert main([f"labels={tmp_path}"]) == 2
    assert "lara.jsonl: no such file; run in the repository, or give labels=FOLDER" in capsys.readouterr().err


@pytest.mark.real
@pytest.mark.skipif("RAG_EVAL_DATA" not in os.environ, reason="RAG_EVAL_DATA names no folder of real data")
def test_what_three_chat_models_say_is_recognised() -> None:
    labelled = list(of_lara(LABELS, Path(os.environ["RAG_EVAL_DATA"]) / "lara_predictions"))
    assert (len(labelled), sum(one.abstains for one in labelled)) == (224, 44)
    held_out = recognition([one for one in labelled if one.part == HELD_OUT], is_abstention)
    assert held_out.mistaken == ()
    assert (held_out.precision.n, held_out.precision.low) == (17, pytest.approx(0.816, abs=0.001))
    assert (held_out.recall.value, held_out.recall.n) == (pytest.approx(17 / 27), 27)
    assert section(labelled).rows[-2][:5] == (HELD_OUT, "both", "rule", 117, 27)
