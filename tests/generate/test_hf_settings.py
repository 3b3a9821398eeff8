"""No setting in a model's folder changes greedy decoding unseen: every one that transformers knows is accounted for."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig

from rag_eval.generate.hf import HF
from rag_eval.generate.hf_generate import Transformers
from rag_eval.generate.hf_settings import ACTING, HARMLESS, USED, ends, overridden, warn_once
from rag_eval.testing.models import SIZES, write_random_model
from rag_eval.types import Prompt

Said = list[tuple[str, int | None, str]]  # text, tokens and why it ended, of each prompt

PROMPTS = [Prompt((), text, "") for text in ("liver", "fever gene", "the lung of a gene", "mild")]
# For every acting setting a value under which transformers would write something else, fail, or hold keys and values otherwise.
SETTINGS: dict[str, Any] = {
    "repetition_penalty": 40.0,
    "encoder_repetition_penalty": 0.01,
    "no_repeat_ngram_size": 1,
    "encoder_no_repeat_ngram_size": 1,
    "bad_words_ids": [[at] for at in range(300, 1500)],
    "sequence_bias": [[[777], 1e4]],
    "suppress_tokens": list(range(300, 1500)),
    "begin_suppress_tokens": list(range(300, 3000)),
    "forced_bos_token_id": 9,
    "forced_eos_token_id": 9,
    "exponential_decay_length_penalty": [0, 50.0],
    "guidance_scale": 3.0,
    "watermarking_config": {"greenlist_ratio": 0.1, "bias": 100.0},
    "remove_invalid_values": True,
    "min_length": 40,
    "min_new_tokens": 8,
    "max_time": 1e-9,
    "stop_strings": ["a", "e", "i", "o"],
    "is_assistant": True,
    "num_beams": 3,
    "num_beam_groups": 2,
    "num_return_sequences": 2,
    "constraints": [1],
    "force_words_ids": [[9]],
    "penalty_alpha": 0.6,
    "dola_layers": "low",
    "use_mtp": True,
    "prompt_lookup_num_tokens": 3,
    "assistant_early_exit": 1,
    "assistant_ensemble_weight": 0.5,
    "speculation_type": "dflash",
    "token_healing": True,
    "cache_implementation": "offloaded",
    "cache_config": {"nbits": 2},
    "prefill_chunk_size": 1,
    "use_cache": False,
}

# Of these no sign shows on a network of sound weights that has no parts for drafts.
SILENT = {"remove_invalid_values", "num_beam_groups", "assistant_ensemble_weight", "speculation_type"}
SILENT |= {"cache_config", "prefill_chunk_size", "use_cache"}
# These look for what stands in the prompt, or act behind a prompt of one token.
SILENT |= {"encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "forced_bos_token_id"}
NOT_IN_A_FILE = {"transformers_version", "_from_model_config", "continuous_batching_config", "compile_config"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that repeats itself and stops by itself, so that much can act on what it says."""
    config = LlamaConfig(**{**SIZES, "initializer_range": 0.2, "tie_word_embeddings": True})
    folder = write_random_model(tmp_path_factory.mktemp("models") / "random", config=config)
    set_in_folder(folder, eos_token_id=[1, 1979, 2005])
    return folder


@pytest.fixture(scope="module")
def plain(model: Path) -> Said:
    """What the model says as it is."""
    return said(hf(model))


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copied"))


def hf(model: Path, **given: Any) -> HF:
    return HF(str(model), **{"dtype": "float32", "device": "cpu", "max_new_tokens": 16, "token_budget": 4096, **given})


def set_in_folder(model: Path, **settings: Any) -> None:
    path = model / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def said(generator: HF) -> Said:
    return [(one.text, one.n_output_tokens, one.stop_reason) for one in generator.generate(PROMPTS)]


def test_every_setting_of_transformers_is_overridden_used_or_harmless() -> None:
    known = set(ACTING) | USED | HARMLESS
    assert len(known) == len(ACTING) + len(USED) + len(HARMLESS)  # each is one of them
    unknown = set(vars(GenerationConfig())) - known
    assert not unknown, f"settings of this version of transformers that nobody has judged: {sorted(unknown)}"
    assert set(SETTINGS) == set(ACTING)


@pytest.mark.parametrize("name", ACTING)
@pytest.mark.parametrize("loop", ["own", "transformers"])
def test_a_setting_that_acts_on_greedy_decoding_does_not(name: str, loop: str, plain: Said, copied: Path) -> None:
    set_in_folder(copied, **{name: SETTINGS[name], "do_sample": name == "num_return_sequences"})  # or it would not load
    generator = hf(copied)
    assert overridden(generator._checkpoint.generation_settings()).keys() == {name}
    if loop == "transformers":
        generator._decoder.way = Transformers(generator._network)
    assert {reason for _, _, reason in plain} == {"stop", "length"}
    assert said(generator) == plain


