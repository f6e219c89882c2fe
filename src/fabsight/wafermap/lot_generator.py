"""Random lots with exact truth: clusters of like patterns, repeaters, change points, guilty tools.

    plans of a lot --draw_lot--> DrawnLot: wafers, what was planted over them, process context

Wafers of one lot share a layout; wafers of one group show the same pattern at the same place, a
little moved and grown. Equal generator state gives equal bytes.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from fabsight.task import FabsightError
from fabsight.wafermap.backgrounds import Background, draw_background
from fabsight.wafermap.draws import Draw
from fabsight.wafermap.generator import (
    TRIES,
    Drawn,
    Plant,
    draw_about,
    grown,
    new_plants,
    shows,
)
from fabsight.wafermap.layouts import Layout, draw_layout
from fabsight.wafermap.patterns import Blob, Flood, Lattice, Rim, Ring, Shape, Stroke
from fabsight.wafermap.plans import reticle
from fabsight.wafermap.wafer import About

PLANTED = ("clusters", "repeater", "change", "guilty")
PATTERNS_OF_LOTS = ("center", "donut", "edge-loc", "edge-ring", "loc", "scratch")
FEWEST_LIKE = 3  # wafers of a group
FEWEST_WAFERS = 8
HIT, STRAY = 0.95, 0.03  # wafers of the guilty chamber that show the pattern; of the others
REPEATER_BIN = 2
STEPS: tuple[tuple[str, str], ...] = (
    ("litho_tool", "LIT"),
    ("etch_chamber", "ETC"),
    ("cmp_head", "CMP"),
    ("implant_tool", "IMP"),
    ("clean_bench", "WET"),
)


@dataclass(frozen=True)
class Group:
    """Wafers with the same pattern.

    Attributes:
        pattern: Its name.
        wafers: Which, as positions in the lot.
    """

    pattern: str
    wafers: tuple[int, ...]


@dataclass(frozen=True)
class Change:
    """From when on wafers show the pattern of the lot's one group.

    Attributes:
        by: Slots in order, or times of processing.
        first: Which wafer is the first, in that order.
    """

    by: Literal["slot", "time"]
    first: int


@dataclass(frozen=True)
class Guilty:
    """What made the pattern of the lot's one group.

    Attributes:
        column, value: Of the context table.
        wafers: Those that it processed, as positions in the lot.
    """

    column: str
    value: str
    wafers: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class DrawnLot:
    """A lot and what is true of it.

    Attributes:
        wafers: By slot.
        groups: Wafers of like patterns; wafers in no group show none.
        repeater: Sites of the reticle that fail on every wafer.
        change: Where the pattern begins, None where it does not depend on the order.
        guilty: The tool or chamber behind it, None where it depends on none.
        context: A row of the process-context table for each wafer.
    """

    wafers: tuple[Drawn, ...]
    groups: tuple[Group, ...]
    repeater: Lattice | None
    change: Change | None
    guilty: Guilty | None
    context: tuple[Mapping[str, str], ...]


def draw_lot(
    rng: np.random.Generator,
    planted: Sequence[str] | None = None,
    wafers: int = 25,
    size: tuple[int, int] | None = None,
) -> DrawnLot:
    """A random lot with these things planted; None draws them, too.

    Clusters, a change and a guilty tool each say which wafers show what: one of them at most.

    >>> lot = draw_lot(np.random.default_rng(2), ["change"], wafers=12)
    >>> len(lot.wafers), len(lot.groups), lot.change is not None
    (12, 1, True)
    """
    draw = Draw(rng)
    wanted = _drawn(draw) if planted is None else frozenset(planted)
    _check(wanted, wafers)
    layout = draw_layout(rng, size)
    order = _order(draw, wafers, by_time="change" in wanted and draw.chance(0.5))
    context = _context(draw, wafers)
    groups, change, guilty = _assigned(draw, wanted, order, context)
    background = replace(draw_background(draw, ("none",)), rate=draw.log_between(0.008, 0.06))
    repeater = reticle(draw, layout) if "repeater" in wanted else None
    abouts = _abouts(draw, layout, order)
    common = []
    if repeater is not None:
        common = [Plant("reticle", repeater, draw.between(0.6, 0.95), REPEATER_BIN)]
    plants = [_plants(draw, layout, group.pattern, background) for group in groups]
    of = {wafer: k for k, group in enumerate(groups) for wafer in group.wafers}
    found = tuple(
        _wafer(draw, layout, [*plants[of[k]], *common] if k in of else common, background, about)
        for k, about in enumerate(abouts)
    )
    rows = tuple(
        {"lot": a.lot, "wafer": a.wafer, "slot": str(a.slot), "time": a.time, **row}
        for a, row in zip(abouts, context, strict=True)
    )
    return DrawnLot(found, groups, repeater, change, guilty, rows)


def context_csv(lot: DrawnLot) -> str:
    """The process-context table of a lot as CSV, a row a wafer, a header first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lot.context[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lot.context)
    return text.getvalue()


def _drawn(draw: Draw) -> frozenset[str]:
    wanted: set[str] = set()
    if draw.chance(0.85):
        wanted.add(draw.pick(("clusters", "change", "guilty")))
    if not wanted or draw.chance(0.25):
        wanted.add("repeater")
    return frozenset(wanted)


def _check(wanted: frozenset[str], wafers: int) -> None:
    if unknown := sorted(wanted - set(PLANTED)):
        raise FabsightError(
            f"draw_lot: cannot plant {unknown[0]!r}; there are {', '.join(PLANTED)}"
        )
    if len(wanted - {"repeater"}) > 1:
        raise FabsightError(
            f"draw_lot: {sorted(wanted - {'repeater'})} each say which wafers show the pattern; "
            "plant one of them"
        )
    if wafers < FEWEST_WAFERS:
        raise FabsightError(f"draw_lot: {wafers} wafers; a lot has at least {FEWEST_WAFERS}")


