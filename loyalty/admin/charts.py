"""Charts as SVG, drawn here: no script, no inline style, colors from the style sheet.

A chart is small enough to be read on a telephone, and comes with the same figures as a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django_stubs_ext import StrOrPromise

from loyalty.notation import shown_percent

WIDTH = 480
_LEFT, _RIGHT, _TOP, _BOTTOM = 68, 8, 10, 24
_STEPS = (1, 2, 5)
_LINES = 4
_HALF_A_LABEL = 28
_LETTER = 10  # so wide is a letter of a label on a telephone


@dataclass(frozen=True, slots=True)
class Series:
    """One color of a chart; `texts` are the same values as people write them."""

    label: StrOrPromise
    values: Sequence[int]
    texts: Sequence[str]


def columns(
    title: StrOrPromise,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    name: str,
    axis: Sequence[tuple[int, str]],
    texts: Sequence[str] = (),
    height: int = 220,
) -> SafeString:
    """Bars that stand side by side, a group for each label.

    `axis` are the lines and their texts; `texts` are the labels in full.
    """
    top = max((value for value, _text in axis), default=0) or 1
    left = max(_LEFT, *(_LETTER * len(text) + 6 for _value, text in axis))
    room, tall = WIDTH - left - _RIGHT, height - _TOP - _BOTTOM
    slot = room / max(len(labels), 1)
    bar = max(slot * 0.8 / max(len(series), 1), 1)
    bars = [
        format_html(
            '<rect class="chart-{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
            number + 1,
            _n(left + index * slot + slot * 0.1 + number * bar),
            _n(_TOP + tall - tall * value / top),
            _n(max(bar - 0.5, 0.5)),
            _n(tall * value / top),
            f"{label}: {each.label} {each.texts[index]}",
        )
        for number, each in enumerate(series)
        for index, (label, value) in enumerate(zip(texts or labels, each.values, strict=True))
        if value > 0
    ]
    widest = _LETTER * max(map(len, labels), default=0) + 8
    every = max(-(-len(labels) * widest // room), 1)
    ticks = [
        _tick(left + index * slot + slot / 2, height - 7, label)
        for index, label in enumerate(labels)
        if index % every == 0
    ]
    return _svg(name, title, height, [*_grid(axis, top, tall, left), *bars, *ticks])


def _tick(x: float, y: int, label: str) -> SafeString:
    """A label below its place; where it would be cut off, as far right as there is room."""
    if x > WIDTH - _HALF_A_LABEL:
        return _text(WIDTH, y, label, "end")
    return _text(x, y, label, "middle")


def bars(title: StrOrPromise, rows: Sequence[tuple[str, int, str]], *, name: str) -> SafeString:
    """Lying bars, one a row: its label, value and the value's text above it."""
    top, step = max((value for _label, value, _text in rows), default=0) or 1, 40
    parts: list[SafeString] = []
    for index, (label, value, text) in enumerate(rows):
        y = index * step
        parts += [
            _text(0, y + 14, label, "start"),
            _text(WIDTH, y + 14, text, "end"),
            format_html(
                '<rect class="chart-track" x="0" y="{}" width="{}" height="10" rx="2"/>',
                y + 20,
                WIDTH,
            ),
            format_html(
                '<rect class="chart-1" x="0" y="{}" width="{}" height="10" rx="2">'
                "<title>{}</title></rect>",
                y + 20,
                _n(WIDTH * max(value, 0) / top),
                f"{label}: {text}",
            ),
        ]
    return _svg(name, title, max(len(rows) * step, step), parts)


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of a ladder: how much of the way to it is done, and what is to say of it."""

    label: str
    permille: int
    text: str
    is_current: bool = False


def ladder(title: StrOrPromise, rungs: Sequence[Rung], *, name: str) -> SafeString:
    """Steps from the highest down, each with the way to it; where somebody stands is marked."""
    step = 44
    parts: list[SafeString] = []
    for index, rung in enumerate(rungs):
        y, done = index * step, min(max(rung.permille, 0), 1000)
        if rung.is_current:
            parts.append(
                format_html('<circle class="chart-2" cx="6" cy="{}" r="6"/>', y + 11),
            )
        parts += [
            _text(18, y + 16, rung.label, "start"),
            _text(WIDTH, y + 16, rung.text, "end"),
            format_html(
                '<rect class="chart-track" x="0" y="{}" width="{}" height="10" rx="2"/>',
                y + 24,
                WIDTH,
            ),
            format_html(
                '<rect class="chart-{}" x="0" y="{}" width="{}" height="10" rx="2">'
                "<title>{}</title></rect>",
                2 if rung.is_current else 1,
                y + 24,
                _n(WIDTH * done / 1000),
                f"{rung.label}: {rung.text}",
            ),
        ]
    return _svg(name, title, max(len(rungs) * step, step), parts)


def shares(
    title: StrOrPromise,
    rows: Sequence[tuple[str, Sequence[tuple[int, str]]]],
    *,
    name: str,
) -> SafeString:
    """A bar of full length for each row, divided by thousandths; each part with its text."""
    step, left = 26, 92
    room = WIDTH - left
    parts: list[SafeString] = []
    for index, (label, divided) in enumerate(rows):
        y, x = index * step, float(left)
        parts.append(_text(0, y + 15, label, "start"))
        for number, (permille, text) in enumerate(divided):
            width = room * permille / 1000
            if width > 0:
                parts.append(
                    format_html(
                        '<rect class="chart-{}" x="{}" y="{}" width="{}" height="18">'
                        "<title>{}</title></rect>",
                        number + 1,
                        _n(x),
                        y + 2,
                        _n(max(width - 1, 0.5)),
                        f"{label}: {text}",
                    )
                )
            x += width
    return _svg(name, title, max(len(rows) * step, step), parts)


def lines(
    title: StrOrPromise, labels: Sequence[str], series: Sequence[Series], *, name: str
) -> SafeString:
    """Lines over the labels, of thousandths: the scale goes from 0 to 100 %."""
    height = 220
    room, tall = WIDTH - _LEFT - _RIGHT, height - _TOP - _BOTTOM
    slot = room / max(len(labels) - 1, 1)
    parts: list[SafeString] = []
    for number, each in enumerate(series):
        points = [
            (_LEFT + index * slot, _TOP + tall - tall * value / 1000)
            for index, value in enumerate(each.values)
        ]
        parts.append(
            format_html(
                '<polyline class="chart-stroke-{}" points="{}"/>',
                number + 1,
                " ".join(f"{_n(x)},{_n(y)}" for x, y in points),
            )
        )
        parts += [
            format_html(
                '<circle class="chart-{}" cx="{}" cy="{}" r="3"><title>{}</title></circle>',
                number + 1,
                _n(x),
                _n(y),
                f"{labels[index]}: {each.label} {each.texts[index]}",
            )
            for index, (x, y) in enumerate(points)
        ]
    every = max(-(-len(labels) // 12), 1)
    ticks = [
        _text(_LEFT + index * slot, height - 7, label, "middle")
        for index, label in enumerate(labels)
        if index % every == 0
    ]
    axis = [(value, shown_percent(value // 10)) for value in (0, 250, 500, 750, 1000)]
    return _svg(name, title, height, [*_grid(axis, 1000, tall), *parts, *ticks])


def steps_to(highest: int) -> list[int]:
    """Round values from 0 up to at least the highest, about four of them."""
    if highest <= 0:
        return [0, 1]
    size = 1
    while True:
        for step in _STEPS:
            if step * size * _LINES >= highest:
                count = -(-highest // (step * size))
                return [number * step * size for number in range(count + 1)]
        size *= 10


def _grid(
    axis: Sequence[tuple[int, str]], top: int, tall: int, left: int = _LEFT
) -> list[SafeString]:
    parts: list[SafeString] = []
    for value, text in axis:
        y = _TOP + tall - tall * value / top
        parts.append(
            format_html(
                '<line class="chart-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>',
                left,
                WIDTH - _RIGHT,
                _n(y),
                _n(y),
            )
        )
        parts.append(_text(left - 6, y + 4, text, "end"))
    return parts


def _text(x: float, y: float, text: str, anchor: str) -> SafeString:
    return format_html(
        '<text class="chart-text" x="{}" y="{}" text-anchor="{}">{}</text>',
        _n(x),
        _n(y),
        anchor,
        text,
    )


def _svg(name: str, title: StrOrPromise, height: int, parts: Sequence[SafeString]) -> SafeString:
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title"'
        ' xmlns="http://www.w3.org/2000/svg"><title id="{}-title">{}</title>{}</svg>',
        WIDTH,
        height,
        name,
        name,
        title,
        format_html_join(mark_safe("\n"), "{}", ((part,) for part in parts)),
    )


def _n(value: float) -> str:
    """A coordinate, always with a point, whatever the language."""
    return f"{value:.1f}".removesuffix(".0")
