"""Full frames: agreement with their tiles, time by size and by stage, peak memory, images a second.

    python benchmarks/netdsl_frames.py [--count 200] [--quick] [--labels DIR] [--out DIR]

The frame is label 4 of the chip (held out) under a mild look of the relief family (held out). Every
size is answered in a fresh process, which reports its own peak resident memory. `--count` images of
the same kind are answered by `fabsight predict` on two workers.
"""

import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np

from _bench import FIGURES, environment, header, options, save, table
from _cases import SIDE_PX, Set, draw_case, generator, missing_labels
from fabsight import TASKS
from fabsight.images import save_png
from fabsight.netdsl import frontends
from fabsight.netdsl.labels import read_label
from fabsight.netdsl.language import parse
from fabsight.netdsl.looks import draw_look
from fabsight.netdsl.rendering import render
from fabsight.netdsl.scoring import count_commands
from fabsight.netdsl.sem import signed_distance, simulate_distance
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Image, Question

TASK = TASKS["netdsl"]
COUNT, QUICK_COUNT = 200, 8
LABEL = 4
SIZES_PX = (256, 512, 1024, 2048)
QUICK_SIZES_PX, QUICK_FRAME_PX = (256,), 512
REPEATS = 3  # the least of so many is a size's time, for other work on the machine only adds
WORKERS = 2
ASKED_S, ASKED_GIB, ASKED_IOU = 15.0, 2.0, 0.01


@dataclass(frozen=True)
class Answered:
    """One image answered in a process of its own.

    Attributes:
        size: (height, width) px.
        front_end_s: Image to shares of metal.
        solve_s: Image to text, the front end included.
        verify_s: The check.
        cpu_s: Processor time of answer and check: what a machine with nothing else to do takes.
        peak_gib: Peak resident memory of the process, imports included.
        commands: Commands of the program.
        text: The program.
    """

    size: tuple[int, int]
    front_end_s: float
    solve_s: float
    verify_s: float
    cpu_s: float
    peak_gib: float
    commands: int
    text: str

    @property
    def total_s(self) -> float:
        """What `predict` takes: answer and check."""
        return self.solve_s + self.verify_s


def question_of(pixels: np.ndarray) -> Question[LayoutSettings]:
    """The question about an image, with default settings."""
    return Question((Image(pixels),), TASK.prompt, LayoutSettings())


def answer(path: Path) -> Answered:
    """Read a picture kept as .npy, answer, check; run this in a fresh process for its memory."""
    pixels = np.load(path)
    question = question_of(pixels)
    small = question_of(np.ascontiguousarray(pixels[:SIDE_PX, :SIDE_PX]))
    TASK.verify(small, TASK.parse(TASK.solve(small), small))  # imports and the model's start
    front_end = Timed(frontends.evidence)
    frontends.evidence = front_end  # the stage is timed where it runs, in a process of its own
    begin, used = perf_counter(), process_time()
    text = TASK.solve(question)
    solved = perf_counter()
    program = TASK.parse(text, question)
    parsed = perf_counter()
    TASK.verify(question, program)
    times = front_end.seconds, solved - begin, perf_counter() - parsed, process_time() - used
    return Answered(pixels.shape, *times, peak_gib(), count_commands(program), text)


class Timed:
    """A function that adds up how long its calls took, in `seconds`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns."""
        begin = perf_counter()
        out = self.function(*arguments)
        self.seconds += perf_counter() - begin
        return out


def peak_gib() -> float:
    """The high-water mark of this process's resident memory, GiB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 2**20
    return float("nan")


def alone(path: Path) -> Answered:
    """`answer` in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(answer, (path,))


