"""How well false statements in free English about a wafer map are flagged, and true ones are not.

    python benchmarks/wafermap_plants.py [--count 1000] [--quick] [--part dev|held-out|both]
                                         [--verbose] [--out DIR]

Texts of 1 to 6 sentences about generated maps, in the phrases of `_plants`: in a planted text
exactly one statement is false, in a true text none; which, the generator's truth says. A plant is
flagged when a claim read from the text is contradicted in the planted slot; a true text is falsely
flagged when any claim is. Frames and words fall into a development and a held-out half by a hash;
the reader may be improved on failures of the first only.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _bench import RESULTS, environment, header, save, table
from _plant_texts import Frame, Text, frames, planted_text, true_text, world_of
from _plants import SLOTS, STYLES
from fabsight.wafermap.claims import Claim
from fabsight.wafermap.generator import draw_wafer
from fabsight.wafermap.judging import judge, span
from fabsight.wafermap.reading_text import read

SEED = 20261
COUNT, QUICK_COUNT, SHOWN = 1000, 100, 30
PARTS = ("dev", "held-out")
CLOSE_H = 0.6  # hours by which a clock position may be read otherwise than said


def measure(part: str, count: int) -> dict[str, Any]:
    """Plants and true texts of one half of the frames, and what was read from each."""
    rng = np.random.default_rng((SEED, PARTS.index(part)))
    worlds = [world_of(draw_wafer(rng).description) for _ in range(count)]
    known = frames(part)
    plants = [planted_text(rng, worlds, known, SLOTS[k % len(SLOTS)]) for k in range(count)]
    truths = [true_text(rng, worlds, known) for _ in range(count)]
    return {"frames": known, "plants": [*map(looked, plants)], "truths": [*map(looked, truths)]}


def looked(text: Text) -> dict[str, Any]:
    """What was read from a text: claims, those that its map contradicts, statements read."""
    claims = read(text.text).claims
    return {
        "text": text,
        "claims": claims,
        "wrong": [c for c in claims if judge(c, text.description) == "contradicted"],
        "read": [any(same(said, found) for found in claims) for said in text.statements],
    }


def same(said: Claim, found: Claim) -> bool:
    """Whether a claim that was read is what was said."""
    if (said.slot, said.holds) != (found.slot, found.holds):
        return False
    if isinstance(said.value, tuple) and isinstance(found.value, tuple):
        ends = zip(said.value, found.value, strict=True)
        return all(min(span((a, b)), span((b, a))) <= CLOSE_H for a, b in ends)
    return said.value == found.value


def flagged(plant: dict[str, Any]) -> bool:
    """Whether the false statement was: some claim in its slot is contradicted."""
    return any(claim.slot == plant["text"].planted.slot for claim in plant["wrong"])


def share(values: Sequence[bool]) -> float:
    """Share of what holds; nan of nothing."""
    return sum(values) / len(values) if values else float("nan")


def summary(part: str, found: dict[str, Any]) -> dict[str, Any]:
    """The figures of one half: in all, by slot and by style."""
    plants, truths = found["plants"], found["truths"]
    known: Sequence[Frame] = found["frames"]
    all_of_it = {
        "part": part,
        "frames": len(known),
        "plants": len(plants),
        "flagged": share([flagged(p) for p in plants]),
        "flagged_in_any_slot": share([bool(p["wrong"]) for p in plants]),
        "planted_statement_read": share([one for p in plants for one in planted_read(p)]),
        "flagged_beside": share([any(stray(p)) for p in plants]),
        "false_flags": share([bool(t["wrong"]) for t in truths]),
        "true_statements_read": share([one for t in truths for one in t["read"]]),
    }
    return {
        "all": all_of_it,
        "slots": [by_slot(slot, plants, truths) for slot in SLOTS],
        "styles": [by_style(style, known, plants, truths) for style in STYLES],
        "sentences": [by_length(k, plants, truths) for k in range(1, 7)],
    }


def planted_read(plant: dict[str, Any]) -> list[bool]:
    """Whether the planted statement itself was read as it was said."""
    text = plant["text"]
    pairs = zip(text.statements, plant["read"], strict=True)
    return [read_it for said, read_it in pairs if said is text.planted]


def stray(plant: dict[str, Any]) -> list[bool]:
    """Which contradicted claims of a planted text are in another slot than the plant."""
    return [claim.slot != plant["text"].planted.slot for claim in plant["wrong"]]


def by_slot(slot: str, plants: Sequence[Any], truths: Sequence[Any]) -> list[Any]:
    """Slot, plants and share flagged, share of true statements read, true texts falsely flagged."""
    ours = [flagged(p) for p in plants if p["text"].planted.slot == slot]
    said = [
        one
        for t in truths
        for claim, one in zip(t["text"].statements, t["read"], strict=True)
        if claim.slot == slot
    ]
    false = [any(c.slot == slot for c in t["wrong"]) for t in truths]
    return [slot, len(ours), share(ours), len(said), share(said), share(false)]


def by_style(
    style: str, known: Sequence[Frame], plants: Sequence[Any], truths: Sequence[Any]
) -> list[Any]:
    """Style, frames, plants and share flagged, share of true statements read."""
    ours = [flagged(p) for p in plants if p["text"].style == style]
    said = [
        one
        for t in truths
        for how, one in zip(t["text"].styles, t["read"], strict=True)
        if how == style
    ]
    count = sum(frame.style == style for frame in known)
    return [style, count, len(ours), share(ours), len(said), share(said)]


def by_length(count: int, plants: Sequence[Any], truths: Sequence[Any]) -> list[Any]:
    """Sentences, plants and share flagged, true texts and share falsely flagged."""
    ours = [flagged(p) for p in plants if p["text"].sentences == count]
    false = [bool(t["wrong"]) for t in truths if t["text"].sentences == count]
    return [count, len(ours), share(ours), len(false), share(false)]


HEADS = {
    "slots": ("slot", "plants", "flagged", "said", "read", "false flags"),
    "styles": ("style", "frames", "plants", "flagged", "said", "read"),
    "sentences": ("sentences", "plants", "flagged", "true texts", "false flags"),
}


def show(found: dict[str, Any]) -> None:
    """Print the tables of one half."""
    print(f"\n## {found['all']['part']}")
    print(table(("", "share or count"), list(found["all"].items())[1:]))
    for name, head in HEADS.items():
        print("\n" + table(head, found[name]))


def show_failures(found: dict[str, Any]) -> None:
    """Print plants that were missed and true texts that were flagged, with what was read."""
    missed = [p for p in found["plants"] if not flagged(p)]
    print(f"\n## missed plants: {SHOWN} of {len(missed)} at most")
    for plant in missed[:SHOWN]:
        print(f"- false: {brief(plant['text'].planted)}  frame: {plant['text'].frame}")
        print(f"  text: {plant['text'].text!r}\n  read: {[brief(c) for c in plant['claims']]}")
    wronged = [t for t in found["truths"] if t["wrong"]]
    print(f"\n## true texts flagged: {SHOWN} of {len(wronged)} at most")
    for truth in wronged[:SHOWN]:
        print(f"- text: {truth['text'].text!r}\n  wrong: {[brief(c) for c in truth['wrong']]}")
        print(f"  said: {[brief(c) for c in truth['text'].statements]}")
    often = Counter(p["text"].frame for p in missed).most_common(SHOWN)
    print("\n## frames missed most often")
    print(table(("frame", "times"), often))


def brief(claim: Claim) -> str:
    """A claim in one word."""
    return f"{claim.slot}{'=' if claim.holds else '!='}{claim.value}"


def options() -> argparse.Namespace:
    """The options, `count` settled."""
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--count", type=int, default=0, help=f"texts of a kind (default {COUNT})")
    asked.add_argument("--quick", action="store_true", help=f"{QUICK_COUNT} texts of a kind")
    asked.add_argument("--part", choices=(*PARTS, "both"), default="both", help="half of frames")
    asked.add_argument("--verbose", action="store_true", help="list texts that failed")
    asked.add_argument("--out", type=Path, default=RESULTS, help="where the JSON file goes")
    found = asked.parse_args()
    found.count = found.count or (QUICK_COUNT if found.quick else COUNT)
    return found


def main() -> None:
    """Measure the halves asked for, print their tables, and save them where both were measured."""
    asked = options()
    here = environment() | {"seed": [SEED]}
    print(header("wafermap_plants", here))
    results = {}
    for part in PARTS if asked.part == "both" else (asked.part,):
        found = measure(part, asked.count)
        results[part] = summary(part, found)
        show(results[part])
        if asked.verbose:
            show_failures(found)
    if asked.part == "both":
        save(asked.out, "wafermap_plants", {"environment": here, "heads": HEADS, "parts": results})


if __name__ == "__main__":
    main()
