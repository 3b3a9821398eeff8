"""Settings of parts that only some arms of a sweep over modes have, as adapter.rank in mode=rag,finetune."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from omegaconf import DictConfig, OmegaConf, open_dict

from rag_eval.conf_folder import conf_dir
from rag_eval.config.signature import signature

CHOSEN_BY_MODE = ("retriever", "adapter", "generator")  # parts of which arms have different kinds, or none


def without_foreign(cfg: DictConfig, given: Sequence[str]) -> list[str]:
    """Remove from a configuration, in place, settings of parts that its mode did not choose.

    In a sweep over modes a setting such as adapter.rank is given to every arm, and rag has no adapter. Only settings of retriever, adapter
    and generator are removed, and only those that another file of conf/ has for the same part: a misspelt one remains, so that `check`
    refuses it.

    Args:
        cfg: configuration of one arm.
        given: dotted keys of the command line.

    Returns:
        The removed keys.
    """
    taken = [key for key in dict.fromkeys(given) if _is_foreign(cfg, *key.split(".")[:2])]
    for part, setting in {(part, setting) for part, setting, *_ in (key.split(".") for key in taken)}:
        with open_dict(cfg[part]):
            del cfg[part][setting]
    return taken


def _is_foreign(cfg: DictConfig, part: str, setting: str) -> bool:
    node = cfg.get(part) if part in CHOSEN_BY_MODE else None
    if node is None or setting not in node or setting in _settings_of(node.get("_target_")):
        return False
    return any(setting in _settings_of(target) for target in _targets(part))


def _settings_of(target: str | None) -> frozenset[str]:
    model = None if target is None else signature(target).model
    return frozenset() if model is None else frozenset(model.model_fields)


@cache
def _targets(part: str) -> tuple[str, ...]:
    """Of the files of conf/ for a part, in which files that build on another may leave it out."""
    files = [OmegaConf.load(path) for path in sorted((conf_dir() / part).glob("*.yaml"))]
    return tuple(dict.fromkeys(file["_target_"] for file in files if isinstance(file, DictConfig) and "_target_" in file))
