"""The map of change against one that is made of whole arrays, pixel by pixel, and whatever the strips."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import dilation, opening

from geoseg.config import Change
from geoseg.errors import ConfigError
from geoseg.grid.window import Window
from geoseg.raster.transitions import most_probable_change, transition_probability
from geoseg.stages import change_map as module
from geoseg.stages.change_guard import guarded
from geoseg.stages.change_map import THRESHOLDS, ChangeMap
from geoseg.stages.change_rules import rules_for
from geoseg.stats.pixel_area import PixelArea
from tests.stages.change_maps import NAMES, deliver

FOLDERS = ("2015-06-01", "2018-06-01", "2024-06-01")


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Three dates with all probabilities, clouds on each, and a corner that the last one does not cover."""
    folder, rng = tmp_path_factory.mktemp("series"), np.random.default_rng(0)
    ground = ndimage.gaussian_filter(rng.normal(size=(4, 90, 120)), (0, 5, 5))
    for k, date in enumerate(FOLDERS):
        new = ndimage.gaussian_filter(rng.normal(size=(4, 90, 120)), (0, 4, 4))
        place = ndimage.gaussian_filter(rng.normal(size=(90, 120)), 5)
        ground = np.where((place > 1.2 * place.std()) & (k > 0), new, ground)
        evidence = 60 * ground + 0.7 * rng.normal(size=ground.shape)
        parts = np.exp(evidence - evidence.max(axis=0))
        probs = np.rint(parts / parts.sum(axis=0) * 250).astype(np.uint8)
        classes = probs.argmax(axis=0).astype(np.uint8)
        cloud = ndimage.gaussian_filter(rng.normal(size=classes.shape), 8)
        classes[cloud > 1.5 * cloud.std()] = 254
        if k == 2:
            classes[-20:, -30:] = 255
        probs[:, classes >= 254] = 255
        deliver(folder / date, date, classes, probs.max(axis=0), probs=probs)
    with guarded([folder / date for date in FOLDERS]) as found:
        yield found


def asked(**other):
    return Change(**{"registration": 1.0, "min_area": 1500.0, "seed": 0.6, "grow": 0.35, **other})


def made(series, settings, rows=None, scratch=None):
    """All strips one below the other, and the map."""
    built = ChangeMap(series, rules_for(series, settings), rows, scratch)
    strips = list(built.strips())
    names = [f.name for f in fields(strips[0]) if f.name != "window"]
    assert sum(strip.window.height for strip in strips) == series.geobox.shape.y
    return {name: np.concatenate([getattr(strip, name) for strip in strips]) for name in names}, built


def wide(change, width):
    framed = np.pad(change, 20)
    kept = framed & dilation(opening(framed, np.ones((width + 1,) * 2)), np.ones((2 * width + 1,) * 2))
    return kept[20:-20, 20:-20]


def large(mask, area, smallest):
    labels, count = ndimage.label(mask)
    sizes = np.concatenate([[0], ndimage.sum_labels(area, labels, np.arange(1, count + 1))])
    return mask & (sizes[labels] >= smallest)


@pytest.mark.parametrize("dates", [2, 3])
def test_the_map_is_the_one_of_whole_arrays(series, dates):
    if dates == 2:
        series = series.pair(0)
    rules = rules_for(series, asked())
    found, built = made(series, asked(), rows=7)
    height, width = series.geobox.shape
    window = Window(0, 0, width, height)
    area = PixelArea(series.geobox.crs.proj, series.geobox.transform, (height, width))(window)
    classes, stored = series.classes(window), series.probs(window)
    outside, seen = (classes == 255).any(axis=0), (classes < 254).sum(axis=0) >= 2
    shown = seen & ~outside
    probs = transition_probability(stored, rules.named, rules.prior)
    p = np.where(shown, probs, 0)
    code, narrow, events = np.zeros((height, width), np.uint8), np.zeros((height, width), bool), []
    for one in p:
        kept = wide(one >= rules.grow, rules.width)
        narrow |= (one >= rules.seed) & ~kept
        seeded = apply_hysteresis_threshold(np.where(kept, one, 0), rules.grow - 0.5, rules.seed - 0.5)
        events.append(~large(~large(seeded, area, 1500.0), area, 1500.0))
    code[narrow] = 253
    for value in range(len(events), 0, -1):
        code[events[value - 1]] = value
    code[~seen], code[outside] = 254, 255
    assert_array_equal(found["code"], code)
    assert {1, 253, 254} <= set(np.unique(code)) and (dates == 2 or (code == 255).any())
    mapped = (code >= 1) & (code < 253)
    expected = np.where(mapped, np.take_along_axis(p, np.where(mapped, code - 1, 0)[None], 0)[0], p.max(axis=0))
    assert_array_equal(found["probability"], np.where(shown, expected, 255))
    steps = most_probable_change(stored, code, rules.named, rules.prior)
    for name, step in zip(("first", "last", "before", "after"), steps, strict=True):
        assert_array_equal(found[name], step)
    _sums_agree(built, rules, (classes, code, steps, events, p), area)


