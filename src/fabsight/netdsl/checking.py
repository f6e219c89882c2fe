"""How well a program agrees with the image it was read from; no truth is needed.

Only pixels are asked, nothing of the segmenter, but that `reduction` asks it at what size an image
is read, where it is undecided. One measure, how far all edges together lie from the edge
convention, asks the metrology's edge model, and so does the solver for half of that distance: there
the check is no second witness of the solver's own programs. Nor is it of the radii of vias, half of
which are measured. `edge_profiles` says
what the image shows along the program's outline, `agreement` makes a few numbers of it,
`confidence` one of those. A large image is checked in regions of about 256 px, and its score is
theirs, weighted by their edges: the same layout on a larger frame is as credible, and the worst
region is named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float32

from fabsight import images
from fabsight.netdsl.agreement import (
    EDGE_WIDTH_PX,
    Measures,
    Patch,
    Suspects,
    edge_energy,
    length_of,
    measure,
    smoothed,
)
from fabsight.netdsl.confidence import confidence, decisive
from fabsight.netdsl.edge_profiles import Map, Seams, beyond, outline_of
from fabsight.netdsl.language import Array, Command, Poly, Program, Via, moved
from fabsight.netdsl.normal import bounds
from fabsight.netdsl.reduction import reduced
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Check, Question
from fabsight.vision.noise import noise_of

REGION_PX = 256
OVERLAP_PX = 8  # profiles of edges go this far
OFF_AXIS_DEG = 10.0
OBLIQUE_AREA_PX = 4_000_000
VIA_MARGIN_PX = 4.0
OBLIQUE_SHARE = 0.1  # rough and rounded straight edges have less
LEAST_PATCH_PX = 12.0  # noise and roughness leave smaller ones
TELLING_PX = 1.0  # an edge less far off is no worst shape
MOST_NAMED = 8
MOST_MARKED = 200


@dataclass(frozen=True)
class Findings:
    """The check of a program and the places it objects to.

    Attributes:
        check: Score, coverage and evidence.
        unsupported: Indices into the program's shapes of those the image hardly shows.
        patches: Edges in the image that the program lacks.
    """

    check: Check
    unsupported: tuple[int, ...] = ()
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True)
class Region:
    """What was found in one part of the image, in the person's coordinates and pixels."""

    x: int
    y: int
    score: float
    coverage: float
    weight: float
    agreement: float
    support: float
    gap_px: float
    decisive: str
    suspects: Suspects


def verify(question: Question[LayoutSettings], program: Program) -> Check:
    """The confidence in a program, 0 to 1, from its question's pixels alone.

    A canvas of another size than the image scores 0, and so does a program without any outline
    (empty, or metal everywhere) on an image with edges. Where neither has edges there is nothing
    to check: 0.5. Polarity is not judged: an outline is right whichever side is metal.
    """
    return inspect(question, program).check


@lru_cache(maxsize=2)  # refining asks again about the program it began with
def inspect(question: Question[LayoutSettings], program: Program) -> Findings:
    """The check with the places it objects to."""
    height, width = question.images[0].pixels.shape[:2]
    if (program.height, program.width) != (height, width):
        said = f"canvas {program.width} x {program.height} px, image {width} x {height} px"
        return _refused(f"the sizes differ: {said}")
    read = reduced(question)
    small = read.shrunk(program)
    sight = Sight(images.grey(read.question.images[0]), small, program, read.factor)
    regions = list(_regions(sight, question.context))
    if not regions:
        return _refused("nothing to check: no edges in image or program", 0.5)
    return _summed_up(sight, regions)


@dataclass(frozen=True, eq=False)
class Sight:
    """What is compared with what.

    Attributes:
        grey: The image as it is read, reduced where its edges are wide.
        program: The layout on that image.
        named: The layout a person knows; same shapes in the same order.
        px: Pixels of the person's image to one of `grey`.
    """

    grey: Map
    program: Program
    named: Program
    px: float


def _refused(reason: str, score: float = 0.0) -> Findings:
    return Findings(Check(score, 0.0, True, {"reason": reason}))


def _regions(sight: Sight, settings: LayoutSettings) -> Iterator[Region]:
    """The findings in each part of the image that has edges, or where the program has."""
    grey, shapes = sight.grey, sight.program.shapes
    (height, width), fine = grey.shape, fine_for(grey)
    x0, y0, x1, y1 = np.array([bounds(shape) for shape in shapes]).reshape(-1, 4).T
    for top, bottom in _cuts(height):
        for left, right in _cuts(width):
            here = (x0 < right) & (x1 > left) & (y0 < bottom) & (y1 > top)
            indices = np.flatnonzero(here).tolist()
            inside = tuple(moved(shapes[k], -left, -top) for k in indices)
            part = Program(right - left, bottom - top, inside)
            seams = Seams(left > 0, top > 0, right < width, bottom < height)
            measured = _measured(grey[top:bottom, left:right], part, seams, settings, fine)
            if measured is not None:
                yield _in_place(*measured, (left, top), indices, sight.px)


