"""Components from strips: those of the whole map, whatever the strips."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from geoseg.grid.instance import Instance
from geoseg.grid.window import Window
from geoseg.raster.components import components
from geoseg.raster.touching import fill_holes, narrow_apart, sites_of


def strips(mask, height):
    for top in range(0, len(mask), height):
        part = mask[top : top + height]
        yield Window(0, top, mask.shape[1], len(part)), part


def noise(seed, shape=(31, 24), level=0.5):
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.random(shape), float(rng.uniform(0, 1.5))) > level


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_components_are_those_of_the_whole_map(seed, height):
    mask = noise(seed)
    labels, count = ndimage.label(mask)
    found = np.zeros(mask.shape, int)
    number = 0
    for number, item in enumerate(components(strips(mask, height), 3), start=1):
        assert item.index == 3 and Instance.of(item.window, item.mask, 3).window == item.window
        assert not found[item.window.slices][item.mask].any()
        found[item.window.slices][item.mask] = number
    assert number == count
    assert len(np.unique(labels * (count + 1) + found)) == count + (not mask.all())


def test_a_component_is_handed_over_as_soon_as_it_ends():
    mask = np.zeros((12, 9), bool)
    mask[1, 1:3] = mask[4:9, 5] = True
    read = []

    def watched():
        for window, part in strips(mask, 2):
            read.append(window.bottom)
            yield window, part

    first = next(components(watched(), 0))
    assert first.first == (1, 1) and read == [2, 4]


def test_holes_are_filled_but_for_large_ones_and_those_with_something_in_them():
    mask = np.ones((20, 30), bool)
    mask[2:4, 2:4] = mask[8:14, 8:14] = mask[3:5, 20:22] = False
    kept = np.zeros(mask.shape, bool)
    kept[3, 20] = True
    filled = fill_holes(mask, kept, 10)
    assert filled[2:4, 2:4].all() and not filled[8:14, 8:14].any() and not filled[3:5, 20:22].any()
    assert (fill_holes(mask, kept, 0) == mask).all()


def test_parts_with_a_wall_in_common_stay_together():
    labels = np.zeros((30, 60), np.int32)
    labels[5:15, 5:15], labels[5:15, 15:25] = 1, 2  # a whole wall
    labels[13:23, 25:35] = 3  # two pixels of wall with 2
    groups = {tuple(members): (window, own) for window, own, members in narrow_apart(labels, 0.6)}
    assert set(groups) == {(1, 2), (3,)}
    window, own = groups[(3,)]
    assert window == Window(25, 13, 10, 10) and (own == 1).all()
    assert {tuple(members) for _, _, members in narrow_apart(labels, 0.1)} == {(1, 2, 3)}


@given(st.integers(0, 1000))
def test_sites_hold_each_object_once_and_do_not_touch(seed):
    rng = np.random.default_rng(seed)
    taken, objects = np.zeros((30, 30), int), []
    for n in range(1, 9):
        top, left = rng.integers(0, 24, 2)
        box = np.zeros(taken.shape, bool)
        box[top : top + rng.integers(2, 7), left : left + rng.integers(2, 7)] = True
        item = Instance.of(Window(0, 0, 30, 30), box & (taken == 0), 1, n / 10)
        if item is not None and ndimage.label(item.mask)[1] == 1:
            taken[box & (taken == 0)] = n
            objects.append(item)
    painted = np.zeros(taken.shape, int)
    scores = []
    for number, (window, labels, members) in enumerate(sites_of(objects, lambda _: 0.0), start=1):
        assert not painted[window.slices][labels > 0].any()
        painted[window.slices][labels > 0] = number
        assert len(members) == labels.max()
        scores += [m.score for m in members]
    assert sorted(scores) == sorted(o.score for o in objects)
    assert ((painted > 0) == np.logical_or.reduce([o.on(Window(0, 0, 30, 30)) for o in objects])).all()
    for a, b in ((painted[1:], painted[:-1]), (painted[:, 1:], painted[:, :-1])):
        assert ((a == b) | (a == 0) | (b == 0)).all()
