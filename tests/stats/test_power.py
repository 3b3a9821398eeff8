import math

import numpy as np
import pytest
from scipy.stats import norm
from statsmodels.stats.power import TTestPower

from rag_eval.stats.power import mde_from_se, minimum_detectable_effect, required_n


@pytest.mark.parametrize(("p_disc", "effect", "n"), [(0.2, 0.03, 2_605), (0.2, 0.05, 931), (0.3, 0.02, 8_819)])
def test_questions_needed_by_the_protocols_formula(p_disc: float, effect: float, n: int) -> None:
    # with z = 1.95996 and 0.84162: 1.5 * 7.8489 * (0.2 - 0.0009) / 0.0009 = 2,604.5, and so on
    assert required_n(effect, p_disc, deff=1.5) == n


def test_questions_needed_for_another_level_and_power() -> None:
    spread = (2.575829 + 1.281552) ** 2
    assert required_n(0.1, 0.3, deff=1, alpha=0.01, power=0.90) == math.ceil(spread * (0.3 - 0.01) / 0.01)


@pytest.mark.parametrize("effect", [0.01, 0.05, 0.2])
def test_detectable_effect_is_the_one_whose_questions_suffice(effect: float) -> None:
    n = required_n(effect, p_disc=0.25, deff=1.7)
    assert minimum_detectable_effect(n, p_disc=0.25, deff=1.7) <= effect < minimum_detectable_effect(n - 1, p_disc=0.25, deff=1.7)


def test_nothing_is_detectable_with_too_few_questions() -> None:
    # 10 questions of which 1 in 10 differs: even if all went one way, one pair proves nothing
    assert minimum_detectable_effect(10, p_disc=0.1, deff=1) == math.inf


def test_mcnemars_test_finds_the_effect_in_80_percent_of_simulated_data_sets() -> None:
    p_disc, effect, n = 0.2, 0.05, required_n(0.05, 0.2, deff=2)
    rng = np.random.default_rng(0)
    shares = [(p_disc - effect) / 2, (p_disc + effect) / 2, 1 - p_disc]
    only_a, only_b, _ = 2 * rng.multinomial(n // 2, shares, size=20_000).T  # each question twice: a design effect of 2
    z = (only_b - only_a) / np.sqrt(2 * (only_a + only_b))
    assert (z > norm.ppf(0.975)).mean() == pytest.approx(0.80, abs=0.02)


def test_effect_that_a_standard_error_can_find() -> None:
    assert mde_from_se(0.01) == pytest.approx(0.02801585)  # Bloom 1995: 2.8 standard errors
    assert mde_from_se(0.01, alpha=0.10, power=0.90) == pytest.approx(0.01 * (1.644854 + 1.281552))


@pytest.mark.parametrize("n", [10, 20, 60])
def test_effect_that_few_clusters_can_find_is_that_of_statsmodels_power_of_the_t_test(n: int) -> None:
    effect = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.80)
    assert mde_from_se(1 / math.sqrt(n), df=n - 1) == pytest.approx(effect, rel=0.02)


def test_impossible_plans_are_refused() -> None:
    for effect, p_disc, deff in ((0, 0.2, 1), (0.3, 0.2, 1), (0.1, 1.2, 1), (0.1, 0.2, 0.9)):
        with pytest.raises(ValueError, match="expected"):
            required_n(effect, p_disc, deff)
    with pytest.raises(ValueError, match="n >= 1"):
        minimum_detectable_effect(0, 0.2, 1)
    with pytest.raises(ValueError, match="alpha and power"):
        required_n(0.1, 0.2, 1, power=1)
    for se, df in ((-1, None), (math.nan, None), (1, 0)):
        with pytest.raises(ValueError, match="se >= 0"):
            mde_from_se(se, df)
