"""A set-up of the literature with the numbers that it reported: conf/recipe/*.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from rag_eval.conf_folder import conf_dir
from rag_eval.config.suggest import suggest
from rag_eval.errors import ConfigError

FOLDER = "recipe"
Share = Annotated[float, Field(ge=-1, le=1)]
ByRun = Mapping[str, Share]


@dataclass(frozen=True)
class Direction:
    """On which side of 0 something is, where the paper's numbers are not known."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    measure: str  # of a run's estimates
    of: str  # a run, or "a - b"
    side: Literal["above 0", "below 0"]


@dataclass(frozen=True)
class Recipe:
    """Runs of one paper, by model, and what they are known to have given."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str  # the file's
    source: str
    known_from: str  # where the numbers were seen
    measure: str  # of a run's estimates
    n: int | None  # questions of the paper; None = not known
    tolerance: Annotated[float, Field(gt=0)] | None  # how far a number may be from the paper's; None = no numbers are known
    models: Mapping[str, str]  # hub ids by name
    gpu_gib: int  # memory of one GPU that the largest of the runs needs, an estimate
    common: Sequence[str]  # arguments of every run; {data} stands for the folder of data
    runs: Mapping[str, Sequence[str]]  # further arguments by run; a word without = stands for one of the parts
    expected: Mapping[str, ByRun]  # by model and run
    directions: Sequence[Direction] = ()  # of every model
    contrasts: Mapping[str, ByRun] = field(default_factory=dict)  # by model and "a - b"
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)  # arguments that several runs share
    files: Mapping[str, str] = field(default_factory=dict)  # inside the folder of data: what each must hold
    datasets: Sequence[str] = ()  # hub ids of data sets
    claims: Sequence[str] = ()  # of the paper, which no number here judges
    differs: Sequence[str] = ()  # from the paper, in ways that matter

    def arguments(self, model: str, run: str, data: str) -> list[str]:
        """The arguments of one run, as python run.py takes them."""
        words = [*self.common, *(one for word in self.runs[run] for one in ([word] if "=" in word else self.parts[word]))]
        return [*(one.replace("{data}", data) for one in words), f"generator.model={self.models[model]}"]

    def runs_of(self, what: str) -> list[str]:
        """The runs that are compared: one, or the second taken from the first."""
        return what.split(" - ")

    def numbers(self, model: str) -> dict[str, tuple[list[str], float]]:
        """By what is compared: the runs that it takes (one, or the second taken from the first) and the paper's number."""
        reported = {**self.expected.get(model, {}), **self.contrasts.get(model, {})}
        return {what: (self.runs_of(what), value) for what, value in reported.items()}


def recipe_names() -> list[str]:
    """All recipes, in order."""
    return sorted(path.stem for path in (conf_dir() / FOLDER).glob("*.yaml"))


def read_recipe(name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: file name in conf/recipe without `.yaml`.

    Returns:
        The recipe.

    Raises:
        ConfigError: if there is no such recipe, or its file is not valid.
    """
    known = recipe_names()
    if name not in known:
        raise ConfigError(f"there is no recipe {name!r}{suggest(name, known)}")
    path = conf_dir() / FOLDER / f"{name}.yaml"
    return recipe_of(path, yaml.safe_load(path.read_text(encoding="utf-8")))


def recipe_of(path: Path, plain: Mapping[str, object]) -> Recipe:
    """Check the content of a recipe file.

    Args:
        path: the file, whose name is that of the recipe.
        plain: its content.

    Returns:
        The recipe.

    Raises:
        ConfigError: if a value is wrong, a name in it is no model, run or part, or numbers lack a tolerance.
    """
    try:
        recipe = TypeAdapter(Recipe).validate_python({**plain, "name": path.stem})
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    strange = [model for model in (*recipe.expected, *recipe.contrasts) if model not in recipe.models]
    strange += [run for model in recipe.models for runs, _ in recipe.numbers(model).values() for run in runs if run not in recipe.runs]
    strange += [run for one in recipe.directions for run in recipe.runs_of(one.of) if run not in recipe.runs]
    strange += [word for words in recipe.runs.values() for word in words if "=" not in word and word not in recipe.parts]
    if strange:
        raise ConfigError(f"{path}: {strange[0]!r} is no model, run or part of it.")
    if recipe.tolerance is None and any(map(recipe.numbers, recipe.models)):
        raise ConfigError(f"{path}: tolerance is null, but there are numbers to compare.")
    return recipe
