"""Sizes of the experiment behind the table: which model answers, in which worlds, and how much is swept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from experiments.options import World

PresetName = Literal["ci", "laptop", "real", "gpu"]


@dataclass(frozen=True)
class Preset:
    """A size of the experiment."""

    name: str
    generator: str  # of conf/generator
    embedder: str  # of conf/retriever/embedder
    world: World
    seeds: tuple[int, ...]  # of worlds; a training has the random numbers of its world
    is_wide: bool  # whether sweeps and repeated trainings are run; otherwise only what every row needs at least
    vectors: tuple[int, ...]  # corpus sizes of the retrieval curve
    measured_on: str  # what the numbers are of, for readers
    overrides: tuple[str, ...] = ()  # settings of every run


PRESETS: dict[str, Preset] = {
    "ci": Preset("ci", "tiny", "hashed", "ci", (0,), False, (1_000, 10_000), "the embedded model"),
    "laptop": Preset("laptop", "tiny", "minilm", "ci", (0, 1, 2), True, (1_000, 10_000, 100_000, 1_000_000), "the embedded model"),
    "real": Preset("real", "smollm2", "minilm", "ci", (0, 1, 2), True, (1_000, 10_000, 100_000, 1_000_000), "SmolLM2-135M-Instruct"),
    "gpu": Preset("gpu", "hf", "minilm", "laptop", (0, 1, 2), True, (1_000, 10_000, 100_000, 1_000_000), "a model by hub id"),
}
