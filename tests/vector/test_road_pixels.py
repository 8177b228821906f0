"""The graph of thin lines of pixels has their topology."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import euler_number
from skimage.morphology import skeletonize

from geoseg.vector.road_pixels import pixel_graph


def graph_of(mask):
    row, col = np.nonzero(mask)
    return pixel_graph(row, col)


def picture(text):
    return np.array([[c == "#" for c in line] for line in text.split()])


@pytest.mark.parametrize(
    ("text", "nodes", "chains"),
    [
        ("######", 2, 1),
        ("#..... .#.... ..#... ...##.", 2, 1),
        ("...#... ...#... ####### ...#... ...#...", 5, 4),
        ("####### ...#... ...#...", 4, 3),
        (".###. #...# #...# .###.", 1, 1),
        (".###. #...# #...# .###. ..#.. ..#..", 2, 2),
        ("#.#.#", 3, 0),
        ("#...# .#.#. ..#.. .#.#. #...#", 5, 4),
    ],
)
def test_counts(text, nodes, chains):
    graph = graph_of(picture(text))
    assert (graph.nodes, len(graph.ends)) == (nodes, chains)


def test_every_pixel_is_once_on_a_chain_or_in_a_node():
    graph = graph_of(picture(".###. #...# #...# .###. ..#.. ..#.. ..#.. #####"))
    inner = graph.pixels[graph.node[graph.pixels] < 0]
    assert sorted(inner) == list(np.flatnonzero(graph.node < 0))
    assert (np.diff(graph.starts) >= 2).all()


@given(seed=st.integers(0, 10**6), sigma=st.sampled_from([1.0, 2.0, 3.0]), share=st.floats(0.2, 0.7))
@settings(max_examples=30, deadline=None)
def test_euler_number_is_that_of_the_skeleton(seed, sigma, share):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(60, 60)), sigma)
    lines = skeletonize(np.pad(noise > np.quantile(noise, 1 - share), 2))
    holes, _ = ndimage.label(~lines)
    small = np.bincount(holes.ravel()) < 12  # a hole of a few pixels is closed by the junction around it
    lines = skeletonize(lines | small[holes])
    graph = graph_of(lines)
    assert graph.nodes - len(graph.ends) == euler_number(lines, connectivity=2)
