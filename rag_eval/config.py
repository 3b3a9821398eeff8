"""Configuration: everything that can be wrong with it is found here, before a model is loaded and before torch is imported.

A part's constructor is its schema. It is read from the source text, so checking a configuration imports no part.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rag_eval.errors import ConfigError, RagEvalError
from rag_eval.processes import n_processes
from rag_eval.record.uri import check_uri
from rag_eval.score.metric import metric
from rag_eval.score.primary import check_primary

PACKAGE = "rag_eval"
CHOSEN_BY_MODE = ("retriever", "adapter", "generator")  # parts of which arms have different kinds, or none
SECRETS = ("token", "secret", "password", "api_key", "credential")

QUESTION_SHARE = 0.5  # of the questions of an article, for training, whether an arm trains or not: all are asked the same

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=())

# The names that an annotation of a part may use; any other name is a part.
_NAMES: Mapping[str, Any] = {
    **{kind.__name__: kind for kind in (int, float, str, bool, list, dict)},
    "Sequence": list, "Mapping": dict, "Any": Any, "Literal": Literal, "Annotated": Annotated, "Field": Field, "None": None,
    "PositiveInt": pydantic.PositiveInt, "NonNegativeInt": pydantic.NonNegativeInt,
    "PositiveFloat": pydantic.PositiveFloat, "NonNegativeFloat": pydantic.NonNegativeFloat,
}  # fmt: skip


class Mode(BaseModel):
    """What a mode demands of its parts, so that a contradiction is noticed."""

    model_config = STRICT
    name: str
    context: str  # the retriever's
    weights: str  # the adapter's
    has_exemplars: bool  # whether solved questions are what the arm adds to the others' prompt
    train_share: float  # of a source without splits of its own, divided by cluster
    has_passages: bool = False  # whether training shows every question with passages


class Metrics(BaseModel):
    """What is scored."""

    model_config = STRICT
    answer: dict[str, str]  # name -> dotted name of a function of (prediction, example)
    retrieval: dict[str, str]  # of (retrieved, evidence, k)
    run: dict[str, str]  # of (run): of all its questions together
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


@dataclass(frozen=True)
class Signature:
    """What the source says of a part."""

    model: type[BaseModel] | None  # None: it takes no parameters
    constants: Mapping[str, Any]  # class attributes that are literals
    methods: frozenset[str]


def conf_dir() -> Path:
    """The folder of configuration: $RAG_EVAL_CONF, else that of the checkout, else the one inside the package."""
    here = Path(__file__).parent
    chosen = os.environ.get("RAG_EVAL_CONF")
    return Path(chosen) if chosen else next((one for one in (here.parent / "conf", here / "conf") if one.is_dir()), here / "conf")


def register_resolvers() -> None:
    """Make what stands in YAML as `${...:}` known to OmegaConf.

    package: a path inside rag_eval. offline_minilm, offline_smollm2: the embedder and the language model from PyPI.
    n_processes: as how many this command was started.
    train_share: of a source without splits of its own; the arm's where it is divided by cluster, one for all arms by question.
    """

    def offline_minilm() -> str:
        from rag_eval.retrieve.offline import minilm_path

        return minilm_path()

    def offline_smollm2() -> str:
        from rag_eval.generate.offline import smollm2_path

        return smollm2_path()

    OmegaConf.register_new_resolver("package", lambda inside: str(Path(__file__).parent / inside), replace=True)
    OmegaConf.register_new_resolver("train_share", lambda split_by, arms: QUESTION_SHARE if split_by == "question" else arms, replace=True)
    OmegaConf.register_new_resolver("offline_minilm", offline_minilm, replace=True)
    OmegaConf.register_new_resolver("offline_smollm2", offline_smollm2, replace=True)
    OmegaConf.register_new_resolver("n_processes", n_processes, replace=True)


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
    _refuse(settings)
    _validate(Root, settings, "")
    settings["metrics"].setdefault("primary", None)
    _check_dataset_suits(settings)
    for name, node in settings.items():
        if isinstance(node, Mapping) and name not in {"mode", "metrics"} and "_target_" not in node:
            raise ConfigError(f"{name}._target_ is missing; choose {name}=<a file of conf/{name}>.")
        _check_part(node, name)
    _check_metrics(settings["metrics"], "answer", ["prediction", "example"])
    _check_metrics(settings["metrics"], "retrieval", ["retrieved", "evidence", "k"])
    _check_metrics(settings["metrics"], "run", ["run"])
    if settings["metrics"]["primary"] is not None:
        check_primary(settings["metrics"]["answer"], settings["metrics"]["primary"], "metrics.primary")
    _check_mode(settings)
    settings["retriever"] = _deep_enough(settings["retriever"])
    if uri := settings["tracking"].get("uri"):
        check_uri(uri)
    return dict(settings)


def without_foreign(cfg: DictConfig, given: Sequence[str]) -> list[str]:
    """Take from a configuration, in place, settings of parts that its mode did not choose; what was taken.

    In a sweep over modes a setting such as adapter.rank is given to every arm, and rag has no adapter. Only settings of
    retriever, adapter and generator are taken, and only those that another file of conf/ has for the same part: a
    misspelt one stays, for `check` to refuse.

    Args:
        cfg: of one arm.
        given: dotted keys of the command line.
    """
    taken = [key for key in dict.fromkeys(given) if _is_foreign(cfg, *key.split(".")[:2])]
    for part, setting in {(part, setting) for part, setting, *_ in (key.split(".") for key in taken)}:
        with open_dict(cfg[part]):
            del cfg[part][setting]
    return taken


def _is_foreign(cfg: DictConfig, part: str, setting: str) -> bool:
    node = cfg.get(part) if part in CHOSEN_BY_MODE else None
    if node is None or setting not in node or setting in _settings_of(node.get("_target_")):
        return False
    return any(setting in _settings_of(target) for target in _targets(part))


def _settings_of(target: str | None) -> frozenset[str]:
    model = None if target is None else signature(target).model
    return frozenset() if model is None else frozenset(model.model_fields)


@cache
def _targets(part: str) -> tuple[str, ...]:
    """Of the files of conf/ for a part, in which files that build on another may leave it out."""
    files = [OmegaConf.load(path) for path in sorted((conf_dir() / part).glob("*.yaml"))]
    return tuple(dict.fromkeys(file["_target_"] for file in files if isinstance(file, DictConfig) and "_target_" in file))


def build(node: Mapping[str, Any]) -> Any:
    """The object that a checked node describes, parts inside it first.

    Raises:
        ConfigError: if any target in it is not a name under rag_eval.
    """
    _refuse(node)
    return instantiate(dict(node), _convert_="all")


def is_secret(key: str) -> bool:
    """Whether a key, by its last part, names something that must not be written down."""
    return any(key.lower() == word or key.lower().endswith(f"_{word}") for word in SECRETS)


def refuse_secrets(arguments: Sequence[str]) -> None:
    """Refuse a secret on a command line before anything of it is written down; its value is not repeated.

    Raises:
        ConfigError: naming the key.
    """
    for argument in arguments:
        key, _, value = argument.partition("=")
        inside = re.findall(r"(\w+)[\"']?\s*:", value) if value.lstrip("'\"").startswith(("{", "[")) else re.findall(r"[?&](\w+)=", value)
        for name in (key.lstrip("+~").rpartition(".")[2], *inside):
            if value and is_secret(name):
                raise ConfigError(f"{name} looks like a secret; give it through the environment, not on the command line.")
        if re.search(r"://[^/\s]*@", value):
            raise ConfigError(f"{key} holds a user or a password in its address; give them through the environment.")


def suggest(word: str, known: list[str]) -> str:
    """'; did you mean X?' where some known word is near, all of them where they are few, nothing otherwise."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}" if 0 < len(known) <= 20 else ""


def keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key of a configuration, targets excluded."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if not str(name).startswith("_"):
                yield f"{prefix}{name}"
                yield from keys(value, f"{prefix}{name}.")


def _of_a_resolver(error: BaseException) -> RagEvalError | None:
    """What a resolver raised on purpose; OmegaConf 2.3 puts its own errors around it, and the resolver's in their context."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, RagEvalError):
        inner = inner.__context__
    return inner


def _refuse(node: Any, where: str = "") -> None:
    """Targets outside the package and secrets, wherever they stand."""
    if isinstance(node, list):
        for at, value in enumerate(node):
            _refuse(value, f"{where}[{at}]")
    if not isinstance(node, Mapping):
        return
    for name, value in node.items():
        key = f"{where}.{name}".lstrip(".")
        if name == "_target_" and not str(value).startswith(f"{PACKAGE}."):
            raise ConfigError(f"{key}: {value!r} is not allowed; only names under {PACKAGE}. are built.")
        if name in {"_args_", "_partial_", "_recursive_", "_convert_"}:
            raise ConfigError(f"{key} is not allowed in a configuration; give parameters by name.")
        if value and is_secret(str(name)):
            raise ConfigError(f"{key} looks like a secret; give it through the environment, not through the configuration.")
        _refuse(value, key)


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
        [where, *(part for at, part in enumerate(parts) if not part.startswith(kinds) and (at == 0 or part not in _NAMES))]
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


@cache
def signature(target: str, where: str = "") -> Signature:
    """The schema of a target, from its source.

    Raises:
        ConfigError: if there is no such module, class or function.
    """
    module, _, name = target.rpartition(".")
    if not target.startswith(f"{PACKAGE}."):
        raise ConfigError(f"{where}: {target} is not allowed; only names under {PACKAGE}. are used.")
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or spec.origin is None:
        raise ConfigError(f"{where}: there is no module {module}.")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    aliases = {
        node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return Signature(_schema(node.args, node.name, aliases), {}, frozenset())
        if isinstance(node, ast.ClassDef) and node.name == name:
            functions = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
            init = functions.get("__init__")
            model = _schema(init.args, name, aliases) if init else _fields(node, aliases) if _is_dataclass(node) else None
            return Signature(model, _constants(node), frozenset(functions))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")]
    raise ConfigError(f"{where}: {module} has no {name}{suggest(name, names)}.")


def _constants(node: ast.ClassDef) -> dict[str, Any]:
    return {
        one.target.id: one.value.value
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and isinstance(one.value, ast.Constant)
    }


def _schema(arguments: ast.arguments, name: str, aliases: Mapping[str, ast.expr]) -> type[BaseModel] | None:
    n_positional = len(arguments.args) - len(arguments.defaults)
    optional = {one.arg for one in arguments.args[n_positional:]}
    optional |= {one.arg for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value is not None}
    taken = [one for one in (*arguments.args, *arguments.kwonlyargs) if one.arg != "self"]
    return _model(name, [(one.arg, one.annotation, one.arg in optional) for one in taken], aliases)


def _fields(node: ast.ClassDef, aliases: Mapping[str, ast.expr]) -> type[BaseModel] | None:
    """The schema of a dataclass."""
    found = [
        (one.target.id, one.annotation, one.value is not None)
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    return _model(node.name, found, aliases)


def _model(name: str, parameters: Sequence[tuple[str, ast.expr | None, bool]], aliases: Mapping[str, ast.expr]) -> type[BaseModel] | None:
    """The schema of parameters: name, annotation, whether it may be left out. None where there are none."""
    fields: dict[str, Any] = {one: (_type(annotation, aliases), None if may_lack else ...) for one, annotation, may_lack in parameters}
    return pydantic.create_model(name, __config__=STRICT, **fields) if fields else None


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any("dataclass" in {part.id for part in ast.walk(one) if isinstance(part, ast.Name)} for one in node.decorator_list)


def _type(annotation: ast.expr | None, aliases: Mapping[str, ast.expr]) -> Any:
    """The annotation's type; a name that is neither built in nor an alias of the module stands for a part."""
    if annotation is None:
        return Any
    names = dict(_NAMES)
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id not in names:
            names[node.id] = _type(aliases[node.id], aliases) if node.id in aliases else dict[str, Any]
    try:
        # The text comes from a module of this package, whose import would run it as well.
        return eval(compile(ast.Expression(annotation), "<annotation>", "eval"), {"__builtins__": {}}, names)  # noqa: S307
    except TypeError:  # of generic types that no configuration gives, such as tuple
        return Any


