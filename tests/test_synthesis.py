import numpy as np
import pytest
from tests.toys import BAR

from fabsight.synthesis import synthesize
from fabsight.task import FabsightError


def same(a, b):
    return a.answer == b.answer and all(
        np.array_equal(x.pixels, y.pixels)
        for x, y in zip(a.question.images, b.question.images, strict=True)
    )


def test_an_example_depends_on_seed_and_number_only():
    whole = list(synthesize(BAR, 6, seed=3))
    part = list(synthesize(BAR, 2, seed=3, start=4))
    assert all(map(same, whole[4:], part))
    assert not same(whole[0], whole[1])
    assert not same(whole[0], next(synthesize(BAR, 1, seed=4)))


def test_workers_draw_the_same_examples():
    one, two = (list(synthesize(BAR, 5, seed=1, workers=workers)) for workers in (1, 2))
    assert all(map(same, one, two))


def test_nothing_is_drawn_before_it_is_wanted():
    drawn = synthesize(BAR, 10**12)
    assert same(next(drawn), next(synthesize(BAR, 1)))


@pytest.mark.parametrize(("name", "value"), [("count", -1), ("seed", -5), ("start", -2)])
def test_numbers_below_zero_are_refused(name, value):
    with pytest.raises(FabsightError, match=f"synthesize bar: {name} is {value}"):
        synthesize(BAR, **({"count": 1} | {name: value}))
