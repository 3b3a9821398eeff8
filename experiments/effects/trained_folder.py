"""The adapter that a configuration trains, without a run around it: where other trainings begin."""

from __future__ import annotations

from omegaconf import DictConfig

from rag_eval.config.build import build
from rag_eval.errors import ConfigError
from rag_eval.preparation import prepared


def trained_folder(cfg: DictConfig) -> str:
    """The absolute path of its PEFT folder, from the cache or by training.

    Raises:
        ConfigError: if the adapter keeps nothing.
    """
    spec, dataset, _ = prepared(cfg)
    adapter, generator, prompt = (build(one) for one in (spec.adapter, spec.generator, spec.prompt))
    _, kept = adapter.fit(generator, prompt.learn(dataset), dataset, spec.seed)
    if kept is None:
        raise ConfigError("an adapter that is kept nowhere cannot be continued; choose adapter=lora.")
    return str(kept.path.resolve())
