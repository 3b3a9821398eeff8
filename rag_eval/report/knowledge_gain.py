"""What an arm knows more than its control: by fine-tuning, and by retrieval.

Where the base model keeps the form of the gold answers, arms with its weights are compared with trained ones as they are. Where it does
not, exact match measures form, and knowledge is compared between arms that were all trained on the form: `finetune_format` was
trained on questions of the same form about other things, and `rag_format` is retrieval with that adapter. An adapter that reads passages
worse than the base model is no such control: what retrieval gains is then told by containment, which asks for no form, of arms with the
base weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_eval.report.contrast import ALPHA, Arm, declare
from rag_eval.report.form import BARE, base_keeps_form, has_two_scores, two_scores
from rag_eval.report.judgement import Judgement, as_said, judge, read_beside, sentence
from rag_eval.report.table import Cell, Column, Figure, Header, Table, figure
from rag_eval.score.primary import EM
from rag_eval.score.scoring import scoring_of

TITLE = "Knowledge gained"
MARGIN = 0.02  # what counts as no difference


@dataclass(frozen=True)
class Gain:
    """What the second arm knows more than the first, and by what."""

    what: str
    first: str  # a mode
    second: str


ON_FORM = (
    Gain("by fine-tuning", "finetune_format", "finetune"),
    Gain("by retrieval", "finetune_format", "rag_format"),
)
IN_CONTENT = Gain("by retrieval, in content", "closed_book", "rag")
AS_THEY_ARE = (
    Gain("fine-tuning over retrieval", "rag", "finetune"),
    Gain("by retrieval, over random passages", "rag_random", "rag"),
    Gain("by fine-tuning, over its form", "finetune_format", "finetune"),
)
MODES = tuple(dict.fromkeys([*BARE, *(mode for gain in (*ON_FORM, *AS_THEY_ARE) for mode in (gain.first, gain.second))]))


@dataclass(frozen=True)
class Gained:
    """The table, and what it says of each gain in a sentence."""

    table: Table
    sentences: tuple[str, ...]
    leads: bool  # whether it is what the report should be read by


def knowledge_gained(arms: Mapping[str, Arm]) -> Gained | None:
    """What was gained, from the arms of a study.

    Args:
        arms: by mode, see MODES; any may be missing.

    Returns:
        None where a strict and a lenient score were not both scored, or no gain can be told and none is needed.
    """
    bare = [arms[mode] for mode in BARE if mode in arms]
    keeps = base_keeps_form([arm.run.record for arm in bare])
    lost = _lost_reading(arms) if keeps is False else None
    on_form = ON_FORM if lost is None else (ON_FORM[0], IN_CONTENT)
    gains = on_form if keeps is False else [gain for gain in AS_THEY_ARE if {gain.first, gain.second} <= arms.keys()]
    if not gains:
        return None
    there = [arms[mode] for gain in gains for mode in (gain.first, gain.second) if mode in arms]
    scoring = scoring_of(*(arm.run.record for arm in arms.values()))
    if there and not read_beside(there, scoring.primary):
        return None
    about = {gain: scoring.lenient if gain == IN_CONTENT else scoring.primary for gain in gains}
    judged = {gain: _judged(gain, arms, about[gain], len(gains)) for gain in gains}
    names = (scoring.strict(), scoring.lenient)
    differing = (Column(f"difference of {scoring.label(name)}", f"difference of {name}") for name in names)
    header: Header = ("knowledge gained", Column("pair", kind="text"), *differing, "n (clusters)", Column("verdict", kind="text"))
    experiment = next(iter(arms.values())).run.record.experiment
    rows = tuple(_row(gain, one, names, arms) for gain, one in judged.items())
    sentences = tuple(_sentence(gain, one, arms, experiment) for gain, one in judged.items())
    return Gained(Table(TITLE, _reading(keeps, bare, len(gains), lost), header, rows), sentences, leads=keeps is False)


def _lost_reading(arms: Mapping[str, Arm]) -> str | None:
    """What the adapter that was trained on the form took from reading passages, in words; None = no loss is shown."""
    if not {"rag", "rag_format"} <= arms.keys() or not read_beside([arms["rag"], arms["rag_format"]], EM):
        return None
    scoring = scoring_of(arms["rag"].run.record, arms["rag_format"].run.record)
    found = judge(arms["rag"], arms["rag_format"], declare(scoring.lenient, 0.0, MARGIN)).said[scoring.lenient]
    if found.winner != arms["rag"].label:
        return None
    return f"{scoring.label(scoring.lenient)} of rag_format - rag is {figure(found.contrast.difference)}"


def _judged(gain: Gain, arms: Mapping[str, Arm], about: str, n: int) -> Judgement | None:
    if _lacking(gain, arms):
        return None
    found = judge(arms[gain.first], arms[gain.second], declare(about, 0.0, MARGIN), 1 - ALPHA / n)
    if gain != IN_CONTENT:
        return found
    return as_said(found.said, about)  # alone: exact match asks for the form that the base model does not keep


def _lacking(gain: Gain, arms: Mapping[str, Arm]) -> list[str]:
    return [mode for mode in (gain.first, gain.second) if mode not in arms]


def _sentence(gain: Gain, one: Judgement | None, arms: Mapping[str, Arm], experiment: str) -> str:
    if one is not None:
        return f"Knowledge gained {gain.what}: {sentence(one)}"
    runs = " and ".join(f"python run.py mode={mode} experiment_name={experiment}" for mode in _lacking(gain, arms))
    anew = "; these runs too, all with dataset.split_by=question, for no training question of theirs is about what is tested"
    is_apart = all(map(_trains_on_others, arms.values()))
    return f"Knowledge gained {gain.what} is not measured: run {runs}, with the other arguments of these runs{anew if is_apart else ''}"


def _trains_on_others(arm: Arm) -> bool:
    """Whether a run's questions were divided by cluster, so that a training on questions about others than its own is no control."""
    facts = arm.run.record.facts
    audit = facts.data.audit
    return facts.provenance.choices.get("dataset.split_by") == "cluster" and audit is not None and not audit.n_facts_in_training


