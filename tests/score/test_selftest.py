import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from rag_eval.errors import DataError
from rag_eval.score.answer import em, f1
from rag_eval.score.choice import choice_sum, choice_text
from rag_eval.score.formats import format_ok
from rag_eval.score.metric import Metric, metric
from rag_eval.score.self_check import Score, below_chance, gold_scores, shuffled_scores
from rag_eval.types import Estimate, Example, Grading, Likelihood, Prediction
from tests.claims import every

CONF = Path(__file__).parents[2] / "conf" / "metrics"
LETTERS = "ABCD"


def said(example: Example, text: str, likelihoods: tuple[Likelihood, ...] = ()) -> Prediction:
    return Prediction(example.id, text, (), (), (), 0, "", 1, 1, {}, "answered", "stop", likelihoods)


def four_way(n: int, gold: Sequence[int] | None = None) -> list[Example]:
    """Questions with options of their own, two a cluster."""
    rng = random.Random(0)
    places = gold or [rng.randrange(4) for _ in range(n)]
    choices = [[f"option {letter} of {at}" for letter in LETTERS] for at in range(n)]
    return [
        Example(f"q{at}", "?", (choices[at][places[at]],), cluster=f"c{at // 2}", grading=Grading(choices=tuple(choices[at])))
        for at in range(n)
    ]


def place(example: Example) -> int:
    return int(example.grading.choices.index(example.answers[0]))


def guesses(examples: Sequence[Example], p_right: float, seed: int = 1) -> list[int]:
    """Places that are right with a probability, else one of the three others."""
    rng = random.Random(seed)
    return [place(one) if rng.random() < p_right else (place(one) + rng.randint(1, 3)) % 4 for one in examples]


def verdict(metric: Score, predictions: Sequence[Prediction], examples: Sequence[Example]) -> Estimate | None:
    scores = [metric(prediction, example) for prediction, example in zip(predictions, examples, strict=True)]
    return below_chance(scores, shuffled_scores(metric, predictions, examples, seed=0), [example.cluster for example in examples])


def with_letters(examples: Sequence[Example], places: Sequence[int]) -> list[Prediction]:
    return [said(example, LETTERS[at]) for example, at in zip(examples, places, strict=True)]


def with_texts(examples: Sequence[Example], places: Sequence[int]) -> list[Prediction]:
    return [said(example, example.grading.choices[at]) for example, at in zip(examples, places, strict=True)]


def with_likelihoods(examples: Sequence[Example], places: Sequence[int]) -> list[Prediction]:
    def one(example: Example, best: int) -> Prediction:
        return said(example, "", tuple(Likelihood(text, -float(at != best), 0.0) for at, text in enumerate(example.grading.choices)))

    return [one(example, at) for example, at in zip(examples, places, strict=True)]


WAYS = [(choice_text, with_letters), (choice_text, with_texts), (choice_sum, with_likelihoods)]


@pytest.mark.parametrize("name", ["qa", "long", "choice"])
def test_gold_scores_1_by_every_metric_of_every_configuration(name: str) -> None:
    metrics = {key: metric(target) for key, target in yaml.safe_load((CONF / f"{name}.yaml").read_text())["answer"].items()}
    examples = [
        Example("a", "?", ("Marie Curie", "unknown")),
        Example("b", "?", ("1,200 mg",), grading=Grading(comparator="number", format="number_with_unit")),
        Example("c", "?", ("Paris",), grading=Grading(choices=("Rome", "Paris"), comparator="choice")),
        Example("d", "?", ()),
        Example("e", "?", ("A", "The The", "+", "京都府", "जयपुर")),
        Example("f", "?", ("It was so", "The answer is: 3")),  # what looks like a frame
        Example("g", "?", ("A",), grading=Grading(choices=("O", "A", "B"), comparator="choice")),
        Example("h", "?", ("A",), grading=Grading(choices=("Rome", "Paris"), comparator="choice")),
        Example("i", "?", ("no",), grading=Grading(comparator="yes_no_maybe")),
        Example("j", "?", ('{"ok": true}',), grading=Grading(comparator="json")),
    ]
    found = gold_scores(metrics, examples)
    assert found == {
        key: pytest.approx(math.nan if key in {"choice_sum", "choice_per_byte", "choice_joint"} else 1.0, nan_ok=True)
        for key in metrics
        if metrics[key].gold_scores_1
    }


def test_the_metric_and_the_question_that_fail_on_gold_are_named() -> None:
    with pytest.raises(DataError, match=r"em is 0 for the gold answer ' ' of question q7 but must be 1"):
        gold_scores({"em": Metric.of(em)}, [Example("q1", "?", ("Rome",)), Example("q7", "?", ("Rome", " "))])
    with pytest.raises(DataError, match="format_ok is 0 for the gold answer 'Rome' of question q7"):
        gold_scores(
            {"f1": Metric.of(f1), "format_ok": Metric.of(format_ok)}, [Example("q7", "?", ("Rome",), grading=Grading(format="json"))]
        )
    with pytest.raises(DataError, match=r"em cannot judge question q7: .*'about ten' must be one number"):
        gold_scores({"em": Metric.of(em)}, [Example("q7", "?", ("about ten",), grading=Grading(comparator="number"))])