def _sums_agree(built, rules, arrays, area):
    """By masks of whole arrays."""
    (classes, code, (_, last, before, after), events, p), sums = arrays, built.sums
    shown = code < 254
    near = {"rel": 1e-9, "abs": 1e-6}
    assert sums.observed == pytest.approx(area[shown].sum(), **near)
    assert sums.never == pytest.approx(area[code == 254].sum(), **near)
    assert sums.within_error == pytest.approx(area[code == 253].sum(), **near)
    for k, date in enumerate(classes):
        assert sums.unobserved[k] == pytest.approx(area[(date == 254) & (code != 255)].sum(), **near)
        for c in range(len(NAMES)):
            assert sums.mapped[k, c] == pytest.approx(area[shown & (date == c)].sum(), **near)
    assert sums.whole == pytest.approx([area[event & shown].sum() for event in events], **near)
    for place in np.ndindex(*sums.events.shape):
        kind, date, one, two = place
        here = (code == kind + 1) & (last == date) & (before == one) & (after == two)
        assert sums.events[place] == pytest.approx(area[here].sum(), **near)
    for k, one in enumerate(p):
        for t, threshold in enumerate(THRESHOLDS):
            change = wide(one >= round(threshold * 250), rules.width)
            both = [area[change].sum(), area[large(change, area, 1500.0)].sum()]
            assert built.sensitivity[k, t] == pytest.approx(both, **near)


@pytest.mark.parametrize("rows", [1, 8, 64])
def test_nothing_depends_on_the_strips_nor_on_what_is_kept(series, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MANY", 1.0)
    whole, one = made(series, asked())
    cut, two = made(series, asked(), rows, tmp_path)
    for name, pixels in whole.items():
        assert_array_equal(cut[name], pixels)
    assert_array_equal(one.sensitivity, two.sensitivity)
    for field in fields(one.sums):
        assert_array_equal(getattr(one.sums, field.name), getattr(two.sums, field.name))


def test_what_several_transitions_have_goes_to_the_first(series):
    names = ["deforestation", "urbanization"]
    apart = [made(series, asked(transitions=[name]))[0]["code"] == 1 for name in names]
    both = made(series, asked(transitions=names))[0]["code"]
    assert (apart[0] & apart[1]).any()
    assert_array_equal(both == 1, apart[0])
    assert_array_equal(both == 2, apart[1] & ~apart[0])


def test_plain_compares_neighbours_in_time_that_were_seen(series):
    found, _ = made(series, asked(plain=True, transitions=["deforestation"]))
    height, width = series.geobox.shape
    classes, expected = series.classes(Window(0, 0, width, height)), np.zeros((height, width), np.uint8)
    for row, col in np.ndindex(height, width):
        seen = [int(c) for c in classes[:, row, col] if c < 254]
        lost = any(one == 0 and two in (1, 2) for one, two in pairwise(seen))
        expected[row, col] = 255 if (classes[:, row, col] == 255).any() else 254 if len(seen) < 2 else lost
    assert_array_equal(found["code"], expected)


def test_rules_say_what_holds(series):
    rules = rules_for(series, Change(registration=0.05))
    assert (rules.chain, rules.width, rules.shifts) == ("persistent", 0, (None, None))
    assert rules.smallest == pytest.approx(9 * 100 * 0.99, rel=2e-3) and (rules.seed, rules.grow) == (150, 125)
    told = rules_for(series, Change(registration="auto", transitions=["water_gain"]))
    assert len(told.shifts) == 2 and told.width >= 1 and [t.name for t in told.named] == ["water_gain"]
    assert rules_for(series.pair(0), Change(registration=2.5)).chain == "independent"
    assert rules_for(series.pair(0), Change(registration=2.5)).width == 3
    rows = {a: {b: 0.97 if a == b else 0.01 for b in NAMES} for a in NAMES}
    stated = rules_for(series, Change(registration=0, matrix=rows))
    assert stated.chain == "stated" and stated.prior.weights.shape == (3, 3, 4, 4)
    for wrong, words in (
        ({**rows, "ice": {"ice": 1.0}}, "ice, which is no class"),
        ({k: v for k, v in rows.items() if k != "water"}, "no row for water"),
        ({**rows, "water": {"water": 0.5}}, "water, sums to 0.5"),
    ):
        with pytest.raises(ConfigError, match=words):
            rules_for(series, Change(registration=0, matrix=wrong))
