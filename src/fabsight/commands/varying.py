"""vary: a layout program to labelled defect images, beside the image of the sound layout."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import numpy as np

from fabsight.commands.console import OK, Console
from fabsight.commands.data import claim, read_answer
from fabsight.netdsl.language import Program, write
from fabsight.netdsl.looks import Look, Preset, draw_look
from fabsight.netdsl.rendering import render
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Example, FabsightError, Image, Question

PRESETS: tuple[Preset, ...] = get_args(Preset)


@dataclass(frozen=True)
class Wish:
    """What a person asked for.

    Attributes:
        program: File of the sound layout.
        count: Variants wanted.
        seed: Variant i depends on (seed, i) only.
        kinds: Edits to choose from; () for any.
        look: How the images look.
    """

    program: Path
    count: int
    seed: int
    kinds: Sequence[str]
    look: str


def vary(wish: Wish, out: Path, console: Console) -> int:
    """Write the variants into `out`; goes on where an earlier, broken-off call stopped."""
    from fabsight import dataset

    if wish.look not in PRESETS:
        raise FabsightError(f"vary: --look {wish.look}: choose from {', '.join(PRESETS)}")
    source = read_answer(wish.program, "netdsl", ())
    text = write(source.value)
    made_from = {
        "program": sha256(text.encode()).hexdigest(),
        "seed": wish.seed,
        "kinds": list(wish.kinds),
        "look": wish.look,
        "fabsight": version("fabsight"),
    }
    next(variants(wish, source.value, 0, 1))  # a wrong kind is refused before anything is written
    claim("vary", out, made_from)
    before = dataset.resume(out)
    made = variants(wish, source.value, before, wish.count)
    card = {
        "what": "variants of one layout, rendered; `kind` is the edit, `golden` the sound layout",
        "made by": f"fabsight vary {wish.program.name} --seed {wish.seed} --look {wish.look}",
        "seed": wish.seed,
        "licence": "as the layout's",
    }
    held = dataset.write(out, made, source.task, card)
    console.emit({"out": out, "seed": wish.seed, "count": held, "new": held - before})
    console.say(f"{out}: {held} variants" + f", {before} of them from before" * bool(before))
    return OK


def variants(
    wish: Wish, program: Program, first: int, stop: int
) -> Iterator[Example[LayoutSettings]]:
    """Variants first, first + 1, ... up to stop: image, edited program, golden image, edits."""
    from fabsight.netdsl.synthesis import PROMPT
    from fabsight.netdsl.vary import vary

    for index in range(first, stop):
        rng = np.random.default_rng([wish.seed, index])
        varied = vary(program, rng, wish.kinds or None)
        preset = next(each for each in PRESETS if each == wish.look)
        look = None if preset == "clean" else draw_look(rng, preset)
        image, golden = (_image(each, look, rng) for each in (varied.program, program))
        question = Question((image,), PROMPT, LayoutSettings(), golden=golden)
        yield Example(
            question,
            write(varied.program),
            group=wish.program.name,
            kind=varied.edits[0].kind,
            metadata={"edits": [asdict(edit) for edit in varied.edits]},
        )


def _image(program: Program, look: Look | None, rng: np.random.Generator) -> Image:
    """The program as a microscope would show it, or without a look as a clean picture."""
    from fabsight.netdsl.sem import simulate

    if look is None:
        return Image(render(program) * np.uint8(255))
    return Image(simulate(program, look, rng).pixels)
