"""Time of an answer, stage by stage, and of 10,000 maps on two cores with peak memory.

Maps are drawn, 26 to 53 dies across; times are processor time of one core, the median over maps.
"""

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from _bench import environment, header, options, save, table
from fabsight import pool
from fabsight.models import load
from fabsight.prediction import predict_one
from fabsight.task import Image, Question
from fabsight.wafermap import TASK
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.classifier import classify
from fabsight.wafermap.facts import measure
from fabsight.wafermap.generator import draw_pattern
from fabsight.wafermap.settings import WaferSettings

SIZES = ((26, 26), (33, 37), (38, 36), (53, 52))
SEED, WARM = 2026_11, 20


def grid_of(number: int) -> np.ndarray:
    """Map `number`: patterns and sizes in turn."""
    rng = np.random.default_rng([SEED, number])
    return draw_pattern(rng, (PATTERNS[number % 9],), SIZES[number % len(SIZES)]).wafer.grid


def asked(grid: np.ndarray) -> Question[WaferSettings]:
    """The task's own question about a map."""
    return Question((Image(grid),), TASK.prompt, WaferSettings())


def answered(number: int) -> float:
    """The check of the answer to map `number`; for worker processes."""
    prediction = predict_one(TASK, asked(grid_of(number)), load("embedded", TASK), "embedded")
    return prediction.check.score if prediction.check else 0.0


def median_ms(work: Callable[[Any], object], given: list[Any]) -> float:
    """Median processor time of a call, ms, after some that are not counted."""
    for one in given[:WARM]:
        work(one)
    times = []
    for one in given[WARM:]:
        begin = time.process_time()
        work(one)
        times.append(time.process_time() - begin)
    return 1e3 * float(np.median(times))


def main() -> None:
    """Print and keep the figures."""
    wanted = options(__doc__ or "", 10_000, 400)
    about = environment("wafermap")
    print(header("wafermap_speed", about))
    grids = [grid_of(k) for k in range(WARM + 200)]
    model = load("embedded", TASK)
    whole = partial(_whole, model)
    rows = [
        ("facts", median_ms(measure, grids)),
        ("classifier", median_ms(classify, grids)),
        ("whole answer with check", median_ms(whole, [asked(grid) for grid in grids])),
    ]
    print(table(("stage", "ms"), rows))
    begin = time.perf_counter()
    count = sum(1 for _ in pool.ordered(answered, range(wanted.count), 2))
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{count} maps drawn, answered and checked by 2 workers: {seconds:.1f} s, {peak:.0f} MiB")
    found = {"rows": rows, "maps": count, "seconds": seconds, "worker_mib": peak}
    save(wanted.out, "wafermap_speed", {"environment": about, **found})


def _whole(model: Any, question: Question[WaferSettings]) -> object:
    return predict_one(TASK, question, model, "embedded")


if __name__ == "__main__":
    main()
