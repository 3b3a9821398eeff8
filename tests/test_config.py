"""The check of a configuration: what is wrong is said with its key, and what a source says of a part is what Python says."""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
from pathlib import Path

import pytest
import yaml
from hydra.errors import HydraException
from omegaconf import open_dict

import rag_eval
from rag_eval.config.build import build
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.config.expected import expected
from rag_eval.config.modes import modes
from rag_eval.config.secrets import is_secret, refuse_secrets
from rag_eval.config.signature import signature
from rag_eval.errors import ConfigError
from rag_eval.run_spec import RunSpec

pytestmark = pytest.mark.flow

CONF = Path(__file__).parents[1] / "conf"
TARGETS = sorted(
    content["_target_"] for path in CONF.rglob("*.yaml") if "_target_" in (content := yaml.safe_load(path.read_text(encoding="utf-8")))
)


def checked(*overrides: str) -> RunSpec:
    quick = [] if any(one.startswith("generator=") for one in overrides) else ["generator=echo"]
    if not any(one.startswith(("mode=", "retriever=")) for one in overrides):
        quick.append("retriever/embedder=hashed")
    return check(composed([*quick, *overrides]))


def refusal(*overrides: str) -> str:
    with pytest.raises(ConfigError) as raised:
        checked(*overrides)
    assert raised.value.exit_code == 2
    return str(raised.value)


def test_a_correct_configuration_is_returned_as_what_is_to_be_done() -> None:
    spec = checked("retriever.k=5")
    assert spec.retriever.get("k") == 5
    assert spec.retriever.get("cache") == spec.cache  # resolved
    assert type(spec.metrics.retrieval_k) is list


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("+retriever.kk=5", ["retriever.kk is unknown", "did you mean k?"]),
        ("+retriever.embedder.dims=5", ["retriever.embedder.dims is unknown", "did you mean dim?"]),
        ("+generator.max_word=5", ["generator.max_word is unknown", "did you mean max_words?"]),
        ("+limits=5", ["limits is unknown", "did you mean limit?"]),
        ("+adapter.rank=5", ["adapter.rank is unknown", "takes no parameters"]),
        ("~generator.max_words", ["generator.max_words is missing"]),
        ("~generator._target_", ["generator._target_ is missing"]),
        ("dataset.version=4", ["dataset.version is 4", "less than or equal to 3"]),
        ("dataset.manner.styles=[artikel]", ["dataset.manner.styles.0 is 'artikel'", "'article'"]),
        ("+dataset.manner.pronoun=0.5", ["dataset.manner.pronoun is unknown", "did you mean pronouns?"]),
        ("dataset.manner.misprints=2", ["dataset.manner.misprints is 2"]),
        ("dataset.questions.kinds=[twohop]", ["dataset.questions.kinds.0 is 'twohop'", "'two_hop'"]),
        ("dataset.questions.correlation=2", ["dataset.questions.correlation is 2"]),
        ("dataset.distractors.sibling=-1", ["dataset.distractors.sibling is -1"]),
        ("dataset.preset=huge", ["dataset.preset is 'huge'", "'laptop'"]),
        ("retriever.k='5'", ["retriever.k is '5'", "integer"]),
        ("retriever.k=true", ["retriever.k is True", "integer"]),
        ("retriever.k=2.0", ["retriever.k is 2.0", "integer"]),
        ("retriever.k=0", ["retriever.k is 0", "greater than 0"]),
        ("retriever.k=null", ["retriever.k is None"]),
        ("metrics.retrieval_k=[1,0]", ["metrics.retrieval_k.1 is 0"]),
        ("seed=-1", ["seed is -1"]),
        ("seed=4294967296", ["seed is 4294967296"]),
        ("limit=0", ["limit is 0"]),
        ("experiment_name=a/b", ["experiment_name is 'a/b'"]),
        ("dataset._target_=os.system", ["dataset._target_", "os.system", "not allowed"]),
        ("dataset._target_=rag_eval_evil.run", ["rag_eval_evil.run", "not allowed"]),
        ("dataset._target_=rag_eval.data.nowhere.world", ["there is no module rag_eval.data.nowhere"]),
        ("dataset._target_=synthworld.dataset.wrld", ["has no wrld", "did you mean world?"]),
        ("+dataset._args_=[1]", ["dataset._args_ is not allowed"]),
        ("+retriever.embedder._partial_=true", ["retriever.embedder._partial_ is not allowed"]),
        ("+dataset.api_key=abc", ["dataset.api_key looks like a secret"]),
        ("+token=abc", ["token looks like a secret"]),
        ("dataset=squad", ["dataset.path"]),
        ("metrics.answer.em=os.system", ["metrics.answer.em", "os.system", "not allowed"]),
        ("metrics.answer.em=rag_eval.score.answer.emm", ["metrics.answer.em", "has no emm", "did you mean em?"]),
        ("metrics.answer.em=rag_eval.score.answer.token_f1", ["metrics.answer.em", "is no metric"]),
        ("metrics.answer.em=rag_eval.types.Example", ["metrics.answer.em", "is no metric"]),
        ("metrics.retrieval.recall=os.system", ["metrics.retrieval.recall", "os.system", "not allowed"]),
        (
            "metrics.retrieval.recall=rag_eval.score.answer.em",
            ["metrics.retrieval.recall", "is no metric; expected a function of (retrieved, evidence, k)"],
        ),
        ("~metrics.retrieval", ["metrics.retrieval is missing"]),
        (
            "metrics.run.usd_per_correct=rag_eval.score.answer.em",
            ["metrics.run.usd_per_correct", "is no metric; expected a function of (run)"],
        ),
        ("prompt.n_exemplars=-1", ["prompt.n_exemplars is -1: input should be greater than or equal to 0, or 'auto'"]),
        ("prompt.n_exemplars=some", ["prompt.n_exemplars is 'some': input should be a valid integer, or 'auto'"]),
        ("metrics.answer.em=rag_eval.nowhere.em", ["metrics.answer.em", "there is no module rag_eval.nowhere"]),
    ],
)
def test_what_is_wrong_is_said_with_its_key(override: str, words: list[str]) -> None:
    message = refusal(override)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize("value", ["nan", "inf", "0.0", "-1.0", "'2'"])
