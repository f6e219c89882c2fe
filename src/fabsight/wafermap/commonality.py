"""Which tools, chambers and steps go with a pattern or with low yield.

Each level of each factor is a two by two table: wafers that saw it or not, affected or not. The
test is Fisher's, exact and one-sided, and false discoveries are controlled over all levels and
targets at once (Benjamini, Hochberg). What goes together is no cause: wafers were not assigned at
random, and one lot's wafers share most of their history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fabsight.task import FabsightError
from fabsight.wafermap.lot_statistics import benjamini_hochberg, fisher_greater, odds_ratio
from fabsight.wafermap.process_context import Passed

RATE = 0.05  # false-discovery rate
LEAST_WAFERS = 2  # that saw a level, and that did not
EXPLAINED = 0.05  # p-value above which nothing is left to a level once a surer one is set aside


@dataclass(frozen=True)
class Suspect:
    """A level that affected wafers saw more often than others.

    Attributes:
        target: What the wafers are affected by.
        factor, level: Such as "ETCH chamber" and "E03/B".
        affected_with, with_level: Affected wafers that saw it, of all that did.
        affected_without, without: Those that did not; wafers without a record count in neither.
        odds_ratio, low, high: With its 95 % interval (half a count added to each cell).
        p: Fisher's exact test, one-sided.
        q: Adjusted over all levels, factors and targets tested.
        same: Other levels seen by the very same wafers: no data can tell them apart.
        explained_by: The surer suspect without whose wafers nothing is left of this one, such as
            the chamber of a tool; "" where it stands by itself.
    """

    target: str
    factor: str
    level: str
    affected_with: int
    with_level: int
    affected_without: int
    without: int
    odds_ratio: float
    low: float
    high: float
    p: float
    q: float
    same: tuple[str, ...] = ()
    explained_by: str = ""


@dataclass(frozen=True)
class Commonality:
    """What goes with the targets.

    Attributes:
        suspects: With q at most 5 %, the surest first.
        tested: How many levels and targets were tested.
        factors: Factors that were compared.
        least_p: The smallest p-value that any of the tables could have given: where it is not
            small, so few wafers cannot convict anyone. 1 where nothing was tested.
    """

    suspects: tuple[Suspect, ...]
    tested: int
    factors: tuple[str, ...]
    least_p: float


@dataclass(frozen=True)
class _Table:
    """One level against one target: wafers that saw it, and that have a record of the factor."""

    target: str
    factor: str
    level: str
    saw: frozenset[int]
    known: frozenset[int]
    affected: frozenset[int]
    same: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.factor} {self.level}"

    def counts(self, without: frozenset[int] = frozenset()) -> tuple[int, int, int, int]:
        """Affected with the level, with it, affected, all; some wafers left out."""
        known = self.known - without
        saw, affected = self.saw & known, self.affected & known
        return len(saw & affected), len(saw), len(affected), len(known)


def commonality(
    passed: Sequence[Passed], targets: Mapping[str, Sequence[bool]], rate: float = RATE
) -> Commonality:
    """Levels that go with each target: `targets` says of each wafer whether it is affected.

    >>> saw = [Passed({"tool": frozenset({"E1" if k < 6 else "E2"})}) for k in range(20)]
    >>> found = commonality(saw, {"ring": [k < 6 for k in range(20)]})
    >>> [(s.factor, s.level, s.affected_with, s.with_level) for s in found.suspects]
    [('tool', 'E1', 6, 6)]
    """
    for target, affected in targets.items():
        if len(affected) != len(passed):
            raise FabsightError(
                f"commonality of {target!r}: it is said of {len(affected)} wafers and the context "
                f"of {len(passed)}; give one truth value a wafer"
            )
    levels = _levels(passed)
    tables = [
        _Table(
            target, factor, level, saw, known, frozenset(np.flatnonzero(affected).tolist()), same
        )
        for target, affected in targets.items()
        for factor, level, saw, known, same in levels
        if any(affected) and not all(affected)
    ]
    factors = tuple(dict.fromkeys(level[0] for level in levels))
    if not tables:
        return Commonality((), 0, factors, 1.0)
    p = np.array([_p(table.counts()) for table in tables])
    least = min(_p((min(c[1], c[2]), *c[1:])) for c in (table.counts() for table in tables))
    q = benjamini_hochberg(p)
    stands = sorted(np.flatnonzero(q <= rate), key=lambda k: (p[k], tables[k].name))
    suspects: list[Suspect] = []
    alone: list[_Table] = []
    for k in stands:
        by = _explained(tables[k], alone)
        alone += [] if by else [tables[k]]
        suspects.append(_suspect(tables[k], float(p[k]), float(q[k]), by))
    return Commonality(tuple(suspects), len(tables), factors, least)


def _levels(
    passed: Sequence[Passed],
) -> list[tuple[str, str, frozenset[int], frozenset[int], tuple[str, ...]]]:
    """Factor, level, wafers that saw it, wafers with a record, other levels of the same wafers."""
    saw: dict[tuple[str, str], set[int]] = {}
    known: dict[str, set[int]] = {}
    for k, wafer in enumerate(passed):
        for factor, levels in wafer.levels.items():
            known.setdefault(factor, set()).add(k)
            for level in levels:
                saw.setdefault((factor, level), set()).add(k)
    together: dict[tuple[frozenset[int], frozenset[int]], list[tuple[str, str]]] = {}
    for factor, level in sorted(saw):
        who, of = frozenset(saw[factor, level]), frozenset(known[factor])
        if min(len(who), len(of) - len(who)) >= LEAST_WAFERS:
            together.setdefault((who, of), []).append((factor, level))
    return [
        (*names[0], who, of, tuple(" ".join(name) for name in names[1:]))
        for (who, of), names in together.items()
    ]


def _p(counts: tuple[int, int, int, int]) -> float:
    both, with_, affected, total = counts
    return float(fisher_greater(np.array([both]), np.array([with_]), affected, total)[0])


def _explained(table: _Table, alone: Sequence[_Table]) -> str:
    """The surer suspect of the same target that leaves nothing of this one."""
    for surer in alone:
        if surer.target == table.target and _p(table.counts(surer.saw)) > EXPLAINED:
            return surer.name
    return ""


def _suspect(table: _Table, p: float, q: float, explained_by: str) -> Suspect:
    both, with_, affected, total = table.counts()
    rest = affected - both
    return Suspect(
        table.target,
        table.factor,
        table.level,
        both,
        with_,
        rest,
        total - with_,
        *odds_ratio(both, with_ - both, rest, total - with_ - rest),
        p,
        q,
        table.same,
        explained_by,
    )
