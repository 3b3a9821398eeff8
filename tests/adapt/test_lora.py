"""A LoRA adapter: trained on answers only, repeatable, cached, a standard folder that loads anywhere."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaForCausalLM

from rag_eval import progress
from rag_eval.adapt.trainer.job import trainer_of
from rag_eval.errors import DataError, EnvironmentFault
from rag_eval.generate.peft_adapters import merged
from rag_eval.testing.models import write_random_model
from rag_eval.types import QADataset
from tests.adapt.tiny_training import DATASET, PROMPT, TRAIN, fit, hf, logits, lora
from tests.claims import every, none_of


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


def test_an_adapter_is_a_standard_folder_that_loads_elsewhere_and_names_no_path(base: Path, tmp_path: Path) -> None:
    _, kept = fit(tmp_path / "cache", base)
    assert {path.name for path in kept.path.iterdir()} == {
        *("adapter_config.json", "adapter_model.safetensors"),
        *("manifest.json", "training.json"),
    }
    texts = [path.read_text() for path in kept.path.glob("*.json")]
    assert none_of(str(base.parent) in text or str(tmp_path) in text for text in texts)
    moved = shutil.move(kept.path, tmp_path / "elsewhere")
    network = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base), moved)
    assert not torch.allclose(logits(network, base), logits(LlamaForCausalLM.from_pretrained(base), base), atol=1e-3)


def test_merged_and_unmerged_adapters_give_the_same_logits(base: Path, tmp_path: Path) -> None:
    _, kept = fit(tmp_path, base)
    apart = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base), kept.path)
    together = merged(LlamaForCausalLM.from_pretrained(base), str(kept.path))
    assert none_of("lora" in name for name, _ in together.named_parameters())
    assert torch.allclose(logits(together, base), logits(apart, base), atol=1e-4)


def test_an_adapter_is_trained_once_for_all_that_decides_it(base: Path, tmp_path: Path) -> None:
    first = fit(tmp_path, base)[1]
    again = fit(tmp_path, Path(shutil.copytree(base, tmp_path / "the same model")))[1]
    assert (first.is_hit, again.is_hit) == (False, True)
    assert again.path == first.path
    assert again.seconds == first.seconds
    others = [fit(tmp_path, base, seed=1)[1], fit(tmp_path, base, rank=3)[1]]
    assert none_of(one.is_hit for one in others)


def test_the_same_seed_gives_the_same_adapter_bit_by_bit(base: Path, tmp_path: Path) -> None:
    one, two, other = fit(tmp_path / "1", base)[1], fit(tmp_path / "2", base)[1], fit(tmp_path / "3", base, seed=1)[1]
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (one.path / name).read_bytes() == (two.path / name).read_bytes()
    assert (one.path / "adapter_model.safetensors").read_bytes() != (other.path / "adapter_model.safetensors").read_bytes()


def test_only_answers_and_end_tokens_are_learned(base: Path, tmp_path: Path) -> None:
    lesson = lora(tmp_path).training_job(hf(base), PROMPT, DATASET, 0)
    trainer = trainer_of(lesson, [])
    tokenizer = AutoTokenizer.from_pretrained(base)
    learned = []
    for batch in trainer.get_train_dataloader():
        assert batch["labels"].shape == batch["input_ids"].shape == (4, batch["input_ids"].shape[1])
        for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
            assert torch.equal(ids[labels != -100], labels[labels != -100])
            prompt = tokenizer.decode(ids[: int((labels != -100).nonzero()[0])], skip_special_tokens=True)
            learned.append((prompt, tokenizer.decode(labels[labels != -100])))
    assert sorted(learned) == sorted((row.prompt, row.completion + "<|end|>") for row in lesson.rows)


def test_a_trained_model_says_what_it_was_taught_and_stops(base: Path, tmp_path: Path) -> None:
    generator, _ = fit(tmp_path, base, rank=32, alpha=32, epochs=25.0, learning_rate=0.02)
    said = generator.generate([PROMPT.render(example, ()) for example in TRAIN])
    assert [one.text for one in said] == [example.answers[0] for example in TRAIN]
    assert {one.stop_reason for one in said} == {"stop"}


def test_the_generator_that_comes_back_is_another_and_the_base_is_unchanged(base: Path, tmp_path: Path) -> None:
    before = hf(base).generate([PROMPT.render(TRAIN[0], ())])[0].text
    generator, _ = fit(tmp_path, base)
    assert generator.identity()["adapter"] is not None
    assert generator.identity()["base_model"] == hf(base).identity()["base_model"]
    assert hf(base).generate([PROMPT.render(TRAIN[0], ())])[0].text == before


def test_without_a_terminal_a_training_tells_how_far_it_is(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "REPORT_S", 0.0)
    fit(tmp_path, base, epochs=2.0)
    assert re.findall(r"fine-tuning: (\d)/4(?:, loss [\d.]+)?(?:, [\d.e-]+ s a step)?(?:, [\d.]+ s left)?\n", capfd.readouterr().err) == [
        "1",
        "2",
        "3",
        "4",
    ]


def test_a_loss_that_is_no_number_stops_at_its_step_names_the_rows_and_leaves_no_adapter(base: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(base, tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = 3e38  # a number, twice of which is none
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EnvironmentFault, match=r"loss became nan at step 1 with the training rows q\d, q\d, q\d, q\d: lower") as raised:
        fit(tmp_path / "cache", broken, epochs=50.0)
    assert raised.value.exit_code == 4
    assert not list((tmp_path / "cache").rglob("adapter_*"))
    fit(tmp_path / "cache", base)  # and nothing of it stands in the way of the next


def test_a_training_that_diverges_later_keeps_its_last_good_state(base: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"at step (\d+) with the training rows q") as raised:
        fit(tmp_path, base, epochs=50.0, learning_rate=1.0, alpha=2**60, checkpoint_every=1)
    step = int(re.findall(r"at step (\d+)", str(raised.value))[0])
    states = sorted(path.name for path in tmp_path.rglob("state-*"))
    assert states[-1] == f"state-{step - 1:09d}"
    weights = load_file(next(tmp_path.rglob(f"{states[-1]}/weights.safetensors")))
    assert every(bool(weight.isfinite().all()) for weight in weights.values())


def test_weights_that_cannot_be_read_are_refused_in_one_line(base: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(base, tmp_path / "broken"))
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(DataError, match="could not be loaded as a causal language model") as refusal:
        fit(tmp_path / "cache", broken)
    assert "\n" not in str(refusal.value)


def test_without_training_questions_there_is_nothing_to_train_on(base: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset\.train_share"):
        lora(tmp_path).fit(hf(base), PROMPT, QADataset("d", "0", (), (), (), TRAIN), 0)


def test_the_hyperparameters_arrive_in_the_adapter(base: Path, tmp_path: Path) -> None:
    _, kept = fit(tmp_path, base, rank=3, alpha=7, target_modules=["v_proj", "q_proj"])
    config = json.loads((kept.path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (3, 7, ["q_proj", "v_proj"])
    assert every(".q_proj." in name or ".v_proj." in name for name in load_file(kept.path / "adapter_model.safetensors"))