def _cuts(side: int) -> list[tuple[int, int]]:
    """Where the regions along one side begin and end: about REGION_PX long, and overlapping.

    An edge beside a seam is seen whole in one of the two.
    """
    ends = np.linspace(0, side, max(round(side / REGION_PX), 1) + 1).round().astype(int).tolist()
    return [(max(a - OVERLAP_PX, 0), min(b + OVERLAP_PX, side)) for a, b in pairwise(ends)]


def _measured(
    grey: Map, program: Program, seams: Seams, settings: LayoutSettings, fine: int
) -> tuple[Measures | None, float, Suspects] | None:
    """Measures (None for a program without outline), weight, suspects; None without any edges."""
    outline = outline_of(program, fine, seams)
    if outline is not None:
        found, suspects = measure(grey, program, outline, settings.edge)
        return found, length_of(outline), suspects
    edges = (edge_energy(smoothed(grey), noise_of(grey)) > 0) & ~beyond(grey.shape, seams)
    length = np.count_nonzero(edges) / EDGE_WIDTH_PX
    if not length:
        return None
    height, width = grey.shape
    return None, length, Suspects((), -1, 0.0, (Patch(0, 0, width, height, length),))


def _in_place(
    found: Measures | None,
    weight: float,
    off: Suspects,
    corner: tuple[int, int],
    indices: Sequence[int],
    px: float,
) -> Region:
    """A region's findings with the person's coordinates, pixels and shape indices."""
    x, y = corner
    patches = (Patch(p.x0 + x, p.y0 + y, p.x1 + x, p.y1 + y, p.length_px) for p in off.patches)
    suspects = Suspects(
        support=tuple((indices[k], value) for k, value in off.support),
        displaced=indices[off.displaced] if off.displaced >= 0 else -1,
        edge_px=px * off.edge_px,
        patches=tuple(Patch(*(px * value for value in patch)) for patch in patches),
    )
    x, y = (round(px * (at + OVERLAP_PX if at else 0)) for at in corner)  # as if none overlapped
    if found is None:
        said = "the image has edges, the program has none"
        return Region(x, y, 0.0, 0.0, weight, 0.0, 0.0, 0.0, said, suspects)
    return Region(
        x,
        y,
        confidence(found),
        found.coverage,
        weight,
        found.agreement,
        found.support,
        px * found.gap_px,
        decisive(found, px),
        suspects,
    )


def _summed_up(sight: Sight, regions: Sequence[Region]) -> Findings:
    """The regions' findings as one, each weighted by its edges."""
    weights = np.array([region.weight for region in regions])
    weights = weights / weights.sum()

    def mean(name: str) -> float:
        return float(weights @ [getattr(region, name) for region in regions])

    coverage = mean("coverage")
    said: dict[str, float | str] = {
        "agreement": round(mean("agreement"), 3),
        "edges explained": round(coverage, 3),
        "edges supported": round(mean("support"), 3),
        "outline off (px)": round(mean("gap_px"), 2),
    }
    worst = min(regions, key=lambda region: region.score)
    if worst.decisive:
        said["decided by"] = worst.decisive
    if len(regions) > 1:
        said["worst region"] = f"{worst.score:.2f} at ({worst.x}, {worst.y})"
    weakest: dict[int, float] = {}
    for region in regions:
        for index, support in region.suspects.support:
            weakest[index] = min(support, weakest.get(index, 1.0))
    order = sorted(weakest, key=weakest.__getitem__)
    patches = [patch for region in regions for patch in region.suspects.patches]
    patches = [patch for patch in patches if patch.length_px >= LEAST_PATCH_PX * sight.px]
    patches.sort(key=lambda patch: -patch.length_px)
    said |= _objections(sight, regions, [(k, weakest[k]) for k in order], patches)
    oblique = oblique_share(sight.grey, sight.program)
    if oblique > OBLIQUE_SHARE:
        said["oblique or curved edges"] = f"{100 * oblique:.0f} % of the outline"
    if sight.px != 1:
        said["read at"] = f"1/{sight.px:g} of the image's size"
    return Findings(
        Check(mean("score"), coverage, True, said), tuple(order), tuple(patches[:MOST_MARKED])
    )


