"""The answer's language: claims, typed statements about a wafer map that can be checked.

    text --reading_text--> Answer(claims) --checking--> supported | contradicted | not checkable

A `Claim` says that a slot has a value, or that it has not. A `Description` says what is true of a
map, slot by slot; a generator knows it exactly, `describing` derives it from facts. `judging`
compares the two, and is the only place where they are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from fabsight.wafermap.geometry import QUADRANTS, ZONES

PATTERNS = (
    "center",
    "donut",
    "edge-loc",
    "edge-ring",
    "loc",
    "near-full",
    "random",
    "scratch",
    "none",
)
MORPHOLOGIES = ("ring", "arc", "line", "blob", "scattered", "striped")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "pattern": PATTERNS,  # defect type, the classes of WM-811K
    "zone": ZONES,  # where the pattern's failing dies lie, by radius
    "quadrant": QUADRANTS,  # where they lie, by quarter
    "morphology": MORPHOLOGIES,  # what they look like
    "arrangement": ("clustered", "random"),  # whether failing dies keep together
    "symmetry": ("symmetric", "one-sided"),  # about the wafer's centre
    "repeats": ("none", "rows", "columns", "reticle"),  # periodic in the die grid
}
# Number slots and their units. `where` may narrow the first three to a zone or a quadrant.
NUMBERS: Mapping[str, str] = {
    "fail_rate": "%",  # failing dies of all dies
    "fails": "dies",
    "dies": "dies",
    "yield": "%",
    "clusters": "",  # separate groups of failing dies
    "arc": "deg",  # how much of the edge ring fails
    "radius": "",  # of a ring, as a share of the wafer's radius
    "width": "",  # of a ring, likewise
    "length": "dies",  # of a line
    "bend": "deg",  # by how much a line turns from end to end
    "angle": "deg",  # of a line: 0 is vertical, 90 horizontal, clockwise, 0 to 180
    "probability": "",  # of the pattern in `where`, as the model gives it: not checkable
    "similar": "wafers",  # wafers of the lot or folder with a like map
    "new_fails": "dies",  # that fail here and pass on the golden map
    "gone_fails": "dies",  # that pass here and fail on the golden map
}
ALL_ROUND, UNDEFINED = "all round", "undefined"
CLOCK_WORDS = (ALL_ROUND, UNDEFINED)

Interval: TypeAlias = tuple[float, float]
Value: TypeAlias = str | float | Interval
Verdict: TypeAlias = Literal["supported", "contradicted", "not checkable"]


@dataclass(frozen=True)
class Claim:
    """One statement.

    Attributes:
        slot: "clock", "cause", or a key of CHOICES or NUMBERS.
        value: Of a choice one of its values; of a number the number, in the slot's unit; of `clock`
            (from, to) in hours clockwise, 0 < h <= 12, or one of CLOCK_WORDS; of `cause` the key of
            a hypothesis.
        where: Zone or quadrant that a number is about; "" for the whole wafer.
        holds: False for "there is no", "is clear of", ...
        tolerance: By how much the statement itself allows a number to be off ("about 40 %").
        hedged: Said with reserve: "probably", "uncertain".
        because: Of a cause the keys of its reasons (`causes.REASONS`).
    """

    slot: str
    value: Value
    where: str = ""
    holds: bool = True
    tolerance: float = 0.0
    hedged: bool = False
    because: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What was answered.

    Attributes:
        claims: In the order said.
        withdrawn: Said by the model and contradicted by the map: shown as that, never as fact.
        lead: The short answer: "Yes", "No", the letter of an option, or "" where none was asked.
    """

    claims: tuple[Claim, ...]
    withdrawn: tuple[Claim, ...] = ()
    lead: str = ""


@dataclass(frozen=True)
class Choice:
    """What is true of a choice slot; values in neither do not hold.

    Attributes:
        true: Values that hold.
        possible: Values that are neither right nor wrong.
    """

    true: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()


@dataclass(frozen=True)
class Number:
    """The value of a number slot, and how far off a statement may be and still be right.

    Between `tolerance` and twice it a statement is neither right nor wrong.
    """

    value: float
    tolerance: float = 0.0


@dataclass(frozen=True)
class Clock:
    """Where around the clock the pattern lies.

    Attributes:
        word: "" for the interval, else one of CLOCK_WORDS: a closed ring lies all round; a centred
            blob, a random map and a clean one have no clock position.
        start_h, stop_h: From and to, clockwise, 0 < h <= 12.
        tolerance_h: By how much each end of a statement may be off.
    """

    word: str = UNDEFINED
    start_h: float = 12.0
    stop_h: float = 12.0
    tolerance_h: float = 0.75


@dataclass(frozen=True)
class Description:
    """What is true of a map. A slot that is missing cannot be checked.

    Attributes:
        choices: Slot -> what holds.
        numbers: Slot, or "slot@where" -> value.
        clock: Where around the clock; None: not known.
        causes: Root-cause hypotheses that the map speaks for, likeliest first; None: not known.
    """

    choices: Mapping[str, Choice] = field(default_factory=dict)
    numbers: Mapping[str, Number] = field(default_factory=dict)
    clock: Clock | None = None
    causes: tuple[str, ...] | None = None
