"""SEM images of layouts to NetDSL-L2 programs.

Source system: Hitachi, arXiv 2606.02434. `language` is the answer, `rendering` says which pixels it
paints, `solver` is the embedded model, `checking` the verifier, `scoring` the metrics, `synthesis`
the generator, `looks` and `sem` the simulated instrument.
"""

from collections.abc import Sequence

from fabsight.netdsl import language, overlay
from fabsight.netdsl.checking import inspect, verify
from fabsight.netdsl.exports import EXPORTS, IMPORTS
from fabsight.netdsl.guide import GUIDE, VIEWS
from fabsight.netdsl.language import Program
from fabsight.netdsl.metrology import measure
from fabsight.netdsl.reading import questions, recognises
from fabsight.netdsl.scoring import METRICS, score
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.solver import refine, solve
from fabsight.netdsl.synthesis import PROMPT, synthesize
from fabsight.netdsl.variants import variants
from fabsight.task import Picture, Question, Row, Task


def parse(text: str, question: Question[LayoutSettings]) -> Program:
    """The program in a text, on a canvas of the image's size.

    Strict: arrays are written out, polygons and oblique runs are refused.

    A program that was not made from an image has the canvas it says.
    """
    sizes = [image.pixels.shape[:2] for image in question.images]
    canvas = (sizes[0][1], sizes[0][0]) if sizes else None
    strict = question.context.strict_l2
    program = language.parse(text, canvas=canvas, strict=strict)
    return language.expand(program) if strict else program


def draw(question: Question[LayoutSettings], program: Program) -> Picture:
    """The program over its image, with what the check objects to."""
    return overlay.draw(question, program, inspect(question, program))


def summarise(_rows: Sequence[Row]) -> Row:
    """No metric of a layout is more than the mean of its rows."""
    return {}


TASK: Task[Program, LayoutSettings] = Task(
    name="netdsl",
    prompt=PROMPT,
    metrics=METRICS,
    context=LayoutSettings,
    recognises=recognises,
    read=questions,
    synthesize=synthesize,
    solve=solve,
    parse=parse,
    write=language.write,
    verify=verify,
    refine=refine,
    score=score,
    summarise=summarise,
    draw=draw,
    exports=EXPORTS,
    imports=IMPORTS,
    vary=variants,
    tables={"metrology": measure},
    views=VIEWS,
    guide=GUIDE,
)
