"""Claims to sentences and back, and what free English says: negation, scope, other meanings."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.wafermap.causes import CAUSES, REASONS
from fabsight.wafermap.claims import CHOICES, CLOCK_WORDS, NUMBERS, Answer, Claim
from fabsight.wafermap.geometry import QUADRANTS, ZONES
from fabsight.wafermap.phrases import write
from fabsight.wafermap.plain_text import plain
from fabsight.wafermap.reading_text import read

WHERE = ("fail_rate", "fails", "dies", "yield")
flags = st.booleans()
choices = st.sampled_from([(slot, v) for slot, values in CHOICES.items() for v in values])
hours = st.integers(1, 720).map(lambda minutes: minutes / 60)


@st.composite
def number_claims(draw):
    slot = draw(st.sampled_from(sorted(NUMBERS)))
    where = draw(st.sampled_from(("", *ZONES, *QUADRANTS))) if slot in WHERE else ""
    if slot == "probability":
        where = draw(st.sampled_from(CHOICES["pattern"]))
    value = draw(st.integers(0, 9999)) / draw(st.sampled_from((1, 10, 100, 1000)))
    tolerance = draw(st.integers(0, 99)) / draw(st.sampled_from((1, 10, 100)))
    return Claim(slot, value, where, True, tolerance, draw(flags))


claims = (
    st.builds(lambda c, h, p: Claim(*c, holds=h, hedged=p), choices, flags, flags)
    | st.builds(lambda v, h: Claim("clock", v, holds=h), st.sampled_from(CLOCK_WORDS), flags)
    | st.builds(
        lambda v, h, p: Claim("clock", v, holds=h, hedged=p), st.tuples(hours, hours), flags, flags
    )
    | number_claims()
    | st.builds(
        lambda k, b: Claim("cause", k, because=tuple(b)),
        st.sampled_from(sorted(CAUSES)),
        st.lists(st.sampled_from(sorted(REASONS)), unique=True, max_size=3),
    )
    | st.builds(lambda k: Claim("cause", k, holds=False), st.sampled_from(sorted(CAUSES)))
)


def close(a, b):
    if isinstance(a.value, tuple) and isinstance(b.value, tuple):
        return a.value == pytest.approx(b.value, abs=1 / 120) and a.holds == b.holds
    return a == b


@given(
    st.lists(claims, max_size=6, unique=True),
    st.sampled_from(("", "Yes", "No", *string.ascii_uppercase[:8])),
)
def test_what_is_written_reads_back(said, lead):
    again = read(write(Answer(tuple(said), lead=lead)))
    assert again.lead == lead
    assert len(again.claims) == len(said), (write(Answer(tuple(said))), again.claims)
    for one, other in zip(said, again.claims, strict=True):
        assert close(one, other), (one, other)
    assert write(again) == write(read(write(again)))


@given(
    st.lists(claims, max_size=3, unique=True), st.lists(claims, min_size=1, max_size=3, unique=True)
)
def test_what_was_withdrawn_stays_withdrawn(said, gone):
    again = read(write(Answer(tuple(said), tuple(gone))))
    assert len(again.claims) == len(said)
    assert len(again.withdrawn) == len(gone)


@given(st.text())
def test_any_text_is_read(text):
    write(read(text))


TEXTS = {
    "An edge-ring is visible along the entire circumference.": {
        "pattern=edge-ring",
        "clock=all round",
    },
    "There is no scratch in the upper right quadrant.": {"pattern!=scratch"},
    "The centre is clear, but the edge fails from 2 to 4 o'clock.": {
        "zone!=centre",
        "zone=edge",
        "clock=(2.0, 4.0)",
    },
    "The center is not clear.": {"zone=centre"},
    "Failures concentrate in the outer zone rather than in the centre.": {
        "zone=outer",
        "zone!=centre",
    },
    "It is a donut, not an edge ring.": {"pattern=donut", "pattern!=edge-ring"},
    "Neither a scratch nor a ring is present.": {"pattern!=scratch", "morphology!=ring"},
    "The ring is closed.": {"clock=all round"},
    "The ring is not closed.": {"clock!=all round"},
    "The failing dies are clustered in the lower left quadrant while the rest is clean.": {
        "arrangement=clustered",
        "quadrant=lower left",
    },
    "If it were a scratch, it would be thin.": set(),
    "Is it a donut?": set(),
    "Not only the edge but also the centre is affected.": {"zone=edge", "zone=centre"},
    "No doubt this is a Near-full wafer.": {"pattern=near-full"},
    "The defect type is Center and the centre fails.": {"pattern=center", "zone=centre"},
    "Edge bead removal may be the cause.": {"cause=edge-bead"},
    "The fails sit between 11 and 1 o'clock at the rim.": {"clock=(11.0, 1.0)", "zone=edge"},
    "The map shows no systematic pattern; the failing dies are randomly distributed.": {
        "pattern=none",
        "arrangement=random",
    },
    "The scratch is absent.": {"pattern!=scratch"},
    "The edge zone is hardly affected.": {"zone!=edge"},
    "Few dies fail in the centre.": {"zone!=centre"},
    "The pattern is clearly visible at the edge.": {"zone=edge"},
}


@pytest.mark.parametrize("text", TEXTS)
def test_free_text(text):
    def word(claim):
        return f"{claim.slot}{'=' if claim.holds else '!='}{claim.value}"

    assert {word(claim) for claim in read(text).claims} == TEXTS[text]


# A sentence, and behind the bar what it claims.
SAID = """
Doubtless a donut pattern. | pattern=donut
It is not true that the centre is clean. | zone=centre
The upper right quadrant is hardly clean. | quadrant=upper right
It is not as if the rim were clean. | zone=edge
It is nothing other than a scratch. | pattern=scratch
The inner zone is far from clean. | zone=inner
The failures are not absent at 3 o'clock. | clock=(3.0, 3.0)
It would be wrong to deny the scratch. | pattern=scratch
Hardly anyone would call this anything but a donut. | pattern=donut
It seems to be a near-full wafer. | pattern=near-full
Presumably the centre is affected. | zone=centre
It is likely that the fails form a ring. | morphology=ring
The most probable class is Center. | pattern=center
The edge can be excluded as the location. | zone!=edge
There is no way this is a scratch. | pattern!=scratch
The data rule out a bullseye. | pattern!=center
A scratch is not an option. | pattern!=scratch
A linear shape is not supported by the map. | morphology!=line
A position at 6 o'clock is impossible. | clock!=(6.0, 6.0)
I would not call it a scratch. | pattern!=scratch
To call this a donut would be wrong. | pattern!=donut
Donut is the wrong label. | pattern!=donut
The rim fails, the centre does not. | zone!=centre zone=edge
The fails avoid the centre and gather at the rim. | zone!=centre zone=edge
The centre rather than the rim is affected. | zone!=edge zone=centre
I prefer Donut over Edge-Ring. | pattern!=edge-ring pattern=donut
It is more like a donut than a bullseye. | pattern!=center pattern=donut
The edge ring is obvious; a scratch is not. | pattern!=scratch pattern=edge-ring
Except for the upper left quadrant, the wafer is clean. | quadrant=upper left
Only the centre fails. | zone=centre
Because the centre is clean, this is no bullseye. | pattern!=center zone!=centre
A clean centre surrounded by a failing band makes it a donut. | pattern=donut zone!=centre
The pattern is neither a ring nor an arc. | morphology!=arc morphology!=ring
The centre, the inner zone and the rim are clean. | zone!=centre zone!=edge zone!=inner
The centre is devoid of fails. | zone!=centre
The outer zone shows no fails. | zone!=outer
There is not a trace of fails at the rim. | zone!=edge
The fails do not reach as far as the edge. | zone!=edge
Not much happens in the outer zone. | zone!=outer
The fails leave out the centre. | zone!=centre
The wafer shows nothing at 9 o'clock. | clock!=(9.0, 9.0)
The ring does not close. | clock!=all round
Fails occur at every clock position. | clock=all round
The pattern is angularly uniform. | clock=undefined
Edge ring. | pattern=edge-ring
Fails: upper left. | quadrant=upper left
A donut would leave the centre clear. |
Edge-ring patterns are often linked to the bevel. |
Clock positions are counted from the notch at 6 o'clock. |
The map has 25 rows and 25 columns. |
I would recommend checking the edge clamp. |
On the previous wafer the rim was hit. |
A ring differs from an arc in that it closes. |
One might think of a scratch, but the fails form a blob. | morphology=blob
Had it been a scratch, the fails would form a line. |
For a scratch the line would have to be thinner. |
The dies are numbered from the upper left to the lower right. |
The map is read from top to bottom. |
I considered a donut and a scratch. |
If the ring were closed, it would be Edge-Ring. |
Such a map is often mistaken for a donut. |
The edge exclusion is 3 mm. |
It cannot be ruled out that the rim is affected. | zone=edge
I see no reason to call it a scratch. | pattern!=scratch
It is not possible to overlook the fails in the inner zone. | zone=inner
The rim does not remain untouched. | zone=edge
The pattern does not spare the centre. | zone=centre
It isn't true that there are no fails at the rim. | zone=edge
That this is a scratch is beyond doubt. | pattern=scratch
The claim that this is a donut is false. | pattern!=donut
The suspicion of a scratch is unfounded. | pattern!=scratch
Whoever sees a ring here is wrong. | morphology!=ring
This bears no resemblance to a ring. | morphology!=ring
The shape is anything but ring-like. | morphology!=ring
It lacks the shape of a ring. | morphology!=ring
A donut is not what we have here. | pattern!=donut
We can safely forget about a scratch. | pattern!=scratch
I doubt that the fails form a ring. | morphology!=ring
The centre remains free from defects. | zone!=centre
The centre is not part of the pattern. | zone!=centre
The outer zone performs well. | zone!=outer
Only good dies in the outer zone. | zone!=outer
The fail rate in the centre is zero. | zone!=centre
At the rim, nothing fails. | zone!=edge
In the upper left quadrant all dies pass. | quadrant!=upper left
The fails begin at 2 o'clock and end at 5 o'clock. | clock=(2.0, 5.0)
The pattern is centred at 5 o'clock. | clock=(5.0, 5.0)
The fails crowd into the lower left-hand corner. | quadrant=lower left
The fails hug the rim. | zone=edge
The fails occupy the middle annulus. | zone=mid-radius
Classification: Edge-Ring | pattern=edge-ring
We are dealing with a localized cluster. | pattern=loc
Nearly all dies fail, i.e. Near-full. | pattern=near-full
This wafer is free of any systematic signature. | pattern=none
This is a clean wafer. | pattern=none
The fails are sprinkled like salt. | morphology=scattered
The fails close to form a circle. | morphology=ring
The fails are bundled in a compact clump. | morphology=blob
The rim is fine, the inner zone is not. | zone!=edge zone=inner
Where the rim is clean, the inner zone is full of fails. | zone!=edge zone=inner
Not the rim but the inner zone is hit. | zone!=edge zone=inner
As opposed to the rim, the inner zone is damaged. | zone!=edge zone=inner
What looks like a ring is in fact an arc. | morphology=arc
Less a ring than an arc. | morphology!=ring morphology=arc
If anything, it is an arc. | morphology=arc
The fails at the rim rule out a bullseye. | pattern!=center zone=edge
Fails in the rim, none in the centre. | zone!=centre zone=edge
There are fails at the rim; in the centre there are none. | zone!=centre zone=edge
The rim is bad, the centre good. | zone!=centre zone=edge
The fails are at the rim only, not in the centre. | zone!=centre zone=edge
The fails prefer the rim to the centre. | zone!=centre zone=edge
While the centre is good, the rim is a mess. | zone!=centre zone=edge
Clean in the centre, bad at the rim. | zone!=centre zone=edge
The fails are found at the rim, with no fails in the centre. | zone!=centre zone=edge
It's the rim that fails, never the centre. | zone!=centre zone=edge
This is a donut, whereas a scratch would be linear. | pattern=donut
Ring-like rather than linear. | morphology!=line morphology=ring
The right label is Donut, not Center. | pattern!=center pattern=donut
Donut beats Center. | pattern!=center pattern=donut
Fails from two through four o'clock. | clock=(2.0, 4.0)
The fails lie from 2 o'clock clockwise to 4 o'clock. | clock=(2.0, 4.0)
Fails in the direction of 3 o'clock. | clock=(3.0, 3.0)
Fails at three o'clock. | clock=(3.0, 3.0)
Fails at 2:00 to 4:00 o'clock. | clock=(2.0, 4.0)
Clock position: 2 to 4 | clock=(2.0, 4.0)
The fails lie between the 2 and the 4 o'clock positions. | clock=(2.0, 4.0)
2 to 4 o'clock is free of fails. | clock!=(2.0, 4.0)
This is near-complete failure. | pattern=near-full
It is a failing ring at the wafer's edge. | pattern=edge-ring
It is a localised failure near the edge. | pattern=edge-loc
These are random defects. | pattern=random
It is a linear scratch. | pattern=scratch
The map is free of patterns. | pattern=none
pattern: near_full | pattern=near-full
The answer is Center. | pattern=center
I call it Center. | pattern=center
The centre fits into the picture. | zone=centre
Neither the label Donut nor the label Scratch fits. | pattern!=donut pattern!=scratch
It is neither Center nor Loc. | pattern!=center pattern!=loc
I can see neither a scratch nor a donut. | pattern!=donut pattern!=scratch
It is not a ring and not an arc either. | morphology!=arc morphology!=ring
No scratch and no donut here. | pattern!=donut pattern!=scratch
The fails form a ring. Therefore: Donut. | morphology=ring pattern=donut
The centre is clean, which rules out a bullseye. | pattern!=center zone!=centre
If the centre is clean, it is no bullseye. |
With the rim clean, Edge-Ring is impossible. | pattern!=edge-ring zone!=edge
The rim is not reached, which excludes Edge-Loc. | pattern!=edge-loc zone!=edge
The pattern does not get as far as the rim. | zone!=edge
No damage was done to the rim. | zone!=edge
The rim was never hit. | zone!=edge
Dies at the rim are good. | zone!=edge
Rim unaffected, centre affected. | zone!=edge zone=centre
Rim involvement: none. | zone!=edge
Fails at the rim can be excluded. | zone!=edge
The lower right quadrant is empty. | quadrant!=lower right
You will look in vain for fails in the lower right. | quadrant!=lower right
Is the rim hit? No, it is clean. |
The pattern occurs at all angles. | clock=all round
"""
CLAIM = re.compile(r"\w+!?=(?:\(.*?\)|all round|(?:upper|lower) \w+|[\w-]+)")


@pytest.mark.parametrize("line", SAID.strip().splitlines())
def test_scope(line):
    text, _, said = line.partition(" |")
    found = read(text).claims
    words = [f"{c.slot}{'=' if c.holds else '!='}{c.value}" for c in found]
    assert sorted(words) == sorted(CLAIM.findall(said))


def test_swapped_letters_and_hours_in_words_are_read():
    assert plain("It is ceratinly not from two to four o\u2019clock") == (
        "it is certainly not from 2 to 4 o'clock"
    )


def test_what_is_not_said_of_this_map_is_silence():
    text = (
        "Were this a scratch, the dies would follow a line. "
        "A donut leaves the centre clear by definition."
    )
    assert read(text).claims == ()
