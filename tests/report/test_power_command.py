"""How many questions are needed is known before any is asked."""

from __future__ import annotations

import pytest

from rag_eval.report.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "n"),
    [
        (["effect=0.03", "discordant=0.2", "deff=1.5"], "2,605"),  # about 2,600, about 930 and about 8,800 by the same formula elsewhere
        (["effect=0.05", "discordant=0.2", "deff=1.5"], "931"),
        (["effect=0.02", "discordant=0.3", "deff=1.5"], "8,819"),
    ],
)
def test_questions_that_a_difference_needs(capsys: pytest.CaptureFixture[str], arguments: list[str], n: str) -> None:
    assert main(["power", *arguments]) == 0
    assert capsys.readouterr().out.startswith(f"{n} questions find a difference of")


def test_the_difference_that_so_many_questions_find_is_the_same_formula_backwards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "n=2605", "discordant=0.2", "deff=1.5"]) == 0
    assert capsys.readouterr().out.startswith("2,605 questions find a difference of 0.0300")


def test_too_few_questions_find_nothing_however_large(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["power", "n=1", "discordant=0.2", "deff=1"]) == 0
    assert capsys.readouterr().out.startswith("1 question finds no difference, however large")


def test_help_of_each_command_tells_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    for command, key in (("compare", "utilisation="), ("power", "discordant="), ("--help", "compare")):
        assert main([command, "--help"]) == 0
        assert key in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["n=10.5", "discordant=0.2", "deff=1"],
        ["effect=0.03"],
        ["effect=0.3", "discordant=0.2", "deff=1"],
        ["effect=0.1", "n=5", "discordant=0.2", "deff=1"],
        ["effect=1e-200", "discordant=0.2", "deff=1"],
        ["effect=1e-160", "discordant=0.2", "deff=1"],
        ["effect=0.1", "discordant=0.2", "deff=inf"],
        ["n=1e400", "discordant=0.2", "deff=1"],
        ["x"],
    ],
)
def test_what_is_missing_or_impossible_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["power", *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