def _check_metrics(metrics: Mapping[str, Any], group: str, parameters: Sequence[str]) -> None:
    """Every metric of a group is a function of these parameters and declares what such a metric must."""
    for name, target in metrics[group].items():
        model = signature(target, f"metrics.{group}.{name}").model
        if model is None or list(model.model_fields) != parameters:
            raise ConfigError(f"metrics.{group}.{name}: {target} is no metric; expected a function of ({', '.join(parameters)}).")
        if group == "retrieval" and not metric(target).is_of_rankings:
            raise ConfigError(f"metrics.{group}.{name}: {target} must declare that it judges by evidence or spans, and at which depths.")
        if group == "run" and not metric(target).is_of_runs:
            raise ConfigError(f"metrics.{group}.{name}: {target} must declare that it judges the run.")


def _check_mode(settings: Mapping[str, Any]) -> None:
    """The parts are those that the mode stands for."""
    found = Mode(
        name="",
        context=str(signature(settings["retriever"]["_target_"]).constants.get("context")),
        weights=str(signature(settings["adapter"]["_target_"]).constants.get("weights")),
        has_exemplars=False,
        train_share=0.0,
        has_passages=_has_passages(settings["adapter"]),
    )
    mode = Mode(**settings["mode"])
    demanded = {"context": "retriever", "weights": "adapter", "has_passages": "adapter.data"}
    for field, part in demanded.items():
        wanted, got = getattr(mode, field), getattr(found, field)
        if wanted != got:
            meant = next(
                (one.name for one in modes() if all(getattr(one, f) == getattr(found, f) for f in demanded)),
                None,
            )
            hint = f"use mode={meant}" if meant else f"leave {part} to the mode"
            raise ConfigError(f"mode={mode.name} contradicts {part}: {field} is {got!r}, the mode means {wanted!r}; {hint}.")
    if mode.has_exemplars and settings["prompt"].get("n_exemplars", 0) in (0, "auto"):
        raise ConfigError(f"mode={mode.name} shows exemplars; set prompt.n_exemplars to how many, at least 1.")
    if found.weights == "trained" and "with_adapter" not in signature(settings["generator"]["_target_"]).methods:
        raise ConfigError(
            f"mode={mode.name} trains weights, but {settings['generator']['_target_']} has none; use generator=tiny, smollm2 or hf."
        )


