"""Random questions about random wafer maps, with exact answers and rubrics."""

from dataclasses import replace

import numpy as np

from fabsight.settings import to_json
from fabsight.task import Example, Image, Question
from fabsight.wafermap.asking import ask
from fabsight.wafermap.claims import Description
from fabsight.wafermap.composing import compose
from fabsight.wafermap.generator import Drawn, draw_wafer
from fabsight.wafermap.phrases import write
from fabsight.wafermap.questions import route
from fabsight.wafermap.scoring import TRUTH
from fabsight.wafermap.settings import WaferSettings

PROMPT = (
    "Describe this wafer map: its defect type, where the failing dies lie, what shape they form, "
    "the fail rate, and what may have caused them."
)


def synthesize(rng: np.random.Generator) -> Example[WaferSettings]:
    """One question about a freshly drawn map."""
    drawn = draw_wafer(rng)
    text, family = ask(rng, drawn.description)
    return posed(drawn, text, family)


def posed(drawn: Drawn, text: str, family: str) -> Example[WaferSettings]:
    """A question about a drawn map with its reference answer; the truth is in the metadata."""
    context = replace(WaferSettings(), about=drawn.wafer.about)
    question = Question((Image(drawn.wafer.grid),), text, context)
    about = drawn.wafer.about
    return Example(
        question,
        reference(text, drawn.description),
        group=about.lot,
        kind=family,
        difficulty=drawn.difficulty,
        metadata={TRUTH: to_json(drawn.description)},
    )


def reference(text: str, truth: Description) -> str:
    """The right answer to a question about a map of which this is true."""
    return write(compose(route(text), truth))