def test_a_share_of_work_is_a_positive_finite_number(value: str) -> None:
    assert "adapter.epochs is" in refusal("mode=finetune", "generator=tiny", f"adapter.epochs={value}")


def test_a_whole_number_is_a_number() -> None:
    assert checked("mode=finetune", "generator=tiny", "adapter.epochs=3").adapter.get("epochs") == 3


def test_several_faults_are_said_at_once() -> None:
    message = refusal("retriever.k=0", "retriever.depth=-1")
    assert "retriever.k is 0" in message
    assert "retriever.depth is -1" in message


def test_an_empty_secret_is_none_and_counts_of_tokens_are_no_secrets() -> None:
    assert [key for key in ("hf_token", "API_KEY", "password", "client_secret") if not is_secret(key)] == []
    assert [key for key in ("max_new_tokens", "token_budget", "tokenizer", "secretary") if is_secret(key)] == []
    message = refusal("+dataset.api_key=")
    assert "unknown" in message  # of an empty one nothing could leak; it is a key like others


def test_a_secret_is_not_repeated() -> None:
    assert "hunter2" not in refusal("+generator.password=hunter2")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["mode=closed_book", "retriever=dense"], ["mode=closed_book contradicts retriever", "use mode=rag"]),
        (["mode=rag", "adapter=majority"], ["mode=rag contradicts adapter", "'base'"]),
        (["mode=few_shot", "prompt.n_exemplars=0"], ["mode=few_shot shows exemplars", "at least 1"]),
        (["mode=few_shot", "prompt.n_exemplars=auto"], ["mode=few_shot shows exemplars", "at least 1"]),
        (["mode=finetune", "retriever=oracle"], ["contradicts retriever", "leave retriever to the mode"]),
        (["mode=finetune", "retriever=dense", "generator=tiny"], ["contradicts retriever", "use mode=rag_finetune"]),
        (["mode=raft", "adapter/data=qa", "generator=tiny"], ["contradicts adapter.data", "use mode=rag_finetune"]),
        (["mode=rag_finetune", "adapter/data=raft", "generator=tiny"], ["contradicts adapter.data", "use mode=raft"]),
        (["mode=finetune"], ["mode=finetune trains weights", "Echo", "generator=tiny"]),
    ],
)
def test_a_mode_that_contradicts_its_parts_names_what_was_meant(overrides: list[str], words: list[str]) -> None:
    message = refusal(*overrides)
    assert [word for word in words if word not in message] == []


def test_any_factory_string_of_faiss_is_given_in_quotes_as_the_documentation_says() -> None:
    line = "'retriever.index.factory=\"IVF{nlist},PQ48np\"'"
    assert line in (CONF.parent / "docs" / "retrieval.md").read_text(encoding="utf-8")
    assert checked("mode=rag", *shlex.split(line)).retriever.params["index"].get("factory") == "IVF{nlist},PQ48np"


def test_a_part_of_a_retriever_that_has_none_is_refused_with_the_retrievers_that_have() -> None:
    with pytest.raises(HydraException) as raised:
        composed(["mode=rag", "retriever=bm25", "retriever/embedder=hashed"])
    message = str(expected(raised.value))
    assert message == (
        "retriever/embedder chooses a part that this retriever does not have; leave it out, or choose retriever=<one of dense>"
    )


@pytest.mark.parametrize(
    "override", ["generator=null", "dataset=3", "retriever/embedder=1.5", "prompt=true", "mode=", "generator=tiny,null"]
)
def test_a_choice_that_is_no_name_is_refused_with_the_choices(override: str) -> None:
    group, _, _ = override.partition("=")
    names = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    with pytest.raises(ConfigError, match=re.escape(f"{override} names no choice; choices: {', '.join(names)}.")):
        composed([override])


