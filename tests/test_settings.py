import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import UInt8

from fabsight.netdsl.settings import LayoutSettings
from fabsight.settings import (
    Range,
    check_settings,
    describe_settings,
    parse_settings,
    settings_from_json,
    split_settings,
    to_json,
)
from fabsight.task import FabsightError


@dataclass(frozen=True)
class Grid:
    """A die grid.

    Attributes:
        rows: Rows.
        pitch_um: Pitch (x, y).
    """

    rows: int
    pitch_um: tuple[float, float] = (100.0, 100.0)


@dataclass(frozen=True)
class Everything:
    """One field of each kind.

    Attributes:
        flag: A switch.
        count: How many: at least one,
            on one wafer.
        level: A level.
        name: A name.
        mode: A mode.
        path: Where, if anywhere.
        limit: A limit, if any.
        classes: Names of classes.
        size: Width and height.

    Note:
        path: not part of the section above.
    """

    flag: bool = False
    count: int = 3
    level: float = 0.5
    name: str = "x"
    mode: Literal["auto", "dark", 1] = "auto"
    path: Path | None = None
    limit: float | None = None
    classes: tuple[str, ...] = ()
    size: tuple[int, int] = (4, 3)
    grid: Grid | None = None
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class WithMap:
    """A context that carries an array."""

    dies: UInt8[np.ndarray, "rows columns"]


everything = st.builds(
    Everything,
    flag=st.booleans(),
    count=st.integers(),
    level=st.floats(allow_nan=False),
    name=st.text(),
    mode=st.sampled_from(["auto", "dark", 1]),
    path=st.none() | st.sampled_from([Path("a/b.png"), Path("c")]),
    limit=st.none() | st.floats(allow_nan=False),
    classes=st.lists(st.text()).map(tuple),
    size=st.tuples(st.integers(), st.integers()),
    grid=st.none() | st.builds(Grid, rows=st.integers()),
    weights=st.dictionaries(st.text(), st.floats(allow_nan=False), max_size=3),
)


@given(everything)
def test_json_gives_the_same_settings_back(settings):
    text = json.dumps(to_json(settings), allow_nan=False)
    assert settings_from_json(Everything, json.loads(text)) == settings


def test_strings_become_typed_values():
    read = parse_settings(
        Everything,
        {
            "flag": "Yes",
            "count": "-7",
            "level": "1e-3",
            "mode": "1",
            "path": "masks/a.png",
            "limit": "none",
            "classes": "open, short",
            "size": "(10,20)",
        },
    )
    assert read == Everything(
        flag=True,
        count=-7,
        level=1e-3,
        mode=1,
        path=Path("masks/a.png"),
        classes=("open", "short"),
        size=(10, 20),
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("flag", "maybe", "expected true or false"),
        ("count", "3.5", "expected whole number"),
        ("level", "high", "expected number"),
        ("level", "nan", "expected a finite number"),
        ("level", "1e999", "expected a finite number"),
        ("mode", "bright", r"expected auto \| dark \| 1"),
        ("limit", "much", "expected number or none"),
        ("size", "1,2,3", "expected 2 values, got 3"),
        ("grid", "1", "expected Grid or none"),
        ("weights", "1", "only a JSON file can give"),
        ("cuont", "1", "no setting 'cuont'; did you mean 'count'"),
        ("zzz", "1", "there are: flag, count"),
    ],
)
def test_bad_strings_are_refused_with_key_and_allowed_values(key, value, said):
    with pytest.raises(FabsightError, match=said) as caught:
        parse_settings(Everything, {key: value})
    assert "Everything" in str(caught.value)
    assert key in str(caught.value)


@dataclass(frozen=True)
class Ranged:
    """Numbers with ranges.

    Attributes:
        share: A share.
        size_um: A size, if known.
        tries: Tries.
    """

    share: Annotated[float, Range(0, 1)] = 0.5
    size_um: Annotated[float, Range(0.1, 100, or_zero=True)] = 0.0
    tries: Annotated[int, Range(1, 9)] | None = None


