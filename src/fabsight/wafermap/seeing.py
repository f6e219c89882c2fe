"""What is known of a question's map: facts, the classifier's scores, and what both say is true.

    question --seen--> Seen(facts, scores, description)

A map is measured once, however often it is asked about.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from fabsight.task import FabsightError, Question
from fabsight.wafermap.claims import PATTERNS, Choice, Claim, Description, Number
from fabsight.wafermap.classifier import Scores, classify, decide
from fabsight.wafermap.describing import describe
from fabsight.wafermap.evidence import evident
from fabsight.wafermap.facts import Facts, measure
from fabsight.wafermap.lookup import similar
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import FAIL, PASS, Grid

Key: TypeAlias = tuple[bytes, int, int]  # a map: its dies, rows, columns
Patterns: TypeAlias = Literal["auto", "one", "several"]
KEPT = 16  # maps that are kept: solving, checking and drawing ask for the same one
POSSIBLE = 0.1  # probability from which another pattern is not ruled out
SURE = 0.6  # probability below which a pattern is named with reserve
NAMED = 3  # likeliest patterns that are named where none is likely enough


@dataclass(frozen=True, eq=False)
class Seen:
    """What is known of one map.

    Attributes:
        grid: The map.
        facts: Measured.
        scores: The classifier's.
        description: What is taken for true: patterns by the classifier, all else by the facts.
        evident: What the facts alone say is true, for checking.
        beside: Numbers against a golden map or an index, which both have.
    """

    grid: Grid
    facts: Facts
    scores: Scores
    description: Description
    evident: Description
    beside: Mapping[str, Number]


def seen(question: Question[WaferSettings]) -> Seen:
    """What is known of the question's map; FabsightError where it has none."""
    grid, said = grid_of(question), question.context
    known = _seen(_key(grid), said.patterns, said.abstain)
    beside: dict[str, Number] = {}
    if question.golden is not None:
        beside |= _changed(grid, _golden_of(question, grid))
    if said.index is not None:
        beside["similar"] = Number(similar(said.index, grid, said.alike))
    if not beside:
        return known
    numbers = {**known.description.numbers, **beside}
    return replace(known, description=replace(known.description, numbers=numbers), beside=beside)


def grid_of(question: Question[WaferSettings]) -> Grid:
    """The map of a question."""
    if not question.images:
        raise FabsightError(f"wafermap {question.source}: the question has no map")
    pixels = np.asarray(question.images[0].pixels)
    if pixels.ndim != 2 or pixels.dtype != np.uint8 or pixels.max(initial=0) > FAIL:
        raise FabsightError(
            f"wafermap {question.source}: the map's picture has {pixels.dtype} values up to "
            f"{pixels.max(initial=0)} in {pixels.ndim} axes; a die is 0 (none), 1 (pass), 2 (fail)"
        )
    return pixels


def named_patterns(scores: Scores, patterns: Patterns, abstain: float) -> Choice:
    """The patterns that are named, and those that are not ruled out."""
    true = decide(scores, patterns, abstain)
    possible = tuple(
        name for name in PATTERNS if name not in true and scores.likelihood(name) >= POSSIBLE
    )
    return Choice(true, possible)


def probabilities(found: Seen) -> list[Claim]:
    """Claims of the likeliest patterns' probabilities, where none is likely enough to be named."""
    order = np.argsort(-found.scores.probabilities)[:NAMED]
    return [
        Claim("probability", round(float(found.scores.probabilities[k]), 2), PATTERNS[k])
        for k in order
    ]


@lru_cache(maxsize=KEPT)
def _seen(key: Key, patterns: Patterns, abstain: float) -> Seen:
    grid = _grid(key)
    facts, scores = _looked_at(key)
    description = describe(facts, named_patterns(scores, patterns, abstain))
    return Seen(grid, facts, scores, description, evident(facts), {})


@lru_cache(maxsize=KEPT)
def _looked_at(key: Key) -> tuple[Facts, Scores]:
    grid = _grid(key)
    return measure(grid), classify(grid)


def _key(grid: Grid) -> Key:
    return grid.tobytes(), grid.shape[0], grid.shape[1]


def _grid(key: Key) -> Grid:
    return np.frombuffer(key[0], np.uint8).reshape(key[1], key[2])


def _golden_of(question: Question[WaferSettings], grid: Grid) -> Grid:
    """The golden map, which must have the same dies."""
    assert question.golden is not None
    golden = np.asarray(question.golden.pixels)
    if golden.shape != grid.shape or golden.dtype != np.uint8:
        has = " x ".join(map(str, golden.shape))
        raise FabsightError(
            f"wafermap {question.source}: the golden map has {has} dies, this one "
            f"{grid.shape[0]} x {grid.shape[1]}; give one of the same product"
        )
    return golden


def _changed(grid: Grid, golden: Grid) -> dict[str, Number]:
    """How many dies fail here alone, and there alone."""
    new = int(((grid == FAIL) & (golden == PASS)).sum())
    gone = int(((grid == PASS) & (golden == FAIL)).sum())
    return {"new_fails": Number(new), "gone_fails": Number(gone)}
