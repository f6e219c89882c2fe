"""Text to plain lower-case English: quotes, contractions, hours in words, swapped letters.

"It can't be ceratinly from two to four" -> "it can not be certainly from 2 to 4"
"""

import re
from functools import lru_cache

KEPT = 16384  # words whose spelling is remembered
LEAST_LETTERS = 5  # shorter words that differ by a swap are words of their own: "form", "from"
SIGNS = str.maketrans(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": " - ",
        "\u2212": "-",
        "\u2011": "-",
        "\u2010": "-",
        "\u00a0": " ",
        "*": " ",
        "_": " ",
        "`": " ",
        '"': " ",
        "{": " ",
        "}": " ",
        "#": " ",
    }
)
CONTRACTED = re.compile(r"\b(?:(ca|wo|sha)n't|(\w+)n't|(can)not)(?!\w)")
WHOLE = {"ca": "can", "wo": "will", "sha": "shall"}
HOURS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
}
HOUR = "(?:" + "|".join(HOURS) + ")"
CLOCK = r"o'? ?clock"
# "it is Center": a capital within a sentence makes a class of a word that names a place too.
CLASS = re.compile(
    r"((?:\b(?!(?:the|in|at|near|around|from|to|its|on|towards|and|zone|location)\b)[a-z][a-z']*|"
    r"\b(?:Unlike|Neither|Not|Of|Than|While|Whereas|Although|Since|As|No|Only|Either|Both|But|"
    r"With))"
    r"[,:]? +[('\[]*)"
    r"(Center|Centre|Random|Local|Loc)\b(?![-\w]| ?(?:of|zone|area|region|band|quadrant)\b)"
)
RANDOM = re.compile(
    r"(?<=[a-z] )Random\b(?![-\w])|\bRandom(?= (?:is|was|can|fits|does|seems|would)\b)"
)
HALF = re.compile(rf"\bhalf past ({HOUR}|\d{{1,2}})\b")
SPOKEN = re.compile(  # one hour, or two with words between them
    rf"\b(?:{HOUR})(?:[- ]?{CLOCK})?(?:[- ](?:\w+[- ]){{0,3}}(?:{HOUR}))?(?=[- ]?{CLOCK})"
    rf"|\b{HOUR}[- ]?{CLOCK} (?:\w+ ){{1,3}}{HOUR}\b"
)
ONE_HOUR = re.compile(rf"\b{HOUR}\b")
WORD = re.compile(r"[a-z]{5,}")
# Words that decide what a sentence says: a slip of the finger must not hide them.
SPELT = """
    about absence absent affected affects against alone along although annular annulus another
    anything appears arrangement avoided avoiding avoids banded because better between beyond
    bottom bullseye cannot carries center central centre certainly circle circumference clean
    clear clearly closed clustered compact completely concentrate concentrated contradicts
    contrast crescent damage damaged defect defects denied denying described despite dismissed
    dispersed distinguish dominant donut doughnut encircle encircles entirely escape escapes
    essentially except exclude excluded excludes failing fails failure failures false hardly
    healthy hypothesis identified including indication inner instead intact involved label labeled
    labelled leaves linear local localised localized located location lower middle missing mistake
    mistaken morphology nearly neither nobody nothing noticeable nowhere obvious occupies other
    outer outline overlooked pattern patterns periphery position quadrant quadrants quarter radius
    random randomly rather reaches reject rejected remain remains resemble resembles right ruled
    scattered scratch scratches shape shaped shows signature signatures spared spares spreads
    streak stripe striped stripes suffers surely systematic though unaffected uncertain unlike
    unlikely untouched upper visible wafer whereas while without would wrong
"""


def _key(word: str) -> tuple[str, ...]:
    return tuple(sorted(word))


KNOWN = set(SPELT.split())
BY_LETTERS = {key: [w for w in KNOWN if _key(w) == key] for key in map(_key, KNOWN)}


def plain(text: str) -> str:
    """The text in lower case with plain signs, no contractions, hours in digits.

    >>> plain("It can't lie from two to four o\u2019clock; that is ceratinly wrong")
    "it can not lie from 2 to 4 o'clock; that is certainly wrong"
    """
    text = RANDOM.sub("Random-type", CLASS.sub(r"\1\2-type", text.translate(SIGNS)))
    text = CONTRACTED.sub(_uncontracted, text.lower())
    text = WORD.sub(lambda match: spelt(match[0]), text)
    if "clock" in text:
        text = HALF.sub(lambda match: f"{HOURS.get(match[1], match[1])}:30", text)
        text = SPOKEN.sub(lambda m: ONE_HOUR.sub(lambda h: str(HOURS[h[0]]), m[0]), text)
    return text


@lru_cache(maxsize=KEPT)
def spelt(word: str) -> str:
    """The known word of which two neighbouring letters were swapped, else the word itself.

    >>> spelt("rejceted"), spelt("rejected"), spelt("casual")
    ('rejected', 'rejected', 'casual')
    """
    if word in KNOWN:
        return word
    for known in BY_LETTERS.get(_key(word), ()):
        off = [k for k, (a, b) in enumerate(zip(word, known, strict=True)) if a != b]
        if len(off) == 2 and off[1] == off[0] + 1:
            return known
    return word


def _uncontracted(match: re.Match[str]) -> str:
    verb = WHOLE.get(match[1]) or match[2] or match[3]
    return f"{verb} not"
