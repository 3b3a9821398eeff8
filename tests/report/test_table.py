"""One table for the terminal, for Markdown and for JSON, in the words of its reader and by the keys of a program."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from rag_eval.conf_folder import conf_dir
from rag_eval.report.__main__ import main
from rag_eval.report.commands.compare import comparison
from rag_eval.report.context import ReportContext
from rag_eval.report.contrast import declare
from rag_eval.report.markdown import as_markdown, markdown_of
from rag_eval.report.plain import as_json, by_key
from rag_eval.report.table import NOT_MEASURED, Column, Figure, Table, Term
from rag_eval.report.terminal import print_table
from rag_eval.score.labels import label_of
from rag_eval.score.metric import Declaration, metric
from rag_eval.score.older_names import OLDER_NAMES
from rag_eval.score.outcome import OUTCOME_MEASURES
from rag_eval.score.primary import EM, train_phrasing
from rag_eval.testing.finished_runs import write_run
from tests.claims import every
from tests.report.test_metric_dependent import scored

TABLE = Table(
    "Scores",
    "Read on.",
    (
        "arm",
        Column("run", kind="text", place="in JSON"),
        Column("exact match", EM, "share"),
        Column("seconds", kind="amount", place="where it fits"),
    ),
    ((Term("rag", "rag (under-trained)"), "a1", Figure(0.97649, 0.9561, 0.9874, 420, 60), Figure(1.23456)),),
)


def printed(table: Table, width: int) -> str:
    out = StringIO()
    print_table(Console(file=out, width=width), table)
    return out.getvalue()


def test_markdown_has_the_words_of_a_reader_and_numbers_at_the_right() -> None:
    assert markdown_of(TABLE).splitlines()[-3:] == [
        "| arm | exact match | seconds |",
        "| --- | ---: | ---: |",
        "| rag (under-trained) | 0.976 \\[0.956, 0.987\\] | 1.23 |",
    ]


def test_json_has_the_keys_of_a_program_and_nothing_rounded() -> None:
    (plain,) = as_json([TABLE])
    assert plain["header"] == ["arm", "run", EM, "seconds"]
    assert plain["rows"][0][:2] == ["rag", "a1"]
    assert (plain["rows"][0][2]["value"], plain["rows"][0][2]["n_clusters"]) == (0.97649, 60)
    keyed = by_key(TABLE)
    assert keyed["columns"] == {EM: "exact match", "seconds": "seconds"}
    assert (keyed["rows"][0]["arm"], keyed["rows"][0][EM]["value"]) == ("rag", 0.97649)


def test_json_has_null_for_what_is_not_finite() -> None:
    (plain,) = as_json([Table("", "", ("a", "b"), (("x", Figure(math.nan, -math.inf, math.inf)),))])
    assert [plain["rows"][0][1][name] for name in ("value", "low", "high")] == [None, None, None]


def test_a_narrow_terminal_leaves_out_what_may_be_left_out_and_says_where_it_is() -> None:
    wide, narrow = printed(TABLE, 80), printed(TABLE, 46)
    assert "1.23" in wide
    assert "In the file alone" not in wide
    assert "1.23" not in narrow
    assert "In the file alone: seconds." in " ".join(narrow.split())
    assert "[0.956, 0.987]" in narrow
    assert max(map(len, narrow.splitlines())) <= 46


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_column_is_narrower_than_a_word_of_it(width: int) -> None:
    header = ("pair", *(Column(f"difference of measure {at}", kind="text") for at in range(6)))
    text = printed(Table("", "", header, (("finetune - rag", *["METRIC-DEPENDENT"] * 6),)), width)
    assert text.count("METRIC-DEPENDENT") == 6
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("cell", "kind", "shown"),
    [
        (Figure(0.0004), "share", "0.0004"),
        (Figure(12.3456, 11.0, 13.0), "share", "12.346 [11.000, 13.000]"),
        (Figure(12.3456, 11.0, 13.0), "figure", "12.3 [11.0, 13.0]"),
        (Figure(0.00001), "amount", "<0.001"),
        (Figure(1234.5), "amount", "1,234"),
        (Figure(12.0, is_cached=True), "amount", "12 (cached)"),
        (Figure(None, is_cached=True), "amount", "cached"),
        (Figure(None, note="no passages"), "share", f"{NOT_MEASURED} (no passages)"),
        (Figure(0.5, rounding="share"), "text", "0.500"),
        (Figure(-0.0, -0.0004, 0.0004), "share", "0.000 [0.000, 0.000]"),
        (Figure(-0.0), "figure", "0.000"),
        (Figure(-0.0), "amount", "0"),
        (Figure(-0.0004), "figure", "-0.0004"),
        (Figure(-0.5, -0.75, 0.25), "figure", "-0.500 [-0.750, 0.250]"),
    ],
)
def test_a_number_is_rounded_as_its_column_says(cell: Figure, kind: str, shown: str) -> None:
    assert Column("x", kind=kind).text(cell) == shown  # type: ignore[arg-type]


def test_every_metric_of_the_configurations_declares_what_a_reader_calls_it() -> None:
    files = list((conf_dir() / "metrics").glob("*.yaml"))
    plain = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    targets = {target for one in plain for group in ("answer", "retrieval", "run") for target in (one.get(group) or {}).values()}
    assert len(targets) >= 20
    assert {target for target in targets if not all(one.label for one in metric(target).declarations)} == set()


def test_a_label_names_one_measure() -> None:
    labels = [one.label for one in {**OLDER_NAMES, **OUTCOME_MEASURES}.values()]
    assert len(labels) == len(set(labels)) >= 15


@pytest.mark.parametrize(
    ("measure", "label"),
    [
        (EM, "exact match"),
        (train_phrasing(EM), "exact match, training questions"),
        ("strata/kind/two_hop", "exact match, kind: two_hop"),
        ("abstain/unanswerable", "says unknown when unanswerable"),
        ("latency/e2e_p95_ms", "end to end, p95, ms"),
        ("latency/search_p50_ms", "search, p50, ms"),
        ("throughput/queries_per_s", "questions a second"),
        ("answer/n_smiles", "n smiles"),
        ("cost/n_smiles", "cost: n smiles"),
    ],
)
def test_a_reader_is_told_a_measure_in_words(measure: str, label: str) -> None:
    assert label_of(measure, primary=EM) == label


def test_a_metric_of_ones_own_is_called_as_it_declares_or_by_its_name_at_its_depth() -> None:
    declared = {"answer/rude": Declaration(label="rude words"), "retrieval/gain_5": Declaration("retrieval", depths="each", k=5)}
    assert [label_of(name, declared) for name in declared] == ["rude words", "gain@5"]
    assert Declaration(label="gain@{k}", depths="each").at(5).label == "gain@5"


def test_no_table_of_a_comparison_shows_a_tracked_name(tmp_path: Path) -> None:
    rows = [
        {**row, "outcome/right": row[EM], "retrieval/recall_3": 1.0, "kind": "ab"[at % 2]} for at, row in enumerate(scored(80, 0.3, 0.6))
    ]
    extra = {"probe/batch_disagreement": write_run(tmp_path, "x", "prior", rows).record.estimates[EM]}
    runs = [write_run(tmp_path, mode, mode, rows, extra=extra) for mode in ("rag", "finetune")]
    made = comparison(ReportContext(runs, declare(EM, 0.0, 0.02), []))
    text = as_markdown("Comparison", made.tables, [*made.verdicts, *made.notes]).replace("\\", "")
    assert re.findall(r"\b(?:answer|outcome|retrieval|abstain|prompt|probe|strata)/\w+", text) == []
    assert {EM, "outcome/right", "retrieval/recall_3", "probe/batch_disagreement"} <= {
        row[0] for one in as_json(made.tables) for row in one["rows"]
    }


def test_a_label_that_a_record_brings_is_inert_in_every_medium(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "<b>x</b>|[a](b) \x1b[31m $x_1$"
    declared = {EM: asdict(Declaration(label=hostile, asks="form", tells_right=True, is_column=True))}
    write_run(tmp_path / "outputs", "aaaa", "rag", [{EM: 1.0}] * 40, metrics=declared)
    write_run(tmp_path / "outputs", "bbbb", "finetune", [{EM: 0.0}] * 40, metrics=declared)
    monkeypatch.chdir(tmp_path)
    assert main([]) == 0
    assert main(["compare", "aaaa", "bbbb"]) == 0
    said = capsys.readouterr().out
    files = [(tmp_path / "reports" / name).read_text(encoding="utf-8") for name in ("summary.md", "compare.md")]
    assert "\x1b" not in said + "".join(files)
    assert every("&lt;b&gt;x&lt;/b&gt;" in text and "<b>" not in text and "\\[a\\](b)" in text for text in files)
