"""Hand-labelled layouts of the emsec data set: SVG files of lime paths (tracks) and red circles.

Source: Rothaug et al., ASHES 2023, doi 10.1145/3605769.3624000 (CC BY 4.0).
"""

import re
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8

from fabsight.netdsl.language import Poly, Program, Shape, Via
from fabsight.netdsl.rendering import paint, pick
from fabsight.task import FabsightError

Masks: TypeAlias = tuple[UInt8[np.ndarray, "height width"], UInt8[np.ndarray, "height width"]]
_CIRCLE = re.compile(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"')
_PATH = re.compile(r'<path d="([^"]+)"')
_POINT = re.compile(r"[ML]?(-?[\d.]+),(-?[\d.]+)")


def read_label_program(path: Path) -> Program:
    """The polygons and vias of a label file as an extended program, px."""
    text = path.read_text(encoding="utf-8")
    size = re.search(r'width="(\d+)" height="(\d+)"', text)
    if not size:
        raise FabsightError(f"{path}: not a label SVG: no width and height in the first tag")
    shapes: list[Shape] = []
    for d in _PATH.findall(text):
        points = tuple((float(x), float(y)) for x, y in _POINT.findall(d))
        if len(points) >= 3:
            shapes.append(Poly(points))
    shapes += [Via(float(x), float(y), float(r)) for x, y, r in _CIRCLE.findall(text)]
    return Program(int(size[1]), int(size[2]), tuple(shapes))


def read_label(path: Path) -> Masks:
    """(tracks, vias) of a label file, uint8 0 or 1, (height, width)."""
    program = read_label_program(path)
    masks = [
        paint(pick(program.shapes, layer), program.width, program.height)
        for layer in ("metal", "via")
    ]
    return masks[0], masks[1]
