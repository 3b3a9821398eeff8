"""A run, or something in the cache, is what decides it, and nothing else: one field and one source file at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rag_eval import prompt_form, source
from rag_eval.config.build import build
from rag_eval.data.chunking.chunker import DocumentChunker, Piece
from rag_eval.probes.sample import sample
from rag_eval.record.content import content_of
from rag_eval.record.identity import code_of, comparison, run_id
from rag_eval.retrieve.dense import Dense
from rag_eval.retrieve.encoders.hashing import HashEmbedder
from rag_eval.retrieve.index.faiss_index import Faiss
from rag_eval.run_spec import Part
from rag_eval.targets import PACKAGES
from rag_eval.testing.models import write_random_model
from rag_eval.types import Cached, Document, QADataset
from tests.adapt.tiny_training import DATASET as TAUGHT
from tests.adapt.tiny_training import PROMPT, hf, lora
from tests.test_conf import checked
from tests.test_form import Talker, wordy
from tests.worlds import world

PACKAGE = Path(source.__file__).parent
DATASET = QADataset("d", "0", (), (), (), ())
RED = Document("d", "Ra is red.")
TALKER = Talker(wordy, {})
CI = "dataset.preset=ci"
QUICK = ("mode=rag", CI, "generator=echo", "retriever/embedder=hashed", "retriever/index=hnsw")
ELSEWHERE = "{_target_: rag_eval.record.cache.DirectoryCache, root: elsewhere}"

# Of a run of mode=rag: whether another value of one setting makes another run.
RAG = {
    "seed=1": True,
    "split=dev": True,
    "limit=5": True,
    "limit=100000": False,  # more than there are
    "n_probe=0": True,
    "n_forgetting=0": True,
    "allow_overlap=[questions]": True,
    "metrics=long": True,
    "metrics.retrieval_k=[1]": True,
    "metrics.primary=contains": True,
    "metrics.answer.em=rag_eval.score.answer.contains": True,
    "metrics.retrieval.recall=rag_eval.score.retrieval.hit_at_k": True,
    "~metrics.run.usd_per_correct": True,
    "retriever.k=4": True,
    "retriever.depth=11": True,
    "retriever/embedder=tfidf_svd": True,
    "retriever.embedder.dim=9": True,
    "retriever/index=torch": True,
    "retriever.index.factory=Flat": True,
    "retriever.index.settings.efSearch=65": True,
    f"retriever.cache={ELSEWHERE}": False,
    "generator=scripted": True,
    "generator.max_words=9": True,
    "prompt.system=Say.": True,
    "prompt.header=Texts": True,
    "prompt.style=plain": True,
    "prompt.n_exemplars=2": True,
    "mode.train_share=0.1": True,
    "dataset.seed=1": True,
    "dataset.version=1": True,
    "dataset.questions.nothings=[]": True,
    "dataset.manner.pronouns=0.5": True,
    "chunker=tokens": True,
    "experiment_name=other": False,
    "output_dir=elsewhere": False,
    "debug=true": False,
    "tracking=none": False,
    "tracking.uri=sqlite:///other.db": False,
    "tracking.experiment=other": False,
    "cache.root=elsewhere": False,
    "latency=poisson": False,
    "latency.n_queries=7": False,
}
FINETUNE = {
    "adapter.rank=8": True,
    "adapter.alpha=8": True,
    "adapter.learning_rate=0.1": True,
    "adapter.epochs=1.0": True,
    "adapter.precision=bfloat16": True,
    "adapter.n_processes=2": True,
    "adapter.data.reading_share=0.5": True,
    "adapter.data.n_documents=5": True,
    "adapter.data.unanswerable_share=null": True,
    "adapter/data=documents": True,
    "adapter=full": True,
    "adapter.checkpoint_every=1": False,
    f"adapter.cache={ELSEWHERE}": False,
    "generator.max_new_tokens=9": True,
    "generator.adapter_mode=unmerged": True,
    f"+generator.cache={ELSEWHERE}": False,
}


@cache
def dataset(node: str) -> QADataset:
    parts = json.loads(node)
    chunked: QADataset = build(parts["chunker"]).chunk(build(parts["dataset"]))
    return chunked


def id_of(*overrides: str) -> str:
    spec = checked(*overrides)
    found = dataset(json.dumps({"dataset": spec.dataset.to_config(), "chunker": spec.chunker.to_config()}))
    asked = found.test if spec.split == "test" else found.dev
    return run_id(spec, found, sample(asked, spec.limit, found.counterpart or found.fingerprint))


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory of the test's own, where caches are."""
    monkeypatch.chdir(tmp_path)


