"""Bad input gets one clear line and exit code 2, before a model loads; nothing is left behind."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.claims import none_of
from tests.commands import Ended

Command = Callable[..., Ended]
DOCUMENTS = [
    {"id": "d1", "title": "Velor", "text": "Velor affects the liver."},
    {"id": "d2", "title": "Zanu", "text": "Zanu affects the lung."},
]
QUESTIONS = [
    {"id": "q1", "question": "What does Velor affect?", "answers": ["liver"], "evidence": ["d1"], "split": "test"},
    {"id": "q2", "question": "What does Zanu affect?", "answers": ["lung"], "evidence": ["d2"], "split": "test"},
]


def refused(ended: Ended, *words: str) -> None:
    """Exit code 2, one line that says all the words, no traceback, no run directory."""
    assert ended.code == 2, ended.err
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error:")]
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err, (word, line)
    assert not Path("outputs").exists()


def write(name: str, rows: list[Any]) -> str:
    Path(name).write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return name


def jsonl(documents: list[Any] | None = None, questions: list[Any] | None = None) -> list[str]:
    return [
        "dataset=jsonl",
        f"dataset.documents={write('documents.jsonl', DOCUMENTS if documents is None else documents)}",
        f"dataset.questions={write('questions.jsonl', QUESTIONS if questions is None else questions)}",
        "generator=echo",
        "retriever/embedder=hashed",
    ]


def test_a1_an_unknown_mode_lists_the_modes_and_suggests_the_nearest(command: Command) -> None:
    refused(command("mode=ragg"), "mode=ragg", "did you mean rag?", "finetune")


def test_a2_without_a_mode_the_documented_default_runs(command: Command) -> None:
    ended = command("generator=echo", "dataset.preset=ci", "limit=5", "retriever/embedder=hashed")
    assert ended.code == 0, ended.err
    assert ended.record["facts"]["mode"] == "rag"


def test_a3_a_mistyped_key_is_refused_with_the_nearest_one(command: Command) -> None:
    refused(command("retreiver.k=5"), "retreiver.k", "did you mean retriever.k?")


@pytest.mark.parametrize("value", ["abc", "0", "-1", "", "nan", "1e9", "5.5"])
def test_a4_to_a7_k_must_be_a_whole_number_from_1(command: Command, value: str) -> None:
    refused(command("mode=rag", f"retriever.k={value}"), "retriever.k")


def test_a13_cuda_without_a_device_is_refused(command: Command) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    refused(command("mode=closed_book", "generator.device=cuda"), "no CUDA device", "device=cpu")


def test_a15_a_target_outside_the_package_is_refused(command: Command) -> None:
    refused(command("+evil._target_=os.system"), "os.system", "not allowed")
    refused(command("mode=rag", "retriever.index._target_=builtins.print"), "builtins.print", "not allowed")


@pytest.mark.parametrize("what", ["missing", "folder", "empty"])
def test_b21_a_questions_file_that_is_none_is_refused(command: Command, what: str) -> None:
    arguments = jsonl()
    if what == "folder":
        Path("folder.jsonl").mkdir()
    if what == "empty":
        Path("empty.jsonl").touch()
    refused(command("mode=rag", *arguments, f"dataset.questions={what}.jsonl"), f"{what}.jsonl")


@pytest.mark.parametrize("answers", [[], None, "", ["", " "]])
def test_b24_a_question_without_an_answer_is_refused_with_its_line(command: Command, answers: Any) -> None:
    arguments = jsonl(questions=[QUESTIONS[0], {**QUESTIONS[1], "answers": answers}])
    refused(command("mode=rag", *arguments), "questions.jsonl:2", "q2", "answers")


def test_a_misnamed_field_is_suggested(command: Command) -> None:
    named = {**{key: value for key, value in QUESTIONS[1].items() if key != "answers"}, "answer": "lung"}
    refused(command("mode=rag", *jsonl(questions=[QUESTIONS[0], named])), "questions.jsonl:2", "is it the field 'answer'?")


def test_b26_a_repeated_id_is_refused_with_both_lines(command: Command) -> None:
    arguments = jsonl(questions=[*QUESTIONS, {**QUESTIONS[0], "question": "Another?"}])
    refused(command("mode=rag", *arguments), "questions.jsonl:3", "q1", "1")


def test_b35_broken_json_is_refused_with_its_line(command: Command) -> None:
    many = [{**QUESTIONS[0], "id": f"q{at}", "question": f"What does Velor affect, number {at}?"} for at in range(4_999)]
    refused(command("mode=rag", *jsonl(questions=[*many, '{"id": "broken", '])), "questions.jsonl:5000")


def test_c43_an_empty_corpus_is_refused(command: Command) -> None:
    arguments = jsonl(documents=[{**one, "text": " ", "title": ""} for one in DOCUMENTS])
    refused(command("mode=rag", *arguments), "the corpus is empty")


def test_c44_a_corpus_smaller_than_k_is_returned_whole(command: Command) -> None:
    ended = command("mode=rag", *jsonl(), "retriever.k=10", "retriever.depth=10")
    assert ended.code == 0, ended.err
    for line in (ended.directory / "predictions.jsonl").read_text(encoding="utf-8").splitlines():
        assert sorted(json.loads(line)["retrieved"]) == ["d1", "d2"]


def test_a_mode_that_contradicts_its_parts_names_the_mode_that_was_meant(command: Command) -> None:
    refused(command("mode=finetune", "retriever=dense"), "mode=finetune", "use mode=rag_finetune")
    refused(command("mode=rag", "retriever=none"), "use mode=closed_book")


def test_a_choice_without_a_name_is_refused_in_one_line(command: Command) -> None:
    refused(command("generator=null"), "generator=null names no choice", "none", "scripted")
    refused(command("mode=rag", "dataset=3"), "dataset=3 names no choice", "world")


def test_a_secret_in_the_configuration_is_refused_and_not_repeated(command: Command) -> None:
    ended = command("+generator.hf_token=hf_abcdef")
    refused(ended, "hf_token", "environment")
    assert "hf_abcdef" not in ended.err


@pytest.mark.flow
def test_the_configuration_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    code = "import sys; from rag_eval.cli.run import run; code = run(['retriever.k=abc']); print(code, 'torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert ended.stdout.split() == ["2", "False"], ended.stderr


def test_b40_the_same_question_in_train_and_test_is_refused_unless_that_is_allowed_by_name(
    command: Command, caplog: pytest.LogCaptureFixture
) -> None:
    again = {**QUESTIONS[0], "id": "q0", "question": "what does VELOR affect", "split": "train"}
    arguments = jsonl(questions=[again, *QUESTIONS])
    refused(command("mode=rag", *arguments), "leak: 1 of 2 questions", "(train = test: q0 = q1)", "allow_overlap=[questions]")
    refused(command("mode=rag", *arguments, "allow_overlap=[everything]"), "allow_overlap", "'questions'")
    ended = command("mode=rag", *arguments, "allow_overlap=[questions]")
    assert ended.code == 0, ended.err
    assert "1 of 2 questions are the same as training questions (first: q1 = q0)" in caplog.text


# Adapter folders of others.


def adapter_folder(**config: Any) -> Path:
    """A PEFT adapter for the embedded model, in the current folder, with values of its configuration changed."""
    import torch
    from safetensors.torch import save_file

    folder = Path("adapter")
    folder.mkdir()
    stated = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": 2,
        "lora_alpha": 2,
        "target_modules": r".*layers\.0\..*q_proj",
        "bias": "none",
    }
    (folder / "adapter_config.json").write_text(json.dumps(stated | {"base_model_name_or_path": "tiny"} | config), encoding="utf-8")
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    weights = {f"{name}.lora_A.weight": torch.ones(2, 160), f"{name}.lora_B.weight": torch.ones(160, 2)}
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


def given(command: Command, *more: str) -> Ended:
    return command(
        "mode=finetune", "adapter=given", "adapter.path=adapter", "dataset.preset=ci", "generator=tiny", "limit=2", "n_forgetting=0", *more
    )


def test_e67_an_adapter_without_its_configuration_is_refused(command: Command) -> None:
    (adapter_folder() / "adapter_config.json").unlink()
    refused(given(command), "adapter_config.json", "adapter.path")


def test_e68_pickle_weights_of_an_adapter_are_refused(command: Command) -> None:
    folder = adapter_folder()
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    refused(given(command), "adapter_model.safetensors", "pickle")


@pytest.mark.parametrize(
    "config",
    [
        {"auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"}},
        {"megatron_config": {"hidden": 1}, "megatron_core": "evil"},
        {"megatron_core": "evil"},
        {"peft_type": "PROMPT_TUNING"},
        {"a_key_of_tomorrow": {"import": "evil"}},
        {"init_lora_weights": "pissa"},
    ],
)
def test_e69_e70_a_configuration_that_might_run_code_is_refused(command: Command, config: dict[str, Any]) -> None:
    Path("evil.py").write_text("open('canary', 'w').close()\n", encoding="utf-8")
    adapter_folder(**config)
    refused(given(command), "adapter_config.json", next(key for key in reversed(config)) if len(config) == 1 else "megatron")
    assert not Path("canary").exists()


def test_e71_an_adapter_of_another_model_is_refused_with_both_names(command: Command, tmp_path: Path) -> None:
    from rag_eval.testing.models import write_random_model

    another = write_random_model(tmp_path / "another")
    adapter_folder(base_model_name_or_path=str(another))
    ended = given(command)
    assert ended.code == 2, ended.err
    assert f"trained for {another}; generator.model is" in ended.err


def test_e71_an_adapter_of_a_model_that_is_not_here_is_taken_with_a_warning(command: Command, caplog: pytest.LogCaptureFixture) -> None:
    adapter_folder(base_model_name_or_path="owner/another")
    ended = given(command)
    assert ended.code == 0, ended.err
    assert "trained for owner/another, which is not on this machine" in caplog.text


def test_e72_an_adapter_that_does_not_fit_the_model_is_refused_with_its_first_weight(command: Command) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path = adapter_folder() / "adapter_model.safetensors"
    save_file({name: torch.ones(2, 96) if "lora_A" in name else one for name, one in load_file(path).items()}, path)
    ended = given(command)
    assert ended.code == 2, ended.err
    assert "q_proj.lora_A.weight is [2, 96], which does not fit model.layers.0.self_attn.q_proj.weight [160, 160]" in ended.err


def test_e74_weights_of_an_adapter_that_are_no_numbers_are_refused(command: Command) -> None:
    from safetensors.torch import load_file, save_file

    path = adapter_folder() / "adapter_model.safetensors"
    save_file({name: one * float("nan") for name, one in load_file(path).items()}, path)
    refused(given(command), "lora_A.weight is not finite")


def test_a_given_adapter_answers_and_another_content_is_another_run(command: Command, caplog: pytest.LogCaptureFixture) -> None:
    from safetensors.torch import load_file, save_file

    path = adapter_folder() / "adapter_model.safetensors"
    first = given(command)
    assert first.code == 0, first.err
    assert first.record["spends"]["learn"]["seconds"] is None  # what training it took is not known
    save_file({name: one * 0 for name, one in load_file(path).items()}, path)
    other = given(command)
    assert other.code == 0, other.err
    assert "the adapter is the identity" in caplog.text  # e73
    assert other.directory != first.directory


def test_an_adapter_with_a_tokenizer_that_does_not_suit_is_refused_before_anything_is_read_indexed_or_loaded(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = adapter_folder()
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|strange|>"}), encoding="utf-8")
    for name in ("rag_eval.preparation.dataset_of", "rag_eval.system.System.learn", "rag_eval.generate.hf.HF._load_network"):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("too late"))
    said = "eos_token is '<|strange|>', which is no token of the model"
    refused(given(command), "tokenizer_config.json", said)
    several = ("adapter.path=null", "adapter.paths={a: adapter, b: adapter}", "adapter.by=tenant")
    refused(given(command, *several), "tokenizer_config.json", said)
    begun = ("mode=finetune", "generator=tiny", "dataset.preset=ci", f"adapter.start={folder}")
    refused(command(*begun), "tokenizer_config.json", said)


def grouped(command: Command, *tenants: str | None, order: str = "{acme: adapter, globex: other}") -> Ended:
    """Questions of customers, each with an adapter of its own; None = of no customer."""
    rows = [{**one, **({"meta": {"tenant": tenant}} if tenant else {})} for one, tenant in zip(QUESTIONS, tenants, strict=True)]
    arguments = ("adapter=given", f"adapter.paths={order}", "adapter.by=tenant", "generator=tiny", "chunker=sentences")
    return command("mode=finetune", *jsonl(questions=rows)[:3], *arguments)


def test_a_question_of_no_known_customer_is_refused(command: Command) -> None:
    shutil.copytree(adapter_folder(), "other")
    said = "1 of 2 questions name no adapter in 'tenant' of their meta (first: 'q2', which"
    refused(grouped(command, "acme", "umbrella"), f"{said} says 'umbrella'); expected one of acme, globex.")
    refused(grouped(command, "acme", None), f"{said} has none)")


def test_adapters_of_several_customers_answer_in_one_run_whatever_their_order(command: Command) -> None:
    shutil.copytree(adapter_folder(), "other")
    ended = grouped(command, "globex", "acme")
    assert ended.code == 0, ended.err
    assert ended.record["facts"]["comparison"]["adapter_mode"] == "grouped"
    assert none_of(name.startswith("forgetting/") for name in ended.record["estimates"])  # its questions are no customer's
    assert grouped(command, "globex", "acme", order="{globex: other, acme: adapter}").directory == ended.directory
