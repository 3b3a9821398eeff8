"""The kind of a part is told from the source, before anything is imported: what stands in the wrong place is refused in one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from rag_eval.config.kinds import check_kind, how_to_choose
from rag_eval.errors import ConfigError
from tests.commands import Ended
from tests.test_conf import checked

NO_RETRIEVER = "rag_eval.retrieve.none.NoRetriever"
PARTS = "rag_eval.protocols."


@pytest.mark.parametrize(
    ("override", "expected", "found", "instead"),
    [
        (f"generator={{_target_: {NO_RETRIEVER}}}", "generator: expected a Generator", NO_RETRIEVER, "choose generator=<one of echo, hf,"),
        (f"retriever.embedder={{_target_: {NO_RETRIEVER}}}", "an Embedder", NO_RETRIEVER, "choose retriever/embedder=<one of hashed, hf,"),
        (
            f"retriever.index={{_target_: {NO_RETRIEVER}}}",
            "retriever.index: expected an Index",
            NO_RETRIEVER,
            "retriever/index=<one of annoy,",
        ),
        (
            f"tracking={{_target_: {NO_RETRIEVER}}}",
            "tracking: expected a Tracker",
            NO_RETRIEVER,
            "choose tracking=<one of jsonl, mlflow, none>",
        ),
        (f"dataset={{_target_: {NO_RETRIEVER}}}", "dataset: expected a QADataset", NO_RETRIEVER, "choose dataset=<one of beir,"),
        (
            "cache={_target_: rag_eval.generate.echo.Echo}",
            "cache: expected a Cache",
            "rag_eval.generate.echo.Echo",
            "choose cache=<one of default>",
        ),
    ],
)
def test_a_part_of_another_kind_ends_with_one_line_and_code_2(
    override: str, expected: str, found: str, instead: str, command: Callable[..., Ended]
) -> None:
    ended = command("mode=rag", override, tracking="none" if "tracking" not in override else "jsonl")
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("error: ")
    assert [part for part in (expected, f"found {found}", instead) if part not in line] == []


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["mode=finetune", f"adapter.data._target_={NO_RETRIEVER}"], ["adapter.data: expected a TrainingData", "choose adapter/data="]),
        (["retriever=hybrid", f"retriever.retrievers.dense._target_={NO_RETRIEVER}"], ["retriever.retrievers.dense: expected a Searching"]),
        (["retriever=multi_query", "retriever.retriever._target_=rag_eval.retrieve.oracle.Oracle"], ["expected a Searching", "exactly"]),
        (
            ["retriever=reranked", f"retriever.reranker.embedder._target_={NO_RETRIEVER}"],
            ["retriever/embedder@retriever.reranker.embedder="],
        ),
        (["retriever=bm25", f"retriever.analyzer._target_={NO_RETRIEVER}"], ["expected an Analyzer", "which gives a NoRetriever"]),
        (["retriever.cache={_target_: rag_eval.generate.none.NoGenerator}"], ["retriever.cache: expected a Cache", "choose cache=<one of"]),
        (["chunker._target_=rag_eval.prompt.PromptTemplate"], ["chunker: expected a Chunker", "choose chunker=<one of markdown, none,"]),
        (["prompt._target_=rag_eval.data.chunking.chunker.NoChunker"], ["prompt: expected a PromptWriter", "choose prompt="]),
        (["latency._target_=rag_eval.prompt.PromptTemplate"], ["latency: expected a LatencyProtocol"]),
        (
            ["mode=replay", "replay.path=x", "generator.answers={_target_: rag_eval.prompt.PromptTemplate}"],
            ["generator.answers: expected an Answers"],
        ),
        (
            ["dataset.manner._target_=rag_eval.prompt.PromptTemplate"],
            ["dataset.manner: expected a DocumentStyle", "give dataset.manner._target_ of one"],
        ),
        (["dataset=update", "dataset.before._target_=rag_eval.prompt.PromptTemplate"], ["dataset@dataset.before=<one of beir,"]),
        (["~retriever.index._target_"], ["retriever.index._target_ is missing", "choose retriever/index="]),
        (["+generator.stop={_target_: rag_eval.prompt.PromptTemplate}"], ["generator.stop"]),
        (
            ["generator=openai", "generator.model=m", "+generator.extra={a: {_target_: rag_eval.prompt.PromptTemplate}}"],
            ["extra.a: expected plain"],
        ),
    ],
)
def test_a_part_inside_a_part_is_held_to_the_annotation_of_its_parameter(overrides: list[str], words: list[str]) -> None:
    with pytest.raises(ConfigError) as refusal:
        checked(*overrides)
    message = str(refusal.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("rag_eval.adapt.majority.MajorityAnswers", f"{PARTS}Generator"),  # attributes of the class
        ("rag_eval.retrieve.bm25.BM25", f"{PARTS}Searching"),  # attributes that are set on self, and what Searching inherits
        ("rag_eval.retrieve.encoders.sentence_transformer.SentenceTransformerEmbedder", f"{PARTS}Embedder"),  # properties
        ("rag_eval.data.chunking.splitters.sentences", f"{PARTS}Chunker"),  # a function that gives one
        ("rag_eval.generate.hf.HF", f"{PARTS}Trainable"),
    ],
)
def test_what_fulfils_a_protocol_passes(target: str, kind: str) -> None:
    check_kind(target, kind, "there")


@pytest.mark.parametrize(
    ("target", "kind", "lacking"),
    [
        ("rag_eval.retrieve.oracle.Oracle", f"{PARTS}Searching", "has no exactly, identity;"),  # what is inherited is demanded too
        ("rag_eval.generate.echo.Echo", f"{PARTS}Trainable", "and 7 more"),
        ("rag_eval.data.sources.squad.squad", f"{PARTS}Retriever", "has no add, context, depth and 3 more"),
    ],
)
def test_what_a_part_lacks_is_named(target: str, kind: str, lacking: str) -> None:
    with pytest.raises(ConfigError, match="there: expected") as refusal:
        check_kind(target, kind, "there")
    assert lacking in str(refusal.value)


LIGHT = """
import sys
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.errors import ConfigError
try:
    check(composed(["mode=rag_finetune", "adapter.data._target_=rag_eval.generate.hf.HF"]))
except ConfigError:
    print("HEAVY", sorted({"torch", "transformers", "mlflow", "faiss", "datasets", "peft"} & set(sys.modules)))
"""


def test_what_is_refused_is_no_choice() -> None:
    bm25 = "rag_eval.retrieve.bm25.BM25"
    assert "bm25," in how_to_choose("retriever", PARTS + "Retriever")
    assert "bm25" not in how_to_choose("retriever", PARTS + "Retriever", bm25)


def test_no_part_is_imported_for_it() -> None:
    out = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, timeout=120, check=True).stdout
    assert out == "HEAVY []\n"
