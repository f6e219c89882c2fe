"""Images magnified beyond what the front ends and the check know are read reduced.

They know edges whose grey changes within a few pixels. How wide an image's edges are is told by how
much its steepest slopes lose when it is blurred: of a Gaussian edge of standard deviation s they
fall as 1 / sqrt(s^2 + blur^2). An image with wide edges is reduced until they are usual; whoever
reads it answers for the reduced image, and the answer is enlarged again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
from jaxtyping import Float32

from fabsight.images import grey, is_binary
from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.frontends import doubt, evidence, seen
from fabsight.netdsl.settings import LayoutSettings, scale_of
from fabsight.netdsl.shapes import Array, Command, Program, scaled
from fabsight.task import FabsightError, Image, Question
from fabsight.vision.noise import noise_of
from fabsight.vision.slope import squared_slope

Grey = Float32[np.ndarray, "height width"]

FACTORS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
WIDE_PX = 2.4  # edges of simulated looks are 0.4 to 2.2 px wide, few more
USUAL_PX = 1.4
LEAST_SIDE_PX = 24  # nothing is reduced below this unasked
FEWEST_PX = 16  # ... nor asked
UNDECIDED = 0.1  # the front end: 0.03 to 0.1 on images like those it knows
LESS = 0.7  # ... of which another size must leave less than this
SMALLER = (1.5, 2.0, 3.0, 4.0)
FINE_BLURS_PX = (1.0, 2.0, 4.0)  # the first at which edges stand above the noise is taken
COARSER = 3
STEEPEST = 0.002  # share of the pixels whose squared slope is above that of the steepest edges
STRONG = 0.5  # of that squared slope, and more, is an edge
TILE_PX = 512  # of a large image a few tiles are asked
COARSE = 4  # px to one of the image that chooses them
ANTI_ALIAS = 0.45  # standard deviation of the blur before reducing, over sqrt(factor^2 - 1)


@dataclass(frozen=True, eq=False)
class Reduced:
    """A question as it is read.

    Attributes:
        question: The question with its first image reduced; itself where the factor is 1.
        factor: Pixels of the original to a pixel of the reduced image.
    """

    question: Question[LayoutSettings]
    factor: float

    def shrunk(self, program: Program) -> Program:
        """A program of the original image as one of the reduced image; itself at factor 1."""
        if self.factor == 1:
            return program
        size = _reduced_size((program.width, program.height), self.factor)
        return _rescaled(program, 1 / self.factor, size)

    def enlarged(self, program: Program, like: tuple[int, int]) -> Program:
        """A program of the reduced image as one of the original, of this (width, height)."""
        return canonical(_rescaled(program, self.factor, like))


@lru_cache(maxsize=2)
def reduced(question: Question[LayoutSettings]) -> Reduced:
    """The question as it is read: by the person's factor, or so that edges and shapes are usual.

    Edges tell a first factor. Where the front end is undecided then, and much less so at a smaller
    size (wide metal looks like floor to it), that is taken.

    Raises FabsightError where the person's factor leaves next to nothing.
    """
    image, said = grey(question.images[0]), question.context.reduce
    if is_binary(image):
        return Reduced(question, 1.0)
    if said:
        return _at(question, image, _allowed(image, said))
    first = _at(question, image, _factor(image))
    if question.context.binarize != "learned":
        return first
    undecided = doubt(seen(first.question).share)
    if undecided <= UNDECIDED:
        return first
    smaller = [first.factor * more for more in SMALLER]
    others = [_at(question, image, f) for f in smaller if min(image.shape) / f >= LEAST_SIDE_PX]
    doubts = [_doubt(other.question) for other in others]
    if min(doubts, default=math.inf) > min(LESS * undecided, UNDECIDED):
        return first
    return others[int(np.argmin(doubts))]


def _doubt(question: Question[LayoutSettings]) -> float:
    """How undecided the front end is; not kept, for most sizes are asked once."""
    return doubt(evidence(grey(question.images[0]), question.context).share)


def _at(question: Question[LayoutSettings], image: Grey, factor: float) -> Reduced:
    if factor == 1:
        return Reduced(question, 1.0)
    scale = scale_of(question)
    known = None if scale.nm_per_px is None else scale.nm_per_px * factor
    small = Image(shrink(image, factor), known, scale.source)
    context = replace(question.context, reduce=1.0, nm_per_px=0.0)
    return Reduced(replace(question, images=(small, *question.images[1:]), context=context), factor)


def shrink(image: Grey, factor: float) -> Float32[np.ndarray, "less_high less_wide"]:
    """The image with `factor` px to one, blurred first so that nothing is aliased."""
    import cv2

    width, height = _reduced_size((image.shape[1], image.shape[0]), factor)
    smooth = cv2.GaussianBlur(image, (0, 0), ANTI_ALIAS * math.sqrt(max(factor**2 - 1, 1e-6)))
    to_source = np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    small = cv2.warpAffine(
        smooth, to_source, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(small, np.float32)


def _allowed(image: Grey, said: float) -> float:
    """A person's factor."""
    most = max(min(image.shape) / FEWEST_PX, 1.0)
    if said > most:
        height, width = image.shape
        raise FabsightError(
            f"netdsl: reduce={said:g} leaves too little of {width} x {height} px: "
            f"give {most:g} at most"
        )
    return said


