"""Layout files from elsewhere: hierarchies, paths, repetitions, seen as gdstk alone sees them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabsight.netdsl.exports import EXPORTS
from fabsight.netdsl.gdsii_reading import read_program
from fabsight.netdsl.gdsii_records import first_fault
from fabsight.netdsl.language import Wire
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import FabsightError, Question

gdstk = pytest.importorskip("gdstk")

BAR = [(0, 0), (2, 0), (2, 0.5), (0, 0.5)]
HOOK = [(0, 1), (1, 1), (0, 2)]


def arrays(library):
    leaf = library.new_cell("LEAF").add(*(gdstk.Polygon(p, layer=1) for p in (BAR, HOOK)))
    top = library.new_cell("TOP")
    grid = {"columns": 3, "rows": 2, "spacing": (5, 7)}
    top.add(gdstk.Reference(leaf, (3, -4), rotation=np.pi / 2, x_reflection=True, **grid))
    top.add(gdstk.Reference(leaf, (-30, 4), rotation=np.pi, magnification=2, **grid))


def nested(library):
    leaf = library.new_cell("LEAF").add(gdstk.Polygon(BAR, layer=1))
    turned = {"x_reflection": True, "magnification": 2}
    middle = library.new_cell("MIDDLE")
    middle.add(gdstk.Reference(leaf, (2, 0), rotation=np.pi), gdstk.Reference(leaf, **turned))
    top = library.new_cell("TOP")
    top.add(gdstk.Reference(middle, (-5, -5), -np.pi / 2, columns=2, rows=2, spacing=(8, 9)))
    top.add(gdstk.Reference(middle, (40, 40), x_reflection=True))


def repeated(library):
    bar, hook = gdstk.Polygon(BAR, layer=1), gdstk.Polygon(HOOK, layer=1)
    path = gdstk.FlexPath([(0, 20), (2, 20)], 0.2, layer=1, simple_path=True)
    bar.repetition = gdstk.Repetition(3, 2, (4, 5))
    hook.repetition = gdstk.Repetition(offsets=[(17, 8), (19, -3)])
    path.repetition = gdstk.Repetition(2, 2, (6, 3))
    leaf = library.new_cell("LEAF").add(bar, hook, path)
    library.new_cell("TOP").add(gdstk.Reference(leaf), gdstk.Reference(leaf, (50, 0), np.pi / 2))


def repeated_on_top(library):
    bar = gdstk.Polygon(BAR, layer=1)
    bar.repetition = gdstk.Repetition(3, 2, (4, 5))
    library.new_cell("TOP").add(bar)


def paths(library):
    cell = library.new_cell("TOP")
    for row, ends in enumerate(("flush", "extended", "round", (0.3, -0.2), (-0.1, 0.5))):
        y = 3 * row
        bent, oblique = [(0, y), (2, y), (2, y + 1)], [(5, y), (6, y + 1)]
        for spine in (bent, oblique):
            path = gdstk.FlexPath(spine, 0.2, ends=ends, layer=1, simple_path=True)
            cell.add(path)


def written(folder: Path, build, kind: str) -> Path:
    library, path = gdstk.Library(unit=1e-6, precision=1e-9), folder / f"a.{kind}"
    build(library)
    (library.write_gds if kind == "gds" else library.write_oas)(path)
    return path


def seen(path: Path) -> list:
    """The metal of a file's top cell in nm, its lower left corner at the origin."""
    read = gdstk.read_oas if path.suffix == ".oas" else gdstk.read_gds
    (top,) = read(path, unit=1e-9).top_level()
    polygons = [p for p in top.get_polygons() if p.layer == 1]
    low = np.concatenate([p.points for p in polygons]).min(0)
    return [p.translate(*-low) for p in polygons]


def area(polygons) -> float:
    return sum(polygon.area() for polygon in polygons)


@pytest.mark.parametrize("kind", ["gds", "oas"])
@pytest.mark.parametrize("build", [arrays, nested, repeated, repeated_on_top, paths])
def test_the_same_metal_is_there_after_a_round_trip(tmp_path: Path, build, kind: str) -> None:
    path, again = written(tmp_path, build, kind), tmp_path / "b.gds"
    imported = read_program(path, kind)
    question = Question((), "", LayoutSettings(), nm_per_px=imported.nm_per_px)
    EXPORTS["gds"](question, imported.answer, again)
    before, after = seen(path), seen(again)
    differs = area(gdstk.boolean(before, after, "xor", precision=1e-3))
    assert differs <= 1e-4 * area(gdstk.boolean(before, [], "or", precision=1e-3))


def test_straight_paths_become_wires(tmp_path: Path) -> None:
    commands = read_program(written(tmp_path, paths, "gds"), "gds").answer.commands
    assert sum(isinstance(command, Wire) for command in commands) == 4, "all but the round end"


@pytest.mark.parametrize("kind", ["gds", "oas"])
def test_billions_of_references_to_nothing_are_refused_at_once(tmp_path: Path, kind: str) -> None:
    def build(library):
        empty = library.new_cell("EMPTY").add(gdstk.Label("a", (0, 0)))
        row = library.new_cell("ROW")
        row.add(gdstk.Reference(empty, columns=30_000, rows=30_000, spacing=(1, 1)))
        library.new_cell("TOP").add(gdstk.Polygon(BAR, layer=1), gdstk.Reference(row))

    with pytest.raises(FabsightError, match="900000001 shapes"):
        read_program(written(tmp_path, build, kind), kind)


@given(data=st.binary(max_size=60), at=st.integers(0, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_walk_over_records_ends_whatever_the_bytes(tmp_path: Path, data: bytes, at) -> None:
    path = written(tmp_path, repeated_on_top, "gds")
    whole = path.read_bytes()
    assert first_fault(path) == ""
    path.write_bytes(whole[:at] + data + whole[at:])
    fault = first_fault(path)
    assert fault == "" or 0 <= int(fault.split(":")[0].removeprefix("byte ")) <= path.stat().st_size
