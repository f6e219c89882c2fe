"""Process context: tables as people write them, and which tools go with what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.task import FabsightError
from fabsight.wafermap.commonality import commonality
from fabsight.wafermap.process_context import (
    Context,
    Passed,
    matched,
    read_context,
    wafer_key,
)
from fabsight.wafermap.wafer import About


@pytest.fixture
def table(tmp_path):
    """Write a table and read it."""

    def read(text):
        path = tmp_path / "context.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_context(path)

    return read


@pytest.mark.parametrize("lot", ["A12", " a12", "A12 "])
@pytest.mark.parametrize(
    "wafer", ["1", "01", "W01", "w1", "A12.01", "A12-1", "A12#1", "A12_W01", "wafer 1", "a12:01"]
)
def test_one_wafer_however_it_is_written(lot, wafer):
    assert wafer_key(lot, wafer) == ("a12", "1")


def test_lots_and_wafers_that_are_others():
    assert wafer_key("A1", "A12") == ("a1", "a12")
    assert wafer_key("", "LOT.7.03") == ("lot.7", "3")
    assert wafer_key("", "QX3TB") == ("", "qx3tb")
    assert wafer_key("L", "") == ("l", "")
    assert wafer_key("L", "10") != wafer_key("L", "1")


@given(st.text(max_size=8), st.text(max_size=12))
def test_a_key_is_its_own_key(lot, wafer):
    key = wafer_key(lot, wafer)
    assert wafer_key(*key)[0] == key[0]


def test_a_row_a_wafer(table):
    found = table("\ufeffLot;Wafer ID;Slot;Etch Tool;Litho\r\nA;01;3;E1;L2\r\nA;02;4;E2;\r\n")
    assert found.factors == ("Etch Tool", "Litho")
    first, second = matched(found, [About(lot="a", wafer="W1"), About(lot="A", wafer="A.2")])
    assert first == Passed({"Etch Tool": frozenset({"E1"}), "Litho": frozenset({"L2"})}, 3)
    assert dict(second.levels) == {"Etch Tool": frozenset({"E2"})}


def test_a_row_a_wafer_and_step(table):
    found = table(
        "lot,wafer,step,eqp,chamber,time\n"
        "A,1,ETCH,E1,A,2026-01-02\nA,1,LITHO,L1,,2026-01-01\nA,1,ETCH,E2,B,2026-01-03\n"
    )
    (wafer,) = matched(found, [About(lot="A", wafer="1")])
    assert wafer.levels == {
        "ETCH tool": frozenset({"E1", "E2"}),
        "ETCH chamber": frozenset({"E1/A", "E2/B"}),
        "LITHO tool": frozenset({"L1"}),
    }
    assert wafer.time == "2026-01-03"


def test_a_table_without_lots_or_wafers_without(table):
    found = table("slot,tool\n1,E1\n2,E2\n")
    assert [one.slot for one in matched(found, [About(lot="Z", slot=2), About(wafer="01")])] == [
        2,
        1,
    ]
    lots = table("lot,wafer,tool\nA,1,E1\nB,1,E2\n")
    with pytest.raises(FabsightError, match=r"is in 2 lots .*name its lot"):
        matched(lots, [About(wafer="1")])


def test_wafers_without_a_row_are_named(table):
    found = table("lot,wafer,tool\nA,1,E1\n")
    abouts = [About(lot="A", wafer=str(k)) for k in range(1, 9)] + [About(lot="B", wafer="1")]
    with pytest.raises(FabsightError, match=r"no row for 8 of 9 wafers \(A/2, A/3, .*such as a/1"):
        matched(found, abouts)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 lines"),
        ("lot,wafer,tool\n", "has 1 lines"),
        ("lot,tool\nA,E1\n", "no column for the wafer, only lot, tool"),
        ("lot,wafer,time\nA,1,now\n", "no column of tools or chambers"),
        ("lot,wafer,tool,machine\nA,1,E1,E2\n", "two columns for tool"),
        ("lot,wafer,tool\nA,1,E1,E2\n", ":2: has 4 cells and the head 3"),
        ("lot,wafer,tool\nA,,E1\n", ":2: names no wafer"),
        ("wafer,slot,tool\n1,x,E1\n", ":2: slot 'x' is no number"),
        (b"wafer,tool\n\xff,1\n", "is not UTF-8"),
    ],
)
def test_faults_of_a_table_are_named(table, text, said):
    with pytest.raises(FabsightError, match=said):
        table(text)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "t.csv"
    for head in (b"", b"lot,wafer,tool,slot\n"):
        path.write_bytes(head + data)
        try:
            assert isinstance(read_context(path), Context)
        except FabsightError as error:
            assert str(path) in str(error)  # noqa: PT017 -- either outcome is right


def history(rng, wafers=50):
    """Wafers through three steps, each of four tools with two chambers; what each one saw."""
    seen = []
    for _ in range(wafers):
        levels = {}
        for step in ("ETCH", "LITHO", "CMP"):
            tool, chamber = f"{step[0]}{rng.integers(4)}", "AB"[rng.integers(2)]
            levels[f"{step} tool"] = frozenset({tool})
            levels[f"{step} chamber"] = frozenset({f"{tool}/{chamber}"})
        seen.append(Passed(levels))
    return seen


def test_a_guilty_chamber_is_found_and_its_tool_is_explained_by_it():
    rng = np.random.default_rng(7)
    found = false = 0
    for _ in range(40):
        seen = history(rng)
        hit = [next(iter(one.levels["ETCH chamber"])) == "E1/B" for one in seen]
        affected = [bool(rng.random() < (0.95 if bad else 0.04)) for bad in hit]
        suspects = commonality(seen, {"ring": affected}).suspects
        found += bool(suspects) and suspects[0].level == "E1/B"
        alone = [one for one in suspects if not one.explained_by]
        false += any(one.level not in ("E1/B", "E1") for one in alone)
    assert found >= 36
    assert false <= 4


def test_nobody_is_convicted_by_chance():
    rng = np.random.default_rng(8)
    convicted = sum(
        bool(commonality(history(rng), {"ring": (rng.random(50) < 0.3).tolist()}).suspects)
        for _ in range(100)
    )
    assert convicted <= 7


def test_what_the_data_cannot_tell_apart_is_said():
    seen = [
        Passed(
            {
                "ETCH tool": frozenset({"E1" if k < 8 else "E2"}),
                "CMP tool": frozenset({"C7" if k < 8 else f"C{k % 2}"}),
            }
        )
        for k in range(24)
    ]
    found = commonality(seen, {"ring": [k < 8 for k in range(24)]})
    assert [(one.factor, one.level, one.same) for one in found.suspects] == [
        ("CMP tool", "C7", ("ETCH tool E1",))
    ]
    suspect = found.suspects[0]
    assert (suspect.affected_with, suspect.with_level, suspect.affected_without) == (8, 8, 0)
    assert suspect.low < suspect.odds_ratio < suspect.high
    assert suspect.low > 1


def test_so_few_wafers_that_none_can_be_guilty():
    seen = [Passed({"tool": frozenset({f"E{k % 2}"})}) for k in range(4)]
    found = commonality(seen, {"ring": [True, False, True, False]})
    assert found.suspects == ()
    assert found.least_p == pytest.approx(1 / 6)
    assert commonality(seen, {"ring": [True] * 4}).tested == 0
    assert commonality([], {}).least_p == 1.0
    with pytest.raises(FabsightError, match="said of 1 wafers and the context of 4"):
        commonality(seen, {"ring": [True]})


def test_wafers_without_a_record_are_in_neither_column():
    seen = [Passed({"tool": frozenset({"E1" if k < 6 else "E2"})}) for k in range(12)]
    found = commonality([*seen, *[Passed({})] * 20], {"ring": [k < 6 for k in range(32)]})
    (suspect,) = found.suspects
    assert (suspect.with_level, suspect.without) == (6, 6)
