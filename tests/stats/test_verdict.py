import math

import pytest

from rag_eval.stats.paired_tests import tost
from rag_eval.stats.verdict import Claim, metric_dependent, undecided, verdict, winner
from rag_eval.types import Estimate

GAIN = Claim("gain", "retrieval adds more than 20 points", 0.2, "above")
LEAK = Claim("leak", "the base model knows at most 2 points", 0.02, "below")
SAME = Claim("same", "format training adds nothing", 0.0, "equivalent", margin=0.02)


def interval(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 100, 100)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.21, 0.30, "SUPPORTED"),
        (0.20, 0.30, "INCONCLUSIVE(MDE=0.03)"),  # the threshold itself is not above it
        (0.10, 0.30, "INCONCLUSIVE(MDE=0.03)"),
        (0.10, 0.20, "REFUTED"),
        (-0.10, 0.10, "REFUTED"),
    ],
)
def test_verdict_above_a_threshold(low: float, high: float, word: str) -> None:
    assert verdict(GAIN, interval(low, high), mde=0.03).text == word


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.01, 0.01, "SUPPORTED"),
        (-0.01, 0.02, "INCONCLUSIVE(MDE=0.03)"),
        (0.01, 0.03, "INCONCLUSIVE(MDE=0.03)"),
        (0.02, 0.03, "REFUTED"),
        (0.05, 0.09, "REFUTED"),
    ],
)
def test_verdict_below_a_threshold(low: float, high: float, word: str) -> None:
    assert verdict(LEAK, interval(low, high), mde=0.03).text == word


@pytest.mark.parametrize(
    ("of_90", "of_95", "word"),
    [
        ((-0.015, 0.019), (-0.018, 0.022), "SUPPORTED"),  # two one-sided tests need no more than 90 %
        ((-0.015, 0.020), (-0.018, 0.023), "INCONCLUSIVE(MDE=0.03)"),
        ((-0.020, 0.015), (-0.023, 0.018), "INCONCLUSIVE(MDE=0.03)"),
        ((0.021, 0.040), (0.019, 0.042), "INCONCLUSIVE(MDE=0.03)"),
        ((0.022, 0.040), (0.020, 0.042), "REFUTED"),
        ((-0.040, -0.022), (-0.042, -0.020), "REFUTED"),
    ],
)
def test_verdict_of_equivalence(of_90: tuple[float, float], of_95: tuple[float, float], word: str) -> None:
    assert verdict(SAME, interval(*of_95), 0.03, interval(*of_90)).text == word


def test_verdict_takes_the_interval_of_two_one_sided_tests() -> None:
    found = tost(mean=0.001, se=0.005, df=100, margin=0.02)
    assert found.is_equivalent
    assert verdict(SAME, interval(-0.009, 0.011), None, found).word == "SUPPORTED"


def test_no_significant_difference_is_not_equivalence() -> None:
    assert verdict(SAME, interval(-0.1, 0.1), 0.1, interval(-0.09, 0.09)).word == "INCONCLUSIVE"
    with pytest.raises(ValueError, match="same: equivalence is decided by a 90 % interval"):
        verdict(SAME, interval(-0.1, 0.1), 0.1)


@pytest.mark.parametrize("claim", [GAIN, LEAK, SAME])
def test_what_was_not_measured_is_never_inconclusive(claim: Claim) -> None:
    assert verdict(claim, None, mde=0.03).text == "NOT MEASURED"
    assert verdict(claim, interval(math.nan, 1.0), mde=0.03).word == "NOT MEASURED"
    assert verdict(claim, interval(0.0, math.nan), mde=None).word == "NOT MEASURED"


def test_an_open_interval_decides_nothing_and_an_unknown_effect_is_said_to_be() -> None:
    assert verdict(GAIN, interval(-math.inf, math.inf), mde=None).text == "INCONCLUSIVE(MDE=unknown)"
    assert verdict(GAIN, interval(-math.inf, math.inf), mde=math.nan).text == "INCONCLUSIVE(MDE=unknown)"
    assert verdict(GAIN, interval(0.1, 0.3), mde=0.0296).text == "INCONCLUSIVE(MDE=0.03)"


def test_a_margin_is_declared_for_equivalence_and_only_there() -> None:
    for direction, margin in (("equivalent", None), ("equivalent", 0.0), ("equivalent", math.nan), ("above", 0.02)):
        with pytest.raises(ValueError, match="expected a margin above 0 for equivalence"):
            Claim("x", "y", 0.0, direction, margin)


def test_winner_only_where_the_interval_leaves_out_the_threshold() -> None:
    names = ("rag", "finetune")
    assert winner(interval(0.01, 0.1), names) == "finetune"
    assert winner(interval(-0.1, -0.01), names) == "rag"
    assert winner(interval(0.0, 0.1), names) is None
    assert winner(interval(-0.1, 0.0), names) is None
    assert winner(None, names) is None
    assert winner(interval(math.nan, math.nan), names) is None


def test_a_difference_that_does_not_matter_has_no_winner() -> None:
    names = ("rag", "finetune")
    assert winner(interval(0.01, 0.1), names, threshold=0.02) is None
    assert winner(interval(-0.01, 0.01), names, threshold=0.02) is None
    assert winner(interval(0.03, 0.1), names, threshold=0.02) == "finetune"
    assert winner(interval(-0.1, -0.03), names, threshold=0.02) == "rag"
    with pytest.raises(ValueError, match="at least 0"):
        winner(interval(0.03, 0.1), names, threshold=-0.1)


def test_a_claim_may_be_left_open_whatever_the_interval_says_and_may_depend_on_the_score() -> None:
    assert verdict(GAIN, interval(0.5, 0.6), mde=0.03).word == "SUPPORTED"
    assert (undecided(GAIN, 0.03).word, undecided(GAIN, 0.03).text) == ("INCONCLUSIVE", "INCONCLUSIVE(MDE=0.03)")
    assert undecided(GAIN, None).text == "INCONCLUSIVE(MDE=unknown)"
    assert metric_dependent(GAIN).text == metric_dependent(GAIN).word == "METRIC-DEPENDENT"
