"""Texts about a wafer map whose every statement is known: all true, or exactly one planted false.

frame + description --said--> sentence and its claims; sentences --laid_out--> Text
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from itertools import product
from typing import Any, TypeAlias

import numpy as np

from _plant_words import CLOCK_WORDS, FIGURES, OPENERS, WORDS
from _plants import ASIDES, FIXED, SLOTS, STYLES
from fabsight.wafermap.claims import ALL_ROUND, CHOICES, UNDEFINED, Claim, Description, Value
from fabsight.wafermap.judging import judge

PLACE = re.compile(r"\{(" + "|".join(SLOTS) + r")(?:\.(\w+))?([+-])\}")
HOURS = re.findall(r"\w+", "one two three four five six seven eight nine ten eleven twelve")
WIDEST_H = 10  # clock intervals that are said
WIDEST_FALSE_H = 4
ONE_HOUR = 0.4  # share of clock positions said as one hour
ASIDE, FIGURE = 0.25, 0.1  # shares of the sentences beside the first
WIDE_SCOPE = ("hedged", "excluded", "double")  # styles whose verb might govern an "and"
TYPO = 0.03  # share of texts with one
TRIES = 500
# First words before which an opener or "and" may stand.
STARTERS = {"The", "This", "It", "It's", "There", "There's", "We", "What", "While", "Most", "You"}
AMERICAN = {"centre": "center", "localised": "localized", "neighbour": "neighbor"}

Pool: TypeAlias = Mapping[tuple[str, bool, str], tuple[Value, ...]]


@dataclass(frozen=True)
class Frame:
    """A sentence with places for values.

    Attributes:
        style: Of STYLES.
        text: As in STYLES, or whole where `claim` says what it means.
        claim: None where the placeholders say it.
        part: "dev" or "held-out".
    """

    style: str
    text: str
    claim: Claim | None
    part: str

    @property
    def slots(self) -> tuple[str, ...]:
        """Slots it states something about, one for each statement."""
        found = tuple(match[1] for match in PLACE.finditer(self.text))
        return (self.claim.slot,) if self.claim else found


@dataclass(frozen=True)
class World:
    """A description, and (slot, holds, verdict) -> values with which a claim gets the verdict."""

    description: Description
    pool: Pool


@dataclass(frozen=True)
class Said:
    """A sentence about a world: `planted` is its false statement."""

    frame: Frame
    text: str
    claims: tuple[Claim, ...]
    planted: Claim | None = None


@dataclass(frozen=True)
class Text:
    """A text and what it states.

    Attributes:
        text: The sentences.
        description: Of the map that it is about.
        statements: What it states, in order, with the frame's style of each in `styles`.
        planted: The one false statement, or None.
        style: Of the sentence with the plant, else of the first.
        frame: Likewise, its text.
        sentences: How many.
    """

    text: str
    description: Description = field(repr=False)
    statements: tuple[Claim, ...]
    styles: tuple[str, ...]
    planted: Claim | None
    style: str
    frame: str
    sentences: int


def part_of(phrase: str) -> str:
    """The half that a frame or word falls into."""
    return ("dev", "held-out")[sha256(phrase.encode()).digest()[0] % 2]


@cache
def frames(part: str) -> tuple[Frame, ...]:
    """All frames of a half."""
    found = [
        Frame(style, line, None, part_of(line))
        for style, block in STYLES.items()
        for line in block.strip().splitlines()
    ]
    found += [
        Frame(style, line, Claim(slot, value, holds=holds), part_of(line))
        for style, line, (slot, value, holds) in FIXED
    ]
    return tuple(frame for frame in found if frame.part == part)


@cache
def asides(part: str) -> tuple[str, ...]:
    """Sentences of a half that state nothing about the map."""
    return tuple(line for line in ASIDES.strip().splitlines() if part_of(line) == part)


@cache
def words(part: str, slot: str, form: str, value: Value) -> tuple[str, ...]:
    """A half's words for a value: the plain one is in both."""
    if isinstance(value, tuple):
        first, *others = CLOCK_WORDS[form, 1 if value[0] == value[1] else 2]
    else:
        first, *others = WORDS[slot, form][str(value)]
    return first, *(word for word in others if part_of(f"{slot} {word}") == part)


