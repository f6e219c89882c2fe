"""Small charts as SVG text, drawn with the page's own colours (classes, not inline styles)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fabsight.report.grids import quantity
from fabsight.report.markup import element, escape, number

WIDTH, HEIGHT = 400, 150
LEFT, RIGHT, TOP, BOTTOM = 8, 8, 14, 24
MOST_BINS, FEWEST_BINS = 32, 6
FEWEST_VALUES = 5  # fewer are said, not drawn


@dataclass(frozen=True)
class Guides:
    """What is drawn over the bars of a histogram.

    Attributes:
        middle: A full line: the mean or the median.
        sides: Dashed lines: limits, thresholds.
        bounds: The axis, None for what holds the values.
        bins: How many bars, 0 for as many as the values are worth.
    """

    middle: float | None = None
    sides: Sequence[float] = ()
    bounds: tuple[float, float] | None = None
    bins: int = 0


NO_GUIDES = Guides()


def histogram(title: str, values: Sequence[float], caption: str, guides: Guides = NO_GUIDES) -> str:
    """A figure: how the values are distributed; "" without values.

    Values that are not finite are left out and counted in the caption.
    """
    known = np.asarray([v for v in values if math.isfinite(v)], np.float64)
    if known.size == 0:
        return ""
    low, high, step = axis(*(guides.bounds or (float(known.min()), float(known.max()))))
    edges = np.linspace(low, high, (guides.bins or _bins(known, high - low)) + 1)
    counts, _ = np.histogram(np.clip(known, low, high), edges)  # `axis` may round inwards
    marks = _bars(counts, edges, low, high) + _ticks(low, high, step)
    marks += "".join(_upright(side, "side", low, high) for side in guides.sides)
    marks += "" if guides.middle is None else _upright(guides.middle, "middle", low, high)
    left_out = f", {len(values) - known.size} without a value" * (known.size < len(values))
    label = f"{title}: {caption}{left_out}"
    picture = element("svg", marks, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=label)
    return figure(title, caption + left_out, picture)


def figure(title: str, caption: str, picture: str = "") -> str:
    """A picture under its title and what it says in words."""
    head = element("strong", escape(title)) + element("span", escape(caption))
    return element("figure", element("figcaption", head) + picture, class_="chart")


def spread_chart(title: str, values: Sequence[float], unit: str = "") -> str:
    """A histogram with mean and mean +- 3 sigma marked, and said with n, least and most.

    Of fewer than 5 values only what is said.
    """
    found = Spread.of(values)
    if found is None:
        return ""
    caption = f"mean {quantity(found.mean, unit)} · n {found.count}"
    if found.count > 1:
        least, most = quantity(found.least, unit), quantity(found.most, unit)
        caption += f" · 3 sigma {quantity(found.three_sigma, unit)} · {least} to {most}"
    if found.count < FEWEST_VALUES:
        return figure(title, caption)
    sides = (found.mean - found.three_sigma, found.mean + found.three_sigma)
    return histogram(title, values, caption, Guides(found.mean, sides))


@dataclass(frozen=True)
class Spread:
    """Mean, 3 sigma (of the sample, n - 1; NaN of one value), count, least and most of values."""

    mean: float
    three_sigma: float
    count: int
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """The spread of the finite values; None without any."""
        known = np.asarray([v for v in values if math.isfinite(v)], np.float64)
        if known.size == 0:
            return None
        sigma = float(known.std(ddof=1)) if known.size > 1 else math.nan
        ends = float(known.min()), float(known.max())
        return cls(float(known.mean()), 3 * sigma, int(known.size), *ends)


def span(spread: Spread, bounds: tuple[float, float]) -> str:
    """A strip on a common axis: a bar from least to most, a dot at the mean."""
    width, height, middle = 160, 18, 9
    low, high = bounds
    scale = width / ((high - low) or 1.0)
    least, mean, most = ((v - low) * scale for v in (spread.least, spread.mean, spread.most))
    marks = _tag("line", class_="track", x1=0, x2=width, y1=middle, y2=middle)
    bar = max(most - least, 1.0)
    marks += _tag("rect", class_="bar", x=least, y=middle - 3, width=bar, height=6, rx=2)
    marks += _tag("circle", class_="dot", cx=mean, cy=middle, r=4)
    return element(
        "svg", marks, viewBox=f"-5 0 {width + 10} {height}", class_="strip", aria_hidden="true"
    )


def interval(
    value: float, bounds: tuple[float, float] | None, floor: float | None, best: float | None = None
) -> str:
    """A strip from 0 to 1: a bar to the value, its interval and the floor as a tick.

    "" where a mark lies outside 0 to 1 (such a metric has no common strip).
    """
    given = [v for v in (value, floor, best, *(bounds or ())) if v is not None]
    if not all(math.isfinite(v) and 0 <= v <= 1 for v in given):
        return ""
    width, height, middle = 160, 18, 9
    marks = _tag("line", class_="track", x1=0, x2=width, y1=middle, y2=middle)
    marks += _tag("rect", class_="bar", x=0, y=middle - 3, width=value * width, height=6, rx=2)
    if floor is not None:
        marks += _tag("line", class_="floor", x1=floor * width, x2=floor * width, y1=2, y2=16)
    if bounds:
        x1, x2 = (b * width for b in bounds)
        marks += _tag("line", class_="whisker", x1=x1, x2=x2, y1=middle, y2=middle)
    marks += _tag("circle", class_="dot", cx=value * width, cy=middle, r=4)
    return element(
        "svg", marks, viewBox=f"-5 0 {width + 10} {height}", class_="strip", aria_hidden="true"
    )


def axis(low: float, high: float) -> tuple[float, float, float]:
    """Round bounds that hold [low, high], and a round step between ticks.

    >>> axis(0.12, 0.97)
    (0.0, 1.0, 0.2)
    >>> axis(5.0, 5.0)
    (4.0, 6.0, 0.5)
    """
    if low == high:
        pad = abs(low) * 0.2 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(m for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.8)
    digits = max(0, 3 - math.floor(math.log10(step)))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return round(first * step, digits), round(last * step, digits), round(step, digits)


def _upright(value: float, name: str, low: float, high: float) -> str:
    """A line at a value, "" where the axis does not reach it."""
    if not low <= value <= high:
        return ""
    x = _x(value, low, high)
    return _tag("line", class_=name, x1=x, x2=x, y1=TOP - 8, y2=HEIGHT - BOTTOM)


def _bins(known: np.ndarray, span: float) -> int:
    """Freedman and Diaconis' width (Z. Wahrsch. 57, 1981), within what the figure can show."""
    quarter, three_quarters = np.percentile(known, [25, 75])
    width = 2 * float(three_quarters - quarter) / known.size ** (1 / 3)
    wanted = math.ceil(span / width) if width > 0 else MOST_BINS
    return int(min(max(wanted, FEWEST_BINS), MOST_BINS))


