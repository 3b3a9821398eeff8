"""The form of the prompt is chosen once for all arms, by what the base model answers to dev questions in each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from rag_eval import preparation, prompt_form
from rag_eval.config.build import build, dataset_of
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.errors import DataError
from rag_eval.prompt_form import choose, formed
from rag_eval.record.run_directory import RunDirectory
from rag_eval.record.selection import mismatches
from rag_eval.run_spec import RunSpec
from rag_eval.testing.models import write_random_model
from rag_eval.types import Estimate, Form, Generation, Grading, Prompt, QADataset, Style, Tried
from synthworld import dataset as source
from tests.claims import every
from tests.commands import Ended

Says = Callable[[Style, int, str], str]  # style, exemplars shown and the gold answer to what is said


class Talker:
    """A chat model that knows every answer and words it by the form in which it is asked."""

    device: Literal["cpu", "cuda"] = "cpu"
    max_prompt_tokens = None
    keeps_form = False
    styles: tuple[Style, ...] = ("chat", "plain")

    def __init__(self, says: Says, gold: Mapping[str, str]) -> None:
        self.says, self.gold, self.n_asked = says, gold, 0
        self.prompts: list[Prompt] = []

    def identity(self) -> Mapping[str, Any]:
        return {"base_model": "talker"}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [1] * len(prompts)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        self.n_asked += len(prompts)
        self.prompts += prompts
        said = [self.says(one.style, len(one.messages) // 2 - 1, self.gold[one.example_id]) for one in prompts]
        return [Generation(text, 1, 1, 0.0, "stop") for text in said]


def wordy(style: Style, n: int, gold: str) -> str:
    """Short only after exemplars, and never anything else than gold."""
    return gold if n and style == "plain" else f"The answer that you look for is {gold}"


TALKER = ("generator=hf", "generator.model=./m")


def checked(*overrides: str) -> RunSpec:
    return check(composed(["dataset.preset=ci", *overrides]))


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RunSpec, Form, Talker]]:
    """`asked("mode=rag", says=wordy)`: the run and its form, and the talker that was probed."""
    examples = source.world(preset="ci", seed=0)
    gold = {one.id: one.answers[0] for one in (*examples.dev, *examples.train) if one.answers}

    def call(*overrides: str, says: Says = wordy, dataset: QADataset | None = None) -> tuple[RunSpec, Form, Talker]:
        talker = Talker(says, gold)
        monkeypatch.setattr(prompt_form, "build", lambda node: talker if node.get("model") else build(node))
        spec = checked(f"cache.root={tmp_path}", *TALKER, *overrides)
        return *formed(spec, dataset or dataset_of(spec)), talker

    return call


Asked = Callable[..., tuple[RunSpec, Form, Talker]]


def test_every_arm_has_the_same_form_and_one_probe_serves_them_all(asked: Asked) -> None:
    modes = ("closed_book", "rag", "oracle", "finetune", "finetune_format", "rag_format", "rag_finetune")
    found = [asked(f"mode={mode}") for mode in modes]
    assert {(spec.prompt.get("style"), spec.prompt.get("n_exemplars")) for spec, _, _ in found} == {("plain", 4)}
    first, *others = [talker.n_asked for *_, talker in found]
    assert first == 6 * prompt_form.N_QUESTIONS
    assert others == [0] * (len(modes) - 1)
    assert len({json.dumps([one.why, one.gold_words]) for _, one, _ in found}) == 1


def test_the_probe_asks_no_test_question_and_none_about_the_entity_of_an_exemplar(asked: Asked) -> None:
    *_, talker = asked("mode=rag")
    dataset = source.world(preset="ci", seed=0)
    assert len({one.example_id for one in talker.prompts}) == prompt_form.N_QUESTIONS
    assert {one.example_id for one in talker.prompts} <= {one.id for one in dataset.dev}
    texts = [content for one in talker.prompts for _, content in one.messages]
    assert not [one for one in dataset.test if any(one.question in text for text in texts)]
    assert every("Context:" in one.messages[-1][1] for one in talker.prompts)  # with the passages that hold the answers


def test_the_probe_reads_the_gold_passage_among_others_as_an_arm_that_retrieves_does(asked: Asked) -> None:
    *_, talker = asked("mode=rag")
    dataset = source.world(preset="ci", seed=0)
    evidence = {one.id: one.evidence for one in dataset.dev}
    texts = {document.id: document.text for document in dataset.documents}
    shown = [(one.example_id, one.messages[-1][1]) for one in talker.prompts]
    n_shown = [sum(text in content for text in texts.values()) for _, content in shown]
    assert set(n_shown) == {prompt_form.N_READ}
    assert every(any(texts[id] in content for id in evidence[question]) for question, content in shown)
    places = {content.index(texts[evidence[question][0]]) > 200 for question, content in shown}
    assert places == {True, False}, "gold does not always stand first"


def test_eight_exemplars_are_shown_where_with_four_fewer_answers_hold_gold(asked: Asked) -> None:
    spec, chosen, _ = asked("mode=rag", says=lambda style, n, gold: gold if n == 8 and style == "plain" else "nothing")
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars")) == ("plain", 8)
    assert {one.n_exemplars for one in chosen.tried} == {0, 4, 8}


def test_as_many_exemplars_are_tried_as_leave_questions_to_ask(asked: Asked) -> None:
    whole = source.world(preset="ci", seed=0)
    names = sorted({one.cluster for one in whole.train if one.answers})[:9]
    nine = [one for one in whole.train if one.cluster in names]
    few = [one for at, name in enumerate(names) for one in [one for one in nine if one.cluster == name][: 4 if at % 2 else 1]]
    _, chosen, _ = asked("mode=rag", dataset=replace(whole, dev=(), others=(), reading=(), train=tuple(few)))
    assert {one.n_exemplars for one in chosen.tried} == {0, 4}


@pytest.mark.parametrize(("room", "tried"), [(4000, {0, 4, 8}), (1200, {0, 4}), (100, {0})])
def test_exemplars_leave_half_of_the_room_to_passages(asked: Asked, monkeypatch: Any, room: int, tried: set[int]) -> None:
    monkeypatch.setattr(Talker, "max_prompt_tokens", room)
    monkeypatch.setattr(Talker, "count_tokens", lambda self, prompts: [100 + 100 * (len(one.messages) // 2 - 1) for one in prompts])
    assert {one.n_exemplars for one in asked("mode=rag")[1].tried} == tried


def test_what_answers_hold_counts_before_their_length(asked: Asked) -> None:
    def says(style: Style, n: int, gold: str) -> str:
        return "nothing" if style == "plain" else f"That would be {gold}" if n else f"As far as the context says, it is {gold}"

    spec, chosen, _ = asked("mode=rag", says=says)
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars")) == ("chat", 4)
    assert "chat with 4 exemplars contains 1.000" in chosen.why
    assert "plain with 0 exemplars contains 0.000" in chosen.why


def test_an_arm_about_exemplars_keeps_its_own_and_takes_the_style_of_the_others(asked: Asked) -> None:
    def says(style: Style, n: int, gold: str) -> str:
        return gold if (style, n) == ("plain", 0) else f"{gold} and much else"

    assert asked("mode=rag", says=says)[0].prompt.get("n_exemplars") == 0
    spec, _, talker = asked("mode=few_shot", says=says)
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars"), talker.n_asked) == ("plain", 4, 0)


@pytest.mark.parametrize(
    ("given", "expected", "n_forms"),
    [
        (["prompt.style=chat", "prompt.n_exemplars=2"], ("chat", 2), 0),
        (["prompt.style=chat"], ("chat", 0), 3),
        (["prompt.n_exemplars=4"], ("plain", 4), 2),
        (["prompt.style=plain", "prompt.n_exemplars=0"], ("plain", 0), 0),
        (["prompt.n_exemplars=7"], ("plain", 7), 2),
    ],
)
def test_what_is_configured_is_not_probed(asked: Asked, given: list[str], expected: tuple[Style, int], n_forms: int) -> None:
    spec, _, talker = asked("mode=rag", *given)
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars")) == expected
    assert talker.n_asked == n_forms * prompt_form.N_QUESTIONS


def test_a_model_without_a_chat_template_is_asked_in_plain_text_with_any_number_of_exemplars(asked: Asked, monkeypatch: Any) -> None:
    monkeypatch.setattr(Talker, "styles", ("plain",))
    spec, _, talker = asked("mode=rag", "prompt.n_exemplars=2")
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars"), talker.n_asked) == ("plain", 2, 0)


def test_other_passages_are_probed_anew_though_their_ids_are_the_same(asked: Asked) -> None:
    whole = source.world(preset="ci", seed=0)
    edited = tuple(replace(one, text=f"{one.text} Corrected.") for one in whole.documents)
    n_asked = [asked("mode=rag", dataset=replace(whole, documents=documents))[2].n_asked for documents in (whole.documents, edited, edited)]
    assert n_asked == [6 * prompt_form.N_QUESTIONS, 6 * prompt_form.N_QUESTIONS, 0]


def test_answers_in_a_script_without_spaces_are_as_long_as_their_characters(asked: Asked) -> None:
    def says(style: Style, n: int, gold: str) -> str:
        return "東京" if n and style == "plain" else f"私が探したところ、それは東京だと書いてあります{'。' * n}"

    whole = source.world(preset="ci", seed=0)
    dev = tuple(replace(one, answers=("東京",), meta={}, grading=Grading()) for one in whole.dev)
    spec, chosen, _ = asked("mode=rag", says=says, dataset=replace(whole, dev=dev))
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars")) == ("plain", 4)
    assert chosen.gold_words == 1.0


def test_too_few_questions_choose_nothing_and_the_record_says_so(asked: Asked) -> None:
    whole = source.world(preset="ci", seed=0)
    few = QADataset("few", "sha", whole.documents, whole.train[:5], (), whole.test)
    spec, chosen, talker = asked("mode=rag", dataset=few)
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars"), talker.n_asked) == ("chat", 0, 0)
    assert chosen.why.startswith("not probed: ")
    assert "dataset.split_by=question" in chosen.why


def test_the_record_says_which_questions_were_asked_and_whether_their_passages_were_shown(asked: Asked) -> None:
    whole = source.world(preset="ci", seed=0)
    taught = replace(whole, dev=(), others=())
    bare = replace(taught, train=tuple(replace(one, evidence=()) for one in whole.train))
    unplaced = replace(whole, dev=tuple(replace(one, evidence=()) if at == 0 else one for at, one in enumerate(whole.dev)))
    assert "on 40 dev questions with gold among others: " in asked("mode=rag")[1].why
    assert "on 40 training questions with gold among others: " in asked("mode=rag", dataset=taught)[1].why
    assert "on 40 dev questions without passages, " in asked("mode=rag", dataset=unplaced)[1].why
    assert "on 40 training questions without passages, for not all have evidence" in asked("mode=rag", dataset=bare)[1].why


def test_where_exemplars_leave_too_few_questions_the_style_is_chosen_without_any(asked: Asked) -> None:
    whole = source.world(preset="ci", seed=0)
    names = sorted({one.cluster for one in whole.train if one.answers})[: min(prompt_form.N_EXEMPLARS) + 1]
    few = replace(whole, dev=(), others=(), reading=(), train=tuple(one for one in whole.train if one.cluster in names))
    spec, chosen, talker = asked("mode=rag", dataset=few, says=lambda style, n, gold: gold if style == "plain" else f"It is {gold}")
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars")) == ("plain", 0)
    assert [(one.style, one.n_exemplars) for one in chosen.tried] == [("chat", 0), ("plain", 0)]
    assert talker.n_asked


def test_too_few_solved_questions_for_the_exemplars_are_refused_before_a_model_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = checked("mode=few_shot", *TALKER)
    monkeypatch.setattr(prompt_form, "build", lambda node: pytest.fail("built"))
    with pytest.raises(DataError, match=r"prompt\.n_exemplars=4 needs answered training questions about 5"):
        formed(spec, replace(source.world(preset="ci", seed=0), train=(), others=(), reading=()))


@pytest.mark.parametrize(
    ("mode", "rows", "words"),
    [
        ("oracle", [{"question": "Who?"}], "1 of 1 questions have no evidence in the corpus"),
        ("rag", [{"question": "Who?", "split": "train"}, {"question": "Who?", "split": "test"}], "stand"),
        ("rag", [{"question": "Who?", "meta": {"comparator": "number"}}], "must be one number"),
    ],
)
def test_questions_that_a_run_cannot_be_about_are_refused_before_a_model_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, rows: list[dict[str, Any]], words: str
) -> None:
    (tmp_path / "d.jsonl").write_text('{"id": "d", "text": "Ra is red."}')
    made = [json.dumps({"id": f"q{at}", "answers": "Ra", **row}) for at, row in enumerate(rows)]
    (tmp_path / "q.jsonl").write_text("\n".join(made))
    for loads in ("_with_dtype", "formed"):
        monkeypatch.setattr(preparation, loads, lambda *_: pytest.fail("a model was asked"))
    files = (f"dataset.documents={tmp_path / 'd.jsonl'}", f"dataset.questions={tmp_path / 'q.jsonl'}")
    cfg = composed([f"mode={mode}", "dataset=jsonl", "generator=echo", *files])
    with pytest.raises(DataError, match=words):
        preparation.prepared(cfg)


@pytest.mark.parametrize("generator", ["tiny", "echo", "scripted"])
def test_a_generator_whose_form_is_known_is_not_even_built(generator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt_form, "build", lambda node: pytest.fail("built"))
    spec, _ = formed(checked(f"generator={generator}"), source.world(preset="ci", seed=0))
    assert (spec.prompt.get("style"), spec.prompt.get("n_exemplars")) == ("chat", 0)


def tried(style: Style, n: int, contains: float, words: float) -> Tried:
    return Tried(style, n, Estimate(contains, 0.0, 1.0, 40, 40), Estimate(0.0, 0.0, 1.0, 40, 40), words, ())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        # Measured on SmolLM2-135M-Instruct, 40 dev questions of the invented world; then with a difference that 40 questions tell.
        ([tried("chat", 0, 0.525, 9.1), tried("chat", 4, 0.625, 9.1), tried("plain", 0, 0.375, 6.3), tried("plain", 4, 0.55, 1.4)], 3),
        ([tried("chat", 0, 0.525, 9.1), tried("chat", 4, 0.75, 9.1), tried("plain", 0, 0.375, 6.3), tried("plain", 4, 0.55, 1.4)], 1),
        ([tried("chat", 0, 0.55, 9.9), tried("chat", 4, 0.56, 11.4), tried("plain", 0, 0.225, 6.0), tried("plain", 4, 0.53, 1.6)], 3),
        ([tried("chat", 0, 0.5, 3.0), tried("plain", 4, 0.5, 1.0)], 0),  # as far from 2 words: the simplest
        ([tried("chat", 0, 0.0, 30.0), tried("plain", 0, 0.0, 2.0)], 1),
    ],
)
def test_of_forms_about_as_good_the_one_with_answers_as_long_as_gold_is_chosen(found: list[Tried], expected: int) -> None:
    chosen = choose(found, gold_words=2.0, asked="dev questions")
    assert (chosen.style, chosen.n_exemplars) == (found[expected].style, found[expected].n_exemplars)
    assert chosen.tried == tuple(found)


def test_a_run_records_which_solved_questions_it_shows_unless_it_is_about_them(command: Callable[..., Ended]) -> None:
    quick = ("generator=echo", "dataset.preset=ci", "limit=4", "n_probe=0")
    arms = [("closed_book", 2), ("oracle", 2), ("closed_book", 0), ("few_shot", 2)]
    runs = [command(f"mode={mode}", f"prompt.n_exemplars={n}", *quick) for mode, n in arms]
    one, same, none, own = (run.record["facts"]["comparison"]["exemplars"] for run in runs)
    assert one == same
    assert one is not None
    assert (none, own) == (None, None)


def test_runs_of_one_form_stand_in_one_table_and_others_do_not(command: Callable[..., Ended], tmp_path: Path) -> None:
    model = write_random_model(tmp_path / "model")
    path = model / "tokenizer_config.json"
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": template}))
    of_model = ("generator=hf", f"generator.model={model}", "generator.dtype=float32", "generator.max_new_tokens=4")
    quick = ("dataset.preset=ci", "limit=6", "n_probe=0", "prompt.n_exemplars=0")
    runs = [command(f"mode={mode}", *of_model, *quick) for mode in ("closed_book", "oracle")]
    assert [one.code for one in runs] == [0, 0], runs[0].err
    first, second = (one.record["facts"] for one in runs)
    assert first["form"]["style"] == first["comparison"]["style"] == second["comparison"]["style"]
    assert len(first["form"]["tried"]) == 2
    assert first["form"]["tried"] == second["form"]["tried"]
    other = "plain" if first["form"]["style"] == "chat" else "chat"
    odd = command("mode=closed_book", *of_model, *quick, f"prompt.style={other}")
    assert odd.code == 0, odd.err
    records = [record for one in (*runs, odd) if (record := RunDirectory(one.directory).finished()) is not None]
    assert mismatches(records[:2]) == []
    assert [line.partition(":")[0] for line in mismatches([records[0], records[2]])] == [
        "style of the prompt (chat template or plain text) differs"
    ]
