"""From legs to wires: which box is a dogbone end of which leg, and which legs meet in a bend.

All legs given together belong to one connected piece of metal. Tolerances are in px and small:
what does not fit one wire stays two. A leg cut by the border of the canvas shows only part of its
width, so there a partner's width is believed.
"""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from fabsight.netdsl.language import NO_CAP, Cap, Run, Wire

Axis: TypeAlias = Literal["H", "V"]
End: TypeAlias = Literal[0, 1]  # 0: where the leg begins (smaller coordinate), 1: where it ends
Corners: TypeAlias = tuple[float, float, float, float]  # x0 y0 x1 y1

ENDS: tuple[End, End] = (0, 1)


@dataclass(frozen=True)
class Tolerances:
    """How well parts must fit to become one wire, px.

    Attributes:
        align: A cap sits on its wire's axis within this.
        reach: An end lies where a joint or a cap wants it within this.
        width: Legs of one wire agree in width within this ...
        width_share: ... or within this share of it.
    """

    align: float = 1.5
    reach: float = 2.5
    width: float = 1.0
    width_share: float = 0.12


class Section(NamedTuple):
    """A straight part of a leg: from a to b along it, its centre c across; px."""

    a: float
    b: float
    c: float


@dataclass(eq=False)
class Leg:
    """A stretch of constant width along one axis: straight, or in sections joined by jogs."""

    axis: Axis
    sections: list[Section]
    w: float
    caps: dict[End, Cap] = field(default_factory=dict)
    joints: dict[End, tuple["Leg", End]] = field(default_factory=dict)
    used: bool = False
    cut: End | None = None  # the side, low or high, that the canvas border cuts off

    @property
    def length(self) -> float:
        """From end to end, px."""
        return self.sections[-1].b - self.sections[0].a

    def at(self, end: End) -> float:
        """Coordinate of an end along the axis."""
        return self.sections[-1].b if end else self.sections[0].a

    def centre(self, end: End) -> float:
        """Coordinate of the axis at an end, across."""
        return self.sections[-1 if end else 0].c

    def move_end(self, end: End, to: float) -> None:
        """Let the leg begin or end elsewhere."""
        if end:
            self.sections[-1] = self.sections[-1]._replace(b=to)
        else:
            self.sections[0] = self.sections[0]._replace(a=to)

    def widened(self, width: float) -> float:
        """The centre across if the cut-off side is where this width wants it."""
        (_, _, c) = self.sections[0]
        if self.cut is None:
            return c
        return c + self.w / 2 - width / 2 if self.cut == 0 else c - self.w / 2 + width / 2


def legs_of(boxes: list[Corners], canvas: tuple[int, int]) -> list[Leg]:
    """Each box along its longer side; canvas (width, height) px tells which are cut."""
    legs = []
    for x0, y0, x1, y1 in boxes:
        if x1 - x0 >= y1 - y0:
            leg = Leg("H", [Section(x0, x1, (y0 + y1) / 2)], y1 - y0)
            low, high, size = y0, y1, canvas[1]
        else:
            leg = Leg("V", [Section(y0, y1, (x0 + x1) / 2)], x1 - x0)
            low, high, size = x0, x1, canvas[0]
        if (low <= 0) != (high >= size):
            leg.cut = 0 if low <= 0 else 1
        legs.append(leg)
    return legs


def assemble(
    legs: list[Leg], canvas: tuple[int, int], tolerances: Tolerances = Tolerances()
) -> list[Wire]:
    """Wires whose union is that of the legs, within the tolerances; canvas is (width, height)."""
    _find_caps(legs, tolerances)
    _find_joints([leg for leg in legs if not leg.used], canvas, tolerances)
    free = [leg for leg in legs if not leg.used]
    # building a wire marks its legs as used, so the order matters: loose ends first
    ends_first = sorted(free, key=lambda one: len(one.joints))
    return [_wire(leg) for leg in ends_first if not leg.used]


class _CapFit(NamedTuple):
    misfit: float
    body: Leg
    cap: Leg
    end: End
    outer: float
    shape: Cap


def _find_caps(legs: list[Leg], tolerances: Tolerances) -> None:
    """Give each wire end the box that widens it, the best fit first."""
    fits: list[_CapFit] = []
    for body in legs:
        for cap in legs:
            if cap is not body and len(cap.sections) == 1:
                fits += _cap_fits(body, cap, tolerances)
    for fit in sorted(fits, key=lambda one: one.misfit):
        if fit.cap.used or fit.body.used or fit.end in fit.body.caps or fit.cap.caps:
            continue
        fit.body.caps[fit.end] = fit.shape
        fit.cap.used = True
        fit.body.move_end(fit.end, fit.outer)


def _cap_fits(body: Leg, cap: Leg, tolerances: Tolerances) -> list[_CapFit]:
    """Each end of the body the cap may sit on."""
    (a, b, c), w = cap.sections[0], cap.w
    if cap.axis == body.axis:
        qa, qb, low, high = a, b, c - w / 2, c + w / 2
    else:
        qa, qb, low, high = c - w / 2, c + w / 2, a, b
    if qb - qa > 0.75 * body.length + tolerances.reach:
        return []
    fits = []
    for end in ENDS:
        centre, width = body.centre(end), high - low
        aside = abs((low + high) / 2 - centre)
        if body.cut is not None:  # only the inner side shows
            side = high if body.cut == 0 else low
            width, aside = 2 * abs(side - centre), 0.0
        if aside > tolerances.align or not body.w + 0.5 < width <= 3 * body.w + 6:
            continue
        here, outer, inner = body.at(end), (qb if end else qa), (qa if end else qb)
        beyond = (outer - here) * (1 if end else -1)
        touches = qa <= here <= qb or abs(inner - here) <= tolerances.reach
        if -tolerances.reach <= beyond <= (qb - qa) + tolerances.reach and touches:
            misfit = aside + 0.2 * abs(beyond)
            fits.append(_CapFit(misfit, body, cap, end, outer, Cap(qb - qa, width)))
    return fits


