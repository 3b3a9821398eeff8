"""Long stages tell how far they are, also where there is no terminal."""

from __future__ import annotations

import time

import pytest

from rag_eval import progress


def test_without_a_terminal_a_line_comes_every_thirty_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    with progress.progress("timing", 100) as advance:
        for _ in range(8):
            clock[0] += 10.0
            advance(10)
    assert capsys.readouterr().err.splitlines() == ["timing: 30/100, 70 s left", "timing: 60/100, 40 s left"]


def test_on_a_terminal_a_bar_appears_after_two_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.progress("embedding", 100) as advance:
        clock[0] = 1.9
        advance(50)
        assert capsys.readouterr().err == ""
        clock[0] = 2.0
        advance(10)
        assert "60/100" in capsys.readouterr().err
