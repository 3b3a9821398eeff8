"""The interval of a declared difference is the one that its clusters allow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rag_eval.report.contrast import Arm, contrast
from rag_eval.score.primary import EM
from rag_eval.stats.bootstrap import bootstrap_t_interval
from rag_eval.stats.paired_tests import paired_difference
from rag_eval.testing.finished_runs import write_run


def arms(root: Path, right: list[float]) -> tuple[Arm, Arm]:
    one = write_run(root, "a", "rag", [{EM: 0.0}] * len(right))
    return Arm("a", one), Arm("b", write_run(root, "b", "closed_book", [{EM: score} for score in right]))


def test_few_clusters_get_the_bootstrap_t_and_many_students_t(tmp_path: Path) -> None:
    for n in (40, 80):  # 20 and 40 clusters of two
        right = [float(at % 5 != 0) for at in range(n)]
        found = contrast(*arms(tmp_path / str(n), right), EM).difference
        clusters = [at // 2 for at in range(n)]
        student = paired_difference([0.0] * n, right, clusters)
        assert found is not None
        assert student is not None
        if n == 80:
            assert (found.low, found.high) == (student.low, student.high)
        else:
            assert (found.low, found.high) == pytest.approx(bootstrap_t_interval(np.array(right), np.array(clusters), 0, 10_000))
            assert found.low != student.low


def test_an_end_that_resamples_do_not_limit_keeps_students_t(tmp_path: Path) -> None:
    right = [1.0, 1.0] + [0.0] * 38  # most resamples of 20 clusters hold the one that differs, many do not
    found = contrast(*arms(tmp_path, right), EM).difference
    assert found is not None
    assert -1 < found.low < found.mean < found.high < 1


def test_equal_scores_have_an_interval_and_no_detectable_difference(tmp_path: Path) -> None:
    found = contrast(*arms(tmp_path, [0.0] * 40), EM)
    assert found.difference is not None
    assert found.difference.low < 0 < found.difference.high
    assert (found.mde, found.p) == (None, 1.0)
