"""What a trained model forgot: known changes come out exactly, an unchanged model forgot nothing, the base is asked once."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from rag_eval.adapt.none import NoAdapter
from rag_eval.generate.echo import Echo
from rag_eval.generate.hf import HF
from rag_eval.probes.forgetting.change import ModelReading, changes, kl_nats
from rag_eval.probes.forgetting.measure import forgotten
from rag_eval.probes.forgetting.suite import Suite, suite
from rag_eval.prompt import PromptTemplate
from rag_eval.record.cache import DirectoryCache
from rag_eval.retrieve.none import NoRetriever
from rag_eval.system import System
from rag_eval.testing.models import TINY, write_random_model
from rag_eval.types import Example, Generation, Prompt, Weights
from tests.claims import none_of
from tests.commands import Ended
from tests.worlds import world

PROMPT = PromptTemplate("Say.")
N = 10


class Trained(NoAdapter):
    weights: Weights = "trained"


class Known:
    """Knows the answers but for some questions; every token costs so many nats; so are the odds of a vocabulary of three."""

    device: Literal["cpu", "cuda"] = "cpu"

    def __init__(
        self, n_forgotten: int = 0, nats: float = 2.0, odds: Sequence[float] = (0.5, 0.25, 0.25), limit: int | None = None
    ) -> None:
        self.n_forgotten, self.nats, self.odds, self.max_prompt_tokens = n_forgotten, nats, odds, limit
        self.n_asked = 0

    def identity(self) -> Mapping[str, Any]:
        return {"base_model": "known", "dtype": "float32"}

    def count_tokens(self, prompts: Sequence[Prompt]) -> list[int]:
        return [len(prompt.text.split()) for prompt in prompts]

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        self.n_asked += 1
        answers = {one.example.id: one.example.answers[0] for one in suite(N).readings}
        forgotten = {f"forgetting-{at}" for at in range(self.n_forgotten)}
        said = ["?" if prompt.example_id in forgotten else answers[prompt.example_id] for prompt in prompts]
        return [Generation(text, 1, 1, 0.0, "stop") for text in said]

    def nats_per_token(self, texts: Sequence[str]) -> list[float]:
        return [self.nats + len(text) for text in texts]

    def next_token_log_probs(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return logs(*[self.odds] * len(texts))


def system(generator: Any, adapter: Any = None) -> System:
    return System(NoRetriever(), PROMPT, adapter or Trained(), generator)


def means(tmp_path: Path, base: Any, adapted: Any, n: int = N) -> dict[str, float]:
    found = forgotten(system(base), system(adapted), n, DirectoryCache(str(tmp_path)))
    return {name.removeprefix("forgetting/"): one.mean for name, one in found.items()}


def logs(*rows: Sequence[float]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows, dtype=np.float32))


def row(example: Example) -> dict[str, Any]:
    """As a file has it: what is demanded of its scoring stands in its meta."""
    said = {name: value for name, value in vars(example).items() if name != "grading"}
    return {**said, "meta": {**example.meta, **example.grading.as_meta()}}


def test_the_suite_is_frozen() -> None:
    whole = suite(100)
    said = json.dumps([[(row(one.example), list(map(vars, one.documents))) for one in whole.readings], whole.passages, whole.beginnings])
    assert (len(whole.readings), len(whole.passages), len(whole.beginnings)) == (100, 60, 50)
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == "8752f76576256c1a"
    few = suite(7)
    assert (len(few.readings), len(few.passages), len(few.beginnings)) == (7, 7, 7)
    assert few == Suite(whole.readings[:7], whole.passages[:7], whole.beginnings[:7])


def test_each_question_is_answered_by_its_documents_and_about_nobody_whom_a_world_knows() -> None:
    evaluated = {document.title for document in world("laptop", 0).documents}
    for reading in suite(100).readings:
        assert any(reading.example.answers[0] in document.text for document in reading.documents)
        assert not evaluated & {document.title for document in reading.documents}
    assert len({reading.example.cluster for reading in suite(100).readings}) == 100
    assert len(set(suite(100).passages)) == 60
    assert len(set(suite(100).beginnings)) == 50


def test_known_changes_come_out_exactly() -> None:
    asked = [Example(f"q{at}", "?", ("yes",)) for at in range(4)]
    before = ModelReading(("yes", "yes", "yes", "no"), (1.0, 2.0, 4.0), logs([0.5, 0.25, 0.25], [0.5, 0.5, 0.0]))
    after = ModelReading(("yes", "no", "no", "no"), (1.5, 2.0, 5.0), logs([0.25, 0.5, 0.25], [0.25, 0.5, 0.25]))
    found = changes(before, after, asked)
    assert {name.removeprefix("forgetting/"): (pytest.approx(one.mean), one.n) for name, one in found.items()} == {
        "reading_em_base": (0.75, 4),
        "reading_em": (0.25, 4),
        "reading_change": (-0.5, 4),
        "nats_per_token_base": (7 / 3, 3),
        "nats_per_token_change": (0.5, 3),
        "kl_nats": (math.log(2) * (0.25 + 0.5) / 2, 2),
    }
    change, kl = found["forgetting/nats_per_token_change"], found["forgetting/kl_nats"]
    assert change.high - change.mean == pytest.approx(4.302653 * np.std([0.5, 0, 1], ddof=1) / math.sqrt(3), rel=1e-5)
    assert kl.low == 0.0 < kl.mean < kl.high  # two values say little, but never that it is below 0


def test_a_divergence_is_of_the_base_from_the_adapted_and_is_0_of_equals() -> None:
    p, q = logs([0.9, 0.1]), logs([0.5, 0.5])
    assert kl_nats(p, q)[0] == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2), rel=1e-6)
    assert kl_nats(q, p)[0] == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(5), rel=1e-6)
    assert kl_nats(p, p)[0] == 0.0


def test_a_model_that_is_as_it_was_forgot_nothing(tmp_path: Path) -> None:
    assert means(tmp_path, Known(), Known()) == {
        **{"reading_em_base": 1.0, "reading_em": 1.0, "reading_change": 0.0, "nats_per_token_change": 0.0, "kl_nats": 0.0},
        "nats_per_token_base": pytest.approx(2.0 + np.mean([len(text) for text in suite(N).passages])),
    }


def test_a_changed_model_is_compared_with_the_base_which_is_asked_once(tmp_path: Path) -> None:
    base, adapted = Known(), Known(n_forgotten=3, nats=2.5, odds=(0.25, 0.5, 0.25))
    found = means(tmp_path, base, adapted)
    assert found["reading_change"] == pytest.approx(-0.3)
    assert found["nats_per_token_change"] == pytest.approx(0.5)
    assert found["kl_nats"] == pytest.approx(math.log(2) / 4, rel=1e-6)
    assert means(tmp_path, base, adapted) == found
    assert (base.n_asked, adapted.n_asked) == (1, 2)
    means(tmp_path, base, adapted, n=9)  # another suite
    assert base.n_asked == 2


def test_nothing_is_measured_where_nothing_was_trained_or_asked(tmp_path: Path) -> None:
    cache = DirectoryCache(str(tmp_path))
    assert forgotten(system(Known()), system(Known(), NoAdapter()), N, cache) == {}
    assert means(tmp_path, Known(), Known(), n=0) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_generator_that_tells_no_probabilities_is_only_asked_to_read(tmp_path: Path) -> None:
    echo = Echo(max_words=3)
    assert set(means(tmp_path, echo, echo)) == {"reading_em_base", "reading_em", "reading_change"}


def test_a_prompt_that_does_not_fit_is_left_out_of_n(tmp_path: Path) -> None:
    lengths = sorted(Known().count_tokens([PROMPT.render(one.example, one.documents) for one in suite(N).readings]))
    base = Known(limit=lengths[3])
    found = forgotten(system(base), system(base), N, DirectoryCache(str(tmp_path)))
    assert found["forgetting/reading_change"].n == sum(one <= lengths[3] for one in lengths) < N


def test_the_embedded_model_reads_the_suite(tmp_path: Path) -> None:
    from rag_eval.config.build import build  # the prompt that it was trained with
    from tests.test_conf import checked

    bare = replace(system(HF(str(TINY), "float32", "cpu", 48, 16384)), prompt=build(checked("mode=closed_book").prompt))
    found = forgotten(bare, bare, 50, DirectoryCache(str(tmp_path)))
    assert found["forgetting/reading_em_base"].mean >= 0.9
    assert found["forgetting/reading_change"].mean == found["forgetting/kl_nats"].mean == 0.0


def test_a_trained_arm_says_what_it_forgot_and_none_is_an_answer_of_the_run(command: Callable[..., Ended], tmp_path: Path) -> None:
    questions = [
        {"id": f"q{at}", "question": f"What is {at}?", "answers": ["liver"], "split": "train" if at < 4 else "test"} for at in range(6)
    ]
    Path("documents.jsonl").write_text(json.dumps({"id": "d0", "title": "T", "text": "The answer is liver."}) + "\n", encoding="utf-8")
    Path("questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in questions), encoding="utf-8")
    data = ("dataset=jsonl", "dataset.documents=documents.jsonl", "dataset.questions=questions.jsonl")
    model = ("generator=tiny", f"generator.model={write_random_model(tmp_path / 'model')}", "generator.device=cpu")
    small = ("mode=finetune", *data, *model, "adapter.rank=2", "adapter.epochs=1", "adapter.batch_size=4", "adapter.learning_rate=0.1")
    ended = command(*small, "n_forgetting=10")
    found = {name: one for name, one in ended.record["estimates"].items() if name.startswith("forgetting/")}
    assert len(found) == 6
    assert found["forgetting/kl_nats"]["mean"] > 0
    assert found["forgetting/kl_nats"]["n"] == found["forgetting/nats_per_token_change"]["n"] == 10
    assert len((ended.directory / "predictions.jsonl").read_text(encoding="utf-8").splitlines()) == 6
    kept = Path("cache/forgetting")
    assert len([path for path in kept.iterdir() if path.is_dir()]) == 1
    assert none_of(name.startswith("forgetting/") for name in command(*small, "n_forgetting=0").record["estimates"])
    assert none_of(name.startswith("forgetting/") for name in command("mode=closed_book", *data, *model).record["estimates"])
