"""Towns are repeatable, complete, and change only where develop() says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage

from geoseg.town import DEMO_STYLE, TownStyle, develop, plan_town, render
from geoseg.town.canvas import Canvas
from geoseg.town.shapes import Ground

BUILDING, LAND, ROAD, VEGETATION, WATER = range(5)


@pytest.fixture(scope="module")
def demo():
    return plan_town(3, 640, style=DEMO_STYLE)


@pytest.fixture(scope="module")
def picture(demo):
    return render(demo, 5)


def test_same_seed_gives_same_bytes():
    first, second = plan_town(11, 256), plan_town(11, 256)
    assert_array_equal(first.classes(), second.classes())
    assert_array_equal(render(first, 2), render(second, 2))
    assert_array_equal(develop(first, 4).classes(), develop(second, 4).classes())


def test_other_seeds_differ():
    town = plan_town(11, 256)
    assert (town.classes() != plan_town(12, 256).classes()).mean() > 0.2
    assert (render(town, 1) != render(town, 2)).mean() > 0.5


def test_demo_has_all_classes_in_fair_shares(demo):
    shares = np.bincount(demo.classes().ravel(), minlength=5) / demo.size**2
    assert shares.size == 5
    assert (shares > 0.02).all(), shares
    assert (shares < 0.7).all(), shares


def test_features_painted_again_give_the_truth(demo):
    canvas = Canvas.blank(Ground(demo.size, demo.gsd, demo.canvas.ground.borders))
    for number, feature in enumerate(demo.features):
        canvas.paint(number, feature)
    assert_array_equal(canvas.classes, demo.classes())


def test_class_is_that_of_the_feature_on_top(demo):
    of_feature = np.array([feature.class_index for feature in demo.features], dtype=np.uint8)
    assert_array_equal(of_feature[demo.canvas.ident], demo.classes())


def test_classes_is_a_copy(demo):
    demo.classes()[:] = 9
    assert demo.classes().max() <= WATER


def test_develop_clears_and_builds_and_nothing_else(demo):
    before, after = demo.classes(), develop(demo, 2).classes()
    changed = before != after
    pairs = {(int(a), int(b)) for a, b in zip(before[changed], after[changed], strict=True)}
    assert pairs <= {(VEGETATION, LAND), (LAND, BUILDING), (LAND, ROAD)}
    for pair in pairs | {(VEGETATION, LAND), (LAND, BUILDING), (LAND, ROAD)}:
        assert ((before == pair[0]) & (after == pair[1])).sum() > 100, pair


def test_develop_leaves_the_first_date_as_it_was(demo):
    before = demo.classes()
    develop(demo, 2, clear=1.0, build=1.0)
    assert_array_equal(demo.classes(), before)


@pytest.mark.parametrize(("clear", "build", "kept"), [(0.0, 1.0, VEGETATION), (1.0, 0.0, BUILDING)])
def test_develop_can_do_one_without_the_other(demo, clear, build, kept):
    before, after = demo.classes(), develop(demo, 2, clear=clear, build=build).classes()
    assert (before != after).any()
    assert_array_equal(before == kept, after == kept)


def test_dates_look_the_same_far_from_changes(demo, picture):
    later = develop(demo, 2, clear=0.1, build=0.1)
    near = ndimage.binary_dilation(demo.classes() != later.classes(), iterations=60)
    assert not near.all()
    assert_array_equal(picture[:, ~near], render(later, 5)[:, ~near])


@pytest.mark.parametrize("seed", range(1000, 1006))
def test_random_towns_change_only_as_told(seed):
    town = plan_town(seed, 384)
    later = develop(town, seed)
    before, after = town.classes(), later.classes()
    changed = before != after
    pairs = {(int(a), int(b)) for a, b in zip(before[changed], after[changed], strict=True)}
    assert (VEGETATION, LAND) in pairs
    assert pairs <= {(VEGETATION, LAND), (LAND, BUILDING), (LAND, ROAD)}
    far = ndimage.distance_transform_edt(~changed) > 60
    assert_array_equal(render(town, seed)[:, far], render(later, seed)[:, far])


def test_picture_has_a_plausible_spread(demo, picture):
    assert picture.dtype == np.uint8
    assert picture.shape == (3, demo.size, demo.size)
    assert 25 < picture.std() < 80
    assert 70 < picture.mean() < 190
    assert (picture == 255).mean() < 0.05


def test_classes_look_different(demo, picture):
    classes = demo.classes()
    looks = []
    for index in range(5):
        pixels = picture[:, classes == index].astype(float)
        looks.append(np.concatenate([pixels.mean(axis=1), pixels.std(axis=1)]))
    for a in range(5):
        for b in range(a):  # roofs and bare land are alike on average, but roofs vary more
            assert np.abs(looks[a] - looks[b]).max() > 6, (a, b, looks)


def test_training_never_draws_the_demo_headings():
    styles = [TownStyle.random(np.random.default_rng(seed)) for seed in range(50)]
    assert all(not 0.42 < style.angle < 0.62 for style in styles)
    assert 0.42 < DEMO_STYLE.angle < 0.62
    assert len({style.sand for style in styles}) > 40


@pytest.mark.parametrize("seed", range(4))
def test_random_towns_of_any_size(seed):
    town = plan_town(seed, 96 + 50 * seed, gsd=1.0 if seed % 2 else 0.5)
    assert render(town, seed).shape == (3, town.size, town.size)
    assert town.classes().max() <= WATER
