"""What is found again of what was planted in lots; search among maps: quality, time, memory.

    python benchmarks/wafermap_lots.py [--count 200] [--quick] [--out DIR]

Planted: repeaters, exposure fields, changes of the fail rate, groups of patterns, guilty chambers;
beside each what is found where nothing was planted. Repeaters and fields also in lots drawn from
real maps. Search: 100,000 real maps (turned copies included), precision@10 by class.
"""

from typing import Any

import numpy as np

from _bench import ROOT, environment, header, options, save, table
from _lots import KINDS, drawn
from _lots_search import Maps, maps_in, quality, speed
from fabsight.wafermap.clusters import clusters
from fabsight.wafermap.commonality import commonality
from fabsight.wafermap.geometry import disk
from fabsight.wafermap.process_context import Passed
from fabsight.wafermap.reticle import reticle
from fabsight.wafermap.stacking import repeaters
from fabsight.wafermap.trends import trend
from fabsight.wafermap.wafer import FAIL, NO_DIE, Grid

SEED = 77001
COUNT, QUICK_COUNT = 200, 20
DATA = ROOT.parent / "shared" / "data" / "wafermap" / "wm811k_trainval.npz"
SHAPES = ((25, 27), (33, 37), (52, 52))
REAL = ((25, 27), (26, 26), (53, 52), (33, 37))  # grids with many maps in WM-811K
WAFERS, PER_LOT = 25, 4
HEAD = ("planted", "lots", "recovered", "false per lot", "clean lots with any")


def some_lot(rng: np.random.Generator, shape: tuple[int, int]) -> list[Grid]:
    """A lot of 25: a third of the wafers with a pattern at its place, noise 2 to 12 %."""
    noise, kind = rng.uniform(0.02, 0.12), KINDS[rng.integers(len(KINDS))]
    return [
        drawn(rng, kind if rng.random() < 0.33 else "none", shape, noise) for _ in range(WAFERS)
    ]


def real_lot(rng: np.random.Generator, maps: Maps, shape: tuple[int, int]) -> list[Grid]:
    """25 real maps of one grid, of any class and lot."""
    fitting = maps.used[(maps.shapes[maps.used] == shape).all(1)]
    return [maps.grid(k).copy() for k in rng.choice(fitting, WAFERS, replace=False)]


def lots(rng: np.random.Generator, count: int, maps: Maps | None) -> list[list[Grid]]:
    """Drawn lots, or real ones where there are maps."""
    if maps is None:
        return [some_lot(rng, SHAPES[k % len(SHAPES)]) for k in range(count)]
    return [real_lot(rng, maps, REAL[k % len(REAL)]) for k in range(count)]


def repeaters_row(rng: np.random.Generator, name: str, chance: float, given: list) -> list[Any]:
    """Four dies inside 95 % of the radius fail with a chance; any other found counts as false."""
    hits = planted = false = clean = 0
    for grids in given:
        before = {(r.row, r.column) for r in repeaters(grids)}
        clean += bool(before)
        grids = [grid.copy() for grid in grids]
        inside = np.all([grid != NO_DIE for grid in grids], 0) & (
            disk(*grids[0].shape).radius < 0.95
        )
        places = rng.permutation(np.argwhere(inside))[:PER_LOT].tolist()
        for grid in grids:
            for row, column in places:
                if rng.random() < chance:
                    grid[row, column] = FAIL
        after = {(r.row, r.column) for r in repeaters(grids)}
        wanted = {(row, column) for row, column in places}
        hits, planted = hits + len(after & wanted), planted + len(wanted)
        false += len(after - wanted)
    return [name, len(given), hits / planted, false / len(given), clean / len(given)]


def fields_row(rng: np.random.Generator, name: str, chance: float, given: list) -> list[Any]:
    """One position of a field of 2 x 2 to 5 x 4 fails with a chance: size and position found."""
    hits = false = clean = 0
    for grids in given:
        clean += reticle(grids).columns > 0
        across, down = int(rng.integers(2, 6)), int(rng.integers(2, 5))
        column, row = int(rng.integers(across)), int(rng.integers(down))
        grids = [grid.copy() for grid in grids]
        for grid in grids:
            place = grid[row::down, column::across]
            place[(place != NO_DIE) & (rng.random(place.shape) < chance)] = FAIL
        found = reticle(grids)
        right = (found.columns, found.rows) == (across, down)
        positions = [(one.column, one.row) for one in found.repeats]
        hits += right and (column, row) in positions
        false += len(positions) - ((column, row) in positions)
    return [name, len(given), hits / len(given), false / len(given), clean / len(given)]


