"""The picture in the README: bundled samples beside the program laid over them.

python benchmarks/netdsl_picture.py
"""

from pathlib import Path

import cv2
import numpy as np

from fabsight import TASKS
from fabsight.images import to_8bit
from fabsight.netdsl.settings import LayoutSettings

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "src/fabsight/samples/netdsl"
SHOWN = (
    "manhattan_16bit_2.5nm.tif",
    "chip_mild.png",
    "stripes_mild.png",
    "siepic_directional_coupler.png",
)
SIDE_PX = 420
GAP_PX = 8


def square(picture: np.ndarray) -> np.ndarray:
    """The top-left square of a picture, at SIDE_PX."""
    side = min(picture.shape[:2])
    cut = picture[:side, :side]
    way = cv2.INTER_AREA if side > SIDE_PX else cv2.INTER_NEAREST
    return cv2.resize(cut, (SIDE_PX, SIDE_PX), interpolation=way)


def main() -> None:
    """Write docs/figures/netdsl.jpg: inputs above, answers below."""
    task = TASKS["netdsl"]
    columns = []
    for name in SHOWN:
        (question,) = task.read([SAMPLES / name], LayoutSettings())
        answer = task.parse(task.solve(question), question)
        print(name, f"check {task.verify(question, answer).score:.2f}")
        above, below = to_8bit(question.images[0]), task.draw(question, answer)
        zoom = below.shape[1] / above.shape[1]
        below = below[: round(above.shape[0] * zoom)]  # without the legend under it
        gap = np.full((GAP_PX, SIDE_PX, 3), 255, np.uint8)
        columns.append(np.vstack([square(above), gap, square(below)]))
        columns.append(np.full((2 * SIDE_PX + GAP_PX, GAP_PX, 3), 255, np.uint8))
    out = ROOT / "docs/figures/netdsl.jpg"
    out.parent.mkdir(exist_ok=True)
    picture = cv2.cvtColor(np.hstack(columns[:-1]), cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(out), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
