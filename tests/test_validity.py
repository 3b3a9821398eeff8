"""The 32 mistakes of docs/validity.md, one test each: the mistake is refused, or the report says so."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from rag_eval.adapt.data.qa import QA
from rag_eval.adapt.data.tokenize import training_rows
from rag_eval.adapt.knowledge_budget import budget
from rag_eval.checks import check_questions
from rag_eval.conf_folder import conf_dir
from rag_eval.config.check import check
from rag_eval.config.compose import composed
from rag_eval.cost.energy import EnergyMeter, rapl_joules
from rag_eval.cost.prices import read_sheet
from rag_eval.data.leakage import check_splits
from rag_eval.errors import ConfigError, DataError, UserError
from rag_eval.latency.protocol import LatencyProtocol
from rag_eval.latency.record import CONDITIONS, LatencyRecord
from rag_eval.latency.schedule import poisson_arrivals
from rag_eval.probes.batch_disagreement import batch_disagreement
from rag_eval.prompt import PromptTemplate
from rag_eval.record.facts import AskedAgain
from rag_eval.record.load import RecordedRun
from rag_eval.record.run_record import RunRecord
from rag_eval.record.selection import mismatches
from rag_eval.report.arms_table import arms_table
from rag_eval.report.commands.compare import DEFAULTS, _terms, comparison
from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import Arm, contrast, declare, pairs
from rag_eval.report.judgement import judge, sentence
from rag_eval.report.ledger_entries import entries, is_trial
from rag_eval.report.markdown import as_markdown
from rag_eval.report.priced_arms import Terms, machine_seconds
from rag_eval.report.sections import declared_comparison, other_differences, scores
from rag_eval.report.warnings import notes, prompt_notes
from rag_eval.score.answer import em
from rag_eval.score.metric import Metric
from rag_eval.score.outcome import check_sum
from rag_eval.score.primary import EM, chosen_primary, train_phrasing
from rag_eval.score.retrieval import recall_at_k
from rag_eval.score.scorer import Scorer
from rag_eval.stats.paired_tests import paired_difference
from rag_eval.stats.percentile import percentile
from rag_eval.testing.finished_runs import write_run
from rag_eval.track.mlflow_rows import metrics_of
from rag_eval.types import DISAGREEMENT, Document, Estimate, Example, Formatted, Grading, Prediction, QADataset, Spend
from tests.claims import every, none_of
from tests.commands import Ended
from tests.worlds import world

DOC = Path(__file__).parents[1] / "docs" / "validity.md"
DECLARED = declare(EM, 0.0, 0.02)
RIGHT, WRONG = {EM: 1.0, "answer/contains": 1.0}, {EM: 0.0, "answer/contains": 0.0}
Make = Callable[..., RecordedRun]


@pytest.fixture
def run(tmp_path: Path) -> Make:
    """`run("rag", n_right, **facts)`: forty questions, the first n_right of them right."""
    made: list[int] = []

    def make(mode: str, n_right: int = 20, **changes: Any) -> RecordedRun:
        made.append(1)
        return write_run(tmp_path, f"r{len(made)}", mode, [RIGHT] * n_right + [WRONG] * (40 - n_right), **changes)

    return make


def said(*runs: RecordedRun, experiment: list[RunRecord] | None = None) -> str:
    arms = [Arm(f"{at}:{one.record.mode}", one) for at, one in enumerate(runs)]
    recorded = experiment if experiment is not None else [one.record for one in runs]
    return "\n".join([*notes([(arm.label, arm.run.record) for arm in arms], recorded), *prompt_notes(arms)])


FORMAT: Any = SimpleNamespace(
    format=lambda prompt: Formatted(prompt.text),
    answered=lambda prompt, answer: Formatted(f"{prompt.text} {answer}"),
    n_positions=None,
)


def report(*runs: RecordedRun) -> str:
    made = comparison(ReportContext(runs, DECLARED, [Terms(machine_seconds(), 1.0, 0.0, None, 0.0)]))
    return as_markdown("Comparison", made.tables, made.notes)


def test_m01_a_test_question_in_the_training_data_is_refused_and_overlap_is_counted(run: Make) -> None:
    asked = Example("a", "Who was it?", ("Ada",))
    with pytest.raises(DataError, match="leak: 1 of 1 questions of test stand in train"):
        check_splits(QADataset("d", "f", (), (asked,), (), (replace(asked, id="b"),)), [])
    assert "3 questions share eight words" in said(run("rag", audit={"n_shared_8_grams": 3}))
    assert "2 questions are near duplicates of training questions" in said(run("rag", audit={"n_near_questions": 2}))
    assert "near duplicates" not in said(run("rag", audit={"n_near_questions": None}))


def test_m02_what_each_side_could_know_is_said(run: Make) -> None:
    assert "of 40 facts asked, documents hold 40; 0 are asked in the training questions" in said(
        run("finetune", audit={"n_facts_in_training": 0})
    )
    dataset = world("ci", 0)
    halved = replace(dataset, train=dataset.train[:800])
    known = budget(halved, training_rows(QA(0.15), FORMAT, PromptTemplate("system"), halved, 0))
    told = said(run("finetune", weights="trained", knowledge=known))
    assert (
        "of 160 questions with known evidence, documents hold 160 and training rows (800 qa, 141 replay) 68; both 68, only documents 92"
        in told
    )
    assert "knowledge budget" not in said(run("finetune", weights="trained", knowledge=None))


def test_m03_another_prompt_is_refused_and_prompts_are_compared_question_by_question(run: Make) -> None:
    one, other = run("rag"), run("closed_book", comparison={"prompt": "another"})
    assert mismatches([one.record, other.record])[0].startswith("prompt differs")
    changed = run("closed_book", predictions={"q3": {"prompt_sha": "another"}})
    assert "1 of 40 prompts differ in more than passages" in said(one, changed)
    on, off = (run("rag", comparison={"prompting": sha}) for sha in ("thinks", "does not think"))
    assert mismatches([on.record, off.record])[0].startswith("prompting differs")
    assert mismatches([on.record, one.record]) == []  # an earlier run does not say


def test_m03_a_template_of_the_adapters_own_and_control_tokens_in_texts_are_said(run: Make) -> None:
    own = run("finetune", weights="trained", brings_prompting=True)
    assert "is asked through the tokenizer or the chat template of its adapter" in said(own)
    spelled = run("rag", audit={"n_documents_with_control_tokens": 3, "n_questions_with_control_tokens": 1})
    assert "3 documents and 1 question spell a control token of the model: it is given to it as text" in said(spelled)
    assert "control token" not in said(run("rag", audit={"n_documents_with_control_tokens": 0, "n_questions_with_control_tokens": 0}))


def test_m04_strict_and_lenient_scores_stand_side_by_side(run: Make) -> None:
    verbose = [{EM: 0.0, "answer/contains": 1.0, "outcome/malformed": 0.0}] * 40
    one, other = run("rag"), write_run(run("rag").folder.parents[1], "v", "closed_book", verbose)
    assert "scores rank 0:rag and 1:closed_book differently: exact match for the first, contains for the second" in said(one, other)
    assert "exact match measures the form of the answers of 1:closed_book, not what they say" in said(one, other)
    context = ReportContext([one, other], DECLARED, [])
    shown = {str(row[0]) for row in scores.tables(context)[0].rows}
    assert {"exact match", "contains", "malformed answers"} <= shown
    made = comparison(context)
    assert "? METRIC-DEPENDENT. Difference exact match -0.500" in made.verdicts[-1]
    assert "contains 0.500" in made.verdicts[-1]
    assert made.tables[0].title == "Knowledge gained"


def test_m05_other_decoding_is_refused_and_marked_when_compared_all_the_same(run: Make) -> None:
    one, other = run("rag"), run("closed_book", comparison={"decoding": "sampled"})
    assert mismatches([one.record, other.record])[0].startswith("decoding differs")
    made = comparison(ReportContext([one, other], DECLARED, []), ["MISMATCH, compared all the same: decoding differs"])
    assert "MISMATCH" in as_markdown("c", made.tables, made.notes)
    assert "output tokens a question" in report(one, other)


def never_right(prediction: Prediction, example: Example) -> float:
    return 0.0


def test_m06_a_metric_that_does_not_give_gold_its_full_score_is_refused() -> None:
    spec = check(composed(["mode=rag"]))
    spec = replace(spec, metrics=replace(spec.metrics, answer={"em": f"{__name__}.never_right"}))
    dataset = world("ci", 0)
    with pytest.raises(DataError, match="em is 0 for the gold answer"):
        check_questions(spec, dataset, dataset.test)


def test_m07_choosing_on_the_test_questions_is_said_and_a_dev_split_is_there(run: Make, command: Callable[..., Ended]) -> None:
    tried = [run("rag", choices={"mode": "rag", "retriever.k": k}) for k in (1, 3, 5)]
    other = run("finetune")
    text = said(tried[0], other, experiment=[one.record for one in (*tried, other)])
    assert "3 configurations of rag were tried" in text
    assert "tuning differs: 3 configurations of rag, 1 configurations of finetune" in text
    choices = [{"mode": "rag", "split": "dev", "retriever.k": k} for k in (3, 5, 7)]
    dev = [run("rag", choices=one, comparison={"questions": "dev"}) for one in choices]
    text = said(tried[0], other, experiment=[one.record for one in (tried[0], *dev, other)])
    assert "were tried" not in text
    assert "tuning differs: 4 configurations of rag, 1 configurations of finetune" in text
    ended = command("mode=closed_book", "dataset.preset=ci", "generator=echo", "split=dev", "limit=5")
    assert ended.code == 0, ended.err
    assert '"dev-' in (ended.directory / "predictions.jsonl").read_text(encoding="utf-8")


def test_m08_an_under_trained_arm_is_marked(run: Make) -> None:
    learned = {train_phrasing(EM): Estimate(0.6, 0.5, 0.7, 200, 32)}
    assert "under-trained: 0.600 of its training questions right" in said(run("finetune", weights="trained", extra=learned))
    enough = {train_phrasing(EM): Estimate(0.96, 0.9, 1.0, 200, 32)}
    assert "under-trained" not in said(run("finetune", weights="trained", extra=enough))
    both = arms_table([run("finetune", weights="trained", extra=one).record for one in (learned, enough)])
    assert [str(row[0]).endswith("(under-trained)") for row in both.rows] == [True, False]


def test_m09_no_training_window_holds_two_texts_about_one_trained_entity() -> None:
    dataset = world("ci", 0)
    rows = training_rows(QA(0.15), FORMAT, PromptTemplate("system"), dataset, 0)
    assert len(rows) > len(dataset.train)
    trained = {document.title for document in dataset.documents}
    for row in rows:
        passages = re.findall(r"^\[\d+\] (.+?):", row.prompt, re.MULTILINE)
        assert row.prompt.count("Question:") == 1
        assert not trained.intersection(passages)  # reading exercises are about others


def test_m10_one_training_seed_is_marked_single_seed(run: Make) -> None:
    seeds = [run("finetune", weights="trained", seed=seed, choices={"mode": "finetune", "seed": seed}) for seed in range(3)]
    assert "single-seed (1 of 3 training seeds)" in said(seeds[0])
    assert "single-seed" not in said(seeds[0], experiment=[one.record for one in seeds])
    taught = [
        run("finetune", weights="trained", seed=seed, learned_from=f"lessons {seed}", choices={"dataset.n_phrasings": seed + 1})
        for seed in range(3)
    ]
    mixed = [
        run("finetune", weights="trained", seed=seed, choices={"seed": seed, "adapter.data.replay": replay})
        for seed, replay in enumerate(("reading", "others", "others"))
    ]
    for others in (taught, mixed):
        assert "single-seed (1 of 3 training seeds)" in said(others[0], experiment=[one.record for one in others])
        assert is_trial(others[1].record, others[0].record)
    assert not is_trial(seeds[1].record, seeds[0].record)
    assert "single-seed" in report(run("rag", experiment="alone"), run("finetune", weights="trained", experiment="alone"))


def test_m11_questions_of_one_cluster_do_not_count_as_independent() -> None:
    a, b = [0.0] * 40, [1.0] * 20 + [0.0] * 20
    clustered = paired_difference(a, b, [at // 10 for at in range(40)])
    alone = paired_difference(a, b, list(range(40)))
    assert clustered is not None
    assert alone is not None
    assert (clustered.n, clustered.n_clusters) == (40, 4)
    assert clustered.high - clustered.low > 2 * (alone.high - alone.low)


def test_m12_several_comparisons_are_corrected(run: Make) -> None:
    arms = [Arm(str(n), run("rag", n_right=n, choices={"n": n})) for n in (10, 20, 30)]
    context = ReportContext([one.run for one in arms], DECLARED, [])
    (section,) = declared_comparison.tables(context)
    alone, together = contrast(arms[0], arms[1], EM).difference, context.judged[0].judged.contrast.difference
    assert alone is not None
    assert together is not None
    assert together.low < alone.low
    assert together.high > alone.high
    raw = sorted(one.p for one in (contrast(*pair, EM) for pair in pairs(arms)) if one.p is not None)
    adjusted = sorted(row[[column.title for column in section.columns].index("p (Holm)")].value for row in section.rows)  # type: ignore[union-attr]
    assert adjusted[0] == pytest.approx(min(1.0, 3 * raw[0]))
    assert other_differences.tables(context)[0].header[-1] == "q"


def test_m13_no_difference_found_is_not_the_same_and_the_detectable_one_is_printed(run: Make) -> None:
    one, other = run("rag", 20), write_run(run("rag").folder.parents[1], "x", "closed_book", [WRONG, RIGHT] * 20)
    context = ReportContext([one, other], DECLARED, [])
    assert "INCONCLUSIVE(MDE=" in sentence(context.judged[0])
    assert "nobody is better" in sentence(context.judged[0])
    assert str(declared_comparison.tables(context)[0].rows[0][-1]).startswith("INCONCLUSIVE")
    few = [write_run(run("rag").folder.parents[1], f"few{right}", "rag", [{EM: right}] * 18, choices={"n": right}) for right in (0.0, 1.0)]
    assert "nobody is better" in sentence(judge(Arm("a", few[0]), Arm("b", few[1]), DECLARED))


def test_m14_a_timing_without_its_protocol_is_no_latency(run: Make) -> None:
    with pytest.raises(ValueError, match="missing: scenario"):
        LatencyRecord({}, "rag", "r", "s")
    with pytest.raises(ValueError, match="kept with the protocol"):
        replace(run("rag").record, estimates={"latency/e2e_p50_ms": Estimate(1.0, 1.0, 1.0, 9, 9)})
    assert none_of(name.startswith("latency") for name in metrics_of(run("rag").record))


def test_m15_arrivals_of_an_open_loop_do_not_wait_for_answers() -> None:
    times = poisson_arrivals(10.0, 200, seed=0)
    assert times == poisson_arrivals(10.0, 200, seed=0)
    assert sum(after - before for before, after in pairwise(times)) / 199 == pytest.approx(0.1, rel=0.2)


def test_m16_a_tail_needs_its_samples() -> None:
    with pytest.raises(ValueError, match="59"):
        percentile(list(map(float, range(58))), 0.95)
    with pytest.raises(ValueError, match="299"):
        percentile(list(map(float, range(298))), 0.99)


def test_m17_a_cost_without_utilisation_and_horizon_is_refused_and_failed_runs_count(run: Make) -> None:
    with pytest.raises(UserError, match="utilisation=, queries=, updates=, hours="):
        _terms({**DEFAULTS, "hardware": "h200"})
    good = run("rag").record
    failed = replace(good, run_id="f", status="FAILED", spends={"learn": Spend(9.0)})
    counted = entries([good, failed], [good])
    assert [(one.status, one.stage) for one in counted] == [("FINISHED", "learn"), ("FINISHED", "evaluate"), ("FAILED", "learn")]


def test_m18_runs_hold_physical_units_and_sheets_hold_dated_prices(run: Make) -> None:
    assert "usd" not in run("rag").record.to_json()
    sheets = [read_sheet(path) for path in sorted((conf_dir() / "hardware").glob("*.yaml"))]
    assert len(sheets) >= 9
    assert every(sheet.date and sheet.source for sheet in sheets)


def test_m19_energy_of_a_short_window_is_not_measured(tmp_path: Path) -> None:
    package = tmp_path / "intel-rapl:0"
    package.mkdir()
    for name, text in (("name", "package-0"), ("energy_uj", "5000000"), ("max_energy_range_uj", "262143328850")):
        (package / name).write_text(f"{text}\n", encoding="utf-8")
    assert rapl_joules(tmp_path) == 5.0
    meter = EnergyMeter(uses_cuda=False, root=tmp_path)
    meter.begin()
    assert meter.end().cpu_joules is None


def test_m20_answers_that_change_with_the_batch_are_counted_and_said(run: Make) -> None:
    examples = [Example(f"q{at}", "?", ("x",)) for at in range(10)]
    batch = [Prediction(one.id, "x" if at else "y", (), (), (), 0, "", 1, 1, {}, "answered", "stop") for at, one in enumerate(examples)]
    alone = SimpleNamespace(
        generator=SimpleNamespace(identity=lambda: {"base_model": "m"}), answer=lambda asked: [replace(batch[1], example_id=asked[0].id)]
    )
    found, asked = batch_disagreement(alone, batch, examples, 50)  # type: ignore[arg-type]
    assert asked == AskedAgain(10, 10)
    assert found[DISAGREEMENT].mean == 0.1
    assert "0.100 of 10 answers change when asked one by one" in said(run("rag", extra=found))


def test_m21_evidence_that_did_not_fit_is_not_in_the_prompt(run: Make) -> None:
    example = Example("q", "?", ("x",), ("d2",))
    cut = Prediction("q", "y", ("d1", "d2"), (1.0, 0.5), ("d1",), 1, "", 1, 1, {}, "answered", "stop")
    scorer = Scorer({"em": Metric(never_right)}, {}, [1], 2, "retrieved", {d: Document(d, "t") for d in ("d1", "d2")})
    scored = scorer.score(cut, example)
    assert (scored.score("prompt/holds_evidence"), scored.score("prompt/was_given_evidence"), scored.cause) == (0.0, 1.0, "truncated")
    assert "passages were left out of 7 prompts" in said(
        run("rag", counts={**asdict(run("rag").record.facts.outcomes.counts), "n_truncated_questions": 7})
    )


def test_m22_a_corpus_of_little_but_gold_is_said(run: Make) -> None:
    assert "as few as 2 beside the evidence" in said(run("rag", audit={"n_documents": 3, "n_distractors_min": 2}))


def test_m23_words_of_the_answer_in_the_prompt_are_a_proxy_of_their_own_name() -> None:
    scorer = Scorer({"em": Metric.of(em)}, {"recall": Metric.of(recall_at_k)}, [1], 1, "retrieved", {"d": Document("d", "the x")})
    scored = scorer.score(Prediction("q", "x", ("d",), (1.0,), ("d",), 0, "", 1, 1, {}, "answered", "stop"), Example("q", "?", ("x",)))
    assert scored.scores["prompt/holds_answer_words"] == 1.0
    assert math.isnan(scored.scores["prompt/holds_evidence"])
    assert math.isnan(scored.scores["retrieval/recall_1"])


@pytest.mark.parametrize("field", ["base_model", "dtype"])
def test_m24_another_base_model_or_precision_is_refused(run: Make, field: str) -> None:
    one, other = run("rag"), run("finetune", comparison={field: "another"})
    assert mismatches([one.record, other.record])[0].startswith(f"{field} differs")


def test_m25_a_base_model_that_knows_the_answers_is_said(run: Make) -> None:
    closed, prior = run("closed_book", 10), run("prior", 4)
    assert "leakage: closed_book 0.250 is above the prior 0.100" in said(closed, prior)
    assert "leakage" not in said(run("closed_book", 4), experiment=[prior.record, run("closed_book", 4).record])
    assert "| known to the base model | 1.000" in report(closed, run("rag", 20))


def test_m26_another_corpus_is_another_comparison_and_stale_answers_are_counted() -> None:
    example = Example("q", "?", ("new",), ("d",), grading=Grading(stale_answers=("old",)))
    scorer = Scorer({"em": Metric(never_right)}, {}, [1], 1, "retrieved", {"d": Document("d", "now new, once old")})
    scored = scorer.score(Prediction("q", "Old.", ("d",), (1.0,), ("d",), 0, "", 1, 1, {}, "answered", "stop"), example)
    assert scored.scores["answer/stale"] == 1.0


def test_m26_runs_over_other_documents_are_refused(run: Make) -> None:
    one, other = run("rag"), run("rag", comparison={"dataset": "e" * 64})
    assert mismatches([one.record, other.record])[0].startswith("dataset differs")


def test_m27_forgetting_that_was_not_measured_is_said(run: Make) -> None:
    assert "what it forgot is not measured" in said(run("finetune", weights="trained"))
    assert "forgot" not in said(run("rag"))


def test_m28_no_model_judges_answers_and_the_primary_score_is_exact_match() -> None:
    assert chosen_primary({"primary": None, "answer": {}}, declared="") == "em"
    assert every(yaml.safe_load(file.read_text(encoding="utf-8"))["primary"] is None for file in (conf_dir() / "metrics").glob("*.yaml"))
    files = sorted((conf_dir() / "metrics").glob("*.yaml"))
    assert len(files) >= 3
    assert every(
        target.startswith("rag_eval.score.")
        for file in files
        for target in yaml.safe_load(file.read_text(encoding="utf-8"))["answer"].values()
    )


def test_m29_every_question_has_exactly_one_outcome() -> None:
    with pytest.raises(ValueError, match="0 outcomes"):
        check_sum([{"outcome/right": 1.0}, {}])


def test_m30_merged_and_separate_adapters_are_not_compared(run: Make) -> None:
    one, other = (run("finetune", weights="trained", comparison={"adapter_mode": way}) for way in ("merged", "unmerged"))
    assert mismatches([one.record, other.record])[0].startswith("adapter_mode differs")
    assert mismatches([one.record, run("rag").record]) == []


def test_m31_the_state_of_caches_is_part_of_every_latency() -> None:
    assert "cache_state" in CONDITIONS
    with pytest.raises(ConfigError, match="rate_per_s"):
        LatencyProtocol("poisson", 60, 20, 2, None, None, "cold", 0)
    assert LatencyProtocol("single_stream", 60, 20, 2, None, None, "cold", 0).fields()["cache_state"] == "cold"


def test_m32_questions_about_a_time_before_the_training_data_are_said(run: Make) -> None:
    assert "5 questions are about a time before" in said(run("finetune", audit={"n_before_training": 5}))


def test_the_document_lists_every_mistake_with_a_test_that_exists() -> None:
    listed = re.findall(r"^\| M(\d+) \|.*\| `(test_m\d+_\w+)` \|$", DOC.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in listed] == list(range(1, 33))
    for number, name in listed:
        assert name in globals()
        assert name.startswith(f"test_m{int(number):02d}_")
