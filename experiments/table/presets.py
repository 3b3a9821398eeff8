"""Sizes of the experiment behind the table: which model answers, in which worlds, how it is trained, and how much is swept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from experiments.options import World

PresetName = Literal["ci", "laptop", "real", "gpu"]


@dataclass(frozen=True)
class Pace:
    """Seconds on two cores, as measured on one machine; how long a preset takes is told from them before it starts."""

    training: float  # on the questions about a world in as many phrasings as the preset trains
    reading: float  # a run that answers with passages
    asking: float  # a run that answers without
    other: float  # all other measurements together


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
    recipe: tuple[str, ...] = ()  # settings of every training, in place of those of the embedded model
    n_phrasings: int = 6  # training questions a fact, where they are not swept
    n_questions: int = 160  # that are asked about a world, at least
    first_world: tuple[str, ...] = ()  # arms that are run in the first world alone, so that they have one training
    left_out: tuple[str, ...] = ()  # arms and measurements of wide presets that would take too long
    pace: Pace | None = None  # None = not measured


SIZES = (1_000, 10_000, 100_000, 1_000_000)
UPDATES = ("nothing", "from scratch", "continue", "continue, 10 % replay", "continue, 50 % replay", "stacked", "rag, indexed anew")
REAL_FIRST_WORLD = (
    *(f"update: {policy}" for policy in UPDATES),
    *("finetune, house", "finetune_format, house", "finetune, grouped", "finetune, wrong answers"),
    *("rag_random", "rag, house, instructed", "rag, json", "rag, no answer, not instructed", "rag, one passage"),
    *("oracle among 2", "oracle among 4"),
)
REAL_LEFT_OUT = (
    *("finetune, house, instructed", "finetune, 1 phrasings", "finetune, 2 phrasings", "finetune, half of the entities"),
    *(f"finetune, {n} restatements" for n in (0, 2, 10)),
    *("finetune, rank 1", "finetune, rank 4", "finetune, never updated", "rag, never updated", "rag, updated"),
)

PRESETS: dict[str, Preset] = {
    "ci": Preset("ci", "tiny", "hashed", "ci", (0,), False, (1_000, 10_000), "the embedded model", pace=Pace(53, 4, 2, 50)),
    "laptop": Preset("laptop", "tiny", "minilm", "ci", (0, 1, 2, 3), True, SIZES, "the embedded model", pace=Pace(53, 4, 2, 1000)),
    "real": Preset(
        "real",
        "smollm2",
        "minilm",
        "ci",
        (0, 1, 2),
        True,
        SIZES,
        "SmolLM2-135M-Instruct",
        overrides=("dataset.n_phrasings=1", "dataset.questions.n_answerable=100", "generator.dtype=float32"),
        recipe=("adapter.learning_rate=0.001", "adapter.epochs=null", "adapter.alpha=32", "adapter.batch_size=16", "dataset.n_phrasings=1"),
        n_phrasings=1,
        n_questions=100,
        first_world=REAL_FIRST_WORLD,
        left_out=REAL_LEFT_OUT,
        pace=Pace(1500, 150, 20, 2400),
    ),
    "gpu": Preset(
        "gpu",
        "hf",
        "minilm",
        "laptop",
        (0, 1, 2),
        True,
        SIZES,
        "a model by hub id",
        recipe=("adapter.learning_rate=0.0005", "adapter.alpha=32"),
    ),
}
