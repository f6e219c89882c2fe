"""The README's picture of wafer maps: drawn maps, what is taken for systematic, and the answers."""

import textwrap

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from _bench import FIGURES
from fabsight.task import Image, Question
from fabsight.wafermap import TASK, parse
from fabsight.wafermap.generator import draw_pattern
from fabsight.wafermap.phrases import CONVENTION
from fabsight.wafermap.settings import WaferSettings

SHOWN = (
    (3, ("edge-ring",), (38, 36), "Which defect type is it, and where does it lie?"),
    (8, ("scratch",), (33, 37), "Is there a scratch?"),
    (2, ("donut",), (52, 52), "What may have caused these fails?"),
    (11, ("center", "edge-loc"), (44, 41), "Which defect types are there?"),
)
WIDE, TALL, TEXT = 350, 560, 46


def main() -> None:
    """Write docs/figures/wafermap.jpg."""
    sheet = Pillow.new("RGB", (WIDE * len(SHOWN), TALL), "white")
    pen, font, bold = (
        ImageDraw.Draw(sheet),
        ImageFont.load_default(13),
        ImageFont.load_default(14),
    )
    for number, (seed, patterns, size, text) in enumerate(SHOWN):
        grid = draw_pattern(np.random.default_rng(seed), patterns, size).wafer.grid
        question = Question((Image(grid),), text, WaferSettings())
        answer = parse(TASK.solve(question), question)
        picture = Pillow.fromarray(TASK.draw(question, answer))
        side = WIDE - 20
        picture = picture.resize((side, round(side * picture.height / picture.width)))
        left = number * WIDE + 10
        sheet.paste(picture, (left, 40))
        pen.text((left + 4, 12), text, fill=(20, 60, 130), font=bold)
        said = TASK.write(answer).replace(CONVENTION, "")
        for row, line in enumerate(textwrap.wrap(said, TEXT)[:9]):
            pen.text((left + 4, 392 + 18 * row), line, fill=(30, 30, 30), font=font)
    sheet.save(FIGURES / "wafermap.jpg", quality=88)
    print(f"written: {FIGURES / 'wafermap.jpg'}")


if __name__ == "__main__":
    main()