@pytest.mark.parametrize(("metric", "answer"), WAYS)
def test_options_off_by_one_are_below_chance(metric: Score, answer) -> None:  # type: ignore[no-untyped-def]
    examples = four_way(200)
    places = guesses(examples, p_right=0.6)
    assert verdict(metric, answer(examples, places), examples) is None
    found = verdict(metric, answer(examples, [(at + 1) % 4 for at in places]), examples)
    assert found is not None
    assert found.mean == pytest.approx(0.4 / 3 - 0.25, abs=0.04)
    assert (found.n, found.n_clusters) == (200, 100)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize(("metric", "answer"), WAYS)
def test_a_constant_predictor_is_never_below_chance(metric: Score, answer, share: float) -> None:  # type: ignore[no-untyped-def]
    rng = random.Random(0)
    examples = four_way(200, [0 if rng.random() < share else rng.randint(1, 3) for _ in range(200)])
    predictions = answer(examples, [0] * 200)
    scores = [metric(prediction, example) for prediction, example in zip(predictions, examples, strict=True)]
    chance = shuffled_scores(metric, predictions, examples, seed=0)
    assert sum(chance) == pytest.approx(sum(scores))
    assert below_chance(scores, chance, [example.cluster for example in examples]) is None


def test_one_text_for_all_questions_is_constant_even_where_it_is_an_option_that_is_never_right() -> None:
    def trapped(example: Example) -> Example:
        choices = list(example.grading.choices)
        choices[place(example) - 1] = "none of them"
        return Example(example.id, "?", example.answers, cluster=example.cluster, grading=Grading(choices=tuple(choices)))

    examples = [trapped(one) for one in four_way(200)]
    assert verdict(choice_text, [said(one, "none of them") for one in examples], examples) is None


def test_chance_is_a_quarter_for_four_options_and_the_same_for_guessing() -> None:
    examples = four_way(400)
    predictions = with_texts(examples, guesses(examples, p_right=0.25))
    chance = shuffled_scores(choice_text, predictions, examples, seed=0)
    assert sum(chance) / 400 == pytest.approx(0.25, abs=0.03)
    assert chance == shuffled_scores(choice_text, predictions, examples, seed=0)
    assert chance != shuffled_scores(choice_text, predictions, examples, seed=1)


def test_no_system_at_chance_is_called_below_it() -> None:
    examples = four_way(100)
    flagged = [verdict(choice_text, with_letters(examples, guesses(examples, 0.25, seed)), examples) is not None for seed in range(30)]
    assert sum(flagged) == 0  # 0.03 are expected


def test_chance_never_pairs_a_prediction_with_its_own_cluster() -> None:
    examples = [Example(f"q{at}", "?", (f"answer of {at // 3}",), cluster=f"c{at // 3}") for at in range(12)]
    predictions = [said(one, one.answers[0]) for one in examples]
    assert shuffled_scores(em, predictions, examples, seed=0) == [0.0] * 12
    lone = [Example(one.id, "?", one.answers) for one in examples]  # no clusters: others of the same answer are met
    assert sum(shuffled_scores(em, predictions, lone, seed=0)) > 0


def test_free_answers_of_a_shared_pool_have_the_chance_of_the_pool() -> None:
    examples = [Example(f"q{at}", "?", (("dominant", "recessive")[at % 2],)) for at in range(50)]
    predictions = [said(one, one.answers[0]) for one in examples]
    assert sum(shuffled_scores(em, predictions, examples, seed=0)) / 50 == pytest.approx(0.5, abs=0.1)


def test_unanswerable_questions_have_no_chance_level_and_are_paired_with_nobody() -> None:
    examples = [Example(f"q{at}", "?", ("Rome",) if at else ()) for at in range(5)]
    assert shuffled_scores(em, [said(one, "Rome") for one in examples], examples, seed=0) == pytest.approx(
        [math.nan, 1, 1, 1, 1], nan_ok=True
    )


def test_where_one_cluster_has_most_questions_chance_cannot_be_told() -> None:
    examples = [Example(f"q{at}", "?", ("Rome",), cluster="big" if at < 3 else "small") for at in range(5)]
    chance = shuffled_scores(em, [said(one, "Oslo") for one in examples], examples, seed=0)
    assert every(map(math.isnan, chance))
    assert below_chance([0.0] * 5, chance, ["c"] * 5) is None


def test_options_that_another_question_lacks_score_0_there() -> None:
    two = [Example(f"t{at}", "?", ("yes",), grading=Grading(choices=("yes", "no"))) for at in range(2)]
    four = [Example(f"f{at}", "?", ("south",), grading=Grading(choices=("north", "east", "south", "west"))) for at in range(2)]
    examples = [two[0], four[0]]
    assert shuffled_scores(choice_text, [said(two[0], "no"), said(four[0], "south")], examples, seed=0) == [0.0, 0.0]
