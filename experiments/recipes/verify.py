"""What papers reported, run here: their set-ups on public models, and whether their numbers come out.

    python -m experiments.recipes list
    python -m experiments.recipes verify ovadia_events models=mistral runs=base,rag data=DATA

Keys of verify: models=all, runs=all, data=$RAG_EVAL_DATA, seed=0, runs_dir=outputs, out=reports. Without the weights, the data
or the GPU it says what is missing and ends with 4; it fetches nothing. Ends with 3 where a number is not the paper's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from experiments.options import options_of
from experiments.recipes.recipe import Direction, Recipe, read_recipe, recipe_names
from experiments.study import Found, Report, Run, Study, ended, evaluation
from rag_eval.config.suggest import suggest
from rag_eval.errors import ConfigError, EnvironmentFault, UserError
from rag_eval.record.load import RecordedRun
from rag_eval.report.table import Cell, Column, Figure, Table, Term, figure
from rag_eval.report.terminal import show
from rag_eval.score.labels import label_of
from rag_eval.types import Estimate


@dataclass(frozen=True)
class Options:
    """Which models and runs of the recipe, and where data, runs and reports are."""

    models: str = "all"
    runs: str = "all"
    data: Path = Path(os.environ.get("RAG_EVAL_DATA", "data"))
    seed: int = 0
    runs_dir: Path = Path("outputs")
    out: Path = Path("reports")


RecipeRun = tuple[str, str]  # model, run


@dataclass(frozen=True)
class Compared:
    """One number of a paper and what was measured here."""

    model: str
    what: str  # a run, or "a - b"
    reported: float
    found: float | None  # None = the run has no such estimate
    estimate: Estimate | None  # of a single run; a difference has none here
    tolerance: float

    @property
    def verdict(self) -> str:
        """AS REPORTED, OTHER or NOT MEASURED."""
        if self.found is None:
            return "NOT MEASURED"
        return "AS REPORTED" if abs(self.found - self.reported) <= self.tolerance + 1e-12 else "OTHER"


@dataclass(frozen=True)
class Directed:
    """A direction of a paper and what was measured here."""

    model: str
    wanted: Direction
    found: float | None  # None = some run has no such estimate
    estimate: Estimate | None  # of a single run; a difference has none here

    @property
    def verdict(self) -> str:
        """AS REPORTED, OTHER or NOT MEASURED; by the mean, whatever its interval."""
        if self.found is None:
            return "NOT MEASURED"
        return "AS REPORTED" if (self.found > 0 if self.wanted.side == "above 0" else self.found < 0) else "OTHER"


def main(argv: Sequence[str]) -> int:
    """List or verify; returns the exit code."""
    return ended(lambda: _main(argv))


def _main(argv: Sequence[str]) -> int:
    words, pairs = [one for one in argv if "=" not in one], [one for one in argv if "=" in one]
    options = options_of(pairs, Options)
    if words == ["list"]:
        show([_listed([read_recipe(name) for name in recipe_names()])], [], Console())
        return 0
    if len(words) != 2 or words[0] != "verify":
        raise UserError(f"expected `list` or `verify NAME`, got {' '.join(words) or 'nothing'}; recipes: {', '.join(recipe_names())}.")
    return study_of(read_recipe(words[1])).carry_out(options, argv)


def study_of(recipe: Recipe) -> Study[Options, RecipeRun, RecordedRun]:
    """What is chosen of a recipe, run and compared: ends with 0 if every number is as reported, 3 otherwise."""
    runs, report = partial(runs_of, recipe), partial(report_of, recipe)
    return Study(f"recipe-{recipe.name}", recipe.name, "experiments.recipes", Options, runs, report)


def runs_of(recipe: Recipe, options: Options) -> list[Run[RecipeRun, RecordedRun]]:
    """The chosen runs of the chosen models.

    Args:
        recipe: the recipe.
        options: which models and runs, and where data and runs are.

    Returns:
        The runs by (model, run).

    Raises:
        ConfigError: if a model or run is not in the recipe.
        EnvironmentFault: if something that they need is missing; one line for each.
    """
    from experiments.recipes.requirements import missing  # torch takes seconds to load, and `list` needs none

    models, names = _chosen(options.models, recipe.models, "models"), _chosen(options.runs, recipe.runs, "runs")
    lacking = missing(recipe, models, names, options.data)
    if lacking:
        raise EnvironmentFault("\n  ".join([f"{recipe.name} cannot run here; missing:", *lacking]))
    return [
        evaluation((model, name), settings_of(recipe, model, name, options), f"recipe-{recipe.name}", options.runs_dir)
        for model in models
        for name in names
    ]


def settings_of(recipe: Recipe, model: str, run: str, options: Options) -> list[str]:
    """The settings of one run."""
    return [*recipe.arguments(model, run, str(options.data)), f"seed={options.seed}"]


def report_of(recipe: Recipe, _: Options, found: Found[RecipeRun, RecordedRun]) -> Report:
    """Every number and direction of the paper whose runs were made, beside what was measured."""
    estimates: dict[str, dict[str, Mapping[str, Estimate]]] = {}
    for (model, name), run in found.items():
        estimates.setdefault(model, {})[name] = run.record.estimates
    measured = {model: {name: one.get(recipe.measure) for name, one in by_run.items()} for model, by_run in estimates.items()}
    compared = [one for model, by_run in measured.items() for one in compare(recipe, model, by_run)]
    directed = [one for model, by_run in estimates.items() for one in directions(recipe, model, by_run)]
    sections = [_section(recipe, compared), *([_directed(directed)] if directed else []), _measured(recipe, measured)]
    verdicts = [*(one.verdict for one in compared), *(one.verdict for one in directed)]
    return Report(sections, [f"differs: {one}" for one in recipe.differs], is_as_expected=set(verdicts) <= {"AS REPORTED"})


def compare(recipe: Recipe, model: str, found: Mapping[str, Estimate | None]) -> list[Compared]:
    """Every number of the paper whose runs were made."""
    compared = []
    for what, (runs, reported) in recipe.numbers(model).items():
        if recipe.tolerance is None or not found.keys() >= set(runs):
            continue
        means = [one.mean for run in runs if (one := found[run]) is not None]
        value = None if len(means) < len(runs) else means[0] - sum(means[1:])
        compared.append(Compared(model, what, reported, value, found[runs[0]] if len(runs) == 1 else None, recipe.tolerance))
    return compared


def directions(recipe: Recipe, model: str, estimates: Mapping[str, Mapping[str, Estimate]]) -> list[Directed]:
    """Every direction of the paper whose runs were made."""
    judged = []
    for wanted in recipe.directions:
        runs = recipe.runs_of(wanted.of)
        if not estimates.keys() >= set(runs):
            continue
        known = [one for run in runs if (one := estimates[run].get(wanted.measure)) is not None]
        value = None if len(known) < len(runs) else known[0].mean - sum(one.mean for one in known[1:])
        judged.append(Directed(model, wanted, value, known[0] if known and len(runs) == 1 else None))
    return judged


def _chosen(text: str, known: Mapping[str, object], key: str) -> list[str]:
    names = list(known) if text == "all" else text.split(",")
    strange = [name for name in names if name not in known]
    if strange:
        raise ConfigError(f"{key}={strange[0]} is not in the recipe{suggest(strange[0], list(known))}")
    return names


def _listed(recipes: Sequence[Recipe]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            one.name,
            one.source,
            ", ".join(one.models),
            ", ".join(one.runs),
            sum(len(one.numbers(model)) for model in one.models),
            len(one.models) * len(one.directions),
            one.gpu_gib,
        )
        for one in recipes
    )
    reading = "Numbers, directions: how many of the paper are compared. GiB: of one GPU, for the largest of the runs."
    return Table("Recipes", reading, ("recipe", "source", "models", "runs", "numbers", "directions", "GiB"), rows)


def _section(recipe: Recipe, compared: Sequence[Compared]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.model, one.what, Figure(one.reported), figure(one.estimate) if one.estimate else Figure(one.found), one.verdict)
        for one in compared
    )
    tolerance = "no numbers are known" if recipe.tolerance is None else f"AS REPORTED: within {recipe.tolerance:g}"
    asked = "an unknown number of" if recipe.n is None else f"{recipe.n:,}"
    reading = f"{label_of(recipe.measure)}; {recipe.source}, on {asked} questions. Numbers from {recipe.known_from}. {tolerance}."
    return Table(recipe.name, reading, ("model", Column("run", kind="text"), "reported", "found", Column("verdict", kind="text")), rows)


def _directed(found: Sequence[Directed]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            one.model,
            Term(one.wanted.measure, label_of(one.wanted.measure)),
            one.wanted.of,
            one.wanted.side,
            figure(one.estimate) if one.estimate else Figure(one.found),
            one.verdict,
        )
        for one in found
    )
    reading = "On which side of 0; the paper's numbers are not known. Judged by the mean: an interval across 0 leaves it open."
    return Table("Directions", reading, ("model", "measure", "of", "expected", "found", "verdict"), rows)


def _measured(recipe: Recipe, found: Mapping[str, Mapping[str, Estimate | None]]) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (model, run, figure(one), 0 if one is None else one.n) for model, by_run in found.items() for run, one in by_run.items()
    )
    return Table(
        "Runs",
        "All that was run. " + " ".join(f"Claimed: {claim}." for claim in recipe.claims),
        ("model", "run", recipe.measure, "n"),
        rows,
    )
