"""Pictures of a lot: fail frequency with repeaters, typical wafers of groups, yield by wafer."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from fabsight.task import Picture
from fabsight.wafermap.lot import GridGroup, LotReport, short
from fabsight.wafermap.phrases import TYPES
from fabsight.wafermap.rendering import PAPER, WRITING, painted, rendered, with_clock
from fabsight.wafermap.wafer import Grid

SIDE_PX, SMALL_PX = 460, 220
ACROSS = 5  # typical wafers in a row
MARK = (20, 60, 160)  # of repeaters
# From no fail to all wafers fail: pale green, yellow, red, dark red.
SCALE = np.array([(214, 228, 222), (246, 220, 150), (214, 96, 58), (92, 16, 24)], np.float32)


def stacked(report: LotReport) -> Picture:
    """How often each die fails, of the grid that most wafers have; repeaters are outlined."""
    group = report.stacks[0]
    picture = painted(shades(group.stack.frequency), SIDE_PX)
    rows, columns = group.stack.fails.shape
    tall, wide = picture.shape[0] // rows, picture.shape[1] // columns
    for die in group.repeaters:
        _outline(picture, die.row * tall, die.column * wide, (tall, wide))
    return _with_scale(with_clock(picture), group)


def shades(
    frequency: Float32[np.ndarray, "rows columns"],
) -> UInt8[np.ndarray, "rows columns 3"]:
    """The colour of each frequency, 0 to 1; paper where it is NaN."""
    known = np.nan_to_num(frequency).clip(0, 1) * (len(SCALE) - 1)
    low = np.minimum(known.astype(int), len(SCALE) - 2)
    share = (known - low)[..., None]
    found = SCALE[low] * (1 - share) + SCALE[low + 1] * share
    found[np.isnan(frequency)] = PAPER
    return np.asarray(np.rint(found), np.uint8)


def typical(report: LotReport, grids: Mapping[str, Grid]) -> Picture:
    """The most typical wafer of each group, with its name and how many there are."""
    tiles = []
    for number, group in enumerate(report.clusters.groups, 1):
        line = report.wafers[group.typical]
        names = "/".join(TYPES.get(name, name) for name, _ in group.patterns[:2])
        tiles.append((rendered(grids[line.source], SMALL_PX), f"{number}: {group.count} x {names}"))
    return _sheet(tiles[: 4 * ACROSS])


def overview(report: LotReport) -> Picture:
    """Yield of each wafer in order, with the changes of the fail rate."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(7.2, 2.6), dpi=110, layout="constrained")
        axes = figure.subplots()
        yields = [100 * line.yield_ for line in report.wafers]
        colours = ["#b23a28" if line.low else "#3b7a8c" for line in report.wafers]
        axes.bar(range(len(yields)), yields, color=colours, width=0.75)
        for change in report.trends["fail rate"].changes if "fail rate" in report.trends else ():
            axes.axvline(change.at - 0.5, color="#333", linestyle="--", linewidth=1)
        low = min((value for value in yields if value == value), default=0.0)
        axes.set_ylim(max(0.0, low - 0.15 * (100 - low) - 1), 100)
        axes.set_ylabel("yield, %")
        names = [short(line)[-12:] for line in report.wafers]
        step = max(1, len(names) // 25)
        axes.set_xticks(range(0, len(names), step), names[::step], rotation=60, ha="right")
        axes.set_title("dashed: the fail rate changes; red: far below the others", fontsize=8)
        return _as_picture(figure)


def _as_picture(figure: Any) -> Picture:
    from PIL import Image

    held = io.BytesIO()
    figure.savefig(held, format="png")
    return np.asarray(Image.open(held).convert("RGB"), np.uint8)


def _outline(picture: Picture, y: int, x: int, size: tuple[int, int]) -> None:
    tall, wide = size
    for part in (
        picture[y : y + tall, x : x + 2],
        picture[y : y + tall, max(x + wide - 3, 0) : x + wide - 1],
        picture[y : y + 2, x : x + wide],
        picture[max(y + tall - 3, 0) : y + tall - 1, x : x + wide],
    ):
        part[:] = MARK


def _with_scale(picture: UInt8[np.ndarray, "h w 3"], group: GridGroup) -> Picture:
    """The picture with a colour bar below."""
    from PIL import Image, ImageDraw, ImageFont

    tall, wide = picture.shape[:2]
    paper = Image.new("RGB", (wide, tall + 44), PAPER)
    paper.paste(Image.fromarray(picture), (0, 0))
    bar = shades(np.linspace(0, 1, wide // 2, dtype=np.float32)[None].repeat(10, 0))
    paper.paste(Image.fromarray(bar), (wide // 4, tall + 6))
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(12)
    ends = ((wide // 4, "no wafer"), (3 * wide // 4, f"all {group.stack.wafers} wafers fail"))
    for x, text in ends:
        pen.text((x, tall + 20), text, fill=WRITING, font=font, anchor="ma")
    return np.asarray(paper, np.uint8)


def _sheet(tiles: list[tuple[Picture, str]]) -> UInt8[np.ndarray, "tall wide 3"]:
    from PIL import Image, ImageDraw, ImageFont

    cell, head = SMALL_PX + 16, 22
    down = -(-len(tiles) // ACROSS)
    paper = Image.new("RGB", (cell * min(ACROSS, len(tiles)), (cell + head) * down), PAPER)
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(13)
    for number, (picture, text) in enumerate(tiles):
        x, y = number % ACROSS * cell + 8, number // ACROSS * (cell + head)
        paper.paste(Image.fromarray(picture), (x, y + head))
        pen.text((x, y + 4), text, fill=WRITING, font=font)
    return np.asarray(paper, np.uint8)
