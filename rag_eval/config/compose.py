"""Configurations composed of the files of conf/ and the arguments of a command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf

from rag_eval.conf_folder import PACKAGE_FOLDER, conf_dir
from rag_eval.config.modes import modes
from rag_eval.errors import ConfigError
from rag_eval.processes import n_processes

QUESTION_SHARE = 0.5  # of the questions of an article, for training, whether an arm trains or not: all are asked the same
CHOICE = re.compile(r"\+{0,2}(?P<group>\w+(?:/\w+)*)(?:@[\w.]+)?=(?P<value>.*)", re.DOTALL)


def register_resolvers() -> None:
    """Make what stands in YAML as `${...:}` known to OmegaConf.

    package: a path inside rag_eval. offline_minilm, offline_smollm2: the embedder and the language model from PyPI.
    n_processes: as how many this command was started.
    train_share: of a source without splits of its own; the arm's where it is divided by cluster, one for all arms by question.
    """

    def offline_minilm() -> str:
        from rag_eval.models.minilm_wheel import minilm_path

        return minilm_path()

    def offline_smollm2() -> str:
        from rag_eval.models.smollm2_wheel import smollm2_path

        return smollm2_path()

    OmegaConf.register_new_resolver("package", lambda inside: str(PACKAGE_FOLDER / inside), replace=True)
    OmegaConf.register_new_resolver("train_share", lambda split_by, arms: QUESTION_SHARE if split_by == "question" else arms, replace=True)
    OmegaConf.register_new_resolver("offline_minilm", offline_minilm, replace=True)
    OmegaConf.register_new_resolver("offline_smollm2", offline_smollm2, replace=True)
    OmegaConf.register_new_resolver("n_processes", n_processes, replace=True)


def composed(overrides: Sequence[str]) -> DictConfig:
    """conf/config.yaml with these overrides, not yet checked.

    Hydra's global state is afterwards what it was before, so that a program may have initialised Hydra for itself.

    Args:
        overrides: arguments of a command line.

    Returns:
        The configuration.

    Raises:
        ConfigError: if a choice is no name.
    """
    refuse_unnamed_choices(overrides)
    register_resolvers()
    with _uninitialised_hydra(), initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def refuse_unnamed_choices(overrides: Sequence[str]) -> None:
    """Refuse null, numbers and the like where a file of conf/ is chosen, which Hydra reports as a fault of a program.

    Args:
        overrides: arguments of a command line.

    Raises:
        ConfigError: naming the choices.
    """
    for one in overrides:
        found = CHOICE.fullmatch(one)
        folder = conf_dir() / found["group"] if found else None
        if found and folder and folder.is_dir() and not all(map(_is_name, _swept(found["value"]))):
            choices = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
            raise ConfigError(f"{one} names no choice; choices: {choices}.")


def _swept(value: str) -> list[str]:
    """The values of a plain sweep such as hf,tiny; any other value by itself."""
    return [value] if re.search(r"""[][(){}'"]""", value) else value.split(",")


def _is_name(value: str) -> bool:
    """Whether Hydra reads a value as a text, or as a list, a sweep or a part, which are checked elsewhere."""
    try:
        return isinstance(yaml.safe_load(value), str | list | dict)
    except yaml.YAMLError:
        return True  # for Hydra to refuse


@contextmanager
def _uninitialised_hydra() -> Iterator[None]:
    """Hydra without the application and the compatibility version that somebody set, which are put back at the end."""
    application, base = GlobalHydra.instance().hydra, VersionBase.instance().version_base
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = application  # of the instance by now: Hydra puts a copy in the place of the former one
        VersionBase.instance().version_base = base


def composed_arms(arguments: Sequence[str]) -> dict[str, DictConfig]:
    """Compose a configuration for each mode in `mode=a,b`.

    Args:
        arguments: overrides of the command line.

    Returns:
        Configurations by mode, in the order given.

    Raises:
        ConfigError: if no mode is named, or one is named twice.
    """
    chosen = [name for one in arguments if one.startswith("mode=") for name in one.removeprefix("mode=").split(",")]
    if not chosen:
        raise ConfigError(f"expected mode=<arms to time>, as in mode=rag,finetune; modes: {', '.join(one.name for one in modes())}.")
    if len(set(chosen)) < len(chosen):
        raise ConfigError(f"expected every mode once, got {', '.join(chosen)}.")
    others = added([one for one in arguments if not one.startswith("mode=")])
    return {name: composed([f"mode={name}", *others]) for name in chosen}


def added(arguments: Sequence[str]) -> list[str]:
    """The arguments with `++` before every dotted key.

    Hydra applies what is not swept to the default mode first, whose parts need not know the key. Whether the parts of
    a job know it is checked for each job.
    """
    return [f"++{one}" if re.match(r"(?!hydra\.)\w+\.[\w.]+=", one) else one for one in arguments]


def keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a configuration, targets excluded."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if not str(name).startswith("_"):
                yield f"{prefix}{name}"
                yield from keys(value, f"{prefix}{name}.")
