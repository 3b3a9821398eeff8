"""HTML pages that stand alone: no script, nothing from elsewhere, every text escaped and what cannot be seen in it written out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from rag_eval.report.curve import Curve
from rag_eval.report.html.budget import cut, longest_kept
from rag_eval.report.html.difference import shortened
from rag_eval.report.html.line_chart import STYLE, drawn, line_chart, n_left_out, swatch
from rag_eval.report.html.matrix import FILTERS, MOST_QUESTIONS, Answer, Mark, Matrix, Passage
from rag_eval.report.html.visible import element_id, visible
from rag_eval.report.table import NOT_MEASURED, Figure, number

TEMPLATES = Path(__file__).parent / "templates"
# Bytes that the texts of a page may take together, by kind.
PASSAGE_BYTES, ANSWER_BYTES, GOLD_BYTES, QUESTION_BYTES, FRAME_BYTES = 500_000, 300_000, 120_000, 100_000, 100_000
TITLE_CHARACTERS = 60
MOST_MISSING = 8  # words that an answer lacks; of more the number is told
TONES: dict[Mark, str] = {"right": "good", "wrong": "bad", "in part": "mid", "not judged": "none", "not asked": "none"}


@dataclass(frozen=True)
class Limits:
    """The bytes that a text of each kind is cut to; None = it is not cut."""

    passage: int | None
    answer: int | None
    gold: int | None
    question: int | None
    frame: int | None


def environment(*folders: Path) -> Environment:
    """Templates of pages, with what is to be said of numbers, curves and questions.

    Args:
        *folders: of further templates, which may extend `page.html`.

    Returns:
        The environment; it escapes every text.
    """
    made = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters["zip_with_index"] = _places
    made.globals.update(
        amount=_amount,
        answer=_answer,
        chart_style=Markup(STYLE),
        cut=cut,
        drawn=drawn,
        element_id=element_id,
        figure=_figure,
        filters=FILTERS,
        most=MOST_QUESTIONS,
        n_left_out=n_left_out,
        number=number,
        score=_score,
        svg=_svg,
        swatch=lambda at: Markup(swatch(at)),
        titled=_titled,
        tone=TONES.__getitem__,
    )
    return made


def limits(matrix: Matrix) -> Limits:
    """What the texts of some questions are cut to, so that each kind keeps to its share of a page."""
    answers = ["".join(piece.text for piece in one.difference.pieces) for question in matrix.questions for one in question.answers]
    return Limits(
        longest_kept([one.text or "" for one in matrix.passages], PASSAGE_BYTES),
        longest_kept(answers, ANSWER_BYTES),
        longest_kept([gold for one in matrix.questions for gold in one.gold], GOLD_BYTES),
        longest_kept([one.text or "" for one in matrix.questions], QUESTION_BYTES),
        longest_kept([one.text for one in matrix.frames], FRAME_BYTES),
    )


def _shown(value: object) -> object:
    """What an expression of a template comes to; markup is what a template or a figure wrote, everything else is text."""
    return value if isinstance(value, Markup) else visible(value)


def _places(numbers: Iterable[int]) -> list[tuple[int, int]]:
    return [(one, place) for place, one in enumerate(numbers, start=1)]


def _svg(curve: Curve) -> Markup:
    return Markup(line_chart(curve))  # its texts are escaped


def _answer(one: Answer, limit: Limits) -> Markup:
    pieces = shortened(one.difference.pieces, limit.answer)
    texts = [Markup("<mark>{}</mark>").format(visible(piece.text)) if piece.is_extra else escape(visible(piece.text)) for piece in pieces]
    said = Markup("<bdi>{}</bdi>").format(Markup().join(texts)) if texts else Markup("(empty)")
    missing = visible(" ".join(one.difference.missing[:MOST_MISSING]))
    n_more = len(one.difference.missing) - MOST_MISSING
    missing += f" … [{n_more} more]" if n_more > 0 else ""
    return said + Markup(" <span class=none>missing: <ins>{}</ins></span>").format(missing) if missing and texts else said


def _titled(one: Passage) -> str:
    """The title of a passage, or its id, in few characters."""
    title = one.title or one.id
    return title if len(title) <= TITLE_CHARACTERS else f"{title[: TITLE_CHARACTERS - 1]}…"


def _score(value: float) -> str:
    return "not judged" if math.isnan(value) else f"{value:g}" if value in (0.0, 1.0) else f"{value:.2f}"


def _amount(value: float | None) -> str:
    return NOT_MEASURED if value is None else Figure(value).text("amount")


def _figure(mean: float, low: float | None, high: float | None) -> str:
    return str(Figure(mean, low, high))
