"""What the invented world must be able to show, declared before any model was asked: claims with thresholds, directions and sources.

Sources are sections of the protocol of this project: 2.7 is its table of hypotheses, 3.2 its documents, 3.6 its effects E1 to E20.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.effects.measures import MISLED, STALE, answers_changed, groups_gained, groups_missed, hops_guessed, hops_together, slope
from rag_eval.report.claims.declare import MARGIN
from rag_eval.report.claims.values import Pools, Values, difference, mean
from rag_eval.stats.verdict import Claim, Direction


@dataclass(frozen=True)
class Effect:
    """A claim, with what is compared and where it comes from."""

    claim: Claim
    source: str
    compared: str
    measure: Callable[[Pools], Values]
    needs: tuple[str, ...] = ("forward",)  # kinds of question that the model must be able to read for it to mean anything
    arms: tuple[str, ...] = ()  # without which it is not measured; () = those are always there


def _claim(name: str, text: str, direction: Direction, threshold: float, margin: float | None = None) -> Claim:
    return Claim(name, text, threshold, direction, margin)


def _same(name: str, text: str) -> Claim:
    return Claim(name, text, 0.0, "equivalent", MARGIN)


EFFECTS = (
    Effect(
        _claim("E1", "who is shown nothing knows no more than the prior plus two points", "below", 0.02),
        "3.6 E1; 2.7 H1, one-sided",
        "exact match of closed_book - prior",
        difference("prior", "closed_book"),
        needs=(),
    ),
    Effect(
        _claim("E2", "who is shown the evidence reads it", "above", 0.95),
        "3.6 E2; 2.7 H2",
        "exact match of oracle",
        mean("oracle"),
        needs=(),
    ),
    Effect(
        _claim("E9", "passages about others beside the evidence take from it", "below", 0.0),
        "3.6 E9; 2.7 H8",
        "exact match a passage, slope over 0, 2 and 4 others",
        slope({0: "oracle", 2: "oracle among 2", 4: "oracle among 4"}),
    ),
    Effect(
        _claim("E11 fresh", "an index that was not updated knows less of what changed", "above", 0.20),
        "3.6 E11; size as 2.7 H3",
        "exact match of rag - rag_stale, changed facts",
        difference("rag_stale, changed", "rag, changed"),
    ),
    Effect(
        _claim("E11 old value", "it gives the old value", "above", 0.20),
        "3.6 E11; size as 2.7 H3",
        "old values of rag_stale - rag, changed facts",
        difference("rag, changed", "rag_stale, changed", STALE),
    ),
    Effect(
        _claim("E11 useless", "it knows nothing of what changed", "below", 0.05),
        "3.6 E11; 2.7 H11",
        "exact match of rag_stale, changed facts",
        mean("rag_stale, changed"),
    ),
    Effect(
        _claim("E11 kept", "old pages beside the new ones take from it", "below", 0.0),
        "3.4",
        "exact match of rag with old pages - without, changed facts",
        difference("rag, changed", "rag, changed, old pages kept"),
    ),
    Effect(
        _claim("E13 ceiling", "who is shown one of several documents cannot count or list", "below", 0.05),
        "3.6 E13",
        "exact match of oracle, list and count over 2 to 5 documents, k = 1",
        groups_missed,
        needs=("list", "count"),
    ),
    Effect(
        _claim("E13 room", "who is shown all of them can", "above", 0.50),
        "3.6 E13",
        "exact match of oracle, the same questions, k = 5 - k = 1",
        groups_gained,
        needs=("list", "count"),
    ),
    Effect(
        _claim("E17 flips", "false pages take from who searches", "below", 0.0),
        "3.6 E17",
        "exact match of rag with false pages - without",
        difference("rag", "rag, false pages"),
    ),
    Effect(
        _claim("E17 misled", "who searches repeats what they say", "above", 0.05),
        "3.6 E17",
        "false values of rag with false pages",
        mean("rag, false pages", MISLED),
    ),
    Effect(
        _claim("E17 closed book", "who does not search says what it said", "below", 0.05),
        "3.6 E17",
        "changed answers of closed_book, with false pages and without",
        answers_changed,
        needs=(),
    ),
    Effect(
        _same("E19", "random passages are worth nothing"),
        "3.6 E19",
        "exact match of rag_random - closed_book",
        difference("closed_book", "rag_random"),
    ),
    Effect(
        _claim("E20 product", "both documents of two hops are found as often as by chance together", "equivalent", 0.0, 2 * MARGIN),
        "3.6 E20",
        "P(both in the prompt of rag) - P(first) P(second)",
        hops_together,
        needs=(),
    ),
    Effect(
        _claim("E20 both", "without both documents two hops are not right", "below", 0.05),
        "3.6 E20",
        "exact match of rag, two_hop, where a document lacks",
        hops_guessed,
        needs=("two_hop",),
    ),
    Effect(
        _claim("misprints", "wrong letters in documents take from reading", "below", 0.0),
        "3.2",
        "exact match of oracle, a tenth of the words misprinted - plain",
        difference("oracle", "oracle, misprints"),
    ),
    Effect(
        _same("pronouns", "pronouns do not"),
        "3.2",
        "exact match of oracle, pronouns in half of the places - plain",
        difference("oracle", "oracle, pronouns"),
    ),
    Effect(
        _same("styles", "tables, abstracts, news do not"),
        "3.2",
        "exact match of oracle, five kinds of document - articles",
        difference("oracle", "oracle, styles"),
    ),
    Effect(
        _claim("siblings", "pages about entities named alike take from who searches", "below", 0.0),
        "3.2 (a)",
        "exact match of rag with sibling pages - without",
        difference("rag", "rag, sibling pages"),
    ),
    Effect(
        _claim("outdated", "pages with old values take from who searches", "below", 0.0),
        "3.2 (f)",
        "exact match of rag with outdated pages - without",
        difference("rag", "rag, outdated pages"),
    ),
)