def world_of(description: Description) -> World:
    """The description with the values of each slot that are true, and false, of it."""
    hours = [
        (float(a), float((a + wide - 1) % 12 + 1))
        for a, wide in product(range(1, 13), range(WIDEST_H + 1))
    ]
    pool: dict[tuple[str, bool, str], tuple[Value, ...]] = {}
    for slot, holds in product(SLOTS, (True, False)):
        values: Sequence[Value] = hours if slot == "clock" else CHOICES[slot]
        verdicts = [judge(Claim(slot, v, holds=holds), description) for v in values]
        for verdict in ("supported", "contradicted"):
            found = [v for v, one in zip(values, verdicts, strict=True) if one == verdict]
            pool[slot, holds, verdict] = tuple(v for v in found if fair(slot, v, holds, verdict))
    if description.clock is not None and description.clock.word:
        # A closed ring is at each hour: "at 3 o'clock" is no lie of it, and its denial not true.
        for holds, verdict in product((True, False), ("supported", "contradicted")):
            pool["clock", holds, verdict] = ()
    return World(description, pool)


def fair(slot: str, value: Value, holds: bool, verdict: str) -> bool:
    """Whether a value may be said: "none" has sentences of its own, false intervals are short."""
    if value == "none":
        return False
    wide = slot == "clock" and isinstance(value, tuple) and (value[1] - value[0]) % 12
    return wide <= WIDEST_FALSE_H or holds == (verdict == "supported")


def said(rng: np.random.Generator, frame: Frame, world: World, lie: str = "") -> Said | None:
    """A true sentence, or one with a false statement in the slot `lie`; None where it cannot be."""
    if frame.claim is not None:
        return _fixed(frame, world, lie)
    places = list(PLACE.finditer(frame.text))
    false = -1
    if lie:
        false = int(rng.choice([k for k, place in enumerate(places) if place[1] == lie]))
    claims: list[Claim] = []
    text, done = "", 0
    for k, place in enumerate(places):
        slot, form, sign = place[1], place[2] or "", place[3]
        wanted = "contradicted" if k == false else "supported"
        values = world.pool[slot, sign == "+", wanted]
        if slot != "clock":  # nothing is said twice, or of itself
            values = tuple(v for v in values if v not in [c.value for c in claims])
        if not values:
            return None
        value = _one(rng, values, slot)
        claims.append(Claim(slot, value, holds=sign == "+"))
        text += frame.text[done : place.start()] + _word(rng, frame.part, slot, form, value)
        done = place.end()
    text = (text + frame.text[done:]).replace("{{", "{").replace("}}", "}")
    text = re.sub(r"\b([Aa]) (?=[aeioAEIO])", r"\1n ", text)
    text = text[0].upper() + text[1:]
    return Said(frame, text, tuple(claims), claims[false] if lie else None)


def _fixed(frame: Frame, world: World, lie: str) -> Said | None:
    assert frame.claim is not None
    clock = world.description.clock
    if frame.claim.value == UNDEFINED and clock is not None and clock.word == ALL_ROUND:
        return None  # a closed ring has no preferred position either
    wanted = "contradicted" if lie else "supported"
    if judge(frame.claim, world.description) != wanted:
        return None
    return Said(frame, frame.text, (frame.claim,), frame.claim if lie else None)


def _one(rng: np.random.Generator, values: Sequence[Value], slot: str) -> Value:
    """One of the values; of clock positions one hour as often as ONE_HOUR says."""
    if slot == "clock":
        single = [v for v in values if isinstance(v, tuple) and v[0] == v[1]]
        others = [v for v in values if isinstance(v, tuple) and v[0] != v[1]]
        values = (single if rng.random() < ONE_HOUR else others) or values
    return values[int(rng.integers(len(values)))]


def _word(rng: np.random.Generator, part: str, slot: str, form: str, value: Value) -> str:
    word = str(rng.choice(words(part, slot, form, value)))
    if not isinstance(value, tuple):
        return word
    a, b = (int(hour) for hour in value)
    return word.format(a=a, b=b, A=HOURS[a - 1], B=HOURS[b - 1])


def planted_text(
    rng: np.random.Generator, worlds: Sequence[World], known: Sequence[Frame], slot: str
) -> Text:
    """A text with exactly one false statement, in the slot, each frame as likely."""
    ours = [frame for frame in known if slot in frame.slots]
    for _ in range(TRIES):
        world = worlds[int(rng.integers(len(worlds)))]
        found = said(rng, ours[int(rng.integers(len(ours)))], world, slot)
        if found is not None:
            return _text(rng, found, world, known)
    raise RuntimeError(f"planted_text: no map of {len(worlds)} has a false statement on {slot}")