def _objections(
    sight: Sight,
    regions: Sequence[Region],
    weak: Sequence[tuple[int, float]],
    patches: Sequence[Patch],
) -> dict[str, str]:
    """The places the check objects to, as sentences with coordinates."""
    said, program = {}, sight.named
    offs = [(r.suspects.displaced, r.suspects.edge_px) for r in regions]
    displaced, edge_px = max(offs, key=lambda off: abs(off[1]) if off[0] >= 0 else -1.0)
    if weak:
        index, support = weak[0]
        said["worst shape"] = f"{name_of(program, index)}: {support:.0%} of its edges are shown"
    elif displaced >= 0 and abs(edge_px) >= TELLING_PX * sight.px:
        said["worst shape"] = f"{name_of(program, displaced)}: edge {abs(edge_px):.1f} px off"
    if weak:
        named = [name_of(program, index) for index, _ in weak[:MOST_NAMED]]
        more = f" and {len(weak) - MOST_NAMED} more" if len(weak) > MOST_NAMED else ""
        said["not in the image"] = "; ".join(named) + more
    if patches:
        places = [
            "{:.0f} px around ({:.0f}, {:.0f})".format(patch.length_px, *patch.centre)
            for patch in patches[:MOST_NAMED]
        ]
        said["not in the program"] = "edges of " + ", ".join(places)
    return said


def name_of(program: Program, index: int) -> str:
    """A shape as a person finds it in the written program: line, kind, place, copy of an array.

    >>> name_of(Program(64, 64, (Array(2, 1, 20, 0, (Via(10, 9, 3),)),)), 1)
    'line 2, VIA at (30, 9), copy (2, 1)'
    """
    shape = program.shapes[index]
    x, y = shape.points[0] if isinstance(shape, Poly) else (shape.x, shape.y)
    place = f"{type(shape).__name__.upper()} at ({x:g}, {y:g})"
    line, rest = 1, index
    while rest >= 0:
        command = program.commands[line - 1]
        within = rest
        rest -= _copies(command)
        line += 1
    if not isinstance(command, Array):
        return f"line {line}, {place}"
    row, column = divmod(within // len(command.commands), command.nx)
    return f"line {line}, {place}, copy ({column + 1}, {row + 1})"


def _copies(command: Command) -> int:
    """Shapes a command stands for."""
    if isinstance(command, Array):
        return command.nx * command.ny * len(command.commands)
    return 1


def oblique_share(grey: Map, program: Program) -> float:
    """Share of the image's edges over 10 degrees off its axes, the program's vias apart.

    A large image is asked in a few bands across it.
    """
    bands = max(-(-grey.size // OBLIQUE_AREA_PX), 1)
    high = max(grey.shape[0] // bands**2, REGION_PX)
    tops = [grey.shape[0] * band // bands for band in range(bands)]
    found = np.concatenate([_off_axis(*_part(grey, program, top, top + high)) for top in tops])
    return float(np.mean(found > np.radians(OFF_AXIS_DEG))) if found.size else 0.0


def _part(
    grey: Map, program: Program, top: int, bottom: int
) -> tuple[Float32[np.ndarray, "band width"], Program]:
    """A band of the image, and the vias that reach into it."""
    vias = (
        moved(via, 0, -top)
        for via in program.shapes
        if isinstance(via, Via) and top - via.y < via.r + VIA_MARGIN_PX > via.y - bottom
    )
    return grey[top:bottom], Program(program.width, bottom - top, tuple(vias))


def _off_axis(grey: Map, program: Program) -> Float[np.ndarray, " edges"]:
    """By how much each pixel of an edge is off the nearer axis, radians."""
    import cv2

    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.5), np.float32)
    gx, gy = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.boxFilter(a * b, -1, (9, 9)) for a, b in ((gx, gx), (gy, gy), (gx, gy)))
    edges = edge_energy(smooth, noise_of(grey)) > 0
    for via in program.shapes:
        if not isinstance(via, Via):
            continue
        r = via.r + VIA_MARGIN_PX
        rows, columns = (slice(max(int(c - r), 0), max(int(c + r) + 1, 0)) for c in (via.y, via.x))
        edges[rows, columns] = False
    angle = 0.5 * np.arctan2(2 * xy[edges], xx[edges] - yy[edges])
    return np.asarray(np.abs((angle + np.pi / 4) % (np.pi / 2) - np.pi / 4))


def fine_for(grey: Map) -> int:
    """How finely outlines are drawn: whole pixels for binary images, which were drawn on them."""
    return 1 if images.is_binary(grey) else 2
