"""What `evaluate` prints of the parts of a set."""

from fabsight.commands.grading import MOST_PARTS, _parts


def part(number):
    return {"count": number, "unreadable": 0, "metrics": {"iou": number / 100}}


def test_each_part_has_a_line_with_every_metric():
    assert _parts(["iou", "assd_px"], {"easy": part(3), "hard": part(4)}) == [
        ("easy", 3, 0, 0.03, None),
        ("hard", 4, 0, 0.04, None),
    ]


def test_many_parts_are_cut_and_that_is_said():
    rows = _parts(["iou"], {f"kind {k}": part(k) for k in range(31)})
    assert len(rows) == MOST_PARTS + 1 == 25
    assert rows[-1] == ("7 more: --json", None, None, None)
    assert {len(row) for row in rows} == {4}
