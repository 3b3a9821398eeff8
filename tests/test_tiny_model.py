"""The shipped base model passes its admission gates, or what its card admits; it loads plainly and stops by itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from experiments.admission import GATES, SHIPPED, measure
from rag_eval.types import Estimate


@pytest.fixture(scope="module")
def measured() -> dict[str, Estimate]:
    return measure(str(SHIPPED), n=150)


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_the_shipped_weights_pass_the_gate_or_the_card_states_the_miss(gate, measured: dict[str, Estimate]) -> None:  # type: ignore[no-untyped-def]
    found = measured[gate.name]
    assert found.n == 450
    if gate.holds(found):
        return
    card = (SHIPPED / "README.md").read_text(encoding="utf-8")
    (line,) = [line for line in card.splitlines() if line.startswith(f"| {gate.name} |")]
    stated = float(line.split("|")[2].split()[0])
    assert "missed" in line
    assert stated == pytest.approx(found.mean, abs=0.06), "the card states another value"


def test_reading_one_passage_is_a_gate_that_may_not_be_missed(measured: dict[str, Estimate]) -> None:
    assert measured["gold alone, EM"].mean >= 0.95


def test_the_package_holds_at_most_8_mib_of_model() -> None:
    files = [path for path in Path(SHIPPED).iterdir() if path.is_file()]
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".md"}
    assert sum(path.stat().st_size for path in files) <= 8 * 2**20


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
