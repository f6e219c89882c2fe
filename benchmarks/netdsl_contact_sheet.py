"""Forty answers to look at, the ten worst of a larger set first: picture, page and notes.

    python benchmarks/netdsl_contact_sheet.py [--count 40] [--quick] [--labels DIR] [--out DIR]

`--count` images of each set are answered; all sets are held out of training. Each card shows the
image, the program's outline over it, and its difference from the truth (grey: both, red: metal
missed, purple: metal made up), with the true IoU and the check's confidence, which knows no truth.
Sentences on what was seen are kept in docs/figures/netdsl_contact_sheet_notes.json by image, with
the IoU they were written at; the page says so where the answer has changed since.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from _bench import FIGURES, ROOT, environment, header, options, save
from _cases import HELD_OUT_LABELS, Case, Set, draw_case, missing_labels
from fabsight import TASKS
from fabsight.netdsl.language import Program
from fabsight.netdsl.overlay import PURPLE, SKY, VERMILION, YELLOW
from fabsight.netdsl.rendering import paint, pick
from fabsight.netdsl.scoring import boundary
from fabsight.task import Picture

TASK = TASKS["netdsl"]
COUNT, QUICK_COUNT = 40, 4
WORST, SHOWN = 10, 40
LARGE_PX, SMALL_PX = 256, 192  # a panel of a worst card, of another
LARGE_COLUMNS, SMALL_COLUMNS = 3, 4
CAPTION_PX = 20
BOTH_GREY = 130
MOST_BYTES = 1_500_000
QUALITIES = range(85, 25, -5)
CHANGED = 0.02  # an answer whose IoU moved by more is another one than the note's
NOTES = FIGURES / "netdsl_contact_sheet_notes.json"
PAGE = ROOT / "docs" / "netdsl-contact-sheet.md"

SETS = tuple(
    Set(f"{preset} relief", "mixed", preset, "relief") for preset in ("mild", "hard", "wild")
)


@dataclass(frozen=True, eq=False)
class Card:
    """One answer: the image, its program, the true IoU and the check's score."""

    case: Case
    program: Program
    iou: float
    check: float


def sets(labels: Path) -> list[Set]:
    """Held-out looks on drawn layouts, and on tiles of the held-out labels where they are."""
    if missing := missing_labels(labels, HELD_OUT_LABELS):
        print(f"# labels {missing} are not in {labels}: the chip's tiles are left out")
        return list(SETS)
    chip = Set("", "emsec", "mild", "relief", HELD_OUT_LABELS)
    more = [
        replace(chip, name=f"emsec 4-5 x{size} {preset} relief", preset=preset, scale=scale)
        for scale, size in ((1.0, "1"), (0.5, "1/2"))
        for preset in ("mild", "hard")
    ]
    return [*SETS, *more]


def card(case: Case) -> Card:
    """Answer, check and score one image."""
    question = case.example.question
    program = TASK.parse(TASK.solve(question), question)
    iou = TASK.score(program, case.example)["iou"]
    return Card(case, program, iou, TASK.verify(question, program).score)


def chosen(cards: Sequence[Card]) -> list[Card]:
    """The worst, and as many others as make a sheet, evenly from the rest in order of IoU."""
    ordered = sorted(cards, key=lambda one: one.iou)
    worst, rest = ordered[:WORST], ordered[WORST:]
    wanted = min(SHOWN - len(worst), len(rest))
    even = np.linspace(0, len(rest) - 1, wanted).round().astype(int) if wanted else []
    return worst + [rest[k] for k in even]


def drawn(one: Card, number: int, side: int) -> Picture:
    """A card's three panels under a line of text."""
    height, width = one.case.truth.shape
    zoom = side / max(height, width)
    grey = cv2.resize(one.case.pixels, (side, side), interpolation=cv2.INTER_AREA)
    seen = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    over = seen.copy()
    for layer, colour in (("metal", SKY), ("via", YELLOW)):
        mask = paint(pick(one.program.shapes, layer), side, side, scale=zoom)  # type: ignore[arg-type]
        over[boundary(mask)] = colour
    ours = paint(one.program.shapes, width, height) != 0
    true = one.case.truth != 0
    apart = np.zeros((height, width, 3), np.uint8)
    apart[ours & true] = BOTH_GREY
    apart[true & ~ours] = VERMILION
    apart[ours & ~true] = PURPLE
    apart = cv2.resize(apart, (side, side), interpolation=cv2.INTER_NEAREST)
    strip = np.zeros((CAPTION_PX, 3 * side, 3), np.uint8)
    text = f"{number}. {one.case.name}: IoU {one.iou:.3f}, check {one.check:.2f}"
    white = (255, 255, 255)
    cv2.putText(strip, text, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, white, 1, cv2.LINE_AA)
    return np.concatenate([strip, np.concatenate([seen, over, apart], axis=1)])