@pytest.mark.parametrize("name", sorted(set(ACTING) - SILENT))
def test_the_same_setting_acts_where_it_is_not_overridden(name: str, plain: Said, copied: Path) -> None:
    set_in_folder(copied, **{name: SETTINGS[name], "do_sample": name == "num_return_sequences"})
    generator = hf(copied)
    network = generator._decoder.network
    generator._decoder.way = Transformers(network)
    network.generation_config = generator._checkpoint.generation_settings()
    network.generation_config.do_sample = False
    try:
        changed = said(generator)
    except (ValueError, TypeError, AssertionError):
        return  # as good a sign
    assert changed != plain


@pytest.mark.parametrize("name", sorted(HARMLESS - NOT_IN_A_FILE))
def test_a_harmless_setting_is_not_told(name: str, copied: Path) -> None:
    values = {"early_stopping": True, "num_assistant_tokens_schedule": "constant"}
    set_in_folder(copied, **{name: values.get(name, 0.5), "do_sample": True})
    assert overridden(hf(copied)._checkpoint.generation_settings()) == {}


def test_values_that_do_nothing_are_not_told(copied: Path) -> None:
    set_in_folder(copied, **{name: values[0] for name, values in ACTING.items() if values})
    assert overridden(hf(copied)._checkpoint.generation_settings()) == {}


def test_what_was_overridden_is_part_of_the_identity_and_said_once(model: Path, copied: Path, caplog: pytest.LogCaptureFixture) -> None:
    set_in_folder(copied, repetition_penalty=1.1, no_repeat_ngram_size=3)
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            hf(copied).generate(PROMPTS[:1])
    assert hf(copied).identity()["decoding"]["overridden"] == {"no_repeat_ngram_size": 3, "repetition_penalty": 1.1}
    assert hf(model).identity()["decoding"]["overridden"] == {}
    (line,) = [one.getMessage() for one in caplog.records if "generation settings" in one.getMessage()]
    assert "'repetition_penalty': 1.1" in line


def test_settings_in_the_configuration_of_an_older_model_are_found_too(copied: Path) -> None:
    (copied / "generation_config.json").unlink()
    expected = said(hf(copied))
    path = copied / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "repetition_penalty": 40.0}))
    assert hf(copied).identity()["decoding"]["overridden"] == {"repetition_penalty": 40.0}
    assert said(hf(copied)) == expected


def test_the_folder_of_whole_trained_weights_says_for_itself(model: Path, plain: Said, copied: Path) -> None:
    set_in_folder(copied, repetition_penalty=40.0)
    trained = hf(model).with_adapter(str(copied))
    assert trained.identity()["decoding"]["overridden"] == {"repetition_penalty": 40.0}
    assert [one.text for one in trained.generate(PROMPTS)] == [text for text, _, _ in plain]


def test_end_tokens_are_those_of_the_folder_and_of_the_tokenizer(copied: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(copied)
    own = {tokenizer.eos_token_id, tokenizer.pad_token_id}
    for given, expected in (([5, 6], {5, 6}), (7, {7}), (None, set())):
        settings = GenerationConfig(eos_token_id=given)
        assert ends(settings, tokenizer) == own | expected


@pytest.mark.parametrize("loop", ["own", "transformers"])
def test_an_end_token_that_only_the_tokenizer_names_ends_an_answer(loop: str, model: Path, copied: Path) -> None:
    free = hf(model)._decoder
    with free.way.session([[452, 390]], 40) as answer:
        tokens = answer([[452, 390]], free._rules(()))[0].written
    end = next(at for at in range(2, 16) if tokens[at] not in tokens[:at])
    path = copied / "tokenizer_config.json"
    tokenizer = AutoTokenizer.from_pretrained(copied)
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token": tokenizer.convert_ids_to_tokens(tokens[end])}))
    generator = hf(copied)
    if loop == "transformers":
        generator._decoder.way = Transformers(generator._network)
    generation = generator._decoder.generate([[452, 390]], ())[0]
    assert (generation.n_output_tokens, generation.stop_reason) == (end, "stop")


@pytest.mark.parametrize("loop", ["own", "transformers"])
@pytest.mark.parametrize("pad", ["<pad beyond>", None])
def test_a_padding_token_that_the_model_does_not_know_or_none_changes_nothing(
    loop: str, pad: str | None, plain: Said, copied: Path
) -> None:
    generator = hf(copied)
    tokenizer = generator._tokenizer
    if pad is None:
        tokenizer.pad_token, tokenizer.eos_token = None, None
    else:
        tokenizer.add_special_tokens({"pad_token": pad})
        assert tokenizer.pad_token_id >= generator._network.get_input_embeddings().weight.shape[0]
    if loop == "transformers":
        generator._decoder.way = Transformers(generator._network)
    assert said(generator) == plain
