"""Everything that can be wrong with a configuration, found before a model is loaded and before torch is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pydantic
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ValidationError

from rag_eval.config.build import refuse
from rag_eval.config.kinds import check_kind, how_to_choose
from rag_eval.config.modes import check_dataset_suits, check_mode
from rag_eval.config.signature import NAMES, STRICT, Place, signature
from rag_eval.config.suggest import suggest
from rag_eval.config.tracking_uri import check_uri
from rag_eval.errors import ConfigError, RagEvalError
from rag_eval.run_spec import PLACE, Metrics, Mode, Part, RunSpec, kinds, roles
from rag_eval.score.metric import metric
from rag_eval.score.primary import check_primary


def check(cfg: DictConfig) -> RunSpec:
    """Check a configuration and read it into a run.

    Args:
        cfg: composed configuration.

    Returns:
        The checked run.

    Raises:
        ConfigError: for an unknown key (with the nearest valid one), a wrong type, a value out of range, a target outside rag_eval and
            synthworld, a part of another kind than its place demands, a secret, or a mode that its parts contradict.
    """
    settings = _resolved(cfg)
    refuse(settings)
    _validate(_schema(RunSpec), settings, "")
    check_dataset_suits(settings["mode"]["name"], settings["dataset"])
    for name, kind in reversed(kinds().items()):  # from the last, to which others refer: retriever.cache is ${cache}
        if settings.get(name) is not None:
            _check_part(settings[name], name, kind)
    _check_metrics(Metrics(**settings["metrics"]))
    spec = _spec(settings)
    check_mode(spec)
    if uri := spec.tracking.get("uri"):
        check_uri(uri)
    return spec


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    try:
        settings: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        if (ours := _of_a_resolver(error)) is not None:
            raise ours from None
        raise ConfigError(f"{error.full_key or 'configuration'}: {str(error).splitlines()[0]}. Give it on the command line.") from None
    settings.pop("experiment", None)
    return dict(settings)


def _of_a_resolver(error: BaseException) -> RagEvalError | None:
    """What a resolver raised on purpose; OmegaConf 2.3 puts its own errors around it, and the resolver's in their context."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, RagEvalError):
        inner = inner.__context__
    return inner


@cache
def _schema(kind: type[RunSpec] | type[Mode] | type[Metrics]) -> type[BaseModel]:
    """The schema of a dataclass of the run; parts are checked against their own signatures."""
    hints = get_type_hints(kind, include_extras=True)
    made: dict[str, Any] = {one.name: (_plain(hints[one.name]), ... if one.default is MISSING else one.default) for one in fields(kind)}
    return pydantic.create_model(kind.__name__, __config__=STRICT, **made)


def _plain(hint: Any) -> Any:
    """The type of what a configuration states for a field."""
    bare = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if bare in (Mode, Metrics):
        return _schema(bare)
    return {Part: dict[str, Any], Part | None: dict[str, Any] | None}.get(bare, hint)


def _check_part(node: Any, where: str, kind: str) -> None:
    """Check a part and the parts inside it: kind, parameter names and types.

    Args:
        node: settings of the part.
        where: dotted key of the part.
        kind: dotted name of the Protocol or class that the place demands.

    Raises:
        ConfigError: if something does not fit.
    """
    if "_target_" not in node:
        raise ConfigError(f"{where}._target_ is missing; {how_to_choose(where, kind)}.")
    check_kind(node["_target_"], kind, where)
    read = signature(node["_target_"])
    given = {name: value for name, value in node.items() if name != "_target_"}
    if read.model is not None:
        _validate(read.model, given, where)
    elif given:
        raise ConfigError(f"{where}.{next(iter(given))} is unknown: {node['_target_']} takes no parameters.")
    for name, value in given.items():
        if (place := read.places.get(name)) is None:
            _check_plain(value, f"{where}.{name}")
        else:
            for key, inner in _parts_at(value, f"{where}.{name}", place):
                _check_part(inner, key, place.kind)