def _find_joints(legs: list[Leg], canvas: tuple[int, int], tolerances: Tolerances) -> None:
    """Link the ends of perpendicular legs of like width that fill one corner."""
    fits = []
    for one in (leg for leg in legs if leg.axis == "H"):
        for two in (leg for leg in legs if leg.axis == "V"):
            if not _like_width(one, two, tolerances):
                continue
            for i in ENDS:
                for j in ENDS:
                    misfit = _corner_misfit(one, i, two, j, canvas)
                    if misfit <= tolerances.reach:
                        fits.append((misfit, one, i, two, j))
    for _, one, i, two, j in sorted(fits, key=lambda fit: fit[0]):
        taken = i in one.caps or i in one.joints or j in two.caps or j in two.joints
        if not taken and not _linked(one, two):
            one.joints[i] = two, j
            two.joints[j] = one, i


def _like_width(one: Leg, two: Leg, tolerances: Tolerances) -> bool:
    if one.cut is not None and two.w >= one.w - tolerances.width:
        return two.cut is None or two.w > one.w
    if two.cut is not None and one.w >= two.w - tolerances.width:
        return True
    mean = (one.w + two.w) / 2
    return abs(one.w - two.w) <= max(tolerances.width, tolerances.width_share * mean)


def _corner_misfit(one: Leg, i: End, two: Leg, j: End, canvas: tuple[int, int]) -> float:
    """How far the worse of the two ends is from the far side of the other leg, px."""
    width = max(one.w, two.w) if one.cut is not None or two.cut is not None else 0.0
    across = two.widened(width or two.w) if two.cut is not None else two.centre(j)
    along = one.widened(width or one.w) if one.cut is not None else one.centre(i)
    want = across + (width or two.w) / 2 * (1 if i else -1)
    want2 = along + (width or one.w) / 2 * (1 if j else -1)
    want, want2 = min(max(want, 0.0), canvas[0]), min(max(want2, 0.0), canvas[1])
    return max(abs(one.at(i) - want), abs(two.at(j) - want2))


def _linked(one: Leg, two: Leg) -> bool:
    """Whether a chain of joints already leads from one leg to the other: no rings."""
    seen, todo = {id(one)}, [one]
    while todo:
        leg = todo.pop()
        if leg is two:
            return True
        for other, _ in leg.joints.values():
            if id(other) not in seen:
                seen.add(id(other))
                todo.append(other)
    return False


def _wire(first: Leg) -> Wire:
    """The wire of the whole chain that begins at this leg."""
    begin: End = 1 if 0 in first.joints and 1 not in first.joints else 0
    chain: list[tuple[Leg, End]] = [(first, begin)]
    while True:
        leg, entered = chain[-1]
        leg.used = True
        leave: End = 0 if entered else 1
        if leave not in leg.joints:
            return wire_of(chain)
        chain.append(leg.joints[leave])


def wire_of(chain: list[tuple[Leg, End]]) -> Wire:
    """The wire along legs, each entered at the given end."""
    width = _width([leg for leg, _ in chain])
    path = _path(chain, width)
    (first, begin), (last, entered) = chain[0], chain[-1]
    origin = first.at(begin)
    x, y = (origin, path[0][1]) if first.axis == "H" else (path[0][1], origin)
    start = x, y
    runs: list[Run] = []
    for axis, goal in path[1:]:
        step = goal - (x if axis == "H" else y)
        if abs(step) >= 0.05:
            runs.append(Run("H", step, 0.0) if axis == "H" else Run("V", 0.0, step))
        x, y = (goal, y) if axis == "H" else (x, goal)
    end: End = 0 if entered else 1
    caps = _cap_at(first, begin, width), _cap_at(last, end, width)
    return Wire(*start, width, *caps, tuple(runs))


def _cap_at(leg: Leg, end: End, width: float) -> Cap:
    """The cap at an end; on a leg cut by the border it grows as the leg's axis moves out."""
    cap = leg.caps.get(end, NO_CAP)
    if leg.cut is None or cap == NO_CAP:
        return cap
    return Cap(cap.length, cap.width + 2 * abs(leg.widened(width) - leg.centre(end)))


def _path(chain: list[tuple[Leg, End]], width: float) -> list[tuple[Axis, float]]:
    """Where to go: (axis, coordinate along it), the first entry only placing the start across."""
    path: list[tuple[Axis, float]] = []
    for k, (leg, entered) in enumerate(chain):
        sections = leg.sections if entered == 0 else leg.sections[::-1]
        for s, section in enumerate(sections):
            across = leg.widened(width) if leg.cut is not None else section.c
            path.append(("V" if leg.axis == "H" else "H", across))
            far = section.b if entered == 0 else section.a
            if s + 1 < len(sections) or k + 1 == len(chain):
                path.append((leg.axis, far))
    return path


def _width(legs: list[Leg]) -> float:
    """The mean width, weighted by length; legs cut by the border do not know theirs."""
    known = [leg for leg in legs if leg.cut is None] or legs
    return sum(leg.w * leg.length for leg in known) / sum(leg.length for leg in known)
