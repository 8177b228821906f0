"""Windows as sets of pixels: every operation against Python's sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.errors import WindowError
from geoseg.grid.window import Window

offsets, sides = st.integers(-9, 9), st.integers(1, 7)
windows = st.builds(Window, offsets, offsets, sides, sides)


def pixels(window):
    """Every (row, col) of a window."""
    rows = range(window.row_off, window.row_off + window.height)
    return {(r, c) for r in rows for c in range(window.col_off, window.col_off + window.width)}


@given(windows, windows)
@settings(max_examples=50)
def test_intersection_and_containment_are_those_of_sets(a, b):
    both = a.intersect(b)
    assert (pixels(both) if both else set()) == pixels(a) & pixels(b)
    assert both == b.intersect(a)
    assert a.contains(b) == (pixels(b) <= pixels(a))


@given(windows, windows)
@settings(max_examples=50)
def test_union_is_the_smallest_that_holds_both(a, b):
    whole, points = a.union(b), pixels(a) | pixels(b)
    assert pixels(whole) >= points
    rows, cols = zip(*points, strict=True)
    assert whole == Window.from_edges(min(cols), min(rows), max(cols) + 1, max(rows) + 1)


@given(windows, st.integers(1, 8))
@settings(max_examples=50)
def test_align_is_the_smallest_with_edges_on_the_step(window, step):
    out = window.align(step)
    edges = (out.col_off, out.row_off, out.right, out.bottom)
    assert all(edge % step == 0 for edge in edges) and out.contains(window)
    grown = (window.col_off - out.col_off, window.row_off - out.row_off)
    assert all(0 <= d < step for d in (*grown, out.right - window.right, out.bottom - window.bottom))
    assert out.align(step) == out


@given(windows, windows, st.integers(0, 5))
@settings(max_examples=50)
def test_grow_shift_within(window, outer, halo):
    assert window.grow(halo).grow(0).shape == (window.height + 2 * halo, window.width + 2 * halo)
    assert pixels(window.grow(halo).intersect(window)) == pixels(window)
    assert window.shift(3, -2).shift(-3, 2) == window
    local = window.within(outer)
    assert local.shift(outer.col_off, outer.row_off) == window
    assert outer.within(outer) == Window(0, 0, outer.width, outer.height)


def test_slices_pick_row_and_column():
    array = np.arange(5 * 7).reshape(5, 7)
    np.testing.assert_array_equal(array[Window(2, 1, 3, 4).slices], array[1:5, 2:5])
    assert Window(2, 1, 3, 4).shape == array[Window(2, 1, 3, 4).slices].shape


@pytest.mark.parametrize("col, row", [(-1, 0), (0, -1)])
def test_slices_never_count_from_the_far_edge(col, row):
    with pytest.raises(WindowError, match="starts outside the array; use cut"):
        _ = Window(col, row, 2, 2).slices


@pytest.mark.parametrize("width, height", [(0, 1), (1, 0), (-3, 2)])
def test_an_empty_window_is_refused(width, height):
    with pytest.raises(WindowError, match=f"{width} x {height} px; both sides must be at least 1"):
        Window(0, 0, width, height)
