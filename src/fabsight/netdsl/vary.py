"""Edits of a program with exact truth: process variations and defects, where they are and what.

    widen narrow shift          a wire or via printed larger, smaller, elsewhere; nets as before
    cut bridge                  an open (one net more), a short between neighbours (one net less)
    missing_wire missing_via    left out
    spur mousebite pinhole      metal sticking out, a notch in an edge, a hole; nets as before

Each edit is tried at random places until rendering confirms its effect on the nets, the
4-connected components of the metal. Rendered with an SEM look, a varied program is a defect image
whose label and box are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.edits import EDITS, Draw, Drawn
from fabsight.netdsl.language import Array, Command, Program, Shape
from fabsight.task import FabsightError

TRIES = 40  # edits rendered before another kind is taken
LOOKS = 1000  # places looked at, most of which are dismissed without rendering
MIN_CHANGED_PX = 4  # fewer changed pixels would be a label without a defect
KINDS = tuple(EDITS)


@dataclass(frozen=True)
class Edit:
    """What was done, and where it shows.

    Attributes:
        kind: One of `KINDS`.
        box_px: x0, y0, x1, y1 of the pixels that changed, half-open.
        description: One sentence for a person.
    """

    kind: str
    box_px: tuple[int, int, int, int]
    description: str


@dataclass(frozen=True)
class Variation:
    """A varied program, canonical, and its edits in the order they were made."""

    program: Program
    edits: tuple[Edit, ...]


def vary(
    program: Program,
    rng: np.random.Generator,
    kinds: Sequence[str] | None = None,
    count: int = 1,
) -> Variation:
    """A program with `count` edits at random places; equal generators give equal edits.

    The boxes of several edits do not touch. An array that is edited is written out.

    Args:
        program: What to vary.
        rng: The source of chance.
        kinds: Which edits, each equally likely; all when None.
        count: How many.

    Raises:
        FabsightError: A kind is unknown, or none of the kinds fits the program.

    >>> from fabsight.netdsl.language import straight
    >>> wires = [straight("H", (0.0, y), 64.0, 8.0) for y in (12.0, 32.0, 52.0)]
    >>> vary(Program(64, 64, tuple(wires)), np.random.default_rng(0), ["missing_wire"]).edits
    (Edit(kind='missing_wire', box_px=(0, 48, 64, 56), description='wire 8 px wide left out'),)
    """
    wanted = known_kinds(KINDS if kinds is None else kinds)
    edits: list[Edit] = []
    current = Drawn(canonical(program))
    while len(edits) < count:
        found = first_edit(current, rng.permutation(wanted).tolist(), rng, edits)
        if found is None:
            raise no_place(program, wanted, f"after {len(edits)} edits")
        varied, edit = found
        current = Drawn(varied)
        edits.append(edit)
    return Variation(current.program, tuple(edits))


def known_kinds(kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds, each once; FabsightError where one is unknown or none is there."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise FabsightError(
            f"vary: {unknown[0] if unknown else 'nothing'!r} is no kind of edit: "
            f"choose from {', '.join(KINDS)}"
        )
    return tuple(dict.fromkeys(kinds))


def no_place(program: Program, kinds: Sequence[str], when: str) -> FabsightError:
    """What to raise where no kind has a place in a program."""
    return FabsightError(
        f"vary: none of {', '.join(kinds)} fits this program of {len(program.shapes)} shapes {when}"
    )


def first_edit(
    drawn: Drawn, kinds: Sequence[str], rng: np.random.Generator, earlier: Sequence[Edit] = ()
) -> tuple[Program, Edit] | None:
    """The program with an edit of the first of these kinds that has a place, None without one."""
    for kind in kinds:
        found = _edit(drawn, kind, rng, earlier)
        if found is not None:
            return found
    return None


def _edit(
    drawn: Drawn, kind: str, rng: np.random.Generator, earlier: Sequence[Edit]
) -> tuple[Program, Edit] | None:
    """One edit of this kind with the effect it should have, None when no place was found."""
    rule = EDITS[kind]
    shapes = drawn.program.shapes
    candidates = [i for i, shape in enumerate(shapes) if isinstance(shape, rule.shapes)]
    if not candidates:
        return None
    tried = 0
    for _ in range(LOOKS):
        index = int(rng.choice(candidates))
        made = rule.change(Draw(shapes[index], drawn, rng))
        if made is None:
            continue
        varied = canonical(_replaced(drawn.program, index, made[0]))
        after = Drawn(varied)
        box = _changed_box(drawn, after)
        fits = box is not None and not any(_touch(box, edit.box_px) for edit in earlier)
        if box is not None and fits and rule.nets in (None, after.count - drawn.count):
            return varied, Edit(kind, box, made[1])
        tried += 1
        if tried == TRIES:
            break
    return None


def _replaced(program: Program, index: int, shapes: tuple[Shape, ...]) -> Program:
    """The program with shape number `index` (arrays written out) replaced."""
    commands: list[Command] = []
    for command in program.commands:
        copies = Program(1, 1, (command,)).shapes if isinstance(command, Array) else (command,)
        if 0 <= index < len(copies):
            commands += [*copies[:index], *shapes, *copies[index + 1 :]]
        else:
            commands.append(command)
        index -= len(copies)
    return replace(program, commands=tuple(commands))


def _changed_box(before: Drawn, after: Drawn) -> tuple[int, int, int, int] | None:
    """The box about the pixels that differ in metal or vias, None when too few do."""
    differs = (before.metal != after.metal) | (before.via != after.via)
    rows, columns = np.nonzero(differs)
    if rows.size < MIN_CHANGED_PX:
        return None
    low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _touch(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