def grid(pictures: Sequence[Picture], columns: int) -> Picture:
    """Pictures of one size in rows, the last row filled with black."""
    empty = np.zeros_like(pictures[0])
    padded = [*pictures, *[empty] * (-len(pictures) % columns)]
    rows = [np.concatenate(padded[k : k + columns], 1) for k in range(0, len(padded), columns)]
    return np.concatenate(rows)


def sheet(cards: Sequence[Card]) -> Picture:
    """All cards: the worst enlarged on top."""
    large = [drawn(c, n, LARGE_PX) for n, c in enumerate(cards[:WORST], 1)]
    small = [drawn(c, n, SMALL_PX) for n, c in enumerate(cards[WORST:], WORST + 1)]
    parts = [grid(large, LARGE_COLUMNS)] + ([grid(small, SMALL_COLUMNS)] if small else [])
    return np.concatenate(parts)


def write_jpeg(picture: Picture, path: Path) -> int:
    """Write at the best quality that stays within the size; returns the quality."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    for quality in QUALITIES:
        _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= MOST_BYTES:
            break
    path.write_bytes(data.tobytes())
    return quality


def note_of(one: Card, notes: Mapping[str, Any]) -> str:
    """What was seen in a card, with a warning where the answer is another one by now."""
    note = notes.get(one.case.name)
    if note is None:
        return "not looked at yet"
    if abs(note["iou"] - one.iou) > CHANGED:
        return f"(written at IoU {note['iou']:.3f}) {note['note']}"
    return str(note["note"])


def page(cards: Sequence[Card], total: int, about: Mapping[str, Any]) -> str:
    """The page about the sheet."""
    notes = json.loads(NOTES.read_text(encoding="utf-8")) if NOTES.is_file() else {}
    lines = [
        "# Layouts: forty answers, the ten worst first",
        "",
        "![forty cards](figures/netdsl_contact_sheet.jpg)",
        "",
        f"{total} simulated images were answered, all with looks and chip tiles held out of",
        "training; cards 1 to 10 have the lowest IoU of all, 11 to 40 are spread evenly over the",
        "others, worst to best. Left to right: the image, the program's outline over it, its",
        "difference from the truth (grey: both, red: metal missed, purple: metal made up). `check`",
        "is the confidence, which knows no truth. Made by `fabsight bench netdsl_contact_sheet`,",
        f"seed {tuple(about['seed'])}, weights {about['weights_sha256']}.",
        "",
        "| card | image | IoU | check | what was seen |",
        "|---|---|---|---|---|",
    ]
    for number, one in enumerate(cards, 1):
        if number > WORST and one.case.name not in notes:
            continue
        note = note_of(one, notes)
        lines.append(f"| {number} | {one.case.name} | {one.iou:.3f} | {one.check:.2f} | {note} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Answer every image, choose, draw, write."""
    given = options(__doc__, COUNT, QUICK_COUNT)
    about = environment()
    print(header("netdsl_contact_sheet", about), flush=True)
    cards = [
        card(draw_case(row, number, given.labels))
        for row in sets(given.labels)
        for number in range(given.count)
    ]
    shown = chosen(cards)
    picture = (given.out if given.quick else FIGURES) / "netdsl_contact_sheet.jpg"
    quality = write_jpeg(sheet(shown), picture)
    print(f"{picture}: {picture.stat().st_size / 1e6:.2f} MB, JPEG quality {quality}")
    text = page(shown, len(cards), about)
    print(text)
    if not given.quick:
        PAGE.write_text(text, encoding="utf-8")
    rows = [{"image": c.case.name, "iou": c.iou, "check": c.check} for c in cards]
    save(given.out, "netdsl_contact_sheet", {"environment": about, "answers": rows})


if __name__ == "__main__":
    main()
