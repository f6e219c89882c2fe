"""From what is true of a map to the answer of a question: the claims that were asked for.

    Asked, Description --compose--> Answer

The same function writes the reference answer from a generator's truth and the embedded model's
answer from measured facts; only the description differs.
"""

from collections.abc import Iterable, Iterator, Mapping

from fabsight.wafermap.causes import hypotheses
from fabsight.wafermap.claims import CHOICES, Answer, Claim, Description
from fabsight.wafermap.judging import judge, number_key
from fabsight.wafermap.questions import Asked

FALL_BACK = ("pattern", "fail_rate", "arrangement")  # what is said where nothing asked is known


def compose(asked: Asked, seen: Description) -> Answer:
    """The answer to what is asked of a map of which `seen` is true."""
    if asked.form == "yes-no":
        return _yes_no(asked, seen)
    if asked.form == "choice" and asked.options:
        return _choice(asked.options, seen)
    return Answer(
        _enough((claim for slot in asked.slots for claim in said(slot, asked, seen)), seen)
    )


def completed(answer: Answer, asked: Asked) -> Answer:
    """The answer with the claims that its short form stands for: "Yes", "B"."""
    missing: tuple[Claim, ...] = ()
    if asked.form == "yes-no" and answer.lead in ("Yes", "No"):
        if not any(_same(claim, put) for claim in answer.claims for put in asked.claims):
            yes = answer.lead == "Yes"
            missing = tuple(put if yes else negated(put) for put in asked.claims)
    elif asked.options and answer.lead in asked.options and not answer.claims:
        missing = asked.options[answer.lead]
    return Answer((*missing, *answer.claims), answer.withdrawn, answer.lead)


def negated(claim: Claim) -> Claim:
    """The claim that it does not hold."""
    return Claim(claim.slot, claim.value, claim.where, not claim.holds, claim.tolerance)


def said(slot: str, asked: Asked, seen: Description) -> Iterator[Claim]:
    """The claims that fill one slot."""
    if slot in CHOICES:
        yield from _choices(slot, seen)
    elif slot == "clock":
        if seen.clock is not None and seen.clock.word != "undefined":
            value = seen.clock.word or (seen.clock.start_h, seen.clock.stop_h)
            yield Claim("clock", value)
    elif slot == "cause":
        for found in hypotheses(seen):
            yield Claim("cause", found.key, because=found.because)
    else:
        number = seen.numbers.get(number_key(slot, asked.where))
        if number is not None:
            yield Claim(slot, _rounded(number.value), asked.where)


def _choices(slot: str, seen: Description) -> Iterator[Claim]:
    choice = seen.choices.get(slot)
    if choice is None:
        return
    for value in choice.true:
        yield Claim(slot, value)
    shape = seen.choices.get("morphology")
    ring = shape is not None and "ring" in shape.true
    if slot == "zone" and ring and "centre" not in (*choice.true, *choice.possible):
        yield Claim("zone", "centre", holds=False)


def _yes_no(asked: Asked, seen: Description) -> Answer:
    verdicts = [judge(put, seen) for put in asked.claims]
    told: list[Claim] = []
    for put, verdict in zip(asked.claims, verdicts, strict=True):
        if verdict == "supported":
            told.append(put)
        elif verdict == "contradicted":
            told.append(negated(put))
    undecided = "" if "not checkable" in verdicts else "Yes"
    lead = "No" if "contradicted" in verdicts else undecided
    beside = Asked("open", asked.families, asked.slots, asked.where)
    if lead != "Yes":  # what is true instead
        told += [claim for slot in asked.slots for claim in said(slot, beside, seen)]
    return Answer(_enough(told, seen), lead=lead)


def _choice(options: Mapping[str, tuple[Claim, ...]], seen: Description) -> Answer:
    """The option that the map supports best: most supported, least contradicted."""

    def worth(claims: tuple[Claim, ...]) -> float:
        points = {"supported": 1.0, "not checkable": 0.0, "contradicted": -1.0}
        return sum(points[judge(claim, seen)] for claim in claims) / max(len(claims), 1)

    letter = max(options, key=lambda key: worth(options[key]))
    kept = [claim for claim in options[letter] if judge(claim, seen) == "supported"]
    if not kept:
        return Answer(_enough((), seen))
    return Answer(tuple(kept), lead=letter)


def _enough(claims: Iterable[Claim], seen: Description) -> tuple[Claim, ...]:
    """The claims, each once; where there are none, what is known all the same."""
    kept = tuple(dict.fromkeys(claims))
    plain = Asked("open", (), ())
    for slot in FALL_BACK if not kept else ():
        kept = tuple(said(slot, plain, seen))
        if kept:
            break
    return kept


def _same(claim: Claim, put: Claim) -> bool:
    return (claim.slot, claim.where) == (put.slot, put.where) and claim.value == put.value


def _rounded(value: float) -> float:
    return round(value) if value >= 1000 else float(f"{value:.4g}")
