"""Two tiny tasks on which the verbs and the laws themselves are tested.

`bar`: where is the bright bar? One image per file, a program of one line, a fitted refinement,
exports and imports, a metric in px whose worst value depends on the example.

`shade`: dark, light or striped? Several images per file, folders that are one input, an open set of
classes, groups, kinds and difficulties, a corpus metric, a golden image.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fabsight.task import (
    AnswerError,
    Check,
    Example,
    FabsightError,
    Image,
    Imported,
    Metric,
    Question,
    Task,
    Variants,
    Wish,
)

# Worker processes import this module by its name; they get this process's path to look in.
sys.path.append(str(Path(__file__).parents[1]))

SIZE_PX = 16
METAL, GROUND, NOISE = 200, 50, 12


@dataclass(frozen=True)
class Bar:
    x: int
    width: int


@dataclass(frozen=True)
class BarSettings:
    """Settings.

    Attributes:
        threshold: Grey level that separates the bar from the ground.
    """

    threshold: float = 125.0


def _pixels(path):
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FabsightError(f"read {path}: not an array; give a .npy file") from error


def bar_recognises(path: Path) -> float:
    return 0.5 if path.is_file() and path.suffix == ".npy" else 0.0


def bar_read(paths: Sequence[Path], context: BarSettings) -> Iterator[Question]:
    for path in paths:
        image = Image(_pixels(path), nm_per_px=2.0, scale_source="toy", warnings=("a toy",))
        yield Question((image,), "Where is the bar?", context, str(path))


def bar_paint(bar: Bar) -> np.ndarray:
    pixels = np.full((SIZE_PX, SIZE_PX), GROUND, np.uint8)
    pixels[:, bar.x : bar.x + bar.width] = METAL
    return pixels


def bar_synthesize(rng: np.random.Generator) -> Example:
    bar = Bar(int(rng.integers(1, 9)), int(rng.integers(2, 7)))
    noise = rng.integers(-NOISE, NOISE + 1, (SIZE_PX, SIZE_PX))
    pixels = (bar_paint(bar) + noise).astype(np.uint8)
    question = Question((Image(pixels),), "Where is the bar?", BarSettings())
    kind = "wide" if bar.width > 4 else "narrow"
    return Example(question, bar_write(bar), group=f"x{bar.x}", kind=kind)


def bar_solve(question: Question) -> str:
    columns = question.images[0].pixels.mean(axis=0) > question.context.threshold
    if not columns.any():
        raise FabsightError("bar: no column is bright; lower the threshold")
    return f"BAR {columns.argmax()} {columns.sum()}"


def bar_parse(text: str, _question: Question) -> Bar:
    match text.split():
        case ["BAR", x, width] if x.isdecimal() and width.isdecimal() and len(x + width) < 9:
            return Bar(int(x), int(width))
    raise AnswerError(f"bar line 1: expected 'BAR x width', got {text[:40]!r}", 1, 1)


def bar_write(bar: Bar) -> str:
    return f"BAR {bar.x} {bar.width}"


def bar_verify(question: Question, bar: Bar) -> Check:
    bright = question.images[0].pixels > question.context.threshold
    wrong = float(np.mean(bright != (bar_paint(bar) > question.context.threshold)))
    return Check(1 - wrong, min(1.0, bar.width / SIZE_PX), True, {"wrong pixels": wrong})


def bar_refine(question: Question, bar: Bar) -> Bar:
    near = [
        Bar(max(bar.x + dx, 0), max(bar.width + dw, 0)) for dx in (0, -1, 1) for dw in (0, -1, 1)
    ]
    return max(near, key=lambda other: bar_verify(question, other).score)


def bar_score(bar: Bar, example: Example) -> dict[str, float]:
    truth = bar_parse(example.answer or "", example.question)
    a, b = bar_paint(bar) == METAL, bar_paint(truth) == METAL
    union = np.count_nonzero(a | b)
    iou = np.count_nonzero(a & b) / union if union else 1.0
    return {"iou": iou, "width_error_px": float(abs(bar.width - truth.width))}


def bar_worst_px(example: Example) -> float:
    return float(example.question.images[0].pixels.shape[1])


def nothing(_rows):
    return {}


def bar_draw(question: Question, bar: Bar) -> np.ndarray:
    picture = np.repeat(question.images[0].pixels[..., None], 3, axis=2).astype(np.uint8)
    picture[0, bar.x : bar.x + bar.width] = (255, 0, 0)
    return picture


def bar_export(_question: Question, bar: Bar, path: Path) -> None:
    path.write_text(bar_write(bar) + "\n")


def bar_import(path: Path, _settings: BarSettings) -> Imported[Bar]:
    _, x, width = path.read_text().split()
    return Imported(Bar(int(x), int(width)), 2.0, "toy", ("a toy",))


def bar_vary(question: Question, bar: Bar, wish: Wish) -> Variants:
    """Bars that are wider; the question says the scale."""

    def draw(index: int) -> Example:
        wider = Bar(bar.x, bar.width + 1 + index)
        image = Image(bar_paint(wider), question.nm_per_px, "toy")
        asked = Question((image,), question.text, question.context)
        return Example(asked, bar_write(wider), kind=f"wider {wish.seed}")

    return Variants(draw, ("no place for narrower",))


BAR = Task(
    name="bar",
    prompt="Where is the bar?",
    metrics={
        "iou": Metric("higher", best=1.0, worst=0.0),
        "width_error_px": Metric("lower", best=0.0, worst=bar_worst_px, unit="px"),
    },
    context=BarSettings,
    recognises=bar_recognises,
    read=bar_read,
    synthesize=bar_synthesize,
    solve=bar_solve,
    parse=bar_parse,
    write=bar_write,
    verify=bar_verify,
    refine=bar_refine,
    score=bar_score,
    summarise=nothing,
    draw=bar_draw,
    exports={"txt": bar_export},
    imports={"txt": bar_import},
    vary=bar_vary,
)

SHADES = "dark,light,striped"


@dataclass(frozen=True)
class ShadeSettings:
    """Settings.

    Attributes:
        classes: Allowed answers, comma-separated.
    """

    classes: str = SHADES


def shade_recognises(path: Path) -> float:
    if path.is_dir():
        return 0.9 if (path / "views.txt").is_file() else 0.0
    return 0.9 if path.suffix == ".stack" else 0.0


def shade_read(paths: Sequence[Path], context: ShadeSettings) -> Iterator[Question]:
    for path in paths:
        if path.is_dir():
            views = tuple(Image(_pixels(p)) for p in sorted(path.glob("*.npy")))
            if not views:
                raise FabsightError(f"read {path}: the folder holds no views; add .npy files")
            yield Question(views, "Which shade?", context, str(path))
            continue
        with path.open("rb") as file:
            stack = _pixels(file)
        for number, pixels in enumerate(stack):
            yield Question((Image(pixels),), "Which shade?", context, f"{path}#{number}")


def shade_synthesize(rng: np.random.Generator) -> Example:
    shade = SHADES.split(",")[rng.integers(3)]
    pixels = np.full((8, 8), {"dark": 40, "light": 210, "striped": 40}[shade], np.uint8)
    if shade == "striped":
        pixels[::2] = 210
    hard = bool(rng.random() < 0.5)
    pixels += rng.integers(0, 30 if hard else 5, pixels.shape, np.uint8)
    question = Question((Image(pixels),), "Which shade?", ShadeSettings())
    difficulty = "hard" if hard else "easy"
    return Example(question, shade, kind=shade, difficulty=difficulty)


def shade_solve(question: Question) -> str:
    pixels = question.images[0].pixels.astype(float)
    if pixels.std() > 40:
        return "striped"
    return "light" if pixels.mean() > 125 else "dark"


def shade_parse(text: str, question: Question) -> str:
    classes = question.context.classes.split(",")
    name = text.strip().rstrip(".").casefold()
    if name not in classes:
        raise AnswerError(
            f"shade line 1: expected one of {', '.join(classes)}; got {text[:40]!r}", 1, 1
        )
    return name


def shade_verify(question: Question, shade: str) -> Check:
    pixels = question.images[0].pixels.astype(float)
    mean = pixels.mean() / 255
    stripes = min(1.0, float(pixels.std()) / 80)
    likely = {"striped": stripes, "light": mean * (1 - stripes), "dark": (1 - mean) * (1 - stripes)}
    return Check(float(likely.get(shade, 0.0)), 1.0, True, {"mean": float(mean)})


def unchanged(_question, answer):
    return answer


def shade_score(shade: str, example: Example) -> dict[str, float]:
    return {
        "accuracy": float(shade == example.answer),
        "macro_f1": shade_pair(example.answer or "", shade),
    }


def shade_pair(truth: str, shade: str) -> float:
    """What `summarise` needs of a row, in one number: truth * 10 + answer, 9 for no answer."""
    names = SHADES.split(",")
    return float(names.index(truth) * 10 + (names.index(shade) if shade in names else 9))


def shade_worst_pair(example: Example) -> float:
    return shade_pair(example.answer or "", "")


def shade_summarise(rows):
    pairs = [divmod(int(row["macro_f1"]), 10) for row in rows]
    scores = []
    for shade in sorted({truth for truth, _ in pairs}):
        hits = sum(truth == shade == given for truth, given in pairs)
        either = sum((truth == shade) + (given == shade) for truth, given in pairs)
        scores.append(2 * hits / either)
    return {"macro_f1": sum(scores) / len(scores)} if scores else {}


def shade_draw(question: Question, _shade: str) -> np.ndarray:
    return np.repeat(question.images[0].pixels[..., None], 3, axis=2).astype(np.uint8)


SHADE = Task(
    name="shade",
    prompt="Which shade?",
    metrics={
        "accuracy": Metric("higher", best=1.0, worst=0.0),
        "macro_f1": Metric("higher", best=1.0, worst=shade_worst_pair, corpus=True),
    },
    context=ShadeSettings,
    recognises=shade_recognises,
    read=shade_read,
    synthesize=shade_synthesize,
    solve=shade_solve,
    parse=shade_parse,
    write=str,
    verify=shade_verify,
    refine=unchanged,
    score=shade_score,
    summarise=shade_summarise,
    draw=shade_draw,
    exports={},
)

TOYS = {task.name: task for task in (BAR, SHADE)}


def write_bars(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """Files of `count` bars, bar_000.npy and on."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(count):
        example = bar_synthesize(np.random.default_rng([seed, index]))
        paths.append(folder / f"bar_{index:03d}.npy")
        np.save(paths[-1], example.question.images[0].pixels)
    return paths


def with_context(example: Example, context) -> Example:
    """The same example under other settings."""
    return replace(example, question=replace(example.question, context=context))
