"""Curves as SVG: lines with their points, bands of intervals, linear and logarithmic axes, and a name at the end of each line.

Series are told apart by colour, dash and the shape of their points. Colours are classes, so that a page and a file may give them
for light and for dark; `STYLE` has both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from xml.sax.saxutils import escape

from rag_eval.report.curve import Curve, Point
from rag_eval.report.html.axis import Axis, axis, tick_text
from rag_eval.report.html.visible import element_id, visible

WIDTH, HEIGHT = 440, 328
LEFT, TOP, BOTTOM = 58, 14, 60
LONGEST_NAME = 16  # characters of a name beside its line; the legend has it in full
LONGEST_TITLE = 44  # of an axis; of the lower one a line, of which there are two
CHARACTER = 8.4  # width of one, of wide ones
LINE = 15  # height of a line of text
DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 5", "4 2 1 2")
N_COLORS = len(DASHES)
LIGHT = ("#0b5fa5", "#b3470e", "#1b7a4b", "#8a3ea3", "#7a5c00", "#45505c")
DARK = ("#6db3f2", "#ff9d66", "#5fd39a", "#d59bea", "#e3c04f", "#c3ccd6")


def _colors(colors: Sequence[str], ink: str, grid: str) -> str:
    named = "".join(f".s{number}{{color:{color}}}" for number, color in enumerate(colors))
    return f".chart{{color:{ink}}}.chart .grid{{stroke:{grid}}}{named}"


STYLE = (
    ".chart text{font:13px system-ui,sans-serif;fill:currentColor}.chart .line{fill:none;stroke:currentColor;stroke-width:2}"
    ".chart .band{fill:currentColor;opacity:.16}.chart .point{fill:currentColor}.chart .axis{stroke:currentColor}"
    ".chart .bar{stroke:currentColor;stroke-width:1.5;opacity:.6}"
    + _colors(LIGHT, "#1c232b", "#d5dbe1")
    + f"@media screen and (prefers-color-scheme:dark){{{_colors(DARK, '#e6ebf0', '#3a434d')}}}"
)


@dataclass(frozen=True)
class Drawn:
    """A series as it is drawn."""

    name: str
    number: int  # of its colour, dash and shape
    points: tuple[Point, ...]  # that have a place, from left to right


def line_chart(curve: Curve, css: str = "") -> str:
    """A figure of a curve.

    Args:
        curve: with any texts; they are escaped.
        css: a style of its own, for a file by itself; "" = the page has it.

    Returns:
        An svg element with role, title and description.
    """
    series = drawn(curve)
    points = [point for one in series for point in one.points]
    right = LEFT + 14 if len(series) < 2 else LEFT + 10 + CHARACTER * max(len(_short(one.name, LONGEST_NAME)) for one in series)
    across = axis([point.x for point in points], LEFT, WIDTH - (right - LEFT) - 4, curve.log_x)
    heights = [value for point in points for value in (point.mean, *_ends(point, curve.log_y))]
    up = axis(heights, HEIGHT - BOTTOM, TOP, curve.log_y)
    name = element_id(curve.id, "figure-")
    title, text = _text(curve.title), _text(description(curve))
    parts = [
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{title}</title><desc id="{name}-desc">{text}</desc>',
        f"<style>{css}</style>" if css else "",
        *_axes(curve, across, up),
        *(part for one in series for part in _series(one, across, up, curve.log_y)),
        *(_names(series, across, up) if len(series) > 1 else ()),
        "</svg>",
    ]
    return "".join(parts)


def as_file(curve: Curve) -> str:
    """The figure as an SVG file of its own, for light and for dark."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{line_chart(curve, STYLE)}\n'


def drawn(curve: Curve) -> list[Drawn]:
    """The series of a curve with the points that have a place; on a logarithmic axis nothing at or below 0 has one."""
    found = []
    for number, (name, points) in enumerate(curve.series.items()):
        placed = [one for one in points if _has_place(one.x, curve.log_x) and _has_place(one.mean, curve.log_y)]
        found.append(Drawn(name, number % N_COLORS, tuple(sorted(placed, key=lambda one: one.x))))
    return found


def n_left_out(curve: Curve) -> int:
    """How many points of a curve have no place."""
    return sum(map(len, curve.series.values())) - sum(len(one.points) for one in drawn(curve))


def description(curve: Curve) -> str:
    """What a figure shows, for who cannot see it: each series from its first to its last point."""
    said = []
    for one in drawn(curve):
        if not one.points:
            said.append(f"{one.name}: no points")
            continue
        first, last = one.points[0], one.points[-1]
        said.append(f"{one.name}: {first.mean:.3g} at {tick_text(first.x)} to {last.mean:.3g} at {tick_text(last.x)}")
    return f"{curve.y} by {curve.x}. {'; '.join(said)}."


def _has_place(value: float, is_log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not is_log)


