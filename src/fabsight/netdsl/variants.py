"""The variants of a layout as examples: image, edited program, image of the sound layout, edits.

The kinds of edit take turns, in another order each round, so that each kind that has a place in
the layout comes equally often.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import get_args

import numpy as np

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.edits import Drawn
from fabsight.netdsl.language import Program, write
from fabsight.netdsl.looks import Look, Preset, draw_look
from fabsight.netdsl.rendering import render
from fabsight.netdsl.settings import LayoutSettings, scale_of
from fabsight.netdsl.vary import KINDS, first_edit, known_kinds, no_place
from fabsight.task import Example, FabsightError, Image, Question, Variants, Wish

PRESETS: tuple[Preset, ...] = get_args(Preset)


@dataclass(frozen=True, eq=False)
class _Maker:
    """Draws variants; the layout is rendered once for all of them."""

    question: Question[LayoutSettings]
    drawn: Drawn
    kinds: Sequence[str]
    seed: int
    preset: Preset

    def draw(self, index: int) -> Example[LayoutSettings]:
        """Variant number `index`."""
        rng = np.random.default_rng([self.seed, index])
        found = first_edit(self.drawn, self._order(index), rng)
        if found is None:
            raise no_place(self.drawn.program, self.kinds, f"in variant {index}")
        varied, edit = found
        look = None if self.preset == "clean" else draw_look(rng, self.preset)
        image, golden = (self._image(each, look, rng) for each in (varied, self.drawn.program))
        asked = self.question
        question = Question((image,), asked.text, asked.context, golden=golden)
        return Example(question, write(varied), kind=edit.kind, metadata={"edits": [asdict(edit)]})

    def _order(self, index: int) -> list[str]:
        """The kinds, the one whose turn it is first; the others stand in for it."""
        cycle, turn = divmod(index, len(self.kinds))
        order = np.random.default_rng([self.seed, cycle, len(self.kinds)]).permutation(self.kinds)
        return [*order[turn:].tolist(), *order[:turn].tolist()]

    def _image(self, program: Program, look: Look | None, rng: np.random.Generator) -> Image:
        """The program as a microscope would show it, or without a look as a clean picture."""
        from fabsight.netdsl.sem import simulate

        if look is None:
            pixels = render(program) * np.uint8(255)
        else:
            pixels = simulate(program, look, rng).pixels
        return Image(pixels, *scale_of(self.question))


def variants(
    question: Question[LayoutSettings], program: Program, wish: Wish
) -> Variants[LayoutSettings]:
    """The variants of a program, one edit each, and which kinds have no place in it.

    Raises:
        FabsightError: A kind or the look is unknown, or no kind has a place.
    """
    preset = next((each for each in PRESETS if each == wish.look), None)
    if preset is None:
        raise FabsightError(f"vary: --look {wish.look}: choose from {', '.join(PRESETS)}")
    wanted = known_kinds(wish.kinds or KINDS)
    drawn = Drawn(canonical(program))
    # chance of its own: which kinds fit is a fact about the layout, not about the seed
    fitting = [k for k in wanted if first_edit(drawn, [k], np.random.default_rng(0))]
    if not fitting:
        raise no_place(program, wanted, "anywhere")
    left_out = ", ".join(kind for kind in wanted if kind not in fitting)
    warnings = (f"no place found in this layout for: {left_out}",) if left_out else ()
    maker = _Maker(question, drawn, fitting, wish.seed, preset)
    return Variants(maker.draw, warnings)
