"""What a question demands in its `meta` is honoured from the file to the record, or refused with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.claims import every, none_of
from tests.commands import Ended

Command = Callable[..., Ended]


def write(folder: Path, name: str, *rows: dict[str, object]) -> None:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def replay(folder: Path, questions: list[dict[str, object]], answers: list[str], *more: str) -> list[str]:
    write(folder, "q.jsonl", *questions)
    write(folder, "a.jsonl", *({"id": row["id"], "prediction": said} for row, said in zip(questions, answers, strict=True)))
    return ["mode=replay", "dataset=jsonl", "dataset.documents=null", "dataset.questions=q.jsonl", "replay.path=a.jsonl", *more]


def question(id: str, answer: str, **meta: object) -> dict[str, object]:
    return {"id": id, "question": f"What of {id}?", "answers": [answer], "meta": meta}


def test_answers_are_compared_as_their_question_demands(command: Command, tmp_path: Path) -> None:
    questions = [
        question("a", "1.2 g", comparator="number"),
        question("b", "1994-03-05", comparator="date"),
        question("c", "red, blue", comparator="set"),
    ]
    right = command(*replay(tmp_path, questions, ["1,200 mg", "5 March 1994", "blue and red"]))
    assert right.code == 0, right.err
    assert right.mean("answer/em") == 1.0
    assert right.mean("answer/contains") == 1.0
    wrong = command(*replay(tmp_path, questions, ["1,200 g", "5 April 1994", "blue"]))
    assert wrong.mean("answer/em") == 0.0


def test_content_is_seen_in_sentences(command: Command, tmp_path: Path) -> None:
    questions = [
        question("a", "Bergen"),
        question("b", "2,500 g", comparator="number"),
        question("c", "2 June 1987"),
        question("d", "Oslo"),
    ]
    said = ["The answer is: Bergen.", "It takes 2.5 kg daily.", "It opened on 1987-06-02, in the rain.", "The context does not say where."]
    ended = command(*replay(tmp_path, questions, said))
    assert ended.code == 0, ended.err
    scores = {name: ended.mean(f"answer/{name}") for name in ("em", "em_extracted", "contains")}
    assert scores == {"em": 0.0, "em_extracted": 0.25, "contains": 0.75}
    assert ended.mean("outcome/abstained") == 0.25


def test_an_article_is_an_answer(command: Command, tmp_path: Path) -> None:
    choices = {"choices": ["Bergen", "Oslo"], "comparator": "choice"}
    questions = [question("a", "A"), question("b", "A", **choices), question("c", "+")]
    ended = command(*replay(tmp_path, questions, ["A", "A", "+"], "metrics=long"))
    assert ended.code == 0, ended.err
    assert {ended.mean(f"answer/{name}") for name in ("f1", "recall", "rouge_l", "contains")} == {1.0}
    ended = command(*replay(tmp_path, questions[1:2], ["A"], "metrics=choice"))
    assert ended.code == 0, ended.err
    assert ended.mean("answer/em") == ended.mean("answer/choice_text") == 1.0


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        ({"comparator": "fuzzy"}, "comparator is 'fuzzy'; expected one of exact, number"),
        ({"comparitor": "date"}, "comparitor is no key that scoring knows; did you mean comparator?"),
        ({"format": "xml"}, "format is 'xml'; expected one of json"),
        ({"choices": "north"}, "choices must be a list of texts"),
        ({"spans": [{"source": "d", "start": 5, "end": 5}]}, "'a' meta:"),
        ({"comparator": "number"}, "number"),  # the gold is no number
    ],
)
def test_a_demand_that_no_scorer_understands_is_refused_with_its_question(
    command: Command, tmp_path: Path, meta: dict[str, object], said: str
) -> None:
    ended = command(*replay(tmp_path, [question("a", "north", **meta)], ["north"]))
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_multiple_choice_is_scored_by_text_and_by_likelihood(command: Command, tmp_path: Path) -> None:
    rows = [question(f"q{at}", "north", choices=["north", "south", "east"], comparator="choice") for at in range(3)]
    write(tmp_path, "q.jsonl", *rows)
    ended = command("mode=closed_book", "dataset=jsonl", "dataset.documents=null", "dataset.questions=q.jsonl", "metrics=choice")
    assert ended.code == 0, ended.err
    assert {"answer/choice_text", "answer/choice_sum", "answer/choice_per_byte", "answer/choice_joint"} <= set(ended.record["estimates"])
    likelihoods = json.loads((ended.directory / "predictions.jsonl").read_text(encoding="utf-8").splitlines()[0])["likelihoods"]
    assert [one["option"] for one in likelihoods] == ["north", "south", "east"]


def test_options_counted_from_another_number_are_an_error_and_the_answers_are_kept(command: Command, tmp_path: Path) -> None:
    options = ["north", "south", "east", "west"]
    questions = [question(f"q{at}", options[at % 4], choices=options, comparator="choice") for at in range(80)]
    shifted = command(*replay(tmp_path, questions, [options[(at + 1) % 4] for at in range(80)]))
    assert shifted.code == 2
    assert "Is the right option counted from 0 here and from 1 there?" in shifted.err
    (journal,) = tmp_path.rglob("predictions.jsonl")
    assert len(journal.read_text(encoding="utf-8").splitlines()) == 80
    constant = command(*replay(tmp_path, questions, ["north"] * 80))
    assert constant.code == 0, constant.err


def test_chunks_that_know_their_place_are_scored_by_the_characters_they_cover(command: Command, tmp_path: Path) -> None:
    text = "Ada was born in Rome. She lived in Oslo."
    chunks = [("d#0", text[:21], 0, 21), ("d#1", text[22:], 22, 40)]
    write(
        tmp_path,
        "d.jsonl",
        *({"id": id, "text": part, "meta": {"source": "d", "start": start, "end": end}} for id, part, start, end in chunks),
    )
    gold = [{"source": "d", "start": 16, "end": 20}, {"source": "d", "start": 35, "end": 39}]
    write(tmp_path, "q.jsonl", {"id": "q", "question": "Where?", "answers": ["Rome"], "meta": {"spans": gold}})
    write(tmp_path, "a.jsonl", {"id": "q", "prediction": "Rome", "contexts": ["d#0"]})
    ended = command("mode=replay", "dataset=jsonl", "dataset.documents=d.jsonl", "dataset.questions=q.jsonl", "replay.path=a.jsonl")
    assert ended.code == 0, ended.err
    assert ended.mean("retrieval/span_recall_1") == 0.5
    assert "retrieval/recall_1" not in ended.record["estimates"]  # no evidence ids: not available, no zero


def test_outcomes_sum_to_the_answerable_questions(command: Command, tmp_path: Path) -> None:
    questions = [question("a", "x"), question("b", "x"), question("c", "x"), question("d", "x", format="json")]
    ended = command(*replay(tmp_path, questions, ["x", "y", "unknown", "not json"]))
    assert ended.code == 0, ended.err
    assert [ended.mean(f"outcome/{name}") for name in ("right", "wrong", "abstained", "malformed")] == [0.25, 0.25, 0.25, 0.25]
    assert (ended.mean("answer/reliability"), ended.mean("answer/coverage"), ended.mean("answer/selective_accuracy")) == (0.0, 0.5, 0.5)


def test_a_mode_that_searches_is_refused_without_a_corpus(command: Command, tmp_path: Path) -> None:
    write(tmp_path, "q.jsonl", question("a", "x"))
    ended = command("mode=rag", "dataset=jsonl", "dataset.documents=null", "dataset.questions=q.jsonl")
    assert ended.code == 2
    assert "has no documents, and mode=rag needs some" in ended.err


def test_scores_are_given_by_kind_of_question_where_there_are_several(command: Command, tmp_path: Path) -> None:
    questions = [question("a", "x", kind="easy"), question("b", "y", kind="easy"), question("c", "z", kind="hard")]
    ended = command(*replay(tmp_path, questions, ["x", "y", "no"]))
    assert (ended.mean("strata/kind/easy"), ended.mean("strata/kind/hard")) == (1.0, 0.0)
    assert none_of(name.startswith("strata") for name in command(*replay(tmp_path, questions[:2], ["x", "y"])).record["estimates"])


def test_whoever_repeats_a_false_document_is_counted_as_misled(command: Command, tmp_path: Path) -> None:
    questions = [question("a", "x", misleading_answers=["y"]), question("b", "x", misleading_answers=["y"]), question("c", "x")]
    ended = command(*replay(tmp_path, questions, ["y", "x", "y"]))
    assert ended.mean("answer/misled") == 0.5
    assert ended.record["estimates"]["answer/misled"]["n"] == 2


def test_scores_are_given_by_what_a_question_shares_with_training(
    command: Command, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    learned = {"id": "t", "question": "In which year was the bridge first opened?", "answers": ["1200"], "split": "train"}
    asked = [
        {"id": "a", "question": "In which year was the bridge first opened up?", "answers": ["1200"], "split": "test"},
        {"id": "b", "question": "When was the abbey built?", "answers": ["1200"], "split": "test"},
        {"id": "c", "question": "Who built the abbey?", "answers": ["Ada"], "split": "test"},
    ]
    arguments = replay(tmp_path, asked, ["1200", "1300", "Ada"])
    write(tmp_path, "q.jsonl", learned, *asked)
    ended = command(*arguments)
    assert ended.code == 0, ended.err
    assert [ended.mean(f"strata/overlap/{one}") for one in ("question", "answer", "none")] == [1.0, 0.0, 1.0]
    assert ended.record["estimates"]["strata/overlap/answer"]["n"] == 1
    assert ended.record["facts"]["audit"]["n_near_questions"] == 1
    assert caplog.text.count("1 of 3 questions are near duplicates of training questions (first: a ~ t)") == 1


SAID = ["The historical operator user had a uid of 37.", "unknown", "It was 22, says the page.", "It was 21 before."]
UIDS = [question("a", "37"), question("b", "36"), question("c", "22", kind="old"), question("d", "23", stale_answers=["21"])]


def test_the_primary_score_decides_what_is_right_and_everything_that_follows_from_it(command: Command, tmp_path: Path) -> None:
    strict, lenient = (command(*replay(tmp_path, UIDS, SAID, *more)) for more in ([], ["metrics.primary=contains"]))
    assert (strict.code, lenient.code) == (0, 0), lenient.err
    assert (strict.mean("outcome/right"), lenient.mean("outcome/right")) == (0.0, 0.5)
    assert (strict.mean("outcome/wrong"), lenient.mean("outcome/wrong")) == (0.75, 0.25)
    assert (strict.mean("outcome/abstained"), lenient.mean("outcome/abstained")) == (0.25, 0.25)
    assert (strict.mean("answer/stale"), lenient.mean("answer/stale")) == (0.0, 1.0)  # it stands in the answer
    assert [one.record["facts"]["comparison"]["primary"] for one in (strict, lenient)] == ["answer/em", "answer/contains"]
    assert strict.directory.name != lenient.directory.name
    assert "contains of these" in " ".join(lenient.out.split())


def test_a_score_that_leaves_open_which_answers_are_right_cannot_be_primary(command: Command, tmp_path: Path) -> None:
    ended = command(*replay(tmp_path, UIDS, SAID, "metrics.primary=f1"))
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "metrics.primary=f1: f1 is not 0 or 1 for every question" in ended.err
    assert not (tmp_path / "outputs").exists()


def test_a_dataset_declares_its_primary_score_and_the_user_may_choose_another(command: Command, tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    write(tmp_path / "rows", "test.jsonl", *({"question": f"Who is {at}?", "answer": "Ada"} for at in range(3)))
    table = ["mode=closed_book", "generator=echo", "dataset=hub", "dataset.path=rows", "dataset.columns.answers=answer"]
    for more, primary in (
        ([], "answer/em"),
        (["+dataset.primary=contains"], "answer/contains"),
        (["+dataset.primary=contains", "metrics.primary=em"], "answer/em"),
    ):
        assert command(*table, *more).record["facts"]["comparison"]["primary"] == primary
    refused = command(*table, "+dataset.primary=f1")
    assert refused.code == 2
    assert "the dataset's primary=f1: f1 is not 0 or 1 for every question" in refused.err


def test_runs_of_another_primary_score_do_not_stand_in_one_table(
    command: Command, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from rag_eval.report.__main__ import main

    for more in ([], ["metrics.primary=contains"]):
        assert command(*replay(tmp_path, UIDS, SAID, *more)).code == 0
    assert main([]) == 2
    said = capfd.readouterr().err
    assert "primary score differs: " in said
    assert every(f"{primary} (replay, run " in said for primary in ("exact match", "contains"))


def test_choices_without_options_are_not_judged_where_the_option_named_is_primary(command: Command, tmp_path: Path) -> None:
    questions = [question("a", "north", choices=["north", "south"]), question("b", "east")]
    ended = command(*replay(tmp_path, questions, ["(a)", "east"], "metrics=choice", "metrics.primary=choice_text"))
    assert ended.code == 0, ended.err
    assert ended.record["estimates"]["outcome/right"]["n"] == 1


def test_a_run_records_what_its_metrics_declare(command: Command, tmp_path: Path) -> None:
    ended = command(*replay(tmp_path, UIDS, SAID))
    assert ended.code == 0, ended.err
    declared = ended.record["facts"]["metrics"]
    assert {name for name in ended.record["estimates"] if not name.startswith(("strata/", "probe/"))} <= set(declared)
    assert (declared["answer/em"]["asks"], declared["answer/contains"]["asks"]) == ("form", "content")
    assert (declared["abstain/answerable"]["better"], declared["abstain/unanswerable"]["better"]) == ("lower", "higher")
    assert declared["answer/reliability"]["low"] == -1.0
    assert (declared["retrieval/recall_5"]["label"], declared["retrieval/recall_5"]["k"]) == ("recall@5", 5)


def test_the_shorter_answers_are_better_by_their_length(command: Command, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from rag_eval.report.__main__ import main

    questions = [question(f"q{at}", "x") for at in range(12)]
    lengths = [(2 + at % 3, 7 + at % 4) for at in range(12)]
    short, long = (command(*replay(tmp_path, questions, [" ".join("x" * one[side]) for one in lengths])) for side in (0, 1))
    assert (short.mean("answer/n_words"), long.mean("answer/n_words")) == (3.0, 8.5)
    assert main(["compare", str(long.directory), str(short.directory), "measure=answer/n_words", "threshold=2"]) == 0
    said = capfd.readouterr().out
    shorter, longer = (f"replay ({one.directory.name[:8]})" for one in (short, long))
    assert f"is {shorter} better, that is lower, by more than 2 than {longer} on words per answer? SUPPORTED." in said
    assert "Difference -5.500 [-" in said
    assert f"better: {shorter}" in said
