"""The arms of an own table: composed, checked against the data, and refused by name while nothing is lost yet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from omegaconf import DictConfig

from rag_eval.checks import check_adapter, check_questions
from rag_eval.config.build import dataset_of
from rag_eval.config.check import check
from rag_eval.config.compose import added, composed
from rag_eval.config.foreign import without_foreign
from rag_eval.config.modes import modes
from rag_eval.errors import ConfigError, UserError
from rag_eval.exemplars import chosen
from rag_eval.models.hub_commit import pinned
from rag_eval.own_table.options import KEY, Options
from rag_eval.preparation import questions_of
from rag_eval.run_spec import RunSpec
from rag_eval.types import QADataset

SPLIT = "dataset.split_by"  # of a source that divides questions


@dataclass(frozen=True)
class Arm:
    """A checked arm with its data."""

    name: str
    spec: RunSpec
    dataset: QADataset
    n_questions: int
    n_clusters: int

    @property
    def has_passages(self) -> bool:
        """Whether passages stand in its prompts."""
        return self.spec.mode.context != "none"

    @property
    def is_trained(self) -> bool:
        """Whether its weights are trained."""
        return self.spec.mode.weights == "trained"


@dataclass(frozen=True)
class Arms:
    """What can be run and what cannot."""

    arms: Mapping[str, Arm]
    left_out: Mapping[str, str]  # names with the reason
    overrides: tuple[str, ...]  # of every arm: those given, and the division of the questions

    def composed(self, name: str, *more: str) -> DictConfig:
        """The configuration of an arm."""
        return _composed(name, [*self.overrides, *more])[0]


def checked(options: Options) -> Arms:
    """Compose every arm and read its data; no model is loaded.

    Args:
        options: of the command.

    Returns:
        The arms that can be run, and why others cannot.

    Raises:
        UserError: if no arm can be run, or one that was named cannot.
        ConfigError: if a setting is of use to no arm.
    """
    overrides = divided(options)
    datasets: dict[str, QADataset] = {}
    arms: dict[str, Arm] = {}
    refused: dict[str, UserError] = {}
    unused: dict[str, int] = {}
    for name in options.arms:
        try:
            cfg, foreign = _composed(name, overrides)
            unused |= {key: unused.get(key, 0) + 1 for key in foreign}
            arms[name] = _checked(name, cfg, datasets)
        except UserError as error:
            if options.is_named or (name == options.arms[-1] and not arms):
                raise
            refused[name] = error
    if idle := [key for key, n in unused.items() if n == len(options.arms)]:
        raise ConfigError(f"{', '.join(idle)}: no arm of {len(options.arms)} has such a setting; name an arm that has, or leave it out.")
    return Arms(arms, {name: f"cannot be run on these data: {error}" for name, error in refused.items()}, tuple(overrides))


def divided(options: Options) -> list[str]:
    """The overrides, with `split_by=question` where the source divides questions and nothing was said of it."""
    overrides = list(options.overrides)
    cfg, _ = _composed(options.arms[0], overrides)
    is_given = any((found := KEY.match(one)) and found[1] == SPLIT for one in overrides)
    return [*overrides, f"{SPLIT}=question"] if "split_by" in cfg.dataset and not is_given else overrides


def _composed(name: str, overrides: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """The configuration of an arm, and the settings that it has no use for, which are left out of it.

    A choice of a retriever or an adapter, as retriever=bm25, is of the arms that search or train.
    """
    mode = next(one for one in modes() if one.name == name)
    is_of_mode = {"retriever": mode.context == "retrieved", "adapter": mode.weights == "trained"}
    chosen_here = [one for one in overrides if is_of_mode.get(_group(one), True)]
    cfg = composed([f"mode={name}", *added(chosen_here)])
    given = [found[1] for one in overrides if (found := KEY.match(one)) and "." in found[1]]
    return cfg, without_foreign(cfg, given)


def _group(override: str) -> str:
    """The part that an override chooses a file for; "" = it sets a value."""
    found = KEY.match(override)
    return "" if found is None or "." in found[1] else found[1].partition("/")[0]


def _checked(name: str, cfg: DictConfig, datasets: dict[str, QADataset]) -> Arm:
    spec = pinned(check(cfg))
    check_adapter(spec)
    data = json.dumps([spec.dataset.to_config(), spec.chunker.to_config()], sort_keys=True, default=str)
    if data not in datasets:
        datasets[data] = dataset_of(spec)
    dataset = datasets[data]
    questions = questions_of(spec, dataset)
    check_questions(spec, dataset, questions)
    n_shown = spec.prompt.get("n_exemplars", 0)
    if isinstance(n_shown, int) and n_shown:
        chosen(dataset, n_shown + 1)
    return Arm(name, spec, dataset, len(questions), len({one.cluster or one.id for one in questions}))
