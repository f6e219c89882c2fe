import numpy as np
import pytest

from fabsight.vision.distance import distance_px


def boxes(rng):
    """Not 0 but in a few boxes, as the surroundings of wires are."""
    mask = np.ones((512, 512), np.uint8)
    for _ in range(6):
        y, x = rng.integers(0, 500, 2)
        height, width = rng.integers(3, 200, 2)
        mask[y : y + height, x : x + width] = 0
    return mask


@pytest.fixture
def threads():
    import cv2

    before = cv2.getNumThreads()
    yield cv2.setNumThreads
    cv2.setNumThreads(before)


@pytest.mark.parametrize("number", [1, 2])
def test_distances_are_exact_for_any_threads_and_wherever_the_memory_lies(threads, number):
    from scipy.ndimage import distance_transform_edt

    threads(number)
    rng = np.random.default_rng(0)
    held = []  # blocks of odd sizes, so that each result lies elsewhere
    for _ in range(12):
        mask = boxes(rng)
        exact = distance_transform_edt(mask).astype(np.float32)
        for size in rng.integers(1, 100_000, 6):
            held.append(np.empty(size, np.uint8))
            assert np.array_equal(distance_px(mask.copy()), exact)
