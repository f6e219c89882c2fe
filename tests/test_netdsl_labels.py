"""Hand-labelled layouts: SVG files of tracks and vias."""

import numpy as np
import pytest

from fabsight.netdsl.labels import read_label, read_label_program
from fabsight.netdsl.language import Poly, Via
from fabsight.task import FabsightError

LABEL = """<svg width="64" height="48" xmlns="http://www.w3.org/2000/svg">
<path d="M4,4 L40,4 L40,12 L4,12 Z" fill="lime"/>
<path d="M4,4 L40,4" fill="lime"/>
<circle cx="20" cy="8" r="3.5" fill="red"/>
</svg>"""


def test_paths_are_tracks_and_circles_are_vias(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text(LABEL)
    program = read_label_program(path)
    assert (program.width, program.height) == (64, 48)
    assert program.commands == (
        Poly(((4.0, 4.0), (40.0, 4.0), (40.0, 12.0), (4.0, 12.0))),
        Via(20.0, 8.0, 3.5),
    )
    metal, via = read_label(path)
    assert metal.shape == via.shape == (48, 64)
    assert metal.sum() == 36 * 8
    assert via.sum() == pytest.approx(np.pi * 3.5**2, rel=0.2)


def test_a_file_that_is_no_label_is_refused_by_name(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text("<html></html>")
    with pytest.raises(FabsightError, match=r"a\.svg: not a label SVG"):
        read_label(path)


def test_a_real_label_has_tracks_and_vias_inside_them(shared_data):
    path = sorted((shared_data / "netdsl" / "emsec_labels").glob("*.svg"))[0]
    metal, via = read_label(path)
    assert metal.shape == via.shape == (3536, 4096)
    assert 0.1 < metal.mean() < 0.7
    assert (via & metal).sum() > 0.9 * via.sum() > 0