def _check_dataset_suits(settings: Mapping[str, Any]) -> None:
    """Every parameter of the dataset that the mode's file sets is one that the dataset has."""
    mode, dataset = settings["mode"]["name"], settings["dataset"]
    file = conf_dir() / "mode" / f"{mode}.yaml"
    own = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("dataset", {}) if file.is_file() else {}
    for name in own:
        if name in dataset and "_target_" in dataset and not _takes(dataset["_target_"], name):
            those = {
                path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((conf_dir() / "dataset").glob("*.yaml"))
            }
            having = [one for one, node in those.items() if "_target_" in node and _takes(node["_target_"], name)]
            raise ConfigError(
                f"mode={mode} sets dataset.{name}, which this dataset does not have; use another mode, or one of the datasets that have "
                f"it: {', '.join(having)}."
            )


def _takes(target: str, name: str) -> bool:
    model = signature(target).model
    return model is not None and name in model.model_fields


def _deep_enough(retriever: Mapping[str, Any]) -> dict[str, Any]:
    """The node with as many documents searched as enter the prompt, where it says fewer."""
    k, depth = retriever.get("k"), retriever.get("depth")
    return {**retriever, "depth": max(k, depth)} if k is not None and depth is not None else dict(retriever)


def _has_passages(adapter: Mapping[str, Any]) -> bool:
    return "data" in adapter and bool(signature(adapter["data"]["_target_"]).constants.get("has_passages"))


def modes() -> list[Mode]:
    """All modes of conf/mode, by file name."""
    return [Mode(**yaml.safe_load(path.read_text(encoding="utf-8"))["mode"]) for path in sorted((conf_dir() / "mode").glob("*.yaml"))]
