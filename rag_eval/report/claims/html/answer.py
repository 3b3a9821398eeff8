"""The answer in three sentences: what the verdicts of all claims say together, and nothing that they do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rag_eval.report.claims.claim import Finding, Kind, Side
from rag_eval.stats.verdict import Word

WORDS: Mapping[Word, str] = {
    "SUPPORTED": "supported",
    "REFUTED": "refuted",
    "INCONCLUSIVE": "inconclusive",
    "METRIC-DEPENDENT": "decided differently by two metrics",
    "NOT MEASURED": "not measured",
}
KINDS: Mapping[Kind, str] = {"pro": "advantages", "con": "drawbacks"}
SIDES: tuple[Side, Side] = ("fine-tuning", "RAG")


def answer(findings: Mapping[str, Sequence[Finding]], measured_on: str) -> tuple[str, str, str]:
    """Three sentences: how many claims have which verdict, what holds of each side, and who wins which row.

    Args:
        findings: of each row.
        measured_on: what the numbers are of.

    Returns:
        The sentences. A side wins a row only by `winner`; where it names none, they say that there is no winner.
    """
    everything = [one for those in findings.values() for one in those]
    counts = Counter(one.verdict.word for one in everything)
    told = _listed([f"{counts[word]} {text}" for word, text in WORDS.items() if counts[word]])
    n = len(everything)
    first = f"The verdicts on {n} claims, measured on {measured_on}: {told}." if told else "Nothing was claimed and nothing measured."
    held = "; ".join(f"of {side} {_held(everything, side, 'pro')} and {_held(everything, side, 'con')}" for side in SIDES)
    return first, f"What was supported: {held}.", _winners(findings)


def winner(findings: Sequence[Finding]) -> Side | None:
    """The side that a row speaks for: every supported claim does, and more than half of the claims are supported; None = no winner.

    Args:
        findings: of the row.

    Returns:
        The side, or None.
    """
    sides = [side for one in findings if (side := speaks_for(one)) is not None]
    return sides[0] if 2 * len(sides) > len(findings) and len(set(sides)) == 1 else None


def speaks_for(one: Finding) -> Side | None:
    """The side that a supported claim speaks for: its own if it is an advantage, else the other; None = not supported.

    A refuted claim speaks for nobody: that one side lacks an advantage gives the other none.
    """
    if one.verdict.word != "SUPPORTED":
        return None
    return one.claim.side if one.claim.kind == "pro" else next(side for side in SIDES if side != one.claim.side)


def _held(findings: Sequence[Finding], side: Side, kind: Kind) -> str:
    those = [one for one in findings if (one.claim.side, one.claim.kind) == (side, kind)]
    n_held = sum(one.verdict.word == "SUPPORTED" for one in those)
    return f"{n_held} of {len(those)} claimed {KINDS[kind]}"


def _winners(findings: Mapping[str, Sequence[Finding]]) -> str:
    won = {name: winner(those) for name, those in findings.items()}
    none = [name for name, side in won.items() if side is None]
    told = [f"{side} wins {_listed(rows)}" for side in SIDES if (rows := [name for name, one in won.items() if one == side])]
    rule = "a row is won where every supported claim speaks for one side and more than half of its claims are supported"
    if not told:
        return f"There is no winner in any row: {rule}."
    rest = [f"there is no winner in {_listed(none)}"] if none else []
    said = "; ".join([*told, *rest])
    return f"{said[0].upper()}{said[1:]}: {rule}."


def _listed(texts: Sequence[str]) -> str:
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else "".join(texts)
