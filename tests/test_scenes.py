"""The towns that tests count on say what they say they do."""

import numpy as np
from numpy.testing import assert_array_equal

from geoseg.io.rasters import open_raster
from tests.scenes import BUILDING, LAND, Box, small_town, write_scene


def test_areas_are_those_that_the_docstring_counts():
    found = np.bincount(small_town().classes().ravel(), minlength=5)
    assert found.tolist() == [200, 2104, 384, 240, 144]


def test_a_later_box_changes_its_own_pixels_only():
    town = small_town()
    changed = town.classes() != town.later(Box(BUILDING, 30, 32, 6, 4)).classes()
    assert changed.sum() == 24
    assert (town.classes()[changed] == LAND).all()


def test_stored_south_up_it_is_the_same_scene(tmp_path):
    image = small_town().image("uint16", noise=400)
    paths = [write_scene(tmp_path / f"{up}.tif", image, south_up=up) for up in (False, True)]
    with open_raster(paths[0]) as north, open_raster(paths[1]) as south:
        assert north.geobox == south.geobox
        assert_array_equal(north.read((1, 2, 3))[0], south.read((1, 2, 3))[0])
