"""Our own answers to questions about drawn maps against the generator's truth, slot by slot.

They are what `predict` gives: composed, checked, and what the facts contradict withdrawn.

The truth is what was planted, never our own facts. Claims that the truth cannot decide (borders
between classes, blurred edges) are counted apart.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from _bench import environment, header, options, save, table
from fabsight.models import load
from fabsight.prediction import answer as answer_to
from fabsight.task import Example
from fabsight.wafermap import TASK
from fabsight.wafermap.judging import judge
from fabsight.wafermap.scoring import truth_of
from fabsight.wafermap.synthesis import synthesize

HELD_OUT, DEVELOPMENT = 2026_11, 7


def tallied(examples: list[Example]) -> tuple[Mapping[str, Counter[str]], list[dict[str, float]]]:
    """Verdicts of the claims by slot, and the scores of the answers."""
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    scores = []
    for example in examples:
        found = answer_to(TASK, example.question, load("embedded", TASK)).value
        assert found is not None
        truth = truth_of(example)
        for claim in found.claims:
            verdicts[claim.slot][judge(claim, truth)] += 1
        scores.append(TASK.score(found, example))
    return verdicts, scores


def main() -> None:
    """Print and keep the table."""
    asked = options(__doc__ or "", 2000, 200)
    seed = DEVELOPMENT if asked.quick else HELD_OUT
    about = environment("wafermap")
    print(header("wafermap_answers", about))
    examples = [synthesize(np.random.default_rng([seed, k])) for k in range(asked.count)]
    verdicts, scores = tallied(examples)
    rows, total = [], Counter[str]()
    for slot, found in sorted(verdicts.items()):
        total += found
        rows.append(line(slot, found))
    rows.append(line("all", total))
    rows.append(line("all but counts", total - verdicts["fails"] - verdicts["dies"]))
    heads = ("slot", "claims", "supported", "contradicted", "not decidable")
    print(table(heads, rows))
    means = {key: float(np.mean([row[key] for row in scores])) for key in ("accuracy", "rubric")}
    print(f"first slot right: {means['accuracy']:.3f}, rubric: {means['rubric']:.3f}")
    found = {"environment": about, "seed": seed, "heads": heads, "rows": rows, **means}
    save(asked.out, "wafermap_answers", found)


def line(slot: str, found: Mapping[str, int]) -> tuple[str, int, str, str, int]:
    """One row: shares of what the truth decides."""
    right, wrong = found.get("supported", 0), found.get("contradicted", 0)
    decided = max(right + wrong, 1)
    every = right + wrong + found.get("not checkable", 0)
    return slot, every, f"{right / decided:.3f}", f"{wrong / decided:.3f}", every - right - wrong


if __name__ == "__main__":
    main()