def _bars(counts: np.ndarray, edges: np.ndarray, low: float, high: float) -> str:
    tallest = max(int(counts.max()), 1)
    room = HEIGHT - TOP - BOTTOM
    marks = ""
    for count, x0, x1 in zip(counts, edges[:-1], edges[1:], strict=True):
        if count:
            left, right = _x(float(x0), low, high), _x(float(x1), low, high)
            tall = max(room * int(count) / tallest, 1.5)
            hint = element("title", f"{number(float(x0))} to {number(float(x1))}: {count}")
            marks += _tag(
                "rect",
                hint,
                class_="bar",
                x=left + 0.5,
                y=HEIGHT - BOTTOM - tall,
                width=max(right - left - 1, 1),
                height=tall,
                rx=1,
            )
    return marks


def _ticks(low: float, high: float, step: float) -> str:
    base = HEIGHT - BOTTOM
    marks = _tag("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base)
    count = round((high - low) / step)
    for index in range(count + 1):
        value = low + index * step
        x = _x(value, low, high)
        anchor = "start" if index == 0 else "end" if index == count else "middle"
        marks += _tag("line", class_="axis", x1=x, x2=x, y1=base, y2=base + 3)
        marks += _tag(
            "text", escape(number(round(value, 10))), x=x, y=base + 15, text_anchor=anchor
        )
    return marks


def _x(value: float, low: float, high: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)


def _tag(name: str, content: str = "", **attributes: float | str) -> str:
    written = {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in attributes.items()}
    return element(name, content, **{k: str(v) for k, v in written.items()})
