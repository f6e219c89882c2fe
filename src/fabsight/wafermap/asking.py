"""Questions about a map in English, drawn at random: every family, every form, many wordings.

Yes-no questions put forward something true as often as something false, so that neither "yes" nor
"no" is worth anything by itself; the right option of a choice stands at any letter.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fabsight.wafermap.claims import Claim, Description
from fabsight.wafermap.judging import judge
from fabsight.wafermap.phrases import TYPES, clock_words

OPEN: Mapping[str, tuple[str, ...]] = {
    "type": (
        "Which defect type does this wafer map show?",
        "What kind of pattern is this?",
        "Classify this wafer map.",
        "Name the defect pattern.",
        "Which defect class fits this map best?",
    ),
    "where": (
        "Where are the failing dies?",
        "Where does the pattern lie on the wafer?",
        "In which zone and quadrant do the failing dies lie?",
        "Which part of the wafer is affected?",
        "At which clock position do the dies fail?",
    ),
    "shape": (
        "What shape do the failing dies form?",
        "Describe the morphology of the pattern.",
        "What does the pattern look like?",
        "What is the geometry of the failing area?",
    ),
    "cause": (
        "What may have caused these fails?",
        "Why do these dies fail?",
        "What is the likely root cause?",
        "Which process step is the first suspect?",
    ),
    "consistency": (
        "Are the failing dies clustered or random?",
        "Is the pattern symmetric or one-sided, and does anything repeat?",
        "How consistent is the distribution with random defects?",
    ),
    "description": (
        "Describe this wafer map.",
        "What do you see?",
        "Summarise the findings on this wafer.",
    ),
    "type and where": (
        "Which defect type is this, and where does it lie?",
        "Name the pattern and its position.",
    ),
}
NUMBERS: Mapping[str, tuple[str, ...]] = {
    "yield": ("What is the yield?", "How high is the yield of this wafer?"),
    "fail_rate": ("What is the fail rate?", "What percentage of the dies fails?"),
    "fails": ("How many dies fail?", "What is the number of failing dies?"),
    "fails@edge": ("How many dies fail in the edge zone?",),
    "fail_rate@edge": ("What is the fail rate of the edge zone?",),
    "fail_rate@centre": ("What is the fail rate of the centre zone?",),
    "clusters": ("How many separate clusters are there?",),
    "arc": ("How much of the circumference does the edge ring cover?",),
    "radius": ("What is the radius of the ring?",),
    "length": ("How long is the scratch?",),
    "angle": ("At what angle does the scratch run?",),
}
SHARES = {"type": 0.25, "where": 0.12, "shape": 0.1, "cause": 0.08, "consistency": 0.07}
SHARES |= {"description": 0.08, "type and where": 0.05, "number": 0.08, "yes-no": 0.12}
SHARES |= {"choice": 0.05}
PUT: Mapping[str, tuple[str, ...]] = {
    "pattern": ("Is this a {}?", "Does the map show a {} pattern?", "Is the defect type {}?"),
    "zone": ("Do the failing dies lie in the {} zone?", "Is the {} zone affected?"),
    "quadrant": ("Is the {} quadrant affected?", "Do the failing dies lie in the {} quadrant?"),
    "morphology": ("Do the failing dies form a {}?",),
    "arrangement": ("Are the failing dies {}?",),
    "symmetry": ("Is the pattern {}?",),
}
LETTERS = "ABCD"


def ask(rng: np.random.Generator, truth: Description) -> tuple[str, str]:
    """A question that the truth can answer, and its family."""
    families = list(SHARES)
    shares = np.array([SHARES[family] for family in families])
    while True:
        family = families[rng.choice(len(families), p=shares / shares.sum())]
        text = pose(rng, family, truth)
        if text:
            return text, family


def pose(rng: np.random.Generator, family: str, truth: Description) -> str:
    """A question of one family, "" where the truth cannot answer one."""
    if family == "number":
        known = [key for key in NUMBERS if key in truth.numbers]
        return _pick(rng, NUMBERS[_pick(rng, known)]) if known else ""
    if family == "yes-no":
        return _yes_no(rng, truth)
    if family == "choice":
        return _choice(rng, truth)
    if family in ("where", "shape") and not _has_place(truth):
        return ""
    return _pick(rng, OPEN[family])


def _has_place(truth: Description) -> bool:
    """Whether the truth knows where the pattern lies and what it looks like."""
    return all(truth.choices[slot].true for slot in ("zone", "morphology") if slot in truth.choices)


def _yes_no(rng: np.random.Generator, truth: Description) -> str:
    wanted = "supported" if rng.random() < 0.5 else "contradicted"
    slots = [slot for slot in PUT if slot in truth.choices]
    for _ in range(20):
        slot = _pick(rng, slots)
        values = TYPES if slot == "pattern" else _values(slot)
        value = _pick(rng, [value for value in values if value != "none"])
        if judge(Claim(slot, value), truth) == wanted:
            return _pick(rng, PUT[slot]).format(TYPES.get(value, value)).replace("a E", "an E")
    if truth.clock is not None and not truth.clock.word:
        start, stop = truth.clock.start_h, truth.clock.stop_h
        turn = 0.0 if wanted == "supported" else 6.0
        turned = ((start + turn - 1e-9) % 12 + 1e-9, (stop + turn - 1e-9) % 12 + 1e-9)
        return f"Do the failing dies lie {clock_words(turned)}?"
    return ""


def _values(slot: str) -> Sequence[str]:
    from fabsight.wafermap.claims import CHOICES

    return [value for value in CHOICES[slot] if value not in ("scattered", "striped")]


def _choice(rng: np.random.Generator, truth: Description) -> str:
    patterns = truth.choices.get("pattern")
    if patterns is None or len(patterns.true) != 1:
        return ""
    wrong = [name for name in TYPES if name not in (*patterns.true, *patterns.possible)]
    options = [*patterns.true, *(str(name) for name in rng.permutation(wrong)[:3])]
    rng.shuffle(options)
    listed = " ".join(f"{a}) {TYPES[name]}" for a, name in zip(LETTERS, options, strict=False))
    return f"Which defect type is it? {listed}"


def _pick(rng: np.random.Generator, of: Sequence[str]) -> str:
    return str(of[int(rng.integers(len(of)))])
