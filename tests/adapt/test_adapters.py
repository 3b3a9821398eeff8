"""Every kind of adapter: what is trained is what was asked for, and what answers is what was trained."""

from __future__ import annotations

import inspect
import json
import logging
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import BloomConfig, BloomForCausalLM, LlamaConfig, LlamaForCausalLM, ModernBertDecoderConfig
from trl import SFTConfig

from rag_eval.adapt.data.tokenize import tokenized
from rag_eval.adapt.external import ExternalAdapter
from rag_eval.adapt.lora import Lora
from rag_eval.adapt.trainer.early_stopping import EarlyStopping
from rag_eval.adapt.trainer.job import trainer_of
from rag_eval.conf_folder import conf_dir
from rag_eval.config.compose import composed
from rag_eval.errors import ConfigError, DataError, EnvironmentFault
from rag_eval.generate.hf import HF
from rag_eval.source import code_sha
from rag_eval.testing.models import SIZES, write_random_model
from rag_eval.types import Cached, Example, QADataset
from tests.adapt.tiny_training import DATASET, PROMPT, TRAIN, fit, fitted, full, hf, logits, lora
from tests.claims import every, none_of

pytestmark = pytest.mark.train

KINDS: dict[str, dict[str, Any]] = {
    "lora": {},
    "rslora": {"rank_stabilised": True},
    "dora": {"dora": True},
    "gaussian": {"init": "gaussian"},
    "orthogonal": {"init": "orthogonal"},
    "pissa": {"init": "pissa"},
    "olora": {"init": "olora", "rank_stabilised": True},
}
Q_PROJ = "base_model.model.model.layers.0.self_attn.q_proj."
TAUGHT = {"rank": 32, "alpha": 32, "epochs": 60.0, "learning_rate": 0.003}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_model(tmp_path_factory.mktemp("models") / "random")


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain adapter as others would hand it on: the two files and no manifest."""
    folder = tmp_path_factory.mktemp("adapters") / "plain"
    shutil.copytree(fit(folder.parent / "cache", base)[1].path, folder, ignore=shutil.ignore_patterns("manifest.json"))
    return folder


def config(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "adapter_config.json").read_text()))


@pytest.mark.parametrize("kind", KINDS)
def test_merged_beside_the_weights_and_loaded_elsewhere_an_adapter_gives_the_same_logits(kind: str, base: Path, tmp_path: Path) -> None:
    generator, kept = fit(tmp_path, base, epochs=3.0, **KINDS[kind])
    beside = fitted(lora(tmp_path, epochs=3.0, **KINDS[kind]), hf(base, adapter_mode="unmerged"))[0]
    elsewhere = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base), kept.path)
    ours, alone = logits(generator._network, base), logits(beside._network, base)
    assert any("lora" in name for name, _ in beside._network.named_parameters())
    assert none_of("lora" in name for name, _ in generator._network.named_parameters())
    assert torch.allclose(ours, alone, atol=1e-3)
    assert torch.allclose(logits(elsewhere, base), alone, atol=1e-3)
    assert not torch.allclose(ours, logits(LlamaForCausalLM.from_pretrained(base), base), atol=0.1)
    said = [one.generate([PROMPT.render(TRAIN[0], ())])[0].text for one in (generator, beside)]
    assert said[0] == said[1]
    assert [one.identity()["adapter_mode"] for one in (generator, beside)] == ["merged", "unmerged"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_what_its_name_says(kind: str, base: Path, tmp_path: Path) -> None:
    _, kept = fit(tmp_path, base, **KINDS[kind])
    weights, stated = load_file(kept.path / "adapter_model.safetensors"), config(kept.path)
    n = 2 if kind in {"pissa", "olora"} else 1  # those come out at twice the rank, over the unchanged model
    assert stated["r"] == 2 * n
    assert stated["lora_alpha"] == pytest.approx(2 * (2**0.5 if kind == "olora" else n))
    assert stated["use_rslora"] == (kind in {"rslora", "olora"})
    assert stated["use_dora"] == (kind == "dora") == any("magnitude" in name for name in weights)
    assert stated["init_lora_weights"] == ({"gaussian": "gaussian", "orthogonal": "orthogonal"}.get(kind, True))


def test_pissa_begins_with_the_model_as_it_was(base: Path, tmp_path: Path) -> None:
    generator, _ = fit(tmp_path, base, init="pissa", learning_rate=1e-12)
    assert torch.allclose(logits(generator._network, base), logits(LlamaForCausalLM.from_pretrained(base), base), atol=1e-3)


@pytest.mark.parametrize("changed", [{"dora": True}, {"quantized": True}])
def test_weights_that_are_taken_out_of_the_frozen_ones_go_with_neither_dora_nor_4_bits(changed: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"adapter\.init=pissa .* use zero"):
        lora(tmp_path, init="pissa", **changed)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_4_bits_are_refused_without_cuda(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no CUDA device"):
        lora(tmp_path, quantized=True)


def test_4_bits_are_refused_without_bitsandbytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr("rag_eval.adapt.lora.find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'rag_eval\[gpu\]'"):
        lora(tmp_path, quantized=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_over_4_bits_an_adapter_is_trained_that_answers_over_the_full_weights(base: Path, tmp_path: Path) -> None:
    generator = HF(str(base), "bfloat16", "cuda", max_new_tokens=8, token_budget=4096)
    trained, kept = fitted(lora(tmp_path, quantized=True, **TAUGHT), generator)
    assert config(kept.path)["peft_type"] == "LORA"
    assert {one.text for one in trained.generate([PROMPT.render(example, ()) for example in TRAIN])} == {one.answers[0] for one in TRAIN}


def test_full_fine_tuning_changes_every_weight_and_says_what_it_was_taught(base: Path, tmp_path: Path) -> None:
    generator, kept = fitted(full(tmp_path, learning_rate=0.003, epochs=100.0, warmup_share=0.1), hf(base))
    before, after = (load_file(folder / "model.safetensors") for folder in (base, kept.path))
    assert before.keys() == after.keys()
    assert none_of(torch.equal(before[name], after[name]) for name in before)
    assert [one.text for one in generator.generate([PROMPT.render(one, ()) for one in TRAIN])] == [one.answers[0] for one in TRAIN]
    assert generator.identity()["base_model"] == hf(base).identity()["base_model"]
    assert generator.identity()["adapter_mode"] is None  # so that it may be compared with adapters of either mode
    assert none_of(str(tmp_path) in path.read_text() or str(base.parent) in path.read_text() for path in kept.path.glob("*.json"))


def test_rows_end_to_end_give_the_logits_of_rows_alone(base: Path, tmp_path: Path) -> None:
    lesson = lora(tmp_path, packing=True, batch_size=8).training_job(hf(base), PROMPT, DATASET, 0)
    trainer = trainer_of(lesson, [])
    (batch,) = trainer.get_train_dataloader()
    assert batch["input_ids"].shape[0] == 1
    assert "attention_mask" not in batch
    network = LlamaForCausalLM.from_pretrained(base).eval()
    with torch.inference_mode():
        together = network(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits[0]
        starts = [*(batch["position_ids"][0] == 0).nonzero().flatten().tolist(), batch["input_ids"].shape[1]]
        for first, end in pairwise(starts):
            alone = network(batch["input_ids"][:, first:end]).logits[0]
            assert torch.allclose(together[first:end], alone, atol=1e-5 * alone.abs().max().item())
    assert len(starts) == len(TRAIN) + 1
    kept = sorted(row["input_ids"] for row in tokenized(hf(base).base("float32")[0], lesson.rows))
    assert sorted(batch["input_ids"][0, first:end].tolist() for first, end in pairwise(starts)) == kept


def test_rows_end_to_end_train_the_same_adapter(base: Path, tmp_path: Path) -> None:
    padded, packed = (load_file(fit(tmp_path, base, packing=way)[1].path / "adapter_model.safetensors") for way in (False, True))
    assert every(torch.allclose(padded[name], packed[name], atol=1e-4) for name in padded)


def test_gradient_checkpointing_trains_the_same_adapter(base: Path, tmp_path: Path) -> None:
    held, again = (
        load_file(fit(tmp_path, base, gradient_checkpointing=way)[1].path / "adapter_model.safetensors") for way in (False, True)
    )
    assert every(torch.allclose(held[name], again[name], atol=1e-4) for name in held)


def test_the_weights_with_the_least_dev_loss_are_kept_and_patience_ends_the_training(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses: list[tuple[int, float]] = []
    after: list[torch.Tensor] = []
    on_evaluate = EarlyStopping.on_evaluate

    def watched(self: Any, args: Any, state: Any, control: Any, metrics: Any, model: Any, **parts: Any) -> None:
        losses.append((state.global_step, metrics["eval_loss"]))
        after.append(next(weight for name, weight in model.named_parameters() if "lora_B" in name).detach().clone())
        on_evaluate(self, args, state, control, metrics=metrics, model=model, **parts)

    monkeypatch.setattr(EarlyStopping, "on_evaluate", watched)
    # The rate is so high that the loss rises sooner or later; 80 steps are planned.
    _, kept = fit(tmp_path, base, epochs=40.0, learning_rate=0.05, rank=16, alpha=64, eval_every=2, patience=2)
    best = min(range(len(losses)), key=lambda at: losses[at][1])
    assert [step for step, _ in losses] == list(range(2, losses[-1][0] + 1, 2))
    assert best == len(losses) - 3
    assert losses[-1][0] < 80
    weights = load_file(kept.path / "adapter_model.safetensors")
    assert any(torch.equal(weight, after[best]) for weight in weights.values())
    assert not torch.equal(after[best], after[-1])


def test_early_stopping_needs_dev_questions_and_steps_between_losses(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"adapter\.patience needs adapter\.eval_every"):
        lora(tmp_path, patience=3)
    with pytest.raises(DataError, match="needs dev questions"):
        lora(tmp_path, eval_every=2).fit(hf(base), PROMPT, QADataset("d", "0", (), TRAIN, (), ()), 0)


def test_a_given_adapter_answers_as_where_it_was_trained_and_what_it_took_is_not_known(base: Path, adapter: Path) -> None:
    generator, kept = ExternalAdapter(str(adapter)).fit(hf(base), PROMPT, DATASET, 0)
    assert isinstance(generator, HF)
    assert kept == Cached(adapter, is_hit=True, seconds=None)
    expected = PeftModel.from_pretrained(LlamaForCausalLM.from_pretrained(base), adapter)
    assert torch.allclose(logits(generator._network, base), logits(expected, base), atol=1e-4)


def changed(adapter: Path, folder: Path, **values: Any) -> Path:
    """A copy of the adapter with other values in its configuration."""
    shutil.copytree(adapter, folder)
    (folder / "adapter_config.json").write_text(json.dumps({**config(folder), **values}))
    return folder


def reweighted(adapter: Path, folder: Path, change: Any) -> Path:
    """A copy of the adapter with weights changed by a function of the whole dictionary."""
    shutil.copytree(adapter, folder)
    weights = load_file(folder / "adapter_model.safetensors")
    save_file({name: weight.contiguous() for name, weight in change(weights).items()}, folder / "adapter_model.safetensors")
    return folder


def test_a_given_adapter_of_another_model_is_refused_by_content_and_by_shape(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = write_random_model(tmp_path / "other", seed=1)
    noted = fit(tmp_path / "cache", base)[1].path
    with pytest.raises(DataError, match=r"trained for the model with fingerprint \w{64}, generator\.model=.*other has \w{64}"):
        ExternalAdapter(str(noted)).fit(hf(other), PROMPT, DATASET, 0)
    wide = reweighted(
        adapter, tmp_path / "wide", lambda held: {name: torch.cat([one, one], 1) if "A" in name else one for name, one in held.items()}
    )
    with pytest.raises(DataError, match=r"lora_A\.weight is \[2, \d+\], which does not fit model\.layers\.0"):
        ExternalAdapter(str(wide)).fit(hf(base), PROMPT, DATASET, 0)


def test_an_adapter_that_changes_nothing_is_noted(adapter: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def zeroed(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: one * 0 if "lora_B" in name else one for name, one in held.items()}

    with caplog.at_level(logging.WARNING):
        ExternalAdapter(str(adapter))
        assert "identity" not in caplog.text
        ExternalAdapter(str(reweighted(adapter, tmp_path / "zero", zeroed)))
    assert "the adapter is the identity" in caplog.text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: {f"evil.{name}": one for name, one in held.items()}, "expected weights named"),
        (lambda held: {}, "holds no weights"),
        (
            lambda held: {name: one for name, one in held.items() if "layers.1.mlp.up_proj.lora_B" not in name},
            "up_proj has lora_A; expected",
        ),
        (lambda held: held | {Q_PROJ + "lora_magnitude_vector": torch.ones(32)}, r"lora_A, lora_B with use_dora=false"),
        (lambda held: {name: one.to(torch.int8) for name, one in held.items()}, "of whole numbers"),
        (lambda held: {name: one[:1] if "lora_A" in name else one for name, one in held.items()}, "lora_A of rank 1, lora_B of rank 2"),
        (lambda held: {name: one * float("nan") for name, one in held.items()}, "is not finite"),
    ],
)
def test_weights_that_are_no_whole_lora_are_refused(adapter: Path, tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        ExternalAdapter(str(reweighted(adapter, tmp_path / "odd", change)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lora_alpha", float("inf")),
        ("lora_alpha", float("nan")),
        ("r", True),
        ("rank_pattern", {"q_proj": 1.5}),
        ("rank_pattern", {"(": 2}),
        ("target_modules", "("),
        ("exclude_modules", "["),
    ],
)
def test_a_configuration_that_peft_would_stumble_over_is_refused_with_its_key(adapter: Path, tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(DataError, match=f"'{key}' is .*; expected"):
        ExternalAdapter(str(changed(adapter, tmp_path / "odd", **{key: value})))


def test_a_dora_adapter_without_lengths_and_one_of_a_norm_are_refused(base: Path, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lora_magnitude_vector with use_dora=true"):
        ExternalAdapter(str(changed(adapter, tmp_path / "dora", use_dora=True)))
    norm = "base_model.model.model.layers.0.input_layernorm."
    pair = {norm + "lora_A.weight": torch.ones(2, 32), norm + "lora_B.weight": torch.ones(32, 2)}
    with pytest.raises(DataError, match="input_layernorm is no linear layer of the model"):
        ExternalAdapter(str(reweighted(adapter, tmp_path / "norm", lambda held: held | pair))).fit(hf(base), PROMPT, DATASET, 0)


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose output scores words with the weights of its embedding."""
    return write_random_model(tmp_path_factory.mktemp("models") / "tied", config=LlamaConfig(**SIZES, tie_word_embeddings=True))


