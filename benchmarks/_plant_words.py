"""Words for the values that `_plants` leaves out, and what goes around its sentences.

The first word for a value is the plain one and in both halves of the benchmark; the others are in
the half that their hash says. They were written without a look at the words the reader knows.
"""

# (slot, form) -> value -> words; the first is the plain one.
WORDS = {
    ("pattern", ""): {
        "center": ("Center", "centre", "bullseye", "centre-type"),
        "donut": ("Donut", "doughnut", "donut-type", "annular donut"),
        "edge-loc": ("Edge-Loc", "edge local", "localised edge", "Edge-Local", "edge loc"),
        "edge-ring": ("Edge-Ring", "edge ring", "rim ring", "edge_ring"),
        "loc": ("Loc", "local", "localised", "Loc-type"),
        "near-full": ("Near-full", "near full", "nearly full", "almost full"),
        "random": ("Random", "random failure", "random-defect"),
        "scratch": ("Scratch", "scratch-like", "scratch-type"),
    },
    ("pattern", "a"): {
        "center": ("a center pattern", "a bullseye", "a centre-type defect", "a central hot spot"),
        "donut": ("a donut", "a doughnut", "a donut pattern", "a donut-shaped defect"),
        "edge-loc": (
            "an Edge-Loc pattern",
            "a local edge defect",
            "a localised edge failure",
            "an edge-local signature",
        ),
        "edge-ring": ("an edge ring", "an Edge-Ring pattern", "a ring along the rim", "a rim ring"),
        "loc": ("a Loc pattern", "a Loc-type defect", "a local (Loc) signature"),
        "near-full": (
            "a near-full failure",
            "a nearly full wafer of fails",
            "a near-full pattern",
            "an almost fully failing wafer",
        ),
        "random": ("a random pattern", "a Random-type map", "a random failure signature"),
        "scratch": ("a scratch", "a scratch mark", "a mechanical scratch", "a scratch pattern"),
    },
    ("zone", ""): {
        "centre": ("the centre", "the middle of the wafer", "the wafer centre", "the central zone"),
        "inner": ("the inner zone", "the inner region", "the inner band"),
        "mid-radius": (
            "the mid-radius zone",
            "the mid-radius band",
            "the area at mid radius",
            "the region halfway between centre and edge",
        ),
        "outer": ("the outer zone", "the outer region", "the outer band"),
        "edge": ("the edge", "the rim", "the periphery", "the wafer edge", "the perimeter"),
    },
    ("zone", "name"): {
        "centre": ("centre", "center", "wafer center"),
        "inner": ("inner", "inner zone"),
        "mid-radius": ("mid-radius", "mid radius", "middle radius"),
        "outer": ("outer", "outer zone"),
        "edge": ("edge", "rim", "wafer edge", "periphery"),
    },
    ("quadrant", ""): {
        place: (f"the {place} quadrant", *(f"the {way}" for way in ways))
        for place, ways in {
            "upper right": (
                "top-right quadrant",
                "NE quadrant",
                "top right",
                "upper-right quarter",
            ),
            "lower right": (
                "bottom-right quadrant",
                "SE quadrant",
                "lower right-hand part",
                "lower-right quarter",
            ),
            "lower left": (
                "bottom-left quadrant",
                "south-west quadrant",
                "bottom left",
                "lower-left quarter",
            ),
            "upper left": (
                "top-left quadrant",
                "north-west quadrant",
                "upper left-hand part",
                "upper-left quarter",
            ),
        }.items()
    },
    ("quadrant", "name"): {
        "upper right": ("upper right", "upper-right", "top right", "NE"),
        "lower right": ("lower right", "lower-right", "bottom right", "SE"),
        "lower left": ("lower left", "lower-left", "bottom left", "SW"),
        "upper left": ("upper left", "upper-left", "top left", "NW"),
    },
    ("morphology", ""): {
        "ring": ("ring-shaped", "annular", "ring-like"),
        "arc": ("arc-shaped", "crescent-shaped", "arc-like"),
        "line": ("linear", "line-like", "line-shaped"),
        "blob": ("blob-like", "blob-shaped", "blobby"),
        "scattered": ("scattered", "dispersed", "widely scattered"),
        "striped": ("striped", "stripe-like", "banded"),
    },
    ("morphology", "a"): {
        "ring": ("a ring", "an annulus", "a ring-like band"),
        "arc": ("an arc", "a crescent", "a curved segment"),
        "line": ("a line", "a streak", "a linear feature"),
        "blob": ("a blob", "a compact patch", "a clump", "a solid patch of dies"),
        "scattered": ("a scatter of dies", "scattered single dies", "a loose scatter of dies"),
        "striped": ("stripes", "a striped texture", "periodic stripes"),
    },
}

# (form, how many ends are said) -> words; {a}, {b} hours in figures, {A}, {B} in words.
CLOCK_WORDS = {
    ("at", 2): (
        "between {a} and {b} o'clock",
        "from {a} to {b} o'clock",
        "from {A} to {B} o'clock",
        "at {a}-{b} o'clock",
        "in the {a} to {b} o'clock sector",
        "between {A} o'clock and {B} o'clock",
        "from {a} o'clock clockwise to {b} o'clock",
        "from {a}:00 to {b}:00 on the clock face",
        "from the {a} o'clock to the {b} o'clock position",
        "in the {a}\u2013{b} o'clock segment",
        "at the {a}h to {b}h positions",
    ),
    ("span", 2): (
        "{a} to {b} o'clock",
        "{a}-{b} o'clock",
        "{A} to {B} o'clock",
        "{a}\u2013{b} o'clock",
        "{a} o'clock to {b} o'clock",
        "{a} through {b} o'clock",
    ),
    ("at", 1): (
        "at {a} o'clock",
        "around {a} o'clock",
        "at the {a} o'clock position",
        "at {A} o'clock",
        "near {a} o'clock",
        "close to the {A} o'clock direction",
    ),
    ("span", 1): ("{a} o'clock", "{A} o'clock", "about {a} o'clock"),
}

# Numbers that may be stated beside, from the description.
FIGURES = (
    "Yield comes to {yield:.1f} %.",
    "The fail rate is {fail_rate:.1f} %.",
    "{fails:.0f} of {dies:.0f} dies fail.",
    "In total {fails:.0f} dies failed out of {dies:.0f} tested.",
    "The wafer yields {yield:.1f}%.",
    "About {fail_rate:.1f} percent of the dies are bad.",
)

# Put before a sentence, or after it.
OPENERS = (
    "In addition, ",
    "Moreover, ",
    "Overall, ",
    "In short, ",
    "Clearly, ",
    "Note that ",
    "I note that ",
    "On closer inspection, ",
    "From what I can see, ",
    "As the picture shows, ",
    "Looking at the map, ",
    "However, ",
    "Hmm, ",
    "So ",
)
