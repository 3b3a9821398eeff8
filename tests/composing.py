"""What Hydra does anew for each configuration, done once in a session: files read, defaults lists made and merged."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import pytest
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra._internal.hydra import Hydra
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override


def share_compositions(patch: pytest.MonkeyPatch) -> None:
    """Let compositions share the files read and, where they choose the same files, all that comes before values are overridden.

    Nor is each configuration composed a first time for nothing but `hydra.mode`, which no test sets.
    """
    load, list_defaults, merge = (
        ConfigRepository.load_config,
        config_loader_impl.create_defaults_list,
        ConfigLoaderImpl._compose_config_from_defaults_list,
    )
    files: dict[Hashable, Any] = {}
    lists: dict[Hashable, DefaultsList] = {}
    merged: dict[Hashable, Any] = {}

    def load_once(self: ConfigRepository, config_path: str) -> Any:
        key = (config_path, sources(self))
        if key not in files:
            files[key] = load(self, config_path)
        return copy.deepcopy(files[key])

    def list_once(
        repo: IConfigRepository, config_name: str | None, overrides_list: list[Override], prepend_hydra: bool, skip_missing: bool
    ) -> DefaultsList:
        values = Overrides(repo=repo, overrides_list=overrides_list).config_overrides  # the others choose files
        choices = [one for one in overrides_list if all(one is not value for value in values)]
        key = (sources(repo), config_name, tuple(one.input_line for one in choices), prepend_hydra, skip_missing)
        if key not in lists:
            lists[key] = list_defaults(repo, config_name, choices, prepend_hydra, skip_missing)
        return replace(lists[key], config_overrides=values)

    def merge_once(self: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> Any:
        key = (sources(repo), tuple(tuple(vars(one).values()) for one in defaults))
        if key not in merged:
            merged[key] = merge(self, defaults, repo)
        return copy.deepcopy(merged[key])

    patch.setattr(ConfigRepository, "load_config", load_once)
    patch.setattr(config_loader_impl, "create_defaults_list", list_once)
    patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge_once)
    patch.setattr(Hydra, "get_mode", lambda *_, **__: None)


def sources(repo: IConfigRepository) -> Hashable:
    """Where a configuration's files come from."""
    return tuple((one.provider, one.path) for one in repo.get_sources())
