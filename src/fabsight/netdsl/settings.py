"""What a person may set about a layout question (`--set key=value`, or `--key value`)."""

from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from fabsight.settings import Range
from fabsight.task import Question


@dataclass(frozen=True)
class LayoutSettings:
    """Settings of `netdsl`.

    Attributes:
        edge: Where on the sidewall an edge lies: mid-height (default), its outer foot (bottom CD)
            or its inner top (top CD).
        polarity: Whether metal is brighter or darker than the background, or found out.
        binarize: The front end: `learned` (default), `half-level`, `otsu`, `global` (the source's
            fixed threshold 100) or `edge-paired`.
        extended: Allow oblique runs and polygons, which are outside NetDSL-L2.
        strict_l2: Write plain NetDSL-L2: arrays are written out, polygons and oblique runs refused.
        price: Price of one more command, in px of area it must win: fidelity against length.
        nm_per_px: Pixel size in nm; overrides what the file says. 0 means not given.
        reduce: Read the image with this many pixels to one, for edges that are many pixels wide; 0
            finds it out, 1 never does.
        crop_bar: Crop an information bar at the bottom of the picture.
        cell: Cell of a GDSII or OASIS file to read, where it has several top cells.
        metal_layer: Layer and datatype of metal in GDSII and OASIS files, read and written.
        via_layer: Layer and datatype of vias there.
    """

    edge: Literal["mid", "outer", "inner"] = "mid"
    polarity: Literal["auto", "bright", "dark"] = "auto"
    binarize: Literal["learned", "half-level", "otsu", "global", "edge-paired"] = "learned"
    extended: bool = False
    strict_l2: bool = False
    price: Annotated[float, Range(0, 1e6)] = 20.0
    nm_per_px: Annotated[float, Range(1e-4, 1e8, or_zero=True)] = 0.0
    reduce: Annotated[float, Range(1, 64, or_zero=True)] = 0.0
    crop_bar: bool = True
    cell: str = ""
    metal_layer: tuple[int, int] = (1, 0)
    via_layer: tuple[int, int] = (2, 0)


class Scale(NamedTuple):
    """Pixel size in nm, None when unknown, and where it came from, "" when unknown."""

    nm_per_px: float | None
    source: str


def scale_of(question: Question[LayoutSettings]) -> Scale:
    """The scale of a question: what the person said, else what is known of it or its first image.

    >>> scale_of(Question((), "", LayoutSettings(nm_per_px=2.5)))
    Scale(nm_per_px=2.5, source='user')
    """
    if question.context.nm_per_px > 0:
        return Scale(question.context.nm_per_px, "user")
    if not question.images:
        return Scale(question.nm_per_px, question.scale_source)
    return Scale(question.images[0].nm_per_px, question.images[0].scale_source)
