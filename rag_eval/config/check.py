"""Everything that can be wrong with a configuration, found before a model is loaded and before torch is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pydantic
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, Field, ValidationError

from rag_eval.config.build import refuse
from rag_eval.config.modes import Mode, check_dataset_suits, check_mode
from rag_eval.config.signature import NAMES, STRICT, signature
from rag_eval.config.suggest import suggest
from rag_eval.config.tracking_uri import check_uri
from rag_eval.errors import ConfigError, RagEvalError
from rag_eval.score.primary import check_primary


class Metrics(BaseModel):
    """What is scored."""

    model_config = STRICT
    answer: dict[str, str]  # name -> dotted name of a function of (Prediction, Example)
    retrieval_k: list[pydantic.PositiveInt]
    primary: str | None = None  # which score says that an answer is right; None = what the dataset declares, else em


class Root(BaseModel):
    """The top of a configuration; parts are checked against their own signatures."""

    model_config = STRICT
    mode: Mode
    dataset: dict[str, Any]
    chunker: dict[str, Any]
    retriever: dict[str, Any]
    adapter: dict[str, Any]
    generator: dict[str, Any]
    prompt: dict[str, Any]
    metrics: Metrics
    tracking: dict[str, Any]
    cache: dict[str, Any]
    latency: dict[str, Any]
    replay: dict[str, Any] | None = None  # recorded answers, where a mode replays them
    split: Literal["test", "dev"]
    allow_overlap: list[Literal["questions"]]  # what may stand in train and in test word for word
    n_probe: pydantic.NonNegativeInt
    n_forgetting: pydantic.NonNegativeInt
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    limit: Annotated[int, Field(ge=1)] | None
    experiment_name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    output_dir: str
    debug: bool


def check(cfg: DictConfig) -> dict[str, Any]:
    """The resolved configuration as plain data, or the first thing that is wrong with it.

    Raises:
        ConfigError: an unknown key (with the nearest valid one), a wrong type, a value out of range, a target outside
            rag_eval, a secret, or a mode whose parts contradict it.
    """
    try:
        settings: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        if (ours := _of_a_resolver(error)) is not None:
            raise ours from None
        raise ConfigError(f"{error.full_key or 'configuration'}: {str(error).splitlines()[0]}. Give it on the command line.") from None
    settings.pop("experiment", None)
    settings.setdefault("replay", None)
    refuse(settings)
    _validate(Root, settings, "")
    settings["metrics"].setdefault("primary", None)
    check_dataset_suits(settings)
    for name, node in settings.items():
        if isinstance(node, Mapping) and name not in {"mode", "metrics"} and "_target_" not in node:
            raise ConfigError(f"{name}._target_ is missing; choose {name}=<a file of conf/{name}>.")
        _check_part(node, name)
    for name, target in settings["metrics"]["answer"].items():
        model = signature(target, f"metrics.answer.{name}").model
        if model is None or list(model.model_fields) != ["prediction", "example"]:
            raise ConfigError(f"metrics.answer.{name}: {target} is no metric; expected a function of (prediction, example).")
    if settings["metrics"]["primary"] is not None:
        check_primary(settings["metrics"]["answer"], settings["metrics"]["primary"], "metrics.primary")
    check_mode(settings)
    settings["retriever"] = _deep_enough(settings["retriever"])
    if uri := settings["tracking"].get("uri"):
        check_uri(uri)
    return dict(settings)


def _of_a_resolver(error: BaseException) -> RagEvalError | None:
    """What a resolver raised on purpose; OmegaConf 2.3 puts its own errors around it, and the resolver's in their context."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, RagEvalError):
        inner = inner.__context__
    return inner


def _check_part(node: Any, where: str) -> None:
    if isinstance(node, Mapping) and "_target_" in node:
        model = signature(node["_target_"], f"{where}._target_").model
        given = {name: value for name, value in node.items() if name != "_target_"}
        if model is not None:
            _validate(model, given, where)
        elif given:
            raise ConfigError(f"{where}.{next(iter(given))} is unknown: {node['_target_']} takes no parameters.")
    if isinstance(node, Mapping):
        for name, value in node.items():
            _check_part(value, f"{where}.{name}")


def _validate(model: type[BaseModel], values: Mapping[str, Any], where: str) -> None:
    try:
        model.model_validate(values)
    except ValidationError as error:
        by_key: dict[str, list[Any]] = {}
        for one in error.errors(include_url=False):
            by_key.setdefault(_key(one, where), []).append(one)
        raise ConfigError("; ".join(_explain(key, those, model) for key, those in list(by_key.items())[:5])) from None


def _key(error: Any, where: str) -> str:
    """The dotted name of what is wrong, without the names that pydantic gives to the kinds of value that it may be."""
    parts = [str(part) for part in error["loc"]]
    kinds = ("constrained", "function", "nullable", "literal[")
    return ".".join(
        [where, *(part for at, part in enumerate(parts) if not part.startswith(kinds) and (at == 0 or part not in NAMES))]
    ).strip(".")


def _explain(key: str, errors: Sequence[Any], model: type[BaseModel]) -> str:
    """One message for a key: of several kinds of value that it may be, each says what it expected."""
    error, *others = errors
    leaf = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return f"{key} is unknown{suggest(leaf, list(model.model_fields))}"
    if error["type"] == "missing":
        return f"{key} is missing; give it on the command line"
    more = "".join(f", or {one['msg'].removeprefix('Input should be ')}" for one in others)
    return f"{key} is {error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}{more}"


def _deep_enough(retriever: Mapping[str, Any]) -> dict[str, Any]:
    """The node with as many documents searched as enter the prompt, where it says fewer."""
    k, depth = retriever.get("k"), retriever.get("depth")
    return {**retriever, "depth": max(k, depth)} if k is not None and depth is not None else dict(retriever)
