"""Labelled maps to instruction data: questions, answers, rubrics that passed the gates.

    wafers --cleaned, sampled--> maps --described--> descriptions --posed--> examples --gates-->

The label says what pattern a map shows, the facts say the rest; the embedded teacher writes the
answers, so that each of their sentences is a claim that the map supports. `convert maps.npz --to
dataset` runs it; a dataset folder with a rubric in every line is the result.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fabsight import dataset
from fabsight.settings import to_json
from fabsight.task import Example, FabsightError, Image, Question
from fabsight.wafermap.asking import SHARES, pose
from fabsight.wafermap.claims import Choice, Description
from fabsight.wafermap.composing import compose
from fabsight.wafermap.curation import Cleaned, cleaned, sampled
from fabsight.wafermap.describing import describe
from fabsight.wafermap.facts import measure
from fabsight.wafermap.formats import read_wafers
from fabsight.wafermap.phrases import write
from fabsight.wafermap.questions import route
from fabsight.wafermap.rubrics import Posed, floor, gates, rubric
from fabsight.wafermap.scoring import TRUTH
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import Wafer

EASY = ("type", "yes-no", "choice", "number")
MEDIUM = ("where", "shape", "type and where")


@dataclass(frozen=True, eq=False)
class Drafted:
    """A question about a map, with its rubric and reference, before the gates."""

    wafer: Wafer
    text: str
    family: str
    truth: Description
    posed: Posed


@dataclass(frozen=True, eq=False)
class Made:
    """What came of the labelled maps.

    Attributes:
        examples: Those that passed.
        cleaned: What was left out before, and why.
        refused: Reason of the gates -> count.
        floors: Family -> what the best constant answer scores.
        drafted: How many questions there were.
    """

    examples: tuple[Example[WaferSettings], ...]
    cleaned: Cleaned
    refused: Mapping[str, int]
    floors: Mapping[str, float]
    drafted: int


def made(wafers: Iterator[Wafer], per_class: int, per_map: int, settings: WaferSettings) -> Made:
    """Examples of all question families about labelled wafers."""
    usable = cleaned(wafers)
    drafts = [
        draft
        for number, wafer in enumerate(sampled(usable.kept, per_class))
        for draft in drafted(wafer, per_map, np.random.default_rng([0, number]))
    ]
    by_family: dict[str, list[Drafted]] = defaultdict(list)
    for draft in drafts:
        by_family[draft.family].append(draft)
    refused: Counter[str] = Counter()
    examples: list[Example[WaferSettings]] = []
    floors = {}
    for family, found in by_family.items():
        posed = [draft.posed for draft in found]
        wrong = gates(posed)
        refused.update(wrong.values())
        floors[family] = floor([one for k, one in enumerate(posed) if k not in wrong])
        examples += [_example(d, settings) for k, d in enumerate(found) if k not in wrong]
    return Made(tuple(examples), usable, dict(refused), floors, len(drafts))


def drafted(wafer: Wafer, per_map: int, rng: np.random.Generator) -> Iterator[Drafted]:
    """Questions of different families about one labelled wafer."""
    truth = described(wafer)
    shares = np.array(list(SHARES.values()))
    order = rng.choice(len(SHARES), len(SHARES), replace=False, p=shares / shares.sum())
    count = 0
    for k in order:
        family = list(SHARES)[k]
        text = pose(rng, family, truth)
        asked = route(text) if text else None
        reference = asked and compose(asked, truth)
        if not (asked and reference and reference.claims):
            continue
        posed = Posed(asked, rubric(asked, truth), reference, " + ".join(wafer.labels or ()))
        yield Drafted(wafer, text, family, truth, posed)
        count += 1
        if count == per_map:
            return


def described(wafer: Wafer) -> Description:
    """What the label and the facts say of a wafer."""
    return describe(measure(wafer.grid), Choice(wafer.labels or ()))


def _example(draft: Drafted, settings: WaferSettings) -> Example[WaferSettings]:
    wafer = draft.wafer
    context = replace(settings, about=wafer.about)
    question = Question((Image(wafer.grid),), draft.text, context, wafer.source)
    hard = "hard" if len(wafer.labels or ()) > 1 or draft.family == "cause" else "medium"
    difficulty = "easy" if draft.family in EASY and hard == "medium" else hard
    metadata = {"rubric": to_json(draft.posed.by), TRUTH: to_json(draft.truth)}
    return Example(
        question,
        write(draft.posed.reference),
        group=wafer.about.lot or wafer.source,
        split=wafer.split,
        kind=draft.family,
        difficulty=difficulty,
        metadata=metadata,
    )


def write_dataset(source: Path, out: Path, settings: WaferSettings) -> tuple[str, ...]:
    """Write the instruction data of a file of labelled maps; what a person should know of it."""
    from fabsight.wafermap import TASK

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FabsightError(f"convert {source}: {out} holds something; name a folder of its own")
    found = made(read_wafers(source, settings), settings.per_class, settings.per_map, settings)
    if not found.examples:
        raise FabsightError(f"convert {source}: no wafer with a label in it; {_counts(found)[0]}")
    card = {
        "what": "questions, answers and rubrics about labelled wafer maps",
        "made from": source.name,
        "made by": f"fabsight convert {source.name} --to dataset",
        "licence": "that of the maps",
        "notes": "; ".join(_counts(found)),
    }
    dataset.write(out, found.examples, TASK, card)
    return _counts(found)


def _counts(found: Made) -> tuple[str, ...]:
    """What was kept and left out, in words."""
    left = _listed(found.cleaned.refused)
    gated = _listed(found.refused)
    share = sum(found.refused.values()) / max(found.drafted, 1)
    floors = ", ".join(f"{name} {value:.2f}" for name, value in sorted(found.floors.items()))
    return (
        f"{len(found.cleaned.kept)} maps usable, left out: {left}",
        f"{len(found.examples)} of {found.drafted} questions passed the gates "
        f"({share:.1%} refused: {gated})",
        f"best constant answer by family: {floors}",
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted(counts.items())) or "none"
