"""Claims to sentences and back, and what free English says: negation, scope, other meanings."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.wafermap.causes import CAUSES, REASONS
from fabsight.wafermap.claims import CHOICES, CLOCK_WORDS, NUMBERS, Answer, Claim
from fabsight.wafermap.geometry import QUADRANTS, ZONES
from fabsight.wafermap.phrases import write
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