def _row(gain: Gain, one: Judgement | None, names: Sequence[str], arms: Mapping[str, Arm]) -> tuple[Cell, ...]:
    if one is None:
        lacking = ", ".join(_lacking(gain, arms))
        return (gain.what, f"{gain.second} - {gain.first}", *[Figure(None)] * len(names), "", f"NOT MEASURED: no {lacking}")
    found = one.judged.contrast
    n = "" if found.difference is None else f"{found.difference.n} ({found.difference.n_clusters})"
    return (gain.what, found.name, *(figure(one.said[name].contrast.difference) for name in names), n, one.better.text)


def _reading(keeps: bool | None, bare: Sequence[Arm], n: int, lost: str | None) -> str:
    intervals = "Paired by question, clustered, intervals of 95 %" + (f" that hold for all {n} at once (Bonferroni)." if n > 1 else ".")
    measured = ", ".join(f"of {arm.label} {two_scores(arm.run.record)}" for arm in bare if has_two_scores(arm.run.record))
    if keeps is None:
        return f"Whether the base model keeps the form of the gold answers is not known: too few of its answers hold one. {intervals}"
    if keeps:
        return f"The base model keeps the form of the gold answers ({measured}): its arms are compared as they are. {intervals}"
    form = (
        f"The base model does not keep the form of the gold answers: {measured}. So exact match of an arm with its weights measures form, "
        "and a trained arm beats it by having seen answers of that form."
    )
    if lost is not None:
        return (
            f"{form} What fine-tuning gains is compared between arms that were trained on the form. rag_format is no control of what "
            f"retrieval gains, for its adapter reads passages worse than the base model ({lost}); that gain is of the base model, by "
            "a score that asks for no form. Reading exercises in training (adapter.data.reading_share; the dataset brings some, or "
            "its training questions name their evidence) keep an adapter reading. "
            f"{intervals}"
        )
    return (
        f"{form} Knowledge is compared between arms that were all trained on the form: finetune_format on questions about other things, "
        f"rag_format being retrieval with that adapter. {intervals}"
    )
