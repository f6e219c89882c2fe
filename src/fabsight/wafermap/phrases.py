"""Claims as sentences: one way to say each, which `reading_text` reads back as the same claim.

Answer --write--> "The defect type is Edge-Ring. The failing dies lie all round the wafer. ..."
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from fabsight.wafermap.causes import CAUSES, REASONS
from fabsight.wafermap.claims import ALL_ROUND, UNDEFINED, Answer, Claim, Interval
from fabsight.wafermap.geometry import QUADRANTS

TYPES = {
    "center": "Center",
    "donut": "Donut",
    "edge-loc": "Edge-Loc",
    "edge-ring": "Edge-Ring",
    "loc": "Loc",
    "near-full": "Near-full",
    "random": "Random",
    "scratch": "Scratch",
    "none": "None",
}
CONVENTION = "Convention: notch at 6 o'clock, clock angles clockwise."
ABSTAINS = "No defect type is likely enough to be named."
NO_CONTEXT = (
    "A hypothesis from the map alone: lot history, tool records and metrology were not used."
)
WITHDRAWN = "Withdrawn, because the map contradicts it: "
PROBABLY = "Probably, "
LISTED = ("pattern", "zone", "quadrant", "morphology")  # neighbours of one slot share a sentence
SHAPES = {
    "ring": "form a ring",
    "arc": "form an arc",
    "line": "form a line",
    "blob": "form a blob",
    "scattered": "are scattered",
    "striped": "form stripes",
}
# Slot -> sentence with {n} for the number and {of} for " of the edge zone" or "".
NUMBER_SENTENCES = {
    "fail_rate": "The fail rate{of} is {n} %",
    "yield": "The yield{of} is {n} %",
    "fails": "The number of failing dies{of} is {n}",
    "dies": "The number of dies{of} is {n}",
    "clusters": "The number of clusters is {n}",
    "arc": "The edge ring covers {n} degrees",
    "radius": "The ring's radius is {n} of the wafer's radius",
    "width": "The ring's width is {n} of the wafer's radius",
    "length": "The line's length is {n} dies",
    "bend": "The line's bend is {n} degrees",
    "angle": "The line's angle is {n} degrees",
    "similar": "The number of similar wafers is {n}",
    "new_fails": "The number of dies that fail here and pass on the golden map is {n}",
    "gone_fails": "The number of dies that pass here and fail on the golden map is {n}",
}


def write(answer: Answer) -> str:
    """The canonical text: the short answer, a sentence a claim, what was withdrawn, the convention.

    >>> print(write(Answer((Claim("pattern", "scratch"), Claim("clock", (2.0, 4.5))), lead="Yes")))
    Yes. The defect type is Scratch. The failing dies lie from 2:00 to 4:30 o'clock. \
Convention: notch at 6 o'clock, clock angles clockwise.
    """
    said = [f"{answer.lead}."] if answer.lead else []
    said += sentences(answer.claims)
    slots = {claim.slot for claim in answer.claims}
    if "probability" in slots and "pattern" not in slots:
        said.append(ABSTAINS)
    said += [WITHDRAWN + _lower(sentence) for sentence in sentences(answer.withdrawn)]
    if any(c.slot == "cause" and "context" not in c.because for c in answer.claims):
        said.append(NO_CONTEXT)
    return " ".join((*said, CONVENTION))


def sentences(claims: Sequence[Claim]) -> list[str]:
    """A sentence for each claim; neighbours that say the same of other values share one."""
    return [_sentence(group) for group in _groups(claims)]


def _groups(claims: Sequence[Claim]) -> Iterator[list[Claim]]:
    def alike(claim: Claim) -> tuple[object, ...]:
        key: tuple[object, ...] = (claim.slot, claim.holds, claim.hedged)
        return (
            key if claim.slot in LISTED and claim.value not in ("none", "scattered") else (claim,)
        )

    for _, group in groupby(claims, key=alike):
        yield list(group)


def _sentence(group: Sequence[Claim]) -> str:
    claim = group[0]
    text = _statement(group)
    return (PROBABLY + _lower(text) if claim.hedged else text) + "."


def _statement(group: Sequence[Claim]) -> str:
    claim = group[0]
    match claim.slot:
        case "pattern":
            return _types(group)
        case "zone" | "quadrant":
            return _places(group)
        case "morphology":
            return _shapes(group)
        case "clock":
            return _clock(claim)
        case "arrangement" | "symmetry" | "repeats":
            return _distribution(claim)
        case "cause":
            return _cause(claim)
    return _number(claim)


def _types(group: Sequence[Claim]) -> str:
    names = [TYPES[str(claim.value)] for claim in group]
    verb = "type is" if len(names) == 1 else "types are"
    return f"The defect {verb}{_not(group[0])} {_listed(names)}"


def _places(group: Sequence[Claim]) -> str:
    noun = group[0].slot + "s" * (len(group) > 1)
    names = f"the {_listed([str(claim.value) for claim in group])} {noun}"
    if group[0].holds:
        return f"The failing dies lie in {names}"
    return f"{_upper(names)} {'are' if len(group) > 1 else 'is'} clear"


def _shapes(group: Sequence[Claim]) -> str:
    shapes = [SHAPES[str(claim.value)] for claim in group]
    if group[0].value == "scattered":
        return f"The failing dies are{_not(group[0])} scattered"
    forms = _listed([shape.removeprefix("form ") for shape in shapes])
    return f"The failing dies{' do not' * (not group[0].holds)} form {forms}"


def _clock(claim: Claim) -> str:
    never = " do not" * (not claim.holds)
    if claim.value == ALL_ROUND:
        return f"The failing dies{never} lie all round the wafer"
    if claim.value == UNDEFINED:
        return f"The failing dies have {'no' if claim.holds else 'a'} clock position"
    assert isinstance(claim.value, tuple)
    return f"The failing dies{never} lie {clock_words(claim.value)}"


def clock_words(interval: Interval) -> str:
    """An interval of hours in words, to the minute of a clock's hand.

    >>> clock_words((11.5, 1.0)), clock_words((3.0, 3.0))
    ("from 11:30 to 1:00 o'clock", "at 3:00 o'clock")
    """
    start, stop = map(_time, interval)
    return f"at {start} o'clock" if start == stop else f"from {start} to {stop} o'clock"


def _time(hour: float) -> str:
    minutes = round(hour * 60) % 720
    return f"{minutes // 60 or 12}:{minutes % 60:02d}"


def _distribution(claim: Claim) -> str:
    no = _not(claim)
    match claim.value:
        case "clustered" | "random":
            how = "clustered" if claim.value == "clustered" else "spread at random"
            return f"The failing dies are{no} {how}"
        case "symmetric":
            return f"The pattern is{no} symmetric about the centre"
        case "one-sided":
            return f"The pattern is{no} one-sided"
        case "none":
            return f"The failing dies {'do not' if claim.holds else 'do'} repeat"
    along = "with the reticle" if claim.value == "reticle" else f"along the {claim.value}"
    return f"The failing dies{' do not' * (not claim.holds)} repeat {along}"


def _cause(claim: Claim) -> str:
    cause = CAUSES[str(claim.value)]
    if not claim.holds:
        return f"It is not caused by {cause.name}"
    reasons = _listed([REASONS[key].text for key in claim.because])
    return f"A possible cause is {cause.name}" + (f", because {reasons}" if reasons else "")


def _number(claim: Claim) -> str:
    number = _digits(claim.value) + (
        f" (within {_digits(claim.tolerance)})" * (claim.tolerance > 0)
    )
    if claim.slot == "probability":
        text = f"The probability of {TYPES[claim.where]} is {number}"
    else:
        kind = "quadrant" if claim.where in QUADRANTS else "zone"
        of = f" of the {claim.where} {kind}" if claim.where else ""
        text = NUMBER_SENTENCES[claim.slot].format(n=number, of=of)
    return (
        text
        if claim.holds
        else text.replace(" is ", " is not ").replace(" covers ", " does not cover ")
    )


def _digits(value: object) -> str:
    """A number to four digits, without an exponent."""
    number = float(str(value))
    return f"{number:.0f}" if abs(number) >= 1000 else f"{round(number, 4):.4g}"


def _not(claim: Claim) -> str:
    return "" if claim.holds else " not"


def _listed(names: Sequence[str]) -> str:
    """Names as a list in words.

    >>> _listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
