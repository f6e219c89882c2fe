"""Wafer maps and questions about them to claims that can be checked, in sentences.

Source systems: WaferSAGE (arXiv 2604.27629), NVIDIA's Cosmos Reason recipe on WM-811K. `wafer` is
the map, `formats` reads it from the files fabs have, `facts` measures it, `claims` is the answer,
`reading_text` and `phrases` its English, `solver` the embedded model, `checking` the verifier,
`scoring` the metrics, `generator` and `asking` make maps and questions with exact truth.
"""

from functools import lru_cache

from fabsight.task import AnswerError, Question, Task
from fabsight.wafermap.checking import verify
from fabsight.wafermap.claims import Answer
from fabsight.wafermap.composing import completed
from fabsight.wafermap.exports import EXPORTS, TRANSCODES, claims_table, dies_table, wafer_table
from fabsight.wafermap.formats import recognises
from fabsight.wafermap.guide import GUIDE, VIEWS
from fabsight.wafermap.lookup import LOOKUP
from fabsight.wafermap.lot_summary import lots
from fabsight.wafermap.overlay import draw, show
from fabsight.wafermap.phrases import write
from fabsight.wafermap.questions import route
from fabsight.wafermap.reading import labelled, questions
from fabsight.wafermap.reading_text import read
from fabsight.wafermap.scoring import METRICS, score, summarise
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.solver import refine, solve
from fabsight.wafermap.synthesis import PROMPT, synthesize


def parse(text: str, question: Question[WaferSettings]) -> Answer:
    """The claims of an answer in English, ours or any model's; short answers as what they mean.

    Raises AnswerError where the text says nothing of a wafer map that could be checked.
    """
    found = completed(_read(text), route(question.text))
    if not found.claims and not found.withdrawn:
        said = f"; it begins {text.strip()[:60]!r}" if text.strip() else ": it is empty"
        raise AnswerError(
            "wafermap line 1: the text makes no claim about the map's pattern, zone, quadrant, "
            f"clock position, shape, numbers or causes{said}",
            1,
            1,
        )
    return found


_read = lru_cache(maxsize=256)(read)  # an answer is parsed, written, refined and parsed again


TASK: Task[Answer, WaferSettings] = Task(
    name="wafermap",
    prompt=PROMPT,
    metrics=METRICS,
    context=WaferSettings,
    recognises=recognises,
    read=questions,
    synthesize=synthesize,
    solve=solve,
    parse=parse,
    write=write,
    verify=verify,
    refine=refine,
    score=score,
    summarise=summarise,
    draw=draw,
    exports=EXPORTS,
    show=show,
    labelled=labelled,
    transcodes=TRANSCODES,
    together=lots,
    lookup=LOOKUP,
    tables={"wafer": wafer_table, "claims": claims_table, "dies": dies_table},
    views=VIEWS,
    uses=frozenset({"text", "golden"}),
    guide=GUIDE,
)