def _ends(point: Point, is_log: bool) -> tuple[float, ...]:
    """The ends of an interval that have a place."""
    if point.low is None or point.high is None:
        return ()
    return tuple(end for end in (point.low, point.high) if _has_place(end, is_log))


def _axes(curve: Curve, across: Axis, up: Axis) -> Iterator[str]:
    for value in up.ticks:
        y = up.at(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{across.end:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick_text(value)}</text>'
    for value in across.ticks:
        x = across.at(value)
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM + 5}"/>'
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 19}" text-anchor="middle">{tick_text(value)}</text>'
    yield f'<line class="axis" x1="{LEFT}" x2="{across.end:.1f}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>'
    for at, line in enumerate(wrap(visible(curve.x), LONGEST_TITLE, max_lines=2, placeholder="…")):
        yield f'<text x="{(LEFT + across.end) / 2:.1f}" y="{HEIGHT - 22 + LINE * at}" text-anchor="middle">{escape(line)}</text>'
    y_title = _text(_short(curve.y, LONGEST_TITLE - 6))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<text transform="translate(14 {middle:.1f}) rotate(-90)" text-anchor="middle">{y_title}</text>'


def _series(one: Drawn, across: Axis, up: Axis, log_y: bool) -> Iterator[str]:
    yield f'<g class="s{one.number}">'
    banded = [(point, ends) for point in one.points if len(ends := _interval(point, up, log_y)) == 2]
    if len(banded) > 1 and len(banded) == len(one.points):
        there = [f"{across.at(point.x):.1f},{up.at(low):.1f}" for point, (low, _) in banded]
        back = [f"{across.at(point.x):.1f},{up.at(high):.1f}" for point, (_, high) in reversed(banded)]
        yield f'<polygon class="band" points="{" ".join(there + back)}"/>'
    else:
        for point, (low, high) in banded:
            x = across.at(point.x)
            yield f'<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="{up.at(low):.1f}" y2="{up.at(high):.1f}"/>'
    places = [(across.at(point.x), up.at(point.mean)) for point in one.points]
    if len(places) > 1:
        yield f'<polyline class="line"{_dash(one.number)} points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'
    yield from (_marker(one.number, x, y) for x, y in places)
    yield "</g>"


def _interval(point: Point, up: Axis, log_y: bool) -> tuple[float, ...]:
    """Both ends of an interval; one that has no place stands at the edge of the figure."""
    if point.low is None or point.high is None or math.isnan(point.low + point.high):
        return ()
    low = point.low if _has_place(point.low, log_y) else up.low
    return low, point.high if _has_place(point.high, log_y) else up.high


def _marker(number: int, x: float, y: float) -> str:
    shapes = {
        0: f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="3.6"/>',
        1: f'<rect class="point" x="{x - 3.4:.1f}" y="{y - 3.4:.1f}" width="6.8" height="6.8"/>',
    }
    outlines = {
        2: ((0, -4.6), (4.4, 3.4), (-4.4, 3.4)),
        3: ((0, -4.8), (4.8, 0), (0, 4.8), (-4.8, 0)),
        4: ((0, 4.6), (4.4, -3.4), (-4.4, -3.4)),
        5: ((-4, -1.4), (4, -1.4), (4, 1.4), (-4, 1.4)),
    }
    if number in shapes:
        return shapes[number]
    return f'<polygon class="point" points="{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in outlines[number])}"/>'


def swatch(number: int) -> str:
    """A series' line and point, for a legend."""
    line = f'<line class="line" x1="1" x2="33" y1="7" y2="7"{_dash(number)}/>'
    box = 'viewBox="0 0 34 14" width="34" height="14" aria-hidden="true"'
    return f'<svg class="chart swatch s{number}" {box}>{line}{_marker(number, 17, 7)}</svg>'


def _dash(number: int) -> str:
    return f' stroke-dasharray="{DASHES[number]}"' if DASHES[number] else ""


def _names(series: Sequence[Drawn], across: Axis, up: Axis) -> Iterator[str]:
    """The name of each line at its end, moved apart where they would cover each other."""
    ends = sorted((up.at(one.points[-1].mean), at) for at, one in enumerate(series) if one.points)
    places: list[float] = []
    for y, _ in ends:
        places.append(max(y, places[-1] + LINE) if places else y)
    over = max(0.0, places[-1] - (HEIGHT - BOTTOM)) if places else 0.0
    places = [max(TOP + LINE * at, y - over) for at, y in enumerate(places)]
    for (_, at), y in zip(ends, places, strict=True):
        one = series[at]
        x = across.end + 8
        yield f'<text class="s{one.number}" x="{x:.1f}" y="{y + 4:.1f}">{_text(_short(one.name, LONGEST_NAME))}</text>'


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _text(text: str) -> str:
    return escape(visible(text).replace("\n", " "))