def true_text(rng: np.random.Generator, worlds: Sequence[World], known: Sequence[Frame]) -> Text:
    """A text in which every statement is true."""
    while True:
        world = worlds[int(rng.integers(len(worlds)))]
        if (found := _true(rng, world, known)) is not None:
            return _text(rng, found, world, known)


def _true(rng: np.random.Generator, world: World, known: Sequence[Frame]) -> Said | None:
    """A true sentence: first the slot, then the frame; None where the map has none."""
    for _ in range(30):
        slot = str(rng.choice(SLOTS))
        fitting = [frame for frame in known if slot in frame.slots]
        found = said(rng, fitting[int(rng.integers(len(fitting)))], world)
        if found is not None:
            return found
    return None


def _text(rng: np.random.Generator, first: Said, world: World, known: Sequence[Frame]) -> Text:
    """The sentence among true ones and asides, laid out in one of several ways."""
    count = int(rng.integers(1, 7))
    part = first.frame.part
    sentences: list[Said | str] = [first]
    while len(sentences) < count:
        sentence = _beside(rng, world, known, part)
        used = [one.frame if isinstance(one, Said) else one for one in sentences]
        if (sentence.frame if isinstance(sentence, Said) else sentence) not in used:
            sentences.append(sentence)
    sentences = [sentences[k] for k in rng.permutation(count)]
    told = [one for one in sentences if isinstance(one, Said)]
    text = _spelt(rng, _laid_out(rng, sentences))
    return Text(
        text,
        world.description,
        tuple(claim for one in told for claim in one.claims),
        tuple(one.frame.style for one in told for _ in one.claims),
        first.planted,
        first.frame.style,
        first.frame.text,
        count,
    )


def _beside(
    rng: np.random.Generator, world: World, known: Sequence[Frame], part: str
) -> Said | str:
    """An aside, a figure, or another true sentence."""
    kind = rng.random()
    if kind < FIGURE:
        numbers = {slot: number.value for slot, number in world.description.numbers.items()}
        return str(rng.choice(FIGURES)).format(**numbers)
    if kind > FIGURE + ASIDE and (found := _true(rng, world, known)) is not None:
        return found
    return str(rng.choice(asides(part)))


def _laid_out(rng: np.random.Generator, sentences: Sequence[Said | str]) -> str:
    """Prose, bullets, a numbered list, an answer with reasons, or one long chain."""
    texts = [one if isinstance(one, str) else one.text for one in sentences]
    way = str(rng.choice(["prose", "prose", "prose", "bullets", "numbers", "answer", "chain"]))
    if way == "bullets":
        return "\n".join(f"{rng.choice(['-', '*'])} {text}" for text in texts)
    if way == "numbers":
        return "\n".join(f"{k}. {text}" for k, text in enumerate(texts, 1))
    if way == "chain":
        return _chained(sentences)
    texts = [_opened(rng, text) for text in texts]
    if way == "answer" and len(texts) > 1:
        return f"**Answer:** {texts[0]}\n\n**Reasoning:** {_prose(texts[1:])}"
    return _prose(texts)


def _prose(texts: Sequence[str]) -> str:
    """Sentences in a row; lines without a full stop stand alone."""
    found = ""
    for text in texts:
        found += text + (" " if text[-1] in ".?!" else "\n")
    return found.strip()


def _chained(sentences: Sequence[Said | str]) -> str:
    """Statements joined with "and" where grammar and the scope of what came before allow it."""
    found, before = "", ""
    for one in sentences:
        text, style = (one, "") if isinstance(one, str) else (one.text, one.frame.style)
        if before and style and found[-1] == "." and text.split()[0] in STARTERS:
            found = f"{found[:-1]}{';' if before in WIDE_SCOPE else ', and'} {_lowered(text)}"
        elif found:
            found += ("\n" if found[-1] not in ".?!" else " ") + text
        else:
            found = text
        before = style
    return found


def _opened(rng: np.random.Generator, text: str) -> str:
    if rng.random() < 0.75 or text.split()[0] not in STARTERS:
        return text
    return str(rng.choice(OPENERS)) + _lowered(text)


def _lowered(text: str) -> str:
    return text[0].lower() + text[1:]


def _spelt(rng: np.random.Generator, text: str) -> str:
    """British or American, rarely with two letters of a long word swapped."""
    if rng.random() < 0.5:
        for british, american in AMERICAN.items():
            text = re.sub(british, american, text)
            text = text.replace(british.capitalize(), american.capitalize())
    long: list[Any] = list(re.finditer(r"\b[a-z]{8,}\b", text))
    if long and rng.random() < TYPO:
        at = long[int(rng.integers(len(long)))].start() + 3
        text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text
