"""Recipes of the literature bind to this project's configuration, say what they lack, and judge what they find."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiments.recipes.recipe import Direction, Recipe, read_recipe, recipe_names, recipe_of
from experiments.recipes.requirements import _has_model
from experiments.recipes.verify import Options, compare, directions, main, settings_of
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.errors import ConfigError
from rag_eval.types import Estimate

RECIPES = [read_recipe(name) for name in recipe_names()]
ALL = [(recipe, model, run) for recipe in RECIPES for model in recipe.models for run in recipe.runs]
OVADIA = read_recipe("ovadia_events")


def found(means: Mapping[str, float]) -> dict[str, Estimate | None]:
    return {run: Estimate(mean, mean - 0.01, mean + 0.01, 910, 10) for run, mean in means.items()}


def test_these_are_the_recipes() -> None:
    assert {recipe.name for recipe in RECIPES} == {
        *("ovadia_events", "popqa_ideal", "raft_hotpotqa", "raft_pubmedqa"),
        *("lora_capacity", "entigraph", "lora_forgets_less"),
    }
    assert len(ALL) == 18 + 16 + 5 + 5 + 7 + 5 + 2
    assert sum(len(recipe.numbers(model)) for recipe in RECIPES for model in recipe.models) == 18 + 16 + 5 + 5 + 0 + 4 + 1


@pytest.mark.parametrize(("recipe", "model", "run"), ALL, ids=[f"{recipe.name}-{model}-{run}" for recipe, model, run in ALL])
def test_every_run_of_a_recipe_is_a_configuration_that_passes_the_check(recipe: Recipe, model: str, run: str) -> None:
    spec = check(composed(settings_of(recipe, model, run, Options(data=Path("DATA")))))
    assert spec.generator.get("model") == recipe.models[model]
    assert recipe.measure in {f"answer/{name}" for name in spec.metrics.answer}


def test_a_number_is_as_reported_within_the_tolerance_and_else_other() -> None:
    near = {run: value + 0.046 for run, value in OVADIA.expected["mistral"].items()}
    assert {one.verdict for one in compare(OVADIA, "mistral", found(near))} == {"AS REPORTED"}
    far = {run: value - 0.047 for run, value in OVADIA.expected["mistral"].items()}
    assert {one.verdict for one in compare(OVADIA, "mistral", found(far))} == {"OTHER"}


def test_only_what_was_run_is_compared_and_a_missing_measure_is_not_measured() -> None:
    (one,) = compare(OVADIA, "mistral", {"rag": None})
    assert (one.what, one.reported, one.verdict) == ("rag", 0.875, "NOT MEASURED")


def test_a_contrast_is_the_first_minus_the_second() -> None:
    recipe = read_recipe("lora_forgets_less")
    (one,) = compare(recipe, "llama2", found({"lora": 0.30, "full": 0.35}))
    assert one.found is not None
    assert math.isclose(one.found, 0.05)
    assert one.verdict == "AS REPORTED"
    assert compare(recipe, "llama2", found({"lora": 0.30})) == []


def test_a_direction_is_judged_by_the_side_of_0_and_counts_in_the_end() -> None:
    recipe = read_recipe("lora_capacity")
    assert [one.of for one in recipe.directions] == ["facts_500_known - facts_500", "facts_3000", "facts_500_known"]

    def verdicts(known: float, change: float) -> list[str]:
        runs = {"facts_500": 0.5, "facts_500_known": known, "facts_3000": 0.2}
        made = {
            run: {"answer/em": Estimate(em, 0, 1, 9, 9), "forgetting/reading_change": Estimate(change, -1, 1, 9, 9)}
            for run, em in runs.items()
        }
        return [one.verdict for one in directions(recipe, "llama31", made)]

    assert verdicts(0.6, -0.1) == ["AS REPORTED"] * 3
    assert verdicts(0.5, 0.0) == verdicts(0.4, 0.1) == ["OTHER"] * 3
    (one,) = directions(recipe, "llama31", {"facts_3000": {}})
    assert (one.wanted.of, one.verdict) == ("facts_3000", "NOT MEASURED")


def test_a_copy_of_a_model_that_was_only_begun_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("config.json", "model.safetensors.index.json"):
        (tmp_path / name).write_text(json.dumps({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}), encoding="utf-8")
    monkeypatch.setattr("experiments.recipes.requirements.try_to_load_from_cache", lambda id, file: str(tmp_path / file))
    (tmp_path / "1.safetensors").touch()
    assert not _has_model("a/b")
    (tmp_path / "2.safetensors").touch()
    assert _has_model("a/b")
    (tmp_path / "model.safetensors.index.json").unlink()
    assert not _has_model("a/b")
    (tmp_path / "model.safetensors").touch()
    assert _has_model("a/b")


def test_without_weights_data_and_gpu_it_says_so_and_ends_with_4(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["verify", "ovadia_events", "models=mistral", "runs=base,rag", f"data={tmp_path}", f"out={tmp_path}"]) == 4
    said = capsys.readouterr().err
    wanted = ["weights: mistralai/Mistral-7B-v0.1", "hf download", "weights: BAAI/bge-large-en", f"data: {tmp_path}/ovadia_events/lessons"]
    wanted += [] if torch.cuda.is_available() else ["GPU: one of 139 GiB; found none"]
    assert [words for words in wanted if words not in said] == []
    assert "Llama" not in said
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_run_and_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = str(Path(__file__).parents[2] / "rag_eval" / "assets" / "tiny")
    arguments = ["dataset=world", "dataset.preset=ci", "limit=5", "generator=tiny", "n_probe=0"]
    small = replace(
        OVADIA,
        name="small",
        measure="answer/em",
        models={"tiny": tiny},
        gpu_gib=0,
        files={},
        common=arguments,
        runs={"base": ["mode=closed_book"], "oracle": ["mode=oracle"]},
        expected={"tiny": {"base": 0.0, "oracle": 0.2}},
        contrasts={"tiny": {"oracle - base": 1.0}},
        directions=[Direction("answer/em", "oracle - base", "below 0")],
    )
    monkeypatch.setattr("experiments.recipes.verify.read_recipe", lambda name: small)
    monkeypatch.setattr("experiments.recipes.requirements._has_model", lambda id: True)
    assert main(["verify", "small"]) == 3
    out = capsys.readouterr().out
    assert "AS REPORTED" in out
    assert "OTHER" in out
    assert "Directions" in out
    assert (tmp_path / "reports" / "recipe-small.md").is_file()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"expected": {"gpt": {"base": 0.5}}}, "'gpt' is no model"),
        ({"expected": {"llama2": {"bose": 0.5}}}, "'bose' is no model, run or part"),
        ({"runs": {"base": ["serching"]}, "expected": {}}, "'serching' is no model, run or part"),
        ({"tolerance": None}, "tolerance is null"),
        ({"expected": {"llama2": {"base": 48.1}}}, "less than or equal to 1"),
        ({"sauce": "x"}, "sauce"),
        ({"directions": [{"measure": "answer/em", "of": "rag - bose", "side": "above 0"}]}, "'bose' is no model, run or part"),
        ({"directions": [{"measure": "answer/em", "of": "rag", "side": "up"}]}, "directions.0.side"),
    ],
)
def test_a_faulty_recipe_is_refused(change: dict[str, object], words: str) -> None:
    plain = {name: value for name, value in vars(OVADIA).items() if name != "name"}
    with pytest.raises(ConfigError, match=words):
        recipe_of(Path("faulty.yaml"), {**plain, **change})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "expected `list` or `verify NAME`"),
        (["verify", "ovadia_event"], "did you mean ovadia_events?"),
        (["verify", "ovadia_events", "models=mistrol"], "did you mean mistral?"),
        (["verify", "ovadia_events", "runs=rga"], "did you mean rag?"),
    ],
)
def test_a_wrong_command_gets_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_the_list_names_every_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert [name for name in recipe_names() if name not in out] == []