def _factor(image: Grey) -> float:
    """The factor that makes wide edges usual, 1 where they are not wide."""
    tiles = _tiles(image)
    if edge_px(tiles) <= WIDE_PX:
        return 1.0
    allowed = [f for f in FACTORS if min(image.shape) / f >= LEAST_SIDE_PX]
    for factor in allowed:
        if edge_px([shrink(tile, factor) for tile in tiles]) <= USUAL_PX:
            return factor
    return max(allowed, default=1.0)


def _tiles(image: Grey) -> list[Grey]:
    """The image, or the four tiles of a large one in which most changes."""
    import cv2

    height, width = image.shape
    if height * width <= 4 * TILE_PX**2:
        return [image]
    coarse = cv2.resize(image, (width // COARSE, height // COARSE), interpolation=cv2.INTER_AREA)
    slope = _blurred_slope(np.asarray(coarse, np.float32), 1.0)
    corners = list(product(range(0, height - TILE_PX + 1, TILE_PX), range(0, width, TILE_PX)))
    side = TILE_PX // COARSE
    change = [slope[y // COARSE :, x // COARSE :][:side, :side].mean() for y, x in corners]
    chosen = [corners[k] for k in np.argsort(change)[-4:]]
    return [image[y : y + TILE_PX, x : x + TILE_PX] for y, x in chosen]


def edge_px(tiles: Sequence[Grey]) -> float:
    """How wide the strong edges of images are: the standard deviation of a Gaussian edge, px.

    0 where there are none, or noise hides them.
    """
    # the squared slope of white noise after a derivative of a Gaussian, times blur^4
    noise = float(np.mean([noise_of(tile) for tile in tiles])) ** 2 / (4 * math.pi)
    for fine in FINE_BLURS_PX:
        coarse = COARSER * fine
        narrow, wide = _slopes(tiles, (fine, coarse), math.sqrt(fine * coarse))
        narrow -= noise / fine**4
        if narrow > max(noise / fine**4, 0.0):
            break
    else:
        return 0.0
    ratio = narrow / max(wide - noise / coarse**4, 1e-9 * narrow)  # (s^2 + c^2) / (s^2 + f^2)
    return math.sqrt(max(coarse**2 - ratio * fine**2, 0.0) / max(ratio - 1, 1e-3))


def _slopes(tiles: Sequence[Grey], blurs_px: Sequence[float], between_px: float) -> list[float]:
    """Mean squared slope of blurred images where a blur between finds strong edges."""
    steep = [_blurred_slope(tile, between_px) for tile in tiles]
    top = float(np.quantile(np.concatenate([part.ravel() for part in steep]), 1 - STEEPEST))
    strong = [part >= STRONG * top for part in steep]
    count = sum(int(part.sum()) for part in strong)
    pairs = list(zip(tiles, strong, strict=True))
    return [
        math.fsum(float(_blurred_slope(tile, blur)[part].sum()) for tile, part in pairs)
        / max(count, 1)
        for blur in blurs_px
    ]


def _blurred_slope(image: Grey, blur_px: float) -> Grey:
    import cv2

    return squared_slope(np.asarray(cv2.GaussianBlur(image, (0, 0), blur_px), np.float32))


def _reduced_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return math.ceil(size[0] / factor), math.ceil(size[1] / factor)


def _rescaled(program: Program, by: float, size: tuple[int, int]) -> Program:
    commands: list[Command] = []
    for command in program.commands:
        if isinstance(command, Array):
            inside = tuple(scaled(shape, by) for shape in command.commands)
            step = command.dx * by, command.dy * by
            commands.append(Array(command.nx, command.ny, *step, inside))
        else:
            commands.append(scaled(command, by))
    return Program(*size, tuple(commands))