def of_peft(base: Path, folder: Path, save_embedding_layers: Any = False, **settings: Any) -> Path:
    """An adapter that PEFT makes and saves, with random weights."""
    torch.manual_seed(0)
    network = get_peft_model(LlamaForCausalLM.from_pretrained(base), LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, **settings))
    for name, weight in network.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.1)
    network.save_pretrained(folder, save_embedding_layers=save_embedding_layers)
    return folder


@pytest.mark.parametrize("use_dora", [False, True], ids=["lora", "dora"])
def test_a_given_adapter_of_a_head_that_is_the_embedding_answers_merged_as_beside(tied: Path, tmp_path: Path, use_dora: bool) -> None:
    folder = of_peft(tied, tmp_path / "head", target_modules=["q_proj", "lm_head"], use_dora=use_dora)
    merged, beside = (
        ExternalAdapter(str(folder)).fit(hf(tied, adapter_mode=mode), PROMPT, DATASET, 0)[0] for mode in ("merged", "unmerged")
    )
    assert isinstance(merged, HF)
    assert isinstance(beside, HF)
    assert torch.allclose(logits(merged._network, tied), logits(beside._network, tied), atol=1e-3)
    embedding = LlamaForCausalLM.from_pretrained(tied).get_input_embeddings().weight
    assert torch.equal(merged._network.get_input_embeddings().weight, embedding)
    assert not torch.allclose(merged._network.get_output_embeddings().weight, embedding, atol=0.1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"target_modules": ["lm_head"], "save_embedding_layers": "auto"}, r"lm_head\.base_layer\.weight .*save_embedding_layers=False"),
        ({"target_modules": ["embed_tokens"]}, r"embed_tokens\.lora_embedding_A adapts an embedding"),
        ({"target_modules": ["embed_tokens"], "ensure_weight_tying": True}, "'ensure_weight_tying' is true"),
        ({"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}, r"'modules_to_save' is \[\"lm_head\"\]"),
        ({"target_modules": ["q_proj"], "trainable_token_indices": [3]}, "'trainable_token_indices' is"),
    ],
    ids=["whole head", "embedding", "tied", "saved module", "tokens"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of PEFT, that this can lead to complications
def test_adapters_that_replace_layers_or_adapt_embeddings_are_refused_by_name(
    tied: Path, tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        ExternalAdapter(str(of_peft(tied, tmp_path / "odd", **settings)))


@pytest.mark.parametrize("mode", ["merged", "unmerged"])
def test_weights_that_peft_would_make_up_or_leave_out_are_refused(base: Path, adapter: Path, tmp_path: Path, mode: str) -> None:
    def lower(held: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: one for name, one in held.items() if "layers.1." not in name}

    half = reweighted(changed(adapter, tmp_path / "made up", init_lora_weights=False), tmp_path / "half", lower)
    few = changed(adapter, tmp_path / "few", target_modules=["q_proj"])
    for folder, said in ((half, r"layers\.1\.\S*, not stored"), (few, r"layers\.0\.mlp\.\S*, stored")):
        generator, _ = ExternalAdapter(str(folder)).fit(hf(base, adapter_mode=mode), PROMPT, DATASET, 0)
        with pytest.raises(DataError, match=said):
            generator.generate([PROMPT.render(TRAIN[0], ())])


def test_an_adapter_that_makes_the_weights_infinite_is_refused(base: Path, adapter: Path, tmp_path: Path) -> None:
    huge = reweighted(adapter, tmp_path / "huge", lambda held: {name: one * 1e36 for name, one in held.items()})
    generator, _ = ExternalAdapter(str(huge)).fit(hf(base), PROMPT, DATASET, 0)
    with pytest.raises(DataError, match="makes weights that are not finite"):
        generator.generate([PROMPT.render(TRAIN[0], ())])


def test_an_adapter_is_never_read_from_a_pickle(base: Path, adapter: Path, tmp_path: Path) -> None:
    shutil.copytree(adapter, tmp_path / "pickled")
    weights = tmp_path / "pickled" / "adapter_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.rename(weights.with_name("decoy.safetensors"))
    with pytest.raises(DataError, match=r"has no adapter_model\.safetensors"):
        hf(base, adapter=str(tmp_path / "pickled")).generate([PROMPT.render(TRAIN[0], ())])


@pytest.mark.parametrize(
    ("modules", "said"),
    [(["nope"], "nope.* not found"), ("(", "unterminated"), (["input_layernorm"], "not supported"), (["embed_tokens"], "is an embedding")],
)
def test_layers_that_cannot_be_adapted_are_refused_in_one_line(base: Path, tmp_path: Path, modules: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"adapter\.target_modules.*{said}") as refusal:
        fit(tmp_path, base, target_modules=modules)
    assert "\n" not in str(refusal.value)


def test_an_orthogonal_beginning_needs_an_even_rank(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"even adapter\.rank, found 3"):
        lora(tmp_path, init="orthogonal", rank=3)


def test_4_bits_are_refused_for_a_generator_that_is_not_on_cuda(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag_eval.adapt.lora._check_quantizing", lambda: None)
    with pytest.raises(ConfigError, match=r"generator\.device is cpu"):
        lora(tmp_path, quantized=True).fit(hf(base), PROMPT, DATASET, 0)


def test_rows_end_to_end_are_refused_of_a_model_that_sees_across_the_border(base: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    alibi = tmp_path / "bloom"  # whose positions come from the padding, of which there is none
    shutil.copytree(base, alibi, ignore=shutil.ignore_patterns("model.safetensors"))
    config = BloomConfig(vocab_size=3072, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.5, eos_token_id=1, pad_token_id=0)
    BloomForCausalLM(config).save_pretrained(alibi)
    with pytest.raises(ConfigError, match=r"see each other in a model of type bloom; set adapter\.packing=false"):
        fit(tmp_path, alibi, packing=True)
    fit(tmp_path, alibi)


@pytest.mark.parametrize("trains_all", [False, True], ids=["lora", "full"])
def test_a_model_that_trl_would_score_without_a_part_of_its_head_is_refused(tmp_path: Path, trains_all: bool) -> None:
    config = ModernBertDecoderConfig(
        **{**SIZES, "bos_token_id": 2}, cls_token_id=2, sep_token_id=1
    )  # another layer and a norm before its words
    model = write_random_model(tmp_path / "model", config=config)
    with pytest.raises(ConfigError, match="a model of type modernbert-decoder cannot be trained"):
        fitted((full if trains_all else lora)(tmp_path), hf(model))


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_row_with_more_tokens_than_the_model_has_positions_is_refused(base: Path, tmp_path: Path, split: str) -> None:
    long = replace(DATASET, **{split: (*TRAIN, Example("long", "what " * 300 + "is it?", ("liver",)))})
    with pytest.raises(DataError, match=r"'long' has \d+ tokens, more than the 256 positions"):
        lora(tmp_path, eval_every=1).training_job(hf(base), PROMPT, long, 0)


def test_one_gpu_is_trained_on_where_there_are_several(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class TwoSeen(SFTConfig):
        def __post_init__(self) -> None:
            super().__post_init__()
            self._n_gpu = 2

    monkeypatch.setattr("rag_eval.adapt.trainer.job.SFTConfig", TwoSeen)
    trainer = trainer_of(lora(tmp_path).training_job(hf(base), PROMPT, DATASET, 0), [])
    assert (trainer.args.n_gpu, trainer.args.train_batch_size) == (1, 4)


def test_other_code_that_trains_or_loads_is_another_adapter(base: Path, tmp_path: Path) -> None:
    lesson = lora(tmp_path).training_job(hf(base), PROMPT, DATASET, 0)
    assert lesson.key["code"] == [code_sha("rag_eval.adapt.lora"), code_sha("rag_eval.generate.hf_checkpoint")]
    assert replace(lesson, code="other").key != lesson.key


def test_rows_that_were_made_before_are_not_made_again(base: Path, tmp_path: Path) -> None:
    adapter, generator = lora(tmp_path), hf(base)
    rows = adapter.training_job(generator, PROMPT, DATASET, 0).rows
    ready = adapter.with_rows(rows[:2])
    assert ready.training_job(generator, PROMPT, DATASET, 0).rows == rows[:2]
    assert adapter.training_job(generator, PROMPT, DATASET, 0).rows == rows


def test_an_adapter_is_the_same_however_long_it_took(base: Path, tmp_path: Path) -> None:
    one, other = (fit(tmp_path / name, base) for name in "12")
    assert one[1].seconds != other[1].seconds
    assert one[0].identity() == other[0].identity()


def test_another_device_is_another_adapter_but_other_states_are_not(base: Path, tmp_path: Path) -> None:
    generator, elsewhere = hf(base), hf(base)
    elsewhere.device = "cuda"
    key = lora(tmp_path, precision="float32").training_job(generator, PROMPT, DATASET, 0).key
    assert lora(tmp_path, precision="float32").training_job(elsewhere, PROMPT, DATASET, 0).key != key
    assert lora(tmp_path, precision="float32", checkpoint_every=7).training_job(generator, PROMPT, DATASET, 0).key == key
    assert lora(tmp_path, precision="auto").training_job(generator, PROMPT, DATASET, 0).key == key


def adapter_of(*overrides: str) -> dict[str, Any]:
    """The adapter of mode=finetune."""
    return dict(composed(["mode=finetune", *overrides]).adapter)


def test_the_variants_differ_from_lora_in_what_makes_them() -> None:
    found = {name: adapter_of(f"adapter={name}") for name in ("lora", "rslora", "dora", "qlora")}
    differ = {name: {key for key in node if node[key] != found["lora"][key]} for name, node in found.items()}
    assert differ == {"lora": set(), "rslora": {"rank_stabilised", "alpha"}, "dora": {"dora"}, "qlora": {"quantized", "learning_rate"}}


@pytest.mark.parametrize(("adapter", "rate", "of_embedded"), [("lora", 0.0005, 0.002), ("full", 0.00005, 0.0003)])
def test_models_are_trained_until_they_have_learned_and_the_embedded_one_as_ever(adapter: str, rate: float, of_embedded: float) -> None:
    real, tiny = (adapter_of(f"adapter={adapter}", *more) for more in (["generator=hf", "generator.model=given"], ["generator=tiny"]))
    assert (real["epochs"], real["until_learned"], real["max_epochs"], real["batch_size"]) == (None, 0.99, 30, 8)
    assert (tiny["epochs"], tiny["batch_size"], tiny["batch_tokens"], tiny["schedule"], tiny["warmup_share"]) == (
        6,
        32,
        None,
        "linear",
        0.03,
    )
    assert (real["learning_rate"], tiny["learning_rate"]) == (rate, of_embedded)
    assert {name: (real.get(name), tiny.get(name)) for name in ("rank", "alpha") if adapter == "lora"} == (
        {"rank": (16, 64), "alpha": (32, 64)} if adapter == "lora" else {}
    )


def test_smollm2_is_trained_as_models_of_real_size_are_at_a_higher_rate() -> None:
    real, smollm2 = (adapter_of(*more) for more in (["generator=hf", "generator.model=given"], ["generator=smollm2"]))
    assert {name for name in real if real[name] != smollm2[name]} == {"learning_rate"}
    assert smollm2["learning_rate"] == 0.001


def test_the_command_line_beats_what_suits_a_generator_and_may_choose_what_suits_another() -> None:
    assert (adapter_of("adapter.rank=5")["rank"], adapter_of("adapter.rank=5")["alpha"]) == (5, 64)
    assert adapter_of("adapter=rslora")["alpha"] == 8  # the scale of lora, over the root of either rank
    taken = adapter_of("generator=hf", "generator.model=given", "adapter/tuned@adapter=lora_tiny")
    assert taken == adapter_of("generator=tiny")


def test_all_of_the_constructor_is_in_the_yaml() -> None:
    stated = yaml.safe_load((conf_dir() / "adapter" / "lora.yaml").read_text())
    assert set(inspect.signature(Lora).parameters) - {"asked_every", "data"} == set(stated) - {"_target_", "defaults"}