def frame(labels: Path, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The image of the label's top left part, and its true mask."""
    metal, via = read_label(labels / f"label{LABEL:04d}.svg")
    window = np.s_[: min(height, len(metal)), : min(width, metal.shape[1])]
    truth = np.ascontiguousarray((metal | via)[window])
    inside = np.ascontiguousarray((metal & via)[window])
    rng = generator("frame", 0)
    inner = signed_distance(inside, 1) if inside.any() else None
    look = draw_look(rng, "mild", "relief")
    return simulate_distance(signed_distance(truth, 1), look, rng, inner).pixels, truth


def squares(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    """Every whole tile of a frame."""
    for top in range(0, shape[0] - SIDE_PX + 1, SIDE_PX):
        for left in range(0, shape[1] - SIDE_PX + 1, SIDE_PX):
            yield np.s_[top : top + SIDE_PX, left : left + SIDE_PX]


def against_tiles(pixels: np.ndarray, truth: np.ndarray, text: str) -> dict[str, Any]:
    """Pooled IoU of the frame's program and of its tiles' own programs, on the same pixels."""
    whole = render(parse(text)) != 0
    counts = np.zeros((2, 2), np.int64)  # frame, tiles; shared, either
    number = 0
    for window in squares(truth.shape):
        own = render(parse(TASK.solve(question_of(np.ascontiguousarray(pixels[window]))))) != 0
        true = truth[window] != 0
        for k, mask in enumerate((whole[window], own)):
            counts[k] += np.count_nonzero(mask & true), np.count_nonzero(mask | true)
        number += 1
    frame_iou, tiles_iou = (counts[:, 0] / counts[:, 1]).tolist()
    floor = float((truth != 0).mean())
    return {"tiles": number, "frame_iou": frame_iou, "tiles_iou": tiles_iou, "floor": floor}


def throughput(count: int, labels: Path, folder: Path) -> list[dict[str, Any]]:
    """Images a second of `fabsight predict` on a folder: answers only, and with every file."""
    row = Set("throughput", "emsec", "mild", "relief", (LABEL,))
    inputs = folder / "images"
    inputs.mkdir()
    for number in range(count):
        save_png(inputs / f"{number:04d}.png", draw_case(row, number, labels).pixels)
    found = []
    base = [sys.executable, "-m", "fabsight", "predict", str(inputs), "--task", "netdsl"]
    for name, more in (
        ("answers as JSON", ["--json"]),
        ("overlays, exports, report", ["--quiet", "--out", str(folder / "run")]),
    ):
        begin = perf_counter()
        subprocess.run([*base, "-j", str(WORKERS), *more], stdout=subprocess.DEVNULL, check=True)
        seconds = perf_counter() - begin
        found.append({"what": name, "seconds": seconds, "images_per_s": count / seconds})
    return found


def plot(found: list[Answered], where: Path) -> None:
    """Time over frame area, both logarithmic, one line per stage."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "fabsight"
    from matplotlib import pyplot

    megapixels = [a.size[0] * a.size[1] / 1e6 for a in found]
    stages = {
        "answer and check": [a.total_s for a in found],
        "front end": [a.front_end_s for a in found],
        "fit and text": [a.solve_s - a.front_end_s for a in found],
        "check": [a.verify_s for a in found],
    }
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for name, seconds in stages.items():
        axes.loglog(megapixels, seconds, marker="o", label=name)
    axes.axhline(ASKED_S, color="grey", linestyle=":", label=f"asked of a frame: {ASKED_S:g} s")
    axes.set_xlabel("frame size, Mpx")
    axes.set_ylabel("s, one process")
    axes.legend()
    axes.grid(visible=True, which="both", alpha=0.3)
    where.mkdir(parents=True, exist_ok=True)
    for kind in ("svg", "png"):
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(where / f"netdsl_time.{kind}", metadata=metadata, dpi=110)
    pyplot.close(figure)


HEAD = "frame px|front end s|fit s|check s|total s|CPU s|peak GiB|commands"


def by_size(given: Any, pixels: np.ndarray, folder: Path) -> list[Answered]:
    """Squares of a frame and the frame itself, each answered alone; prints the table."""
    sides = (*(QUICK_SIZES_PX if given.quick else SIZES_PX), max(pixels.shape))
    found: list[Answered] = []
    for side in sides:
        part = folder / "part.npy"
        np.save(part, np.ascontiguousarray(pixels[:side, :side]))
        tries = [alone(part) for _ in range(REPEATS if side < sides[-1] else 1)]
        found.append(min(tries, key=lambda a: a.total_s))
    lines = []
    for a in found:
        stages = a.front_end_s, a.solve_s - a.front_end_s, a.verify_s, a.total_s, a.cpu_s
        lines.append((f"{a.size[1]} x {a.size[0]}", *stages, a.peak_gib, a.commands))
    print(table(HEAD.split("|"), lines), flush=True)
    return found


def measure(given: Any, folder: Path) -> dict[str, Any]:
    """Every figure of the script."""
    side = QUICK_FRAME_PX if given.quick else sys.maxsize
    pixels, truth = frame(given.labels, side, side)
    answered = by_size(given, pixels, folder)
    last = answered[-1]
    tiles = against_tiles(pixels, truth, last.text)
    print(
        f"\nIoU of the frame {tiles['frame_iou']:.4f}, of its {tiles['tiles']} tiles' own "
        f"programs {tiles['tiles_iou']:.4f} (asked: within {ASKED_IOU:g}); all metal "
        f"{tiles['floor']:.4f}"
    )
    print(
        f"the frame: {last.total_s:.1f} s, {last.cpu_s:.1f} s of processor time (asked: "
        f"{ASKED_S:g}); {last.peak_gib:.2f} GiB (asked: {ASKED_GIB:g})",
        flush=True,
    )
    rates = throughput(given.count, given.labels, folder)
    for rate in rates:
        print(
            f"{given.count} images of {SIDE_PX} px on {WORKERS} workers, {rate['what']}: "
            f"{rate['images_per_s']:.1f} images/s"
        )
    plot(answered, FIGURES if not given.quick else folder)
    sizes = [{k: v for k, v in asdict(a).items() if k != "text"} for a in answered]
    return {"sizes": sizes, "tiles": tiles, "throughput": rates}


def main() -> None:
    """Measure, print, keep."""
    given = options(__doc__, COUNT, QUICK_COUNT)
    about = environment()
    print(header("netdsl_frames", about), flush=True)
    if missing_labels(given.labels, [LABEL]):
        print(f"# label {LABEL} is not in {given.labels}: nothing to measure")
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given, Path(folder))
    save(given.out, "netdsl_frames", {"environment": about, **found})


if __name__ == "__main__":
    main()
