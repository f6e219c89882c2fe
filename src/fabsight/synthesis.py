"""synthesize: a seed to examples with exact truth."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from fabsight import pool
from fabsight.task import Example, FabsightError, Task


def synthesize(
    task: Task[Any, Any], count: int, seed: int = 0, start: int = 0, workers: int = 1
) -> Iterator[Example[Any]]:
    """Examples start, start + 1, ... of the endless sequence that `seed` names.

    Example i depends only on (seed, i): not on the count, on where the reading began, or on the
    number of worker processes. A set can be extended, split over machines or drawn again in part.

    Raises:
        FabsightError: A count, seed or start below 0.
    """
    for name, value in (("count", count), ("seed", seed), ("start", start)):
        if value < 0:
            raise FabsightError(f"synthesize {task.name}: {name} is {value}, it must be 0 or more")
    return pool.ordered(partial(draw, task, seed), range(start, start + count), workers)


def draw(task: Task[Any, Any], seed: int, index: int) -> Example[Any]:
    """Example `index` of the sequence that `seed` names."""
    return task.synthesize(np.random.default_rng([seed, index]))