def test_these_are_enough_fields() -> None:
    assert len(RAG) + len(FINETUNE) >= 50
    assert list({**RAG, **FINETUNE}.values()).count(False) >= 10


@pytest.mark.parametrize(("override", "changes"), RAG.items())
def test_one_setting_makes_another_run_or_does_not(override: str, changes: bool) -> None:
    assert (id_of(*QUICK, override) != id_of(*QUICK)) is changes


@pytest.mark.parametrize(("override", "changes"), FINETUNE.items())
def test_one_setting_of_a_training_makes_another_run_or_does_not(override: str, changes: bool) -> None:
    assert (id_of("mode=finetune", CI, override) != id_of("mode=finetune", CI)) is changes


@pytest.mark.parametrize(
    "named",
    [
        ("mode=finetune", "adapter=given", "adapter.path={path}"),
        ("mode=finetune", "adapter=given", "adapter.paths={{a: {path}}}", "adapter.by=tenant"),
        ("mode=finetune", "adapter.start={path}"),
        ("mode=closed_book", "generator.model={path}"),
        ("mode=rag", "retriever.embedder.model={path}"),
        ("mode=rag", "retriever=reranked", "retriever/reranker=cross_encoder", "retriever.reranker.model={path}"),
        ("mode=closed_book", "+generator.template_date={path}"),  # a path by any name
        ("mode=closed_book", "+generator.stop=[{path}]"),
    ],
)
def test_what_a_part_names_counts_by_its_content_whatever_the_parameter_is_called(tmp_path: Path, named: tuple[str, ...]) -> None:
    def id_with(path: Path) -> str:
        return id_of(CI, *(one.format(path=path) for one in named))

    first, moved = tmp_path / "first", tmp_path / "far" / "moved"
    first.mkdir()
    (first / "adapter_model.safetensors").write_bytes(b"weights")
    shutil.copytree(first, moved)
    before = id_with(first)
    assert id_with(moved) == before
    (moved / "adapter_model.safetensors").write_bytes(b"others!")
    assert id_with(moved) != before
    assert id_with(tmp_path / "nowhere") != before


def test_recorded_answers_count_by_their_files(tmp_path: Path) -> None:
    def id_with(path: Path) -> str:
        return id_of("mode=replay", CI, f"replay.path={path}")

    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text("{}")
    other.write_text("{}")
    assert id_with(one) == id_with(other)
    other.write_text("{ }")
    assert id_with(one) != id_with(other)


def test_the_content_of_a_folder_is_that_of_its_files_and_of_a_model_what_decides(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    assert content_of(str(folder)) is None  # nothing in it: a word like another
    (folder / "a.jsonl").write_text("1")
    before = content_of(str(folder))
    (folder / "README.md").write_text("1")
    assert content_of(str(folder)) != before is not None
    (folder / "model.safetensors").write_bytes(b"1")
    before = content_of(str(folder))
    (folder / "README.md").write_text("2")
    assert content_of(str(folder)) == before
    (folder / "config.json").write_text("{}")
    assert content_of(str(folder)) != before


@pytest.mark.parametrize("text", ["", " ", ".", "..", "/", "auto", "x" * 5000, "a\0b", "hf/model"])
def test_a_text_that_names_nothing_is_itself(text: str, tmp_path: Path) -> None:
    (tmp_path / "outputs.json").write_text("{}")  # in the working directory
    assert content_of(text) is None


@pytest.mark.parametrize("word", ["test", "rag", "cpu", "auto", "chat"])
def test_a_folder_that_is_called_like_one_of_a_few_words_makes_no_other_run(word: str, tmp_path: Path) -> None:
    chosen = ("mode=rag", CI, "generator.device=cpu", "prompt.style=chat")
    before = id_of(*chosen)
    (tmp_path / word).mkdir()
    (tmp_path / word / "notes.txt").write_text("1")
    assert content_of(word) is not None
    assert id_of(*chosen) == before


def test_the_working_directory_is_known_by_its_content_where_it_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"1")
    assert content_of(".") == content_of(str(tmp_path)) is not None