def test_numbers_have_ranges():
    assert parse_settings(Ranged, {"share": "1", "size_um": "0", "tries": "9"}).tries == 9
    assert settings_from_json(Ranged, {"share": 0, "size_um": 100, "tries": None}).size_um == 100
    assert [row.type for row in describe_settings(Ranged)] == [
        "number from 0 to 1",
        "number from 0.1 to 100, or 0",
        "whole number from 1 to 9 or none",
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [("share", -0.1), ("share", 2), ("size_um", 0.05), ("size_um", 1e9), ("tries", 0)],
)
def test_numbers_outside_their_range_are_refused(key, value):
    for read in (
        lambda: parse_settings(Ranged, {key: str(value)}),
        lambda: settings_from_json(Ranged, {key: value}),
        lambda: check_settings(Ranged(**{key: value})),
    ):
        with pytest.raises(FabsightError, match=rf"Ranged: {key} ?=.*: expected .* from"):
            read()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_ranges_hold_finite_numbers_only(value):
    for read in (
        lambda: parse_settings(Ranged, {"share": value}),
        lambda: settings_from_json(Ranged, {"share": value}),
        lambda: check_settings(Ranged(share=float(value))),
    ):
        with pytest.raises(FabsightError, match="share"):
            read()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"count": True}, "count = true: expected whole number"),
        ({"count": 1.5}, "count = 1.5: expected whole number"),
        ({"flag": 1}, "flag = 1: expected true or false"),
        ({"name": 3}, "name = 3: expected text"),
        ({"level": "high"}, 'level = "high": expected number'),
        ({"size": [1]}, "expected 2 values, got 1"),
        ({"classes": "open"}, "classes = "),
        ({"weights": [1]}, "weights = "),
        ({"grid": {"rows": 2, "cols": 3}}, "Grid: there is no setting 'cols'"),
        ({"grid": {}}, "Grid: rows must be given"),
        ({"mode": "1"}, "mode = "),
        ([1], "expected an object"),
    ],
)
def test_json_values_are_checked_against_field_types(data, said):
    with pytest.raises(FabsightError, match=said):
        settings_from_json(Everything, data)


def test_required_fields_are_asked_for():
    with pytest.raises(FabsightError, match="Grid: rows must be given"):
        parse_settings(Grid, {})


def test_arrays_round_trip_and_are_checked():
    dies = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    data = json.loads(json.dumps(to_json(WithMap(dies))))
    back = settings_from_json(WithMap, data)
    assert back.dies.dtype == np.uint8
    assert np.array_equal(back.dies, dies)
    for bad in ([1, 2], [[1, 300]], [[1], [2, 3]], [["a"]], [[0.5]], None):
        with pytest.raises(FabsightError, match="dies = "):
            settings_from_json(WithMap, {"dies": bad})


def test_help_comes_from_the_docstring():
    rows = {row.name: row for row in describe_settings(Everything)}
    assert rows["count"].help == "How many: at least one, on one wafer."
    assert rows["path"] == ("path", "path or none", "none", "Where, if anywhere.")
    assert rows["size"][1:3] == ("whole number, whole number", "4,3")
    assert rows["grid"].help == ""
    assert describe_settings(Grid)[0].default == "required"


def test_every_documented_default_reads_back():
    for row in describe_settings(LayoutSettings):
        assert row.help
        assert parse_settings(LayoutSettings, {row.name: row.default}) == LayoutSettings()


def test_json_of_numbers_that_are_not_finite():
    assert to_json([math.nan, math.inf, -np.inf]) == ["NaN", "Infinity", "-Infinity"]
    assert math.isnan(settings_from_json(Everything, {"level": "NaN"}).level)
    assert settings_from_json(Everything, {"level": "-Infinity"}).level == -math.inf


def test_json_refuses_what_it_cannot_hold():
    with pytest.raises(FabsightError, match="a object has no JSON form"):
        to_json({"a": object()})
    assert to_json({frozenset({2, 1}): {"b", "a"}}) == {"frozenset({1, 2})": ["a", "b"]}


def test_pairs_are_split_at_the_first_equals_sign():
    assert split_settings(["a=1", "a=b=c"]) == {"a": "b=c"}
    for bad in ("edge", "=3"):
        with pytest.raises(FabsightError, match="expected key=value"):
            split_settings([bad])


def test_only_dataclasses_are_settings():
    with pytest.raises(FabsightError, match="dict is not a dataclass"):
        describe_settings(dict)