def _parts_at(value: Any, where: str, place: Place) -> Iterator[tuple[str, Any]]:
    """The parts that a parameter was given, each with its key."""
    if not place.takes_many:
        yield from [] if value is None else [(where, value)]
    elif isinstance(value, Mapping):
        yield from ((f"{where}.{name}", one) for name, one in value.items())
    else:
        yield from ((f"{where}[{at}]", one) for at, one in enumerate(value or ()))


def _check_plain(value: Any, where: str) -> None:
    """Refuse a part in a place that takes plain values.

    Args:
        value: settings of the place.
        where: dotted key of the place.

    Raises:
        ConfigError: if a part is found.
    """
    if isinstance(value, Mapping) and "_target_" in value:
        raise ConfigError(f"{where}: expected plain values, found the part {value['_target_']}; give values.")
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inside:
        _check_plain(one, f"{where}.{name}")


def _check_metrics(metrics: Metrics) -> None:
    _check_functions(metrics.answer, "metrics.answer", ["prediction", "example"])
    _check_functions(metrics.retrieval, "metrics.retrieval", ["retrieved", "evidence", "k"])
    _check_functions(metrics.run, "metrics.run", ["run"])
    for name, target in metrics.retrieval.items():
        if not metric(target).is_of_rankings:
            raise ConfigError(f"metrics.retrieval.{name}: {target} must declare that it judges by evidence or spans, and at which depths.")
    for name, target in metrics.run.items():
        if not metric(target).is_of_runs:
            raise ConfigError(f"metrics.run.{name}: {target} must declare that it judges the run.")
    if metrics.primary is not None:
        check_primary(metrics.answer, metrics.primary, "metrics.primary")


def _check_functions(targets: Mapping[str, str], where: str, parameters: Sequence[str]) -> None:
    """Refuse a metric that is not a function of the given parameters.

    Args:
        targets: dotted functions by metric name.
        where: dotted key of the metrics.
        parameters: names of the parameters, in order.

    Raises:
        ConfigError: if a target is not such a function.
    """
    for name, target in targets.items():
        model = signature(target, f"{where}.{name}").model
        if model is None or list(model.model_fields) != parameters:
            raise ConfigError(f"{where}.{name}: {target} is no metric; expected a function of ({', '.join(parameters)}).")


def _spec(settings: Mapping[str, Any]) -> RunSpec:
    """The value that a checked configuration describes."""
    made = {**settings, "mode": Mode(**settings["mode"]), "metrics": Metrics(**settings["metrics"])}
    made |= {name: part_of(settings[name]) for name in kinds() if settings.get(name) is not None}
    spec = RunSpec(**made)
    return replace(spec, retriever=_deep_enough(spec.retriever))


def part_of(node: Mapping[str, Any]) -> Part:
    """The part that a node describes, and those inside it."""
    read = signature(node["_target_"])
    params = {name: _value(value) for name, value in node.items() if name != "_target_"}
    places = {kind for name, kind in kinds().items() if roles()[name] == PLACE}
    silent = read.silent | {name for name, place in read.places.items() if place.kind in places}
    return Part(node["_target_"], params, frozenset(silent & params.keys()), frozenset(read.closed & params.keys()))


def _value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return part_of(value) if "_target_" in value else {name: _value(one) for name, one in value.items()}
    return [_value(one) for one in value] if isinstance(value, list) else value


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
    alternatives = ("constrained", "function", "nullable", "literal[")
    return ".".join(
        [where, *(part for at, part in enumerate(parts) if not part.startswith(alternatives) and (at == 0 or part not in NAMES))]
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


def _deep_enough(retriever: Part) -> Part:
    """The part with as many documents searched as enter the prompt, where it says fewer."""
    k, depth = retriever.get("k"), retriever.get("depth")
    return retriever if k is None or depth is None else retriever.having(depth=max(k, depth))