def _order(draw: Draw, wafers: int, *, by_time: bool) -> tuple[int, ...]:
    """Positions in the lot in the order of processing: slots in order unless by time."""
    return tuple(map(int, draw.rng.permutation(wafers))) if by_time else tuple(range(wafers))


def _context(draw: Draw, wafers: int) -> list[dict[str, str]]:
    """Tools and chambers of each wafer: two to four at each step, each on a good share of them."""
    found: list[dict[str, str]] = [{} for _ in range(wafers)]
    for column, prefix in STEPS:
        count = draw.whole(2, 4)
        tool = draw.whole(1, 9)
        for place, wafer in enumerate(draw.rng.permutation(wafers)):
            found[wafer][column] = f"{prefix}{tool:02d}{'ABCD'[place % count]}"
    return found


def _assigned(
    draw: Draw,
    wanted: frozenset[str],
    order: Sequence[int],
    context: Sequence[Mapping[str, str]],
) -> tuple[tuple[Group, ...], Change | None, Guilty | None]:
    """Which wafers show which pattern, and why."""
    pattern, wafers = draw.pick(PATTERNS_OF_LOTS), len(order)
    if "clusters" in wanted:
        return _clusters(draw, wafers), None, None
    if "change" in wanted:
        place = draw.whole(max(3, wafers // 5), wafers - max(3, wafers // 5))
        by: Literal["slot", "time"] = "slot" if order == tuple(range(wafers)) else "time"
        group = Group(pattern, tuple(sorted(order[place:])))
        return (group,), Change(by, order[place]), None
    if "guilty" not in wanted:
        return (), None, None
    column, _ = draw.pick(STEPS)
    value = draw.pick(sorted({row[column] for row in context}))
    through = tuple(k for k, row in enumerate(context) if row[column] == value)
    shown = tuple(k for k in range(wafers) if draw.chance(HIT if k in through else STRAY))
    if len(set(shown) & set(through)) < 2:
        shown = tuple(sorted({*shown, *through}))
    return (Group(pattern, shown),), None, Guilty(column, value, through)


def _clusters(draw: Draw, wafers: int) -> tuple[Group, ...]:
    """Two to four groups of different patterns; a fifth of the wafers stay clean."""
    count = min(draw.whole(2, 4), (wafers - wafers // 5) // FEWEST_LIKE)
    names = [PATTERNS_OF_LOTS[k] for k in draw.rng.permutation(len(PATTERNS_OF_LOTS))[:count]]
    free = list(map(int, draw.rng.permutation(wafers)))
    left = wafers - wafers // 5
    found = []
    for k, name in enumerate(names):
        spare = left - FEWEST_LIKE * (count - k)
        many = FEWEST_LIKE + draw.whole(0, max(0, spare // (count - k)))
        found.append(Group(name, tuple(sorted(free[:many]))))
        free, left = free[many:], left - many
    return tuple(found)


def _abouts(draw: Draw, layout: Layout, order: Sequence[int]) -> list[About]:
    """Names and times of the wafers: one lot, slots 1 and up, some minutes apart in order."""
    first = draw_about(draw, layout)
    start = datetime.fromisoformat(first.time)
    minutes = draw.whole(3, 20)
    return [
        replace(
            first,
            wafer=f"{first.lot}-{k + 1:02d}",
            slot=k + 1,
            time=(start + timedelta(minutes=minutes * order.index(k))).isoformat(),
        )
        for k in range(len(order))
    ]


def _plants(draw: Draw, layout: Layout, pattern: str, background: Background) -> list[Plant]:
    """Plants of one pattern that stand out of the lot's background."""
    about = About()
    for _ in range(TRIES):
        plants = new_plants(draw, layout, (pattern,))
        if shows(grown(draw, layout, plants, background, about), layout):
            break
    return plants


def _wafer(
    draw: Draw, layout: Layout, plants: Sequence[Plant], background: Background, about: About
) -> Drawn:
    """One wafer of the lot: its plants a little moved, drawn again until they show."""
    background = replace(background, rate=background.rate * draw.log_between(0.7, 1.4))
    for _ in range(TRIES):
        moved = [replace(p, shape=_moved(draw, p.shape)) for p in plants]
        drawn = grown(draw, layout, moved, background, about)
        if shows(drawn, layout):
            break
        background = replace(background, rate=background.rate * 0.8)
    return drawn


def _moved(draw: Draw, shape: Shape) -> Shape:
    """The same shape on the next wafer."""
    dx, dy, turn = draw.between(-0.03, 0.03), draw.between(-0.03, 0.03), draw.between(-5, 5)
    grow = draw.between(0.93, 1.07)
    match shape:
        case Blob(x=x, y=y, along=along, across=across):
            return replace(shape, x=x + dx, y=y + dy, along=along * grow, across=across * grow)
        case Ring(x=x, y=y, hole_x=hole_x, hole_y=hole_y):
            return replace(
                shape,
                x=x + dx,
                y=y + dy,
                hole_x=hole_x + dx,
                hole_y=hole_y + dy,
                middle_deg=shape.middle_deg + turn,
            )
        case Rim(depth=depth, middle_deg=middle, gaps=gaps):
            gaps = tuple((at + turn, span) for at, span in gaps)
            return replace(shape, depth=max(1.0, depth * grow), middle_deg=middle + turn, gaps=gaps)
        case Stroke(x0=x0, y0=y0, x1=x1, y1=y1):
            return replace(shape, x0=x0 + dx, y0=y0 + dy, x1=x1 + dx, y1=y1 + dy)
        case Flood() | Lattice():
            return shape
