"""The shipped base model passes its admission gates, as its card says; it loads plainly and stops by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.tiny_model.admission import GATES, MEASURED, READ, SHIPPED, Gate, measure, measure_kinds, read
from rag_eval.types import Estimate
from tests.commands import Ended

Command = Callable[..., Ended]


@pytest.fixture(scope="module")
def measured() -> dict[str, Estimate]:
    return measure(str(SHIPPED), n=60)


@pytest.fixture(scope="module")
def kinds() -> dict[str, Estimate]:
    return measure_kinds(str(SHIPPED), n=100)


@pytest.mark.slow
@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_the_shipped_weights_pass_the_gate(gate: Gate, measured: dict[str, Estimate]) -> None:
    found = measured[gate.name]
    assert found.n == 180
    assert gate.holds(found), found


@pytest.mark.slow
def test_the_card_states_what_is_measured(measured: dict[str, Estimate]) -> None:
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    for name, found in measured.items():
        (line,) = [line for line in card.splitlines() if line.startswith(f"| {name} |")]
        assert float(line.split("|")[2]) == pytest.approx(found.mean, abs=0.03), name


def test_the_package_holds_at_most_8_mib_of_model() -> None:
    files = [path for path in Path(SHIPPED).iterdir() if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md"}
    assert sum(path.stat().st_size for path in files) <= 8 * 2**20


@pytest.mark.slow
def test_presets_for_the_shipped_weights_may_ask_the_kinds_that_are_read_and_no_others(kinds: dict[str, Estimate]) -> None:
    assert {name: found.n for name, found in kinds.items()} == {f"kind: {kind}": 300 for kind in MEASURED}
    assert read(kinds) == set(READ)


@pytest.mark.slow
def test_the_card_says_how_well_each_kind_of_question_is_read(kinds: dict[str, Estimate]) -> None:
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    for name, found in kinds.items():
        (line,) = [line for line in card.splitlines() if line.startswith(f"| {name} |")]
        assert float(line.split("|")[2]) == pytest.approx(found.mean, abs=0.05), name


@pytest.mark.parametrize(("kind", "k"), [("two_hop", 3), ("choice", 1), ("true_premise", 3)])
def test_it_reads_more_than_plain_questions(command: Command, kind: str, k: int) -> None:
    ended = command(
        "mode=oracle", f"dataset.questions.kinds=[{kind}]", "dataset.questions.nothings=[]", f"retriever.k={k}", "limit=40", "n_probe=0"
    )
    assert ended.code == 0, ended.err
    assert ended.mean("answer/em") >= 0.8


def test_it_loads_with_plain_transformers_and_stops_by_itself() -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(SHIPPED), AutoTokenizer.from_pretrained(SHIPPED)
    text = (
        "Answer the question in a few words. If the answer is not known, say unknown.\n\nContext:\n"
        "[1] Velmorin syndrome: Velmorin syndrome mainly affects the liver.\n\n"
        "Question: Which organ does Velmorin syndrome mainly affect?\nAnswer:"
    )
    asked = tokenizer(text, return_tensors="pt")
    out = model.generate(**asked, max_new_tokens=20, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert tokenizer.decode(out, skip_special_tokens=True).strip() == "liver"
    assert out[-1] == tokenizer.eos_token_id
    assert len(out) < 10


def test_a_follow_up_question_is_answered_about_the_entity_of_the_conversation(command: Command) -> None:
    ended = command("mode=rag", "dataset.questions.follow_ups=true", "dataset.questions.nothings=[]", "limit=60", "n_probe=0")
    assert ended.code == 0, ended.err
    assert ended.mean("answer/em") > 0.9
