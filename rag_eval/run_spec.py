"""What a run is to do: one frozen value, made by `rag_eval.config.check.check` of a configuration.

Each field says once what it is to a run: whether it decides the result, whether it is shown as a choice, and whether it belongs
to the recipe that is repeated across seeds. Identities, tables and reports read that from here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from enum import Flag, auto
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, NonNegativeInt, PositiveInt


class Role(Flag):
    """What a field of a run is to it."""

    VALUE = auto()  # decides the result as it stands
    CONTENT = auto()  # decides the result through the documents and questions that it gives; these are hashed in its place
    CHOICE = auto()  # is shown in tables and logged as a parameter
    RECIPE = auto()  # is equal in runs that repeat one recipe with other seeds


PLACE = Role(0)  # where results go, or what another command does: decides nothing and is not shown
SEED = "seed"  # a parameter of this name is the run's seed in any part, so that it belongs to no recipe


@dataclass(frozen=True)
class Part:
    """An exchangeable part: what builds it, and with what."""

    target: str  # dotted name of a class or a function under rag_eval
    params: Mapping[str, Any]  # by name: values, lists and mappings of values, parts, mappings of parts
    silent: frozenset[str] = frozenset()  # of the params, those that decide nothing of a result, as caches
    closed: frozenset[str] = frozenset()  # of the params, those whose signature lists the words that they take: none names a file

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default where it is left to the signature."""
        return self.params.get(name, default)

    def having(self, **params: Any) -> Part:
        """The same part with other values of some parameters."""
        return replace(self, params={**self.params, **params})

    def modules(self) -> Iterator[str]:
        """The modules of what builds it and the parts inside it, those that decide nothing apart."""
        yield self.target.rpartition(".")[0]
        yield from _modules([value for name, value in self.params.items() if name not in self.silent])

    def to_config(self) -> dict[str, Any]:
        """The node of a configuration that describes it."""
        return {"_target_": self.target, **{name: to_config(value) for name, value in self.params.items()}}


@dataclass(frozen=True)
class Mode:
    """What a mode demands of its parts, so that a contradiction is noticed."""

    name: str
    context: str  # the retriever's
    weights: str  # the adapter's
    has_exemplars: bool  # whether solved questions are what the arm adds to the others' prompt
    train_share: float  # of a source without splits of its own, divided by cluster
    has_passages: bool = False  # whether training shows every question with passages


@dataclass(frozen=True)
class Metrics:
    """What is scored."""

    answer: dict[str, str]  # name -> dotted name of a function of (prediction, example)
    retrieval: dict[str, str]  # of (retrieved, evidence, k)
    run: dict[str, str]  # of (run): of all its questions together; computed by reports
    retrieval_k: list[PositiveInt]
    primary: str | None = None  # which score says that an answer is right; None = what the dataset declares, else em


@dataclass(frozen=True)
class Kind:
    """What a part of a run must fulfil: the dotted name of a Protocol, of a class or of an alias."""

    name: str


