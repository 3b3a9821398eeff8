"""What papers reported, run here: their set-ups on public models, and whether their numbers come out.

    python -m experiments.recipes list
    python -m experiments.recipes verify ovadia_events models=mistral runs=base,rag data=DATA

Keys of verify: models=all, runs=all, data=$RAG_EVAL_DATA, seed=0, runs_dir=outputs, out=reports. Without the weights, the data
or the GPU it says what is missing and ends with 4; it fetches nothing. Ends with 3 where a number is not the paper's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console

from experiments.recipe import Direction, Recipe, read_recipe, recipe_names
from rag_eval.config.compose import register_resolvers
from rag_eval.config.paths import conf_dir
from rag_eval.config.suggest import suggest
from rag_eval.errors import ConfigError, EnvironmentFault, RagEvalError, UserError
from rag_eval.evaluate import evaluate
from rag_eval.record.disk import write_atomically, writing
from rag_eval.report.options import parsed
from rag_eval.report.sections import Cell, Figure, Section, as_json, as_markdown, figure, show
from rag_eval.types import Estimate

DEFAULTS = {
    "models": "all",
    "runs": "all",
    "data": os.environ.get("RAG_EVAL_DATA", "data"),
    "seed": "0",
    "runs_dir": "outputs",
    "out": "reports",
}
FILE_WIDTH = 200  # where the output is no terminal


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
    console = Console() if sys.stdout.isatty() else Console(width=FILE_WIDTH)
    try:
        words, options = parsed(argv, DEFAULTS)
        if words == ["list"]:
            show([_listed([read_recipe(name) for name in recipe_names()])], [], console)
            return 0
        if len(words) != 2 or words[0] != "verify":
            raise UserError(f"expected `list` or `verify NAME`, got {' '.join(words) or 'nothing'}; recipes: {', '.join(recipe_names())}.")
        return verify(read_recipe(words[1]), options, console)
    except RagEvalError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def verify(recipe: Recipe, options: Mapping[str, str], console: Console) -> int:
    """Run what is chosen of a recipe, compare, write; 0 if every number is as reported, 3 otherwise.

    Raises:
        EnvironmentFault: with a line for each thing that is missing.
    """
    from experiments.recipe_needs import missing  # torch takes seconds to load, and `list` needs none

    models, runs = _chosen(options["models"], recipe.models, "models"), _chosen(options["runs"], recipe.runs, "runs")
    lacking = missing(recipe, models, runs, Path(options["data"]))
    if lacking:
        raise EnvironmentFault("\n  ".join([f"{recipe.name} cannot run here; missing:", *lacking]))
    found: dict[str, dict[str, Estimate | None]] = {}
    directed: list[Directed] = []
    for model in models:
        configs = {run: composed(recipe, model, run, options["data"], options) for run in runs}
        estimates = {run: evaluate(cfg).estimates for run, cfg in configs.items()}
        found[model] = {run: those.get(recipe.measure) for run, those in estimates.items()}
        directed += directions(recipe, model, estimates)
    compared = [one for model in models for one in compare(recipe, model, found[model])]
    sections = [_section(recipe, compared), *([_directed(directed)] if directed else []), _measured(recipe, found)]
    _write(recipe, sections, Path(options["out"]), console)
    return 0 if all(one.verdict == "AS REPORTED" for one in (*compared, *directed)) else 3


def composed(recipe: Recipe, model: str, run: str, data: str, options: Mapping[str, str]) -> DictConfig:
    """The configuration of one run."""
    register_resolvers()
    own = [f"experiment_name=recipe-{recipe.name}", f"output_dir={options['runs_dir']}", f"seed={options['seed']}", "tracking=none"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=[*recipe.arguments(model, run, data), *own])


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


def _listed(recipes: Sequence[Recipe]) -> Section:
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
    return Section("Recipes", reading, ("recipe", "source", "models", "runs", "numbers", "directions", "GiB"), rows)


def _section(recipe: Recipe, compared: Sequence[Compared]) -> Section:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.model, one.what, Figure(one.reported), figure(one.estimate) if one.estimate else Figure(one.found), one.verdict)
        for one in compared
    )
    tolerance = "no numbers are known" if recipe.tolerance is None else f"AS REPORTED: within {recipe.tolerance:g}"
    asked = "an unknown number of" if recipe.n is None else f"{recipe.n:,}"
    reading = f"{recipe.measure}; {recipe.source}, on {asked} questions. Numbers from {recipe.known_from}. {tolerance}."
    return Section(recipe.name, reading, ("model", "run", "reported", "found", "verdict"), rows)


def _directed(found: Sequence[Directed]) -> Section:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            one.model,
            one.wanted.measure,
            one.wanted.of,
            one.wanted.side,
            figure(one.estimate) if one.estimate else Figure(one.found),
            one.verdict,
        )
        for one in found
    )
    reading = "On which side of 0; the paper's numbers are not known. Judged by the mean: an interval across 0 leaves it open."
    return Section("Directions", reading, ("model", "measure", "of", "expected", "found", "verdict"), rows)


def _measured(recipe: Recipe, found: Mapping[str, Mapping[str, Estimate | None]]) -> Section:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (model, run, figure(one), 0 if one is None else one.n) for model, by_run in found.items() for run, one in by_run.items()
    )
    return Section(
        "Runs",
        "All that was run. " + " ".join(f"Claimed: {claim}." for claim in recipe.claims),
        ("model", "run", recipe.measure, "n"),
        rows,
    )


def _write(recipe: Recipe, sections: Sequence[Section], out: Path, console: Console) -> None:
    notes = [f"differs: {one}" for one in recipe.differs]
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    path = out / f"recipe-{recipe.name}"
    write_atomically(
        path.with_suffix(".json"), json.dumps({"notes": notes, "sections": as_json(sections)}, indent=1, allow_nan=False) + "\n"
    )
    write_atomically(path.with_suffix(".md"), as_markdown(recipe.name, sections, notes))
    show(sections, [*notes, f"written: {path}.md, {path}.json"], console)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
