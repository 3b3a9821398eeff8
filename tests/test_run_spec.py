"""A run as one value: what each of its fields is to it is said once, and a configuration says no more and no less."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest
from omegaconf import OmegaConf

from rag_eval.config.check import check
from rag_eval.config.modes import modes
from rag_eval.config.module_source import module_source
from rag_eval.run_spec import Part, Role, RunSpec, is_of_recipe, kinds, roles
from tests.claims import every
from tests.test_conf import checked

REPLAY = ("mode=replay", "replay.path=given")


def given(mode: str) -> tuple[str, ...]:
    return REPLAY if mode == "replay" else (f"mode={mode}",)


def test_every_field_has_a_role_and_every_part_a_kind_that_exists() -> None:
    assert list(roles()) == [one.name for one in fields(RunSpec)]
    assert kinds().keys() == checked(*REPLAY).parts.keys()
    for kind in kinds().values():
        module, _, name = kind.rpartition(".")
        source = module_source(module)
        assert source is not None
        assert name in {**source.definitions, **source.aliases}


@pytest.mark.parametrize("mode", [mode.name for mode in modes()])
def test_a_run_says_the_configuration_that_it_was_made_of(mode: str) -> None:
    spec = checked(*given(mode))
    assert check(OmegaConf.create(spec.to_config())) == spec


def test_a_run_cannot_be_changed() -> None:
    spec = checked("mode=rag")
    with pytest.raises(FrozenInstanceError):
        spec.seed = 1  # type: ignore[misc]
    deeper = spec.retriever.having(k=4)
    assert (spec.retriever.get("k"), deeper.get("k"), deeper.target) == (3, 4, spec.retriever.target)


def test_choices_are_told_by_dotted_names_and_what_decides_nothing_is_not_told() -> None:
    told = dict(checked("mode=rag", "allow_overlap=[questions]", "metrics.retrieval_k=[1]").choices())
    assert told["retriever"] == "Dense"
    assert told["retriever.embedder"] == "SentenceTransformerEmbedder"
    assert told["retriever.index.factory"] == "Flat"
    assert told["allow_overlap"] == '["questions"]'
    assert told["seed"] == 0
    firsts = {name.partition(".")[0] for name in told}
    assert firsts == {name for name, role in roles().items() if Role.CHOICE in role}
    assert [name for name in told if "cache" in name or "tracking" in name] == []


def test_recorded_answers_are_told_once() -> None:
    told = dict(checked(*REPLAY).choices())
    assert [name for name in told if name.endswith("path")] == ["replay.path"]
    assert told["retriever"] == "Recorded"


def test_a_cache_of_its_own_decides_nothing_either() -> None:
    spec = checked("mode=rag", "retriever.cache={_target_: rag_eval.record.cache.DirectoryCache, root: elsewhere}")
    assert spec.retriever.get("cache") != spec.cache
    assert spec.retriever.silent == {"cache"}
    assert "retriever.cache.root" not in dict(spec.choices())


@pytest.mark.parametrize(
    ("choice", "belongs"),
    [
        ("retriever", True),
        ("adapter.rank", True),
        ("chunker.size", True),
        ("allow_overlap", True),
        ("of_a_later_version", True),
        ("retriever.index.seed", False),
        *((name, False) for name in ("seed", "n_probe", "n_forgetting", "limit", "split", "dataset.preset", "replay.path", "mode")),
    ],
)
def test_a_recipe_is_what_repeats_across_seeds_and_questions(choice: str, belongs: bool) -> None:
    assert is_of_recipe(choice) == belongs


def test_parts_inside_parts_are_parts() -> None:
    spec = checked("mode=rag", "retriever=hybrid")
    inside = spec.retriever.params["retrievers"]
    assert inside.keys() == {"lexical", "dense"}
    assert every(isinstance(one, Part) and one.silent == {"cache"} for one in inside.values())