@dataclass(frozen=True)
class RunSpec:
    """A checked configuration. The order of the fields is that of config.yaml and of the choices in tables."""

    dataset: Annotated[Part, Kind("rag_eval.types.QADataset"), Role.CONTENT | Role.CHOICE]
    chunker: Annotated[Part, Kind("rag_eval.protocols.Chunker"), Role.CONTENT | Role.CHOICE | Role.RECIPE]
    retriever: Annotated[Part, Kind("rag_eval.protocols.Retriever"), Role.VALUE | Role.CHOICE | Role.RECIPE]
    adapter: Annotated[Part, Kind("rag_eval.protocols.Adapter"), Role.VALUE | Role.CHOICE | Role.RECIPE]
    generator: Annotated[Part, Kind("rag_eval.protocols.Generator"), Role.VALUE | Role.CHOICE | Role.RECIPE]
    prompt: Annotated[Part, Kind("rag_eval.protocols.PromptWriter"), Role.VALUE | Role.CHOICE | Role.RECIPE]
    metrics: Annotated[Metrics, Role.VALUE]  # tables show the identity of the scorer
    tracking: Annotated[Part, Kind("rag_eval.track.tracker.Tracker"), PLACE]
    cache: Annotated[Part, Kind("rag_eval.protocols.Cache"), PLACE]
    latency: Annotated[Part, Kind("rag_eval.latency.protocol.LatencyProtocol"), PLACE]
    mode: Annotated[Mode, Role.VALUE]  # tables show its name
    seed: Annotated[int, Field(ge=0, lt=2**32), Role.VALUE | Role.CHOICE]
    limit: Annotated[Annotated[int, Field(ge=1)] | None, Role.CONTENT | Role.CHOICE]
    split: Annotated[Literal["test", "dev"], Role.VALUE | Role.CHOICE]
    allow_overlap: Annotated[list[Literal["questions"]], Role.VALUE | Role.CHOICE | Role.RECIPE]  # what may stand in train and in test
    n_probe: Annotated[NonNegativeInt, Role.VALUE | Role.CHOICE]
    n_forgetting: Annotated[NonNegativeInt, Role.VALUE | Role.CHOICE]
    experiment_name: Annotated[str, Field(pattern=r"^[\w.-]+$"), PLACE]
    output_dir: Annotated[str, PLACE]
    debug: Annotated[bool, PLACE]
    replay: Annotated[Part | None, Kind("rag_eval.replay.answer.Answers"), Role.VALUE | Role.CHOICE] = None  # recorded answers

    @property
    def parts(self) -> Mapping[str, Part]:
        """The parts by name, those that a run has."""
        return {name: value for name in kinds() if (value := getattr(self, name)) is not None}

    def having(self, role: Role) -> Mapping[str, Any]:
        """The fields with a role."""
        return {name: getattr(self, name) for name, one in roles().items() if role in one}

    def choices(self) -> Iterator[tuple[str, Any]]:
        """The choices under dotted names, lists as JSON, each part by the last name of its target.

        A part inside another that is also a part of the run, as its cache, is told once.
        """
        for name, value in self.having(Role.CHOICE).items():
            yield from self._told(name, value)

    def to_config(self) -> dict[str, Any]:
        """The configuration as plain data, with which `check` makes an equal value."""
        return {one.name: to_config(getattr(self, one.name)) for one in fields(self)}

    def _told(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(value, Part):
            yield name, value.target.rpartition(".")[2]
            value = {one: inner for one, inner in value.params.items() if not self._is_told_elsewhere(one, inner, value)}
        if isinstance(value, Mapping):
            for one, inner in value.items():
                yield from self._told(f"{name}.{one}", inner)
        else:
            yield name, json.dumps(value) if isinstance(value, list) else value

    def _is_told_elsewhere(self, name: str, value: Any, part: Part) -> bool:
        return isinstance(value, Part) and (name in part.silent or value in self.parts.values())


def _modules(value: Any) -> Iterator[str]:
    if isinstance(value, Part):
        yield from value.modules()
    elif isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _modules(one)


def to_config(value: Any) -> Any:
    """A value of a run as a configuration states it."""
    if isinstance(value, Part):
        return value.to_config()
    if isinstance(value, Mode):
        return {name: one for name, one in vars(value).items() if name != "has_passages" or one}
    if isinstance(value, Metrics):
        return dict(vars(value))
    if isinstance(value, Mapping):
        return {name: to_config(one) for name, one in value.items()}
    return [to_config(one) for one in value] if isinstance(value, list) else value


@cache
def roles() -> Mapping[str, Role]:
    """Of each field."""
    return {name: one for name, notes in _notes().items() for one in notes if isinstance(one, Role)}


@cache
def kinds() -> dict[str, str]:
    """Of each field that is a part, the dotted name of what it must fulfil."""
    return {name: one.name for name, notes in _notes().items() for one in notes if isinstance(one, Kind)}


def _notes() -> Mapping[str, tuple[Any, ...]]:
    return {name: hint.__metadata__ for name, hint in get_type_hints(RunSpec, include_extras=True).items()}


def is_of_recipe(choice: str) -> bool:
    """Whether a choice, by its dotted name in a record, belongs to the recipe; one that this version does not know does."""
    names = choice.split(".")
    return names[-1] != SEED and Role.RECIPE in roles().get(names[0], Role.RECIPE)