def changes_row(rng: np.random.Generator, ratio: float, scatter: float, count: int) -> list[Any]:
    """The fail rate steps by a ratio at one wafer of 25; found within one wafer."""
    hits = false = clean = 0
    for _ in range(count):
        at, trials = int(rng.integers(4, 22)), np.full(WAFERS, int(rng.integers(400, 2000)))
        rate = rng.uniform(0.03, 0.15) * np.exp(rng.normal(0, scatter, WAFERS))
        clean += bool(trend(rng.binomial(trials, rate), trials).changes)
        stepped = np.where(np.arange(WAFERS) < at, rate, np.minimum(rate * ratio, 0.95))
        found = [one.at for one in trend(rng.binomial(trials, stepped), trials).changes]
        near = sum(abs(one - at) <= 1 for one in found)
        hits += near > 0
        false += len(found) - min(near, 1)
    name = f"change x{ratio}, scatter {scatter:.0%}"
    return [name, count, hits / count, false / count, clean / count]


def groups_row(rng: np.random.Generator, noise: float, count: int) -> list[Any]:
    """Three kinds on 8, 5 and 3 wafers among 9 without: wafers in their own kind's group."""
    hits = planted = false = clean = 0
    for k in range(count):
        chosen = rng.permutation(KINDS)[:3].tolist()
        kinds = [chosen[0]] * 8 + [chosen[1]] * 5 + [chosen[2]] * 3 + ["none"] * 9
        shape = SHAPES[k % len(SHAPES)]
        found = clusters([drawn(rng, kind, shape, noise) for kind in kinds])
        claimed: set[str] = set()
        for group in found.groups:
            names = [kinds[w] for w in group.wafers]
            kind = max(sorted(set(names)), key=names.count)
            if kind == "none" or kind in claimed:
                false += 1  # a group too many
                continue
            claimed.add(kind)
            hits += names.count(kind)
        planted += 16
        clean += bool(clusters([drawn(rng, "none", shape, noise) for _ in range(WAFERS)]).groups)
    name = f"wafers of 3 groups, noise {noise:.0%}"
    return [name, count, hits / planted, false / count, clean / count]


def chambers_row(rng: np.random.Generator, wafers: int, count: int) -> list[Any]:
    """One of 8 etch chambers hits 90 % of its wafers, the rest 4 %; five steps of 8 chambers."""
    hits = false = clean = 0
    for _ in range(count):
        seen = []
        for _ in range(wafers):
            levels = {}
            for step in ("ETCH", "LITHO", "CVD", "CMP", "IMPLANT"):
                tool, chamber = f"{step[:2]}{rng.integers(4)}", "AB"[rng.integers(2)]
                levels[f"{step} tool"] = frozenset({tool})
                levels[f"{step} chamber"] = frozenset({f"{tool}/{chamber}"})
            seen.append(Passed(levels))
        guilty = [one.levels["ETCH chamber"] == {"ET1/B"} for one in seen]
        affected = [bool(rng.random() < (0.9 if bad else 0.04)) for bad in guilty]
        alone = [s for s in commonality(seen, {"x": affected}).suspects if not s.explained_by]
        hits += bool(alone) and alone[0].level == "ET1/B"
        false += sum(one.level != "ET1/B" for one in alone)
        shuffled = rng.permutation(affected).tolist()
        clean += bool(commonality(seen, {"x": shuffled}).suspects)
    return [f"guilty chamber, {wafers} wafers", count, hits / count, false / count, clean / count]


def planted_rows(count: int, maps: Maps | None) -> list[list[Any]]:
    """A row for everything planted."""
    rng = np.random.default_rng(SEED)
    rows = []
    kinds = {"drawn": lots(rng, count, None)}
    if maps is not None:
        kinds["real"] = lots(rng, count, maps)
    for name, given in kinds.items():
        rows += [
            repeaters_row(rng, f"repeater {chance:.0%}, {name}", chance, given)
            for chance in (0.5, 0.7, 0.9)
        ]
        part = given[: max(count // 4, 5)]
        rows += [
            fields_row(rng, f"field {chance:.0%}, {name}", chance, part)
            for chance in (0.2, 0.4, 0.8)
        ]
    for ratio, scatter in ((2.0, 0.1), (2.0, 0.3), (3.0, 0.3)):
        rows.append(changes_row(rng, ratio, scatter, count))
    rows += [groups_row(rng, noise, max(count // 2, 5)) for noise in (0.03, 0.08, 0.15)]
    return rows + [chambers_row(rng, wafers, count) for wafers in (25, 50, 100, 200)]


def main() -> None:
    """Print and keep all figures."""
    asked = options(__doc__, COUNT, QUICK_COUNT)
    here = environment() | {"seed": [SEED]}
    print(header("wafermap_lots", here))
    maps = maps_in(DATA) if DATA.is_file() else None
    rows = planted_rows(asked.count, maps)
    print(table(HEAD, rows))
    found = {"environment": here, "columns": HEAD, "rows": rows}
    if maps is None:
        print(f"# no {DATA}: nothing searched")
    else:
        timing = speed(maps, 5_000 if asked.quick else 100_000, 40 if asked.quick else 200, SEED)
        print("\n" + table(("index", "value"), list(timing.items())))
        head, quality_rows = quality(maps, 10 if asked.quick else 60, SEED)
        print("\n" + table(head, quality_rows))
        found |= {"index": timing, "search_columns": head, "search_rows": quality_rows}
    save(asked.out, "wafermap_lots", found)


if __name__ == "__main__":
    main()