@pytest.mark.parametrize("line", ['context = "retrieved"', 'context: Context = "retreived"'])
def test_a_retriever_without_a_context_in_its_body_is_told_the_line_to_write(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = f"undeclared_{len(line)}"  # a source is read once a session
    body = f"class Mine:\n    {line}\n    k = depth = 0\n\n    def add(self): ...\n    def remove(self): ...\n    def search(self): ...\n"
    (tmp_path / f"{module}.py").write_text(body, encoding="utf-8")
    monkeypatch.setattr(rag_eval, "__path__", [*rag_eval.__path__, str(tmp_path)])
    message = refusal("mode=rag", "retriever=none", f"retriever._target_=rag_eval.{module}.Mine")
    assert message.startswith("retriever: the mode is checked")
    assert 'expected `context: Context = "retrieved"` in the class body' in message
    assert "use mode=" not in message


def test_a_dataset_without_what_a_mode_sets_is_refused_with_those_that_have_it() -> None:
    message = refusal("mode=rag_stale", "dataset=squad", "dataset.path=x.json")
    assert "mode=rag_stale sets dataset.lag, which this dataset does not have" in message
    assert message.endswith("datasets that have it: world.")


@pytest.mark.parametrize(
    ("given", "depth"), [(["retriever.k=20"], 20), (["retriever.depth=2"], 3), (["retriever.k=4", "retriever.depth=7"], 7)]
)
def test_as_many_documents_are_searched_as_enter_the_prompt(given: list[str], depth: int) -> None:
    assert checked("retriever=bm25", "mode=rag", *given).retriever.get("depth") == depth


def test_an_endpoint_takes_further_fields_and_takes_fields_away() -> None:
    of_model = ("generator=openai", "generator.model=m", "mode=closed_book")
    given = checked(*of_model, "generator.extra={temperature:null,max_completion_tokens:512}").generator.get("extra")
    assert given == {"temperature": None, "max_completion_tokens": 512}
    assert not checked(*of_model).generator.get("extra")


def test_exemplars_left_to_the_signature_are_none() -> None:
    assert "n_exemplars" not in checked("mode=rag", "~prompt.n_exemplars").prompt.params


def test_no_two_modes_mean_the_same() -> None:
    meanings = {(mode.context, mode.weights, mode.has_exemplars, mode.has_passages) for mode in modes()}
    # These differ in what there is to know, or give no answers.
    others = {"rag_stale", "finetune_stale", "finetune_format", "rag_format", "finetune_permuted", "retrieval"}
    assert len(meanings) == len([mode for mode in modes() if mode.name not in others]) >= 10


@pytest.mark.parametrize("target", TARGETS)
def test_the_source_says_of_a_part_what_its_signature_says(target: str) -> None:
    module, _, name = target.rpartition(".")
    part = getattr(importlib.import_module(module), name)
    takes = {} if inspect.isclass(part) and part.__init__ is object.__init__ else dict(inspect.signature(part).parameters)
    model = signature(target).model
    read = {} if model is None else {field: one.is_required() for field, one in model.model_fields.items()}
    assert read == {key: one.default is inspect.Parameter.empty for key, one in takes.items()}


def test_these_are_all_targets() -> None:
    assert len(TARGETS) >= 27


def test_a_part_is_not_built_from_outside_the_package_however_deep() -> None:
    with pytest.raises(ConfigError, match=r"parts\[1\]\.inner\._target_: 'os\.system' is not allowed"):
        build({"_target_": "rag_eval.prompt.PromptTemplate", "parts": [{}, {"inner": {"_target_": "os.system"}}]})


@pytest.mark.parametrize(
    "argument", ["+generator.hf_token=hf_abc", "+token=hf_abc", "+generator={hf_token: hf_abc}", "++a.b.api_key='hf_abc'"]
)
def test_a_secret_on_the_command_line_is_refused_before_hydra_sees_it_and_not_repeated(argument: str) -> None:
    with pytest.raises(ConfigError, match="looks like a secret") as refusal:
        refuse_secrets(["mode=rag", argument])
    assert "hf_abc" not in str(refusal.value)


@pytest.mark.parametrize("value", ["postgresql://me:hunter2@db/x", "http://hunter2@host:5000", "https://host/?api_key=hunter2"])
def test_a_secret_in_an_address_on_the_command_line_is_refused_and_not_repeated(value: str) -> None:
    with pytest.raises(ConfigError, match="through the environment") as refusal:
        refuse_secrets([f"tracking.uri={value}"])
    assert "hunter2" not in str(refusal.value)


def test_words_that_only_look_like_secrets_pass() -> None:
    passing = ["generator.token_budget=5", "+generator.hf_token=", "--help", "prompt.header=Password:", "tracking.uri=http://host:5000/a@b"]
    refuse_secrets(passing)


def test_an_interpolation_that_leads_nowhere_is_a_fault_of_the_configuration() -> None:
    cfg = composed(["generator=echo", "retriever/embedder=hashed"])
    with open_dict(cfg):
        cfg.generator.max_words = "${nowhere.at.all}"
    with pytest.raises(ConfigError, match=r"generator\.max_words"):
        check(cfg)
