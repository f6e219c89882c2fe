"""Whether a claim is true of a map: the one place where claims and descriptions are compared.

The same function grades an answer against a generator's truth, checks it against measured facts,
and rewards a model; only the description differs.
"""

from collections.abc import Iterator

from fabsight.wafermap.claims import (
    ALL_ROUND,
    CHOICES,
    UNDEFINED,
    Claim,
    Clock,
    Description,
    Interval,
    Number,
    Verdict,
)

HOURS = 12.0
TURN = 180.0  # degrees after which a line's direction is the same
LEAST_OVERLAP = 0.5  # of the shorter of two clock intervals
ALL_H, SHORT_H = 0.9 * HOURS, 3.0  # what means all round, what only a part of it
NARROW_H = 1.0  # intervals shorter than this are widened to it before they are compared


def judge(claim: Claim, description: Description) -> Verdict:
    """Supported, contradicted, or not checkable: the description does not decide it.

    >>> from fabsight.wafermap.claims import Choice
    >>> seen = Description(choices={"zone": Choice(true=("edge",), possible=("outer",))})
    >>> [judge(Claim("zone", z), seen) for z in ("edge", "outer", "centre")]
    ['supported', 'not checkable', 'contradicted']
    >>> judge(Claim("zone", "centre", holds=False), seen)
    'supported'
    """
    found = _positive(claim, description)
    if claim.holds or found == "not checkable":
        return found
    return "contradicted" if found == "supported" else "supported"


def _positive(claim: Claim, description: Description) -> Verdict:
    """The verdict on the claim as if it were not negated."""
    if claim.slot in CHOICES:
        return _choice(claim, description)
    if claim.slot == "clock":
        return _clock(claim, description.clock)
    if claim.slot == "cause":
        if description.causes is None:
            return "not checkable"
        return "supported" if claim.value in description.causes else "contradicted"
    number = description.numbers.get(number_key(claim.slot, claim.where))
    if number is None or not isinstance(claim.value, float | int):
        return "not checkable"
    off = abs(float(claim.value) - number.value)
    if claim.slot == "angle":  # 179 degrees and 1 degree are nearly one direction
        off = min(off % TURN, -off % TURN)
    return _number(off, claim.tolerance, number)


def number_key(slot: str, where: str) -> str:
    """The key of a number in a description: "fail_rate", "fail_rate@edge"."""
    return f"{slot}@{where}" if where else slot


def _choice(claim: Claim, description: Description) -> Verdict:
    choice = description.choices.get(claim.slot)
    if choice is None or claim.value in choice.possible:
        return "not checkable"
    return "supported" if claim.value in choice.true else "contradicted"


def _number(off: float, tolerance: float, number: Number) -> Verdict:
    allowed = number.tolerance + tolerance + 1e-9
    if off <= allowed:
        return "supported"
    return "not checkable" if off <= 2 * allowed and number.tolerance > 0 else "contradicted"


def _clock(claim: Claim, clock: Clock | None) -> Verdict:
    if clock is None:
        return "not checkable"
    if isinstance(claim.value, str):
        if claim.value == clock.word:
            return "supported"
        if not clock.word:  # an interval: the longer, the nearer to all round
            long = span((clock.start_h, clock.stop_h)) >= 0.75 * HOURS
            return "not checkable" if long and claim.value == ALL_ROUND else "contradicted"
        return "not checkable"
    if not isinstance(claim.value, tuple):
        return "not checkable"
    if clock.word == UNDEFINED:
        return "not checkable"
    if clock.word == ALL_ROUND:
        return _part_of_all(span(claim.value))
    return _intervals(claim.value, (clock.start_h, clock.stop_h), clock.tolerance_h)


def _part_of_all(hours: float) -> Verdict:
    """Of a pattern that lies all round: an hour or a short interval of it fails too."""
    if hours >= ALL_H:
        return "supported"
    return "not checkable" if hours <= SHORT_H else "contradicted"


def _intervals(said: Interval, true: Interval, tolerance: float) -> Verdict:
    """Whether two intervals mean the same place: each covers half of the shorter, ends near."""
    off = [_apart(a, b) for a, b in zip(said, true, strict=True)]
    if max(off) <= tolerance:
        return "supported"
    a, b = _widened(said), _widened(true)
    wide = span(a) > 2 * span(b) + 2 * tolerance
    share = overlap(a, b) / min(span(a), span(b))
    if share <= 0:
        gap = min(_apart(said[0], true[1]), _apart(said[1], true[0]))
        beside = gap < tolerance / 2 and not wide
        return "not checkable" if beside else "contradicted"
    return "supported" if share >= LEAST_OVERLAP and not wide else "not checkable"


def span(interval: Interval) -> float:
    """Hours from start to stop, clockwise; equal ends are a point.

    >>> span((11.0, 1.0)), span((3.0, 3.0))
    (2.0, 0.0)
    """
    return (interval[1] - interval[0]) % HOURS


def overlap(a: Interval, b: Interval) -> float:
    """Hours that two intervals share.

    >>> overlap((11.0, 2.0), (1.0, 4.0)), overlap((1.0, 2.0), (5.0, 6.0))
    (1.0, 0.0)
    """
    return sum(
        max(0.0, min(a1, b1) - max(a0, b0)) for a0, a1 in _straight(a) for b0, b1 in _straight(b)
    )


def _straight(interval: Interval) -> Iterator[tuple[float, float]]:
    """The same interval as pieces of the line from 0 to 12."""
    start = interval[0] % HOURS
    stop = start + span(interval)
    yield start, min(stop, HOURS)
    if stop > HOURS:
        yield 0.0, stop - HOURS


def _widened(interval: Interval) -> Interval:
    lacking = max(NARROW_H - span(interval), 0.0) / 2
    return (interval[0] - lacking) % HOURS, (interval[1] + lacking) % HOURS


def _apart(a: float, b: float) -> float:
    return abs((a - b + HOURS / 2) % HOURS - HOURS / 2)