class Stop(Exception):
    """What was wanted is known."""


class Keys:
    """A cache that remembers the keys that it was asked for; it builds everything anew, but no forms of the prompt."""

    def __init__(self, root: Path) -> None:
        self.found: dict[str, Any] = {}
        self._root = root

    def build(self, kind: str, key: Mapping[str, Any], write: Callable[[Path], float | None]) -> Cached:
        self.found[kind] = json.loads(json.dumps(key))
        if kind == "forms":
            raise Stop
        folder = self._root / f"{kind}-{uuid4().hex}"
        folder.mkdir()
        write(folder)
        return Cached(folder, is_hit=False, seconds=0.0)


class Halves:
    """Cuts every text in two."""

    name = "halves"

    def identity(self) -> Mapping[str, Any]:
        return {"boundaries": "halves"}

    def cut(self, text: str) -> list[Piece]:
        return [Piece(0, len(text) // 2, 1), Piece(len(text) // 2, len(text), 1)]


RUNS = {"rag": QUICK, "closed_book": ("mode=closed_book", CI, "generator=echo"), "finetune": ("mode=finetune", CI)}
EVERY_RUN = set(RUNS)
# Of what the identity changes with the source of a file: of a run of a mode, or of something in the cache.
REACHED_BY = {
    "evaluate.py": EVERY_RUN,
    "probes/exactness.py": EVERY_RUN,
    "probes/batch_disagreement.py": EVERY_RUN,
    "system.py": {*EVERY_RUN, "forms"},
    "score/answer.py": {*EVERY_RUN, "forms"},
    "stats/estimate.py": {*EVERY_RUN, "forms"},
    "prompt.py": {*EVERY_RUN, "forms", "adapter"},
    "types.py": {*EVERY_RUN, "forms", "adapter", "chunks", "embeddings", "indexes"},
    "../synthworld/dataset.py": EVERY_RUN,
    "data/chunking/chunker.py": {*EVERY_RUN, "chunks"},
    "retrieve/dense.py": {"rag", "embeddings", "indexes"},
    "retrieve/encoders/hashing.py": {"rag", "embeddings", "indexes"},
    "retrieve/index/faiss_index.py": {"rag", "indexes"},
    "adapt/lora.py": {"finetune", "adapter"},
    "adapt/trainer/until_learned.py": {"finetune", "adapter"},
    "adapt/data/question_rows.py": {"finetune", "adapter"},
    "adapt/data/qa.py": {"finetune"},  # an adapter is known by the rows that it makes
    "adapt/data/passages.py": {"finetune"},
    "generate/hf.py": {"finetune", "forms"},
    "generate/echo.py": {"rag", "closed_book"},
    "probes/forgetting/general.yaml": EVERY_RUN,
    "retrieve/bm25.py": set(),
    "retrieve/hybrid.py": set(),
    "retrieve/of_a_later_day.py": set(),
    "adapt/full.py": set(),
    "generate/endpoint.py": set(),
    "data/sources/squad.py": set(),
    "stats/verdict.py": set(),  # of reports
    "latency/measure.py": set(),
    "config/check.py": set(),  # what it makes of a configuration counts by its value
    "cli/run.py": set(),
    "report/table.py": set(),
    "report/console.py": set(),
    "track/tracker.py": set(),
    "track/mlflow.py": set(),
    "track/mlflow_rows.py": set(),
    "track/jsonl.py": set(),
    "track/sweep.py": set(),
}


class Copy:
    """A copy of the package's source, and what the identities are with it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "rag_eval"
        for package in PACKAGES:
            if (PACKAGE.parent / package).is_dir():
                shutil.copytree(PACKAGE.parent / package, root / package, ignore=shutil.ignore_patterns("__pycache__", "assets"))
        self._scratch = root
        self._generator = hf(write_random_model(root / "random"))
        self._specs = {name: checked(*overrides) for name, overrides in RUNS.items()}
        self._probed = checked("mode=rag", CI, "generator=hf", "generator.model=./m")
        whole = world("ci", 0)
        self._world = replace(whole, reading=tuple(whole.reading[at] for at in range(30)))  # all would be made anew each time
        self.before = self.identities()

    def identities(self) -> dict[str, Any]:
        """Of runs and of keys of the cache."""
        source._package.cache_clear()
        keys = Keys(self._scratch)
        Dense(HashEmbedder(16), Faiss("HNSW4,Flat", "inner_product", {}, "cpu"), keys, 1, 1).add([RED])
        DocumentChunker(Halves(), keys).chunk(replace(DATASET, documents=(RED,)))
        with pytest.MonkeyPatch.context() as patch, suppress(Stop):
            patch.setattr(prompt_form, "build", lambda part: TALKER if part == self._probed.generator else self._built(part, keys))
            prompt_form.formed(self._probed, self._world)
        runs = {name: run_id(spec, DATASET, ()) for name, spec in self._specs.items()}
        return {**runs, **keys.found, "adapter": lora(self._scratch).training_job(self._generator, PROMPT, TAUGHT, 0).key}

    def _built(self, part: Part, keys: Keys) -> Any:
        return keys if part == self._probed.cache else build(part)

    def changed(self) -> set[str]:
        """What is known by another identity than before."""
        after = self.identities()
        return {name for name, known in self.before.items() if after[name] != known}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    made = tmp_path_factory.mktemp("copy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "__file__", str(made / "rag_eval" / "source.py"))
        patch.setattr(source, "bare", cache(source.bare))  # of all files but one the text is the same each time
        yield Copy(made)
    source._package.cache_clear()


def test_everything_that_has_an_identity_is_known_here(copy: Copy) -> None:
    assert copy.before.keys() == {*RUNS, "forms", "adapter", "chunks", "embeddings", "indexes"}
    assert len(REACHED_BY) >= 30


@pytest.mark.parametrize(("file", "reaches"), REACHED_BY.items())
def test_one_source_file_changes_the_identities_of_what_reaches_it(copy: Copy, file: str, reaches: set[str]) -> None:
    path = copy.root / file
    text = path.read_text(encoding="utf-8") if path.exists() else None
    path.write_text(f"{text or ''}\n{'another: 1' if path.suffix == '.yaml' else 'ANOTHER = 1'}\n", encoding="utf-8")
    try:
        assert copy.changed() == reaches
    finally:
        path.unlink() if text is None else path.write_text(text, encoding="utf-8")


def test_what_is_said_about_code_changes_no_identity(copy: Copy) -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in copy.root.rglob("*.py")}
    for path, text in texts.items():
        path.write_text(f"# A comment.\n{text}# Another.\n".replace('"""The ', '"""Here is the '), encoding="utf-8")
    try:
        assert copy.changed() == set()
    finally:
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")


def test_what_is_compared_is_scored_by_the_same_code(copy: Copy) -> None:
    def scorer(*overrides: str) -> str:
        source._package.cache_clear()
        return str(comparison(checked("mode=rag", *overrides), DATASET, (), {"base_model": "m"}).scorer)

    before = scorer()
    assert scorer("metrics=long") != before
    for file, changes in {"score/comparators.py": True, "stats/verdict.py": False, "retrieve/dense.py": False}.items():
        path = copy.root / file
        text = path.read_text(encoding="utf-8")
        path.write_text(f"{text}\nANOTHER = 1\n", encoding="utf-8")
        assert (scorer() != before) is changes
        path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("group", "changes"), {"answer": True, "retrieval": True, "run": False}.items())
def test_a_run_is_known_by_the_code_of_the_scores_that_it_computes(group: str, changes: bool) -> None:
    spec = checked("mode=rag")
    more = {**vars(spec.metrics)[group], "mine": "rag_eval.report.table.mine"}
    other = replace(spec, metrics=replace(spec.metrics, **{group: more}))
    assert (code_of(other) != code_of(spec)) is changes


def test_every_part_of_the_search_says_what_code_it_is() -> None:
    files = [PACKAGE / "data" / "chunking" / "splitters.py", *(PACKAGE / "retrieve").rglob("*.py")]
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    known = [name for name, text in texts.items() if "def identity(" in text]
    assert len(known) >= 15
    assert [name for name in known if '"code": code_sha(__name__)' not in texts[name]] == []
