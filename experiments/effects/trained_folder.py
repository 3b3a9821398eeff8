"""The adapter that a configuration trains, without a run around it: where other trainings begin."""

from __future__ import annotations

from omegaconf import DictConfig

from rag_eval.config.build import build
from rag_eval.errors import ConfigError
from rag_eval.preparation import prepared


def trained_folder(cfg: DictConfig) -> str:
    """Train the adapter of a configuration, or take it from the cache, without a run.

    Args:
        cfg: composed configuration.

    Returns:
        The absolute path of the PEFT folder.

    Raises:
        ConfigError: if the adapter stores nothing.
    """
    spec, dataset, _ = prepared(cfg)
    adapter, generator, prompt = (build(one) for one in (spec.adapter, spec.generator, spec.prompt))
    _, kept = adapter.fit(generator, prompt.learn(dataset), dataset, spec.seed)
    if kept is None:
        raise ConfigError("an adapter that is kept nowhere cannot be continued; choose adapter=lora.")
    return str(kept.path.resolve())
