"""The overview shows what it is given, and shows it the same way every time."""

import io

import matplotlib.image
import numpy as np
import pytest

from geoseg.report.overview import Row, differing, overview, painted, scale_length
from tests.scenes import BUILDING, Box, small_town

ENTRIES = [
    (0, "building", "#d7483d"),
    (1, "land", "#e0cfa4"),
    (2, "road", "#5b5f6b"),
    (3, "green", "#4f9a55"),
    (4, "water", "#3f7fd0"),
]


def rows():
    town = small_town()
    later = town.later(Box(BUILDING, 30, 32, 6, 4))
    first = Row("before", town.image(), town.classes(), town.classes(), 0.8, frame=(20, 20, 24, 18))
    return [first, Row("after", later.image(), town.classes(), later.classes(), 0.8)]


def picture(data):
    return matplotlib.image.imread(io.BytesIO(data), format="png")


def test_it_is_1600_pixels_wide_and_as_high_as_its_rows():
    one, two = (picture(overview("t", "s", rows()[:n], ENTRIES)) for n in (1, 2))
    assert one.shape[1] == two.shape[1] == 1600
    assert 250 < two.shape[0] - one.shape[0] < 400


def test_the_same_rows_give_the_same_bytes():
    first, second = (overview("t", "s", rows(), ENTRIES) for _ in range(2))
    assert first == second
    assert b"matplotlib" not in first.lower()


def test_class_colours_reach_the_picture():
    pixels = (picture(overview("t", "s", rows(), ENTRIES))[..., :3] * 255).round().astype(int).reshape(-1, 3)
    for _, name, colour in ENTRIES:
        rgb = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (pixels == rgb).all(axis=1).sum() > 300, name


def test_values_that_are_no_class_are_grey():
    colours = painted(np.array([[0, 254, 255]], np.uint8), ENTRIES)
    assert colours[0, 0].tolist() == [0xD7, 0x48, 0x3D]
    assert colours[0, 1].tolist() == colours[0, 2].tolist()
    assert len(set(colours[0, 1].tolist())) == 1


def test_only_wrong_pixels_are_marked_and_unseen_ones_are_not_wrong():
    row = rows()[1]
    seen = Row("x", row.image, np.where(np.arange(64) < 33, row.classes, 254).astype(np.uint8), row.truth, 0.8)
    shown = differing(seen, ENTRIES)
    assert (np.ptp(shown.astype(int), axis=2) > 0).sum() == 3 * 4  # columns 30, 31, 32 of the new house


@pytest.mark.parametrize(("room", "length"), [(137.0, 100.0), (99.9, 50.0), (20.0, 20.0), (4999.0, 2000.0), (0.7, 0.5)])
def test_scale_bars_are_round(room, length):
    assert scale_length(room) == pytest.approx(length)


def test_a_row_of_change_is_drawn_on_the_pale_image_in_colours_of_its_own():
    town = small_town()
    truth, found = np.zeros((2, 48, 64), np.uint8)
    truth[10:30, 10:30], found[10:30, 14:30], found[:10, 40:] = 1, 1, 254
    row = Row("change", town.image(), found, truth, 0.8, kinds=[(1, "clearing", "#12ab34")])
    wrong = (differing(row, ENTRIES) == (176, 20, 132)).all(axis=2)
    assert wrong.sum() == 20 * 4  # what is missed; what is not observed is not wrong
    pixels = (picture(overview("t", "s", [*rows(), row], ENTRIES))[..., :3] * 255).round().astype(int).reshape(-1, 3)
    assert (pixels == (0x12, 0xAB, 0x34)).all(axis=1).sum() > 300
