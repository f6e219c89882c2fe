"""Rubrics over all question families against the three gates: reference, constant, other patterns.

Maps are drawn; with --labels' sibling folder `wafermap` at hand, labelled real maps are asked about
too (a label and facts instead of a generator's truth).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from _bench import LABELS, environment, header, options, save, table
from fabsight.wafermap.asking import ask
from fabsight.wafermap.claims import Answer
from fabsight.wafermap.composing import compose
from fabsight.wafermap.formats import read_wafers
from fabsight.wafermap.generator import draw_wafer
from fabsight.wafermap.instruction import made
from fabsight.wafermap.questions import route
from fabsight.wafermap.rubrics import Posed, floor, gates, marks, rubric
from fabsight.wafermap.settings import WaferSettings

SEED = 2026_11
BUNDLE = LABELS.parents[1] / "wafermap" / "wm811k_trainval.npz"
HEADS = ("family", "rubrics", "refused", "share", "best constant answer", "silence")


def drawn(count: int) -> Mapping[str, list[Posed]]:
    """Questions about drawn maps, by family."""
    found: dict[str, list[Posed]] = defaultdict(list)
    for k in range(count):
        rng = np.random.default_rng([SEED, k])
        truth = draw_wafer(rng).description
        text, family = ask(rng, truth)
        asked = route(text)
        name = " + ".join(truth.choices["pattern"].true)
        posed = Posed(asked, rubric(asked, truth), compose(asked, truth), name)
        found[family].append(posed)
    return found


def rows_of(families: Mapping[str, list[Posed]]) -> list[tuple[object, ...]]:
    """A row per family, the whole last."""
    rows: list[tuple[object, ...]] = []
    total = refused = 0
    for family, posed in sorted(families.items()):
        gone = gates(posed)
        wrong, posed = len(gone), [one for k, one in enumerate(posed) if k not in gone]
        silence = float(np.mean([marks(Answer(()), one.by) for one in posed]))
        every = len(posed) + wrong
        rows.append((family, every, wrong, wrong / every, floor(posed), silence))
        total, refused = total + every, refused + wrong
    rows.append(("all", total, refused, refused / max(total, 1), None, None))
    return rows


def real(count: int) -> Iterable[str]:
    """What becomes of the labelled maps of the training part."""
    if not BUNDLE.is_file():
        return [f"no labelled maps at hand ({BUNDLE.name})"]
    wafers = (w for w in read_wafers(BUNDLE, WaferSettings()) if w.split == "train")
    some = (wafer for k, wafer in enumerate(wafers) if k % 4 == 0)
    result = made(some, max(count // 40, 5), 4, WaferSettings())
    left = Counter(result.cleaned.refused)
    share = sum(result.refused.values()) / max(result.drafted, 1)
    return [
        f"labelled maps: {len(result.cleaned.kept)} usable, left out {dict(left)}",
        f"{result.drafted} questions, {share:.1%} refused by the gates {dict(result.refused)}",
        f"best constant answers: { {k: round(v, 2) for k, v in result.floors.items()} }",
    ]


def main() -> None:
    """Print and keep the tables."""
    asked = options(__doc__ or "", 6000, 600)
    about = environment("wafermap")
    print(header("wafermap_rubrics", about))
    rows = rows_of(drawn(asked.count))
    print(table(HEADS, rows))
    said = list(real(asked.count))
    print("\n".join(said))
    save(asked.out, "wafermap_rubrics", {"environment": about, "rows": rows, "labelled": said})


if __name__ == "__main__":
    main()
