"""Polygons for metal that straight wires do not describe."""

import numpy as np
import pytest

from fabsight.netdsl.language import Poly, Program, Via
from fabsight.netdsl.outlines import outline
from fabsight.netdsl.rendering import coverage, paint, render


def share_of(*shapes, size=(120, 100)):
    return coverage(Program(*size, shapes), oversample=8)


def agreement(polygons, share):
    height, width = share.shape
    mask, truth = paint(polygons, width, height) > 0, share > 0.5
    return (mask & truth).sum() / (mask | truth).sum()


@pytest.mark.parametrize(
    "shape",
    [
        Poly(((20.0, 20.0), (90.0, 30.0), (60.0, 80.0))),
        Poly(((10.0, 50.0), (60.0, 10.0), (110.0, 50.0), (60.0, 90.0))),
        Via(60.0, 50.0, 30.0),
    ],
    ids=["triangle", "diamond", "disc"],
)
def test_an_island_is_one_polygon_of_few_corners(shape):
    share = share_of(shape)
    (polygon,) = outline(share, (0, 0), 24.0)
    assert agreement([polygon], share) > 0.985
    assert len(polygon.points) <= 40


def test_corners_lie_within_half_a_pixel_and_move_with_the_window():
    corners = ((20.0, 20.0), (90.0, 20.0), (90.0, 80.0), (20.0, 80.0))
    (polygon,) = outline(share_of(Poly(corners)), (1000, 2000), 24.0)
    found = np.array(polygon.points) - (1000, 2000)
    apart = np.abs(found[:, None] - np.array(corners)).max(axis=2).min(axis=0)
    assert apart.max() <= 0.5


def test_a_hole_stays_a_hole():
    share = share_of(Poly(((10.0, 10.0), (110.0, 10.0), (110.0, 90.0), (10.0, 90.0))))
    share -= share_of(Via(60.0, 50.0, 20.0))
    (polygon,) = outline(share, (0, 0), 24.0)
    assert agreement([polygon], share) > 0.98
    assert render(Program(120, 100, (polygon,)))[50, 60] == 0


def test_islands_below_the_price_are_left_out():
    share = share_of(Via(20.0, 20.0, 2.5), Via(80.0, 50.0, 12.0))
    assert len(outline(share, (0, 0), 24.0)) == 1
    assert len(outline(share, (0, 0), 4.0)) == 2


def test_no_metal_gives_no_polygons():
    assert outline(np.zeros((30, 40), np.float32), (0, 0), 24.0) == []
