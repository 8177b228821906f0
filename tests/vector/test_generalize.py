import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from geoseg.vector.generalize import merge_small
from geoseg.vector.simplify import simplify
from geoseg.vector.trace import trace as trace_strips
from tests.vector.arc_oracle import label, trace, trace_numbers, unpacked

maps = st.tuples(st.integers(1, 10), st.integers(1, 10)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 1, 2, 7, 254, 255]))
)
calm = st.tuples(maps, st.integers(1, 3)).map(lambda drawn: drawn[0].repeat(drawn[1], 0).repeat(drawn[1], 1))


def merged_by_pixels(classes: np.ndarray, min_pixels: int, kinds: dict[int, int] | None = None) -> np.ndarray:
    """The rule as it is written, on pixels, labelling the whole map again after every merge."""
    classes, kind = classes.copy(), kinds or dict.fromkeys(range(256), 0)
    while True:
        numbers, regions = label(classes)
        for region in np.lexsort((np.arange(len(regions)), regions.pixels)):
            if regions.pixels[region] >= min_pixels or regions.values[region] == 254:
                continue
            border = np.zeros(len(regions), int)
            padded = np.pad(numbers, 1, constant_values=-1)
            for row, col in np.argwhere(padded == region):
                for near in (padded[row + 1, col], padded[row - 1, col], padded[row, col + 1], padded[row, col - 1]):
                    alike = near >= 0 and kind[regions.values[near]] == kind[regions.values[region]]
                    if alike and near != region and regions.values[near] != 254:
                        border[near] += 1
            if border.any():
                best = max(range(len(regions)), key=lambda n: (border[n], regions.pixels[n], -n))
                classes[numbers == region] = regions.values[best]
                break
        else:
            return classes


@settings(max_examples=80, deadline=None)
@given(maps, st.integers(0, 12), st.booleans())
def test_arcs_and_regions_are_those_of_a_fresh_trace_of_the_generalized_map(classes, min_pixels, two_kinds):
    arcs, regions = trace(classes)
    kinds = (np.arange(256) < 2).astype(np.uint8) if two_kinds else None
    merged, left, new_of_old = merge_small(arcs, regions, regions.pixels.astype(float), min_pixels, kinds)
    truth = merged_by_pixels(classes, min_pixels, dict(enumerate(kinds.tolist())) if two_kinds else None)
    true_arcs, true_regions = trace(truth)
    assert_array_equal(left.values, true_regions.values)
    assert_array_equal(left.pixels, true_regions.pixels)
    assert unpacked(merged) == unpacked(true_arcs)
    numbers, _ = label(classes)
    assert_array_equal(np.append(new_of_old, -1)[numbers], label(truth)[0])


@settings(max_examples=40, deadline=None)
@given(calm, st.integers(1, 40), st.integers(1, 20), st.sampled_from([1.0, 3.0]))
def test_map_read_in_any_strips_gives_the_arcs_of_the_generalized_map_to_the_last_bit(classes, least, rows, tolerance):
    arcs, regions = trace_strips(classes[top : top + rows] for top in range(0, len(classes), rows))
    merged, _, _ = merge_small(arcs, regions, regions.pixels.astype(float), least)
    fresh, _ = trace_strips([merged_by_pixels(classes, least)])
    for name in ("corners", "starts", "left", "right"):
        assert_array_equal(getattr(merged, name), getattr(fresh, name))
    for one, other in zip(simplify(merged, tolerance), simplify(fresh, tolerance), strict=True):
        assert_array_equal(one, other)


def test_a_speck_goes_where_its_border_is_longest_not_to_the_larger_neighbour():
    classes = np.array([[1, 1, 1, 1, 1], [1, 2, 3, 2, 1], [1, 2, 2, 2, 1], [1, 1, 1, 1, 1]], np.uint8)
    arcs, regions = trace(classes)
    merged, left, new_of_old = merge_small(arcs, regions, regions.pixels.astype(float), 2)
    assert left.values.tolist() == [1, 2]
    assert left.pixels.tolist() == [14, 6]
    assert new_of_old.tolist() == [0, 1, 1]
    assert merged.corners.tolist() == [[0, 0], [5, 0], [5, 4], [0, 4], [0, 0], [1, 1], [4, 1], [4, 3], [1, 3], [1, 1]]


def test_of_two_borders_as_long_it_is_the_larger_neighbour():
    classes = np.array([[1, 1, 1, 1, 1], [1, 2, 3, 1, 1], [2, 2, 2, 2, 2]], np.uint8)
    arcs, regions = trace(classes)
    _, left, new_of_old = merge_small(arcs, regions, regions.pixels.astype(float), 2)
    assert left.values.tolist() == [1, 2]
    assert new_of_old.tolist() == [0, 1, 0]


def test_what_nobody_knows_neither_gives_nor_takes():
    classes = np.array([[254, 254, 254], [254, 1, 254], [254, 254, 7]], np.uint8)
    arcs, regions = trace(classes)
    _, left, _ = merge_small(arcs, regions, regions.pixels.astype(float), 100)
    assert left.values.tolist() == [254, 1, 7]


def test_areas_decide_where_pixels_differ_in_area():
    classes = np.array([[1, 1, 2, 2, 2]], np.uint8)
    arcs, regions = trace(classes)
    _, left, new_of_old = merge_small(arcs, regions, np.array([9.0, 2.0]), 5.0)
    assert left.values.tolist() == [1]
    assert left.pixels.tolist() == [5]
    assert new_of_old.tolist() == [0, 0]


def test_nothing_to_merge_gives_back_the_same():
    arcs = trace_numbers(np.full((3, 3), -1))
    _, regions = trace(np.full((3, 3), 255, np.uint8))
    merged, left, new_of_old = merge_small(arcs, regions, np.empty(0), 10)
    assert len(merged) == len(left) == len(new_of_old) == 0
    arcs, regions = trace(np.array([[1, 2], [2, 1]], np.uint8))
    merged, _, _ = merge_small(arcs, regions, regions.pixels.astype(float), 0)
    assert unpacked(merged) == unpacked(arcs)
