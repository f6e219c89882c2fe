"""Programs from the geometry of GDSII and OASIS files that no command of ours explains.

Rectangles and axis-parallel paths become wires, near-circles on the via layer vias, everything else
POLY. Lengths in nm stay: what is said of the canvas (it begins elsewhere, corners were rounded) are
notes for the person.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.gdsfile import LayerNumber, Layout, Outline, Path2D, Points
from fabsight.netdsl.gdsii import MAX_DBU_NM, Frame, LayerMap
from fabsight.netdsl.language import (
    MAX_CANVAS_AREA_PX,
    MAX_CANVAS_PX,
    NO_CAP,
    Command,
    Poly,
    Program,
    Run,
    Shape,
    Via,
    Wire,
)
from fabsight.task import FabsightError, Imported

AUTOMATIC_CANVAS_PX = 8192  # a layout from elsewhere is scaled to fit, unless its scale is given
GRID_PX = 0.01  # a program's numbers have two decimals


@dataclass(frozen=True, eq=False)
class Drawn:
    """Shapes to be read as they are, and the outline of the canvas about them where one is."""

    outlines: list[Outline]
    paths: tuple[Path2D, ...] = ()
    canvas: Outline | None = None

    def layers(self) -> set[LayerNumber]:
        """The layers that hold shapes."""
        return {o.layer for o in self.outlines} | {p.layer for p in self.paths}

    def corners(self) -> Points:
        """All corners, in nm."""
        found = [o.points for o in self.outlines]
        for p in self.paths:
            found += [p.spine - p.width / 2, p.spine + p.width / 2]
        return np.concatenate(found) if found else np.zeros((0, 2))


def read_geometry(
    path: Path,
    drawn: Drawn,
    layers: LayerMap,
    nm_per_px: float | None,
    notes: tuple[str, ...] = (),
) -> Imported[Program]:
    """The program that shapes in nm draw, canonical, at the pixel size given or one that fits."""
    chosen, left_out = on_layers(drawn, _wanted(path, drawn, layers))
    width, height, frame = _frame(path, chosen, nm_per_px)
    commands = commands_of(chosen, frame, layers)
    source = f"units of the layout file, a pixel of {frame.nm_per_px:g} nm chosen"
    return Imported(
        canonical(Program(width, height, tuple(commands))),
        frame.nm_per_px,
        "user" if nm_per_px else source,
        (*notes, *left_out, *_losses(chosen, frame, height)),
    )


def written_out(layout: Layout) -> list[Outline]:
    """All outlines of a layout, those of fields at each of their places."""
    return [*layout.outlines, *(o for field in layout.fields for o in field.copies())]


def on_layers(drawn: Drawn, wanted: set[LayerNumber]) -> tuple[Drawn, list[str]]:
    """What lies on the wanted layers, and a note that names the others."""
    others = sorted(drawn.layers() - wanted)
    if not others:
        return drawn, []
    outlines = [o for o in drawn.outlines if o.layer in wanted]
    paths = tuple(p for p in drawn.paths if p.layer in wanted)
    names = ", ".join(map(str, others[:8])) + " ..." * (len(others) > 8)
    note = f"shapes on other layers than metal and via are not read: {names}"
    return replace(drawn, outlines=outlines, paths=paths), [note]


def outside(drawn: Drawn, frame: Frame, size_px: tuple[int, int]) -> int:
    """How many shapes reach out of a canvas of (width, height) px."""
    shapes = [o.points for o in drawn.outlines] + [p.spine for p in drawn.paths]
    found = 0
    for points in map(frame.px, shapes):
        found += bool((points < -GRID_PX).any() or (points > np.array(size_px) + GRID_PX).any())
    return found


def commands_of(drawn: Drawn, frame: Frame, layers: LayerMap) -> list[Command]:
    """One command a shape."""
    commands: list[Command] = [_wire(p, frame) for p in drawn.paths]
    return commands + [_shape(outline, frame, layers) for outline in drawn.outlines]


def _wanted(path: Path, drawn: Drawn, layers: LayerMap) -> set[LayerNumber]:
    """The layers to read: metal and via, or the only layer there is."""
    known = {layers.metal, layers.via}
    present = drawn.layers()
    if known & present or drawn.canvas is not None:
        return known
    if not present:
        raise FabsightError(f"{path}: the cell has no shapes")
    if len(present) > 1:
        raise FabsightError(
            f"{path}: nothing on metal {layers.metal} or via {layers.via}, but on "
            f"{', '.join(map(str, sorted(present)))}: say which with --metal-layer and "
            "--via-layer, as in --metal-layer 10,0"
        )
    return present


def _frame(path: Path, drawn: Drawn, nm_per_px: float | None) -> tuple[int, int, Frame]:
    """Width and height in px of the canvas, the box about all shapes where none is there."""
    corners = drawn.corners() if drawn.canvas is None else drawn.canvas.points
    low, high = corners.min(0), corners.max(0)
    size_nm = float(max(high - low))
    if not math.isfinite(size_nm) or size_nm <= 0:
        raise FabsightError(f"{path}: the shapes have no area")
    scale = nm_per_px
    if scale is None:
        steps = (m * 10.0**e for e in range(30) for m in (1, 2, 5))
        scale = next(step for step in steps if size_nm / step <= AUTOMATIC_CANVAS_PX)
    width, height = (max(math.ceil(side / scale - 1e-6), 1) for side in (high - low).tolist())
    if max(width, height) > MAX_CANVAS_PX or width * height > MAX_CANVAS_AREA_PX:
        raise FabsightError(
            f"{path}: at {scale:g} nm per px the layout is {width} x {height} px, at most "
            f"{MAX_CANVAS_PX} a side and {MAX_CANVAS_AREA_PX} in all: give a larger nm_per_px"
        )
    return width, height, Frame(scale, float(low[0]), float(high[1]), MAX_DBU_NM)


def _losses(drawn: Drawn, frame: Frame, height: int) -> list[str]:
    """What reading changed: where the layout lies, and corners between the steps of a program."""
    notes = []
    left, bottom = frame.left_nm, frame.top_nm - height * frame.nm_per_px
    if max(abs(left), abs(bottom)) > MAX_DBU_NM / 2:
        notes.append(f"the point ({left:g}, {bottom:g}) nm of the file is the origin now")
    px = frame.px(drawn.corners())
    moved_nm = float(np.abs(px - px.round(2)).max(initial=0.0)) * frame.nm_per_px
    if moved_nm > MAX_DBU_NM / 2:
        notes.append(
            f"corners were moved by up to {moved_nm:.2g} nm, to multiples of {GRID_PX:g} px: a "
            "smaller --nm-per-px keeps more"
        )
    steps = [frame.px(o.points).round(2) for o in drawn.outlines]
    thin = sum(not np.ptp(corners, axis=0).all() for corners in steps)
    thin += sum(p.width < GRID_PX / 2 * frame.nm_per_px for p in drawn.paths)
    if thin:
        notes.append(f"shapes thinner than {GRID_PX:g} px are left out (there are {thin})")
    return notes


def _wire(path: Path2D, frame: Frame) -> Wire:
    spine = frame.px(path.spine).round(2)
    steps = np.diff(spine, axis=0).tolist()
    runs = (Run("H", dx, 0.0) if abs(dx) > abs(dy) else Run("V", 0.0, dy) for dx, dy in steps)
    x, y = spine[0].tolist()
    return Wire(x, y, path.width / frame.nm_per_px, NO_CAP, NO_CAP, tuple(runs))


def _shape(outline: Outline, frame: Frame, layers: LayerMap) -> Shape:
    """A via where a near-circle lies on the via layer, else a polygon."""
    points = frame.px(outline.points)
    if outline.layer == layers.via and len(points) >= 8:
        middle = (points.min(0) + points.max(0)) / 2
        radii = np.hypot(*(points - middle).T)
        x, y = points.T
        area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
        r = math.sqrt(area / math.pi)
        # a regular polygon of 8 corners has 0.90 of its circle's area: radii are 5 % larger than r
        if np.std(radii) <= 0.025 * r + 0.05 and abs(radii.mean() - r) <= 0.06 * r:
            return Via(float(middle[0]), float(middle[1]), r)
    return Poly(tuple((x, y) for x, y in points.tolist()))
