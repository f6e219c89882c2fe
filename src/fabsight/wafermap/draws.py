"""Random numbers as the generators of wafers and lots ask for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True)
class Draw:
    """What is drawn with: a generator, asked for one number at a time."""

    rng: np.random.Generator

    def between(self, low: float, high: float) -> float:
        """A number in [low, high), each as likely."""
        return low + (high - low) * self.rng.random()

    def log_between(self, low: float, high: float) -> float:
        """A number in [low, high), each ratio as likely; 0 < low."""
        return float(low * (high / low) ** self.rng.random())

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def sign(self) -> float:
        """1 or -1."""
        return 1.0 if self.rng.random() < 0.5 else -1.0

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, each as likely."""
        return items[int(self.rng.integers(len(items)))]

    def weighed(self, items: Sequence[tuple[T, float]]) -> T:
        """One of (item, weight), as likely as its weight; the weights need not add to 1.

        >>> Draw(np.random.default_rng(0)).weighed((("a", 0.0), ("b", 2.0)))
        'b'
        """
        left = self.rng.random() * sum(weight for _, weight in items)
        for item, weight in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][0]
