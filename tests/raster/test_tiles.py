"""Cutting and stitching: inverse of each other, and numpy's own padding as the judge."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.grid.window import Window
from geoseg.raster.tiles import StitchError, cut, mirror, mirrored, stitch
from tests.oracles import reflect

sides = st.integers(1, 70)
shapes = st.tuples(sides, sides) | st.tuples(st.integers(1, 3), sides, sides)


def core_windows(shape, side):
    """Squares that cover a raster, trimmed at its right and bottom."""
    height, width = shape[-2:]
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield Window(left, top, min(side, width - left), min(side, height - top))


@given(shape=shapes, side=st.integers(4, 24), halo=st.integers(0, 30))
@settings(max_examples=40)
def test_cut_then_stitch_is_identity(shape, side, halo):
    image = np.arange(math.prod(shape)).reshape(shape)  # every pixel differs, so no swap can hide
    tiles = [(core, cut(image, core, halo)) for core in core_windows(shape, side)]
    assert_array_equal(stitch(tiles, shape, halo), image)


@given(shape=shapes, halo=st.integers(0, 160))
@settings(max_examples=40)
def test_cut_of_everything_agrees_with_numpy_pad(shape, halo):  # an oracle sharing no code with ours
    image = np.arange(math.prod(shape)).reshape(shape)
    width = [(0, 0)] * (len(shape) - 2) + [(halo, halo)] * 2
    whole = Window(0, 0, shape[-1], shape[-2])
    assert_array_equal(cut(image, whole, halo), np.pad(image, width, mode="reflect"))


@given(st.integers(1, 70), st.integers(-50, 50), st.integers(-300, 300), st.integers(1, 300))
@settings(max_examples=40)
def test_mirror_is_a_ball_between_two_walls(length, start, first, count):
    index = np.arange(first, first + count)
    assert_array_equal(mirror(index, start, start + length), [reflect(i - start, length) + start for i in index])


def test_mirrored_gives_rows_then_columns():
    rows, cols = mirrored(Window(-2, 8, 5, 4), Window(0, 5, 3, 5))
    assert_array_equal(rows, [8, 9, 8, 7])
    assert_array_equal(cols, [2, 1, 0, 1, 2])


def test_a_tile_is_a_copy():
    image = np.zeros((4, 4))
    cut(image, Window(0, 0, 4, 4), 0)[:] = 1
    assert not image.any()


LEFT, RIGHT, ALL = Window(0, 0, 3, 4), Window(3, 0, 3, 4), Window(0, 0, 6, 4)


@pytest.mark.parametrize(
    "tiles, message",
    [
        ([(LEFT, (4, 3))], "leave 12 of 24 pixels without an answer"),
        ([], "leave 24 of 24 pixels without an answer"),
        ([(LEFT, (4, 3)), (ALL, (4, 6))], "overlaps a tile that is already there"),
        ([(LEFT, (4, 3)), (LEFT, (4, 3))], "overlaps a tile that is already there"),
        ([(LEFT, (3, 4)), (RIGHT, (4, 3))], "does not fit"),
    ],
)
def test_tiles_that_do_not_make_a_raster(tiles, message):
    with pytest.raises(StitchError, match=message):
        stitch([(core, np.zeros(shape)) for core, shape in tiles], (4, 6), 0)


def test_a_tile_that_reaches_outside_its_raster_is_refused():
    with pytest.raises(StitchError, match=r"reaches outside its raster of \(4, 6\)"):
        stitch([(LEFT, np.zeros((4, 3))), (Window(3, 0, 4, 4), np.zeros((4, 4)))], (4, 6), 0)
