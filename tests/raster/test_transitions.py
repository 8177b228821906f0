"""Probabilities and steps of transitions against all sequences of classes written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from geoseg.config import READY, NamedTransition, resolve
from geoseg.errors import ConfigError
from geoseg.raster.named_transitions import Pairs
from geoseg.raster.transitions import (
    expanded,
    independent,
    markov,
    most_probable_change,
    persistent,
    transition_probability,
)

CLASSES = ["forest", "pasture", "building", "road", "water"]


def pairs_of(asked, classes):
    """Transitions by name, as arrays."""
    return [Pairs(t.name, np.array(t.before), np.array(t.after)) for t in resolve(asked, classes)]


def as_series(*dates):
    """One pixel from lists of stored probabilities, a list a date; None where not observed."""
    count = next(len(d) for d in dates if d is not None)
    return np.array([[255] * count if d is None else d for d in dates], np.uint8)[:, :, None, None]


def some_series(rng, dates, count, pixels=24):
    """Pixels of all kinds: sure, nearly sure, doubtful; some dates not observed; (date, class, 2, pixels / 2)."""
    probs = rng.dirichlet(np.full(count, rng.choice([0.05, 0.3, 2])), (dates, pixels))
    stored = np.rint(np.moveaxis(probs, 2, 1) * 250).astype(np.uint8)
    stored[np.broadcast_to((rng.random((dates, pixels)) < 0.25)[:, None], stored.shape)] = 255
    return stored.reshape(dates, count, 2, -1)


def some_matrix(rng, count, zeros=0.0):
    table = rng.random((count, count)) * (rng.random((count, count)) >= zeros) + 2 * np.eye(count)
    return table / table.sum(axis=1, keepdims=True)


def some_pairs(rng, count):
    while True:
        before, after = rng.random(count) < 0.5, rng.random(count) < 0.5
        if (np.outer(before, after) & ~np.eye(count, dtype=bool)).any():
            return Pairs("some", before, after)


def some_case(seed, dates, count, zeros):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(count))
    prior = markov(np.stack([some_matrix(rng, count, zeros) for _ in range(dates - 1)]), shares)
    return some_series(rng, dates, count), [some_pairs(rng, count) for _ in range(2)], prior


def ways(image, prior):
    """Every sequence of classes of one pixel's observed dates, and how probable it is but for a factor.

    Args:
        image: (date, class) stored.
    """
    seen = [t for t in range(len(image)) if image[t, 0] != 255]
    for way in itertools.product(range(image.shape[1]), repeat=len(seen)):
        steps = zip(itertools.pairwise(seen), itertools.pairwise(way), strict=True)
        weight = np.prod([prior.weights[a, b, i, j] for (a, b), (i, j) in steps])
        yield seen, way, weight * np.prod([image[t, c] / 250 for t, c in zip(seen, way, strict=True)])


def first_step(way, pair):
    """Place of the class before the first step in which a transition happens; None if it does not."""
    return next(
        (n for n, (i, j) in enumerate(itertools.pairwise(way)) if pair.before[i] and pair.after[j] and i != j), None
    )


def all_ways(image, prior):
    """As `ways`, of independent dates where the prior leaves nothing."""
    found = list(ways(image, prior))
    return found if any(p > 0 for _, _, p in found) else list(ways(image, independent(*image.shape)))


everything = settings(max_examples=25, deadline=None)
cases = {
    "seed": st.integers(0, 10_000),
    "shape": st.sampled_from([(2, 2), (2, 4), (3, 3), (4, 3), (5, 2)]),
    "zeros": st.sampled_from([0, 0.4, 0.8]),
}


@everything
@given(**cases)
def test_the_probability_is_the_share_of_all_sequences(seed, shape, zeros):
    series, named, prior = some_case(seed, *shape, zeros)
    found = transition_probability(series, named, prior).reshape(len(named), -1)
    for k, image in enumerate(np.moveaxis(series.reshape(*shape, -1), 2, 0)):
        if (image[:, 0] != 255).sum() < 2:
            assert (found[:, k] == 255).all()
            continue
        every = all_ways(image, prior)
        for t, pair in enumerate(named):
            held = sum(p for _, way, p in every if first_step(way, pair) is not None)
            assert abs(found[t, k] - 250 * held / sum(p for *_, p in every)) <= 0.5 + 1e-9


@everything
@given(**cases)
def test_the_step_is_that_of_the_best_sequence_with_the_transition(seed, shape, zeros):
    series, named, prior = some_case(seed, *shape, zeros)
    code = np.random.default_rng(seed).integers(0, 4, series.shape[2:], np.uint8)
    first, last, before, after = (a.ravel() for a in most_probable_change(series, code, named, prior))
    for k, image in enumerate(np.moveaxis(series.reshape(*shape, -1), 2, 0)):
        if code.flat[k] not in (1, 2) or (image[:, 0] != 255).sum() < 2:
            assert (first[k], last[k], before[k], after[k]) == (255, 255, 255, 255)
            continue
        pair, most, best = named[code.flat[k] - 1], 0, {}
        for tried, weights in (
            (image, prior),
            (image, independent(*shape)),
            (np.maximum(image, 0.25), independent(*shape)),
        ):
            if most > 0:
                break
            for seen, way, p in ways(tried, weights):
                if (n := first_step(way, pair)) is not None:
                    place = (seen[n], seen[n + 1], way[n], way[n + 1])
                    best[place] = max(best.get(place, 0), p)
                    most = max(most, p)
        assert best[first[k], last[k], before[k], after[k]] >= most * (1 - 1e-12)


@pytest.mark.parametrize("lost", [0, 1])
def test_two_independent_dates_are_a_product(lost):
    """Exactly, and rounded half up; of more pixels than are computed together."""
    rng = np.random.default_rng(lost)
    series = np.rint(rng.dirichlet(np.full(5, 0.4), (2, 7, 301)).transpose(0, 3, 1, 2) * 250).astype(np.uint8)
    series[0, :, 3, 5 : 5 + 200 * lost] = 255
    named = pairs_of([*READY, NamedTransition.model_validate({"name": "any", "to": ["road", "water"]})], CLASSES)
    found = transition_probability(series, named, independent(2, 5))
    one, two = series.astype(np.int64)
    for t, pair in enumerate(named):
        held = one[pair.before].sum(axis=0) * two[pair.after].sum(axis=0)
        held -= sum(one[c] * two[c] for c in range(5) if pair.before[c] and pair.after[c])
        expected = (500 * held + one.sum(axis=0) * two.sum(axis=0)) // (2 * one.sum(axis=0) * two.sum(axis=0))
        assert_array_equal(found[t], np.where((series[:, 0] == 255).any(axis=0), 255, expected))


def test_pixels_by_hand():
    """Forest, pasture, water. Over two dates 0.8 x 0.7 and 0.9 x 0.1; the sure third date of water adds all else."""
    named = pairs_of(["deforestation", "water_gain"], ["forest", "pasture", "water"])
    dates = [200, 25, 25], [50, 175, 25], [0, 0, 250]
    two = transition_probability(as_series(*dates[:2]), named, independent(2, 3))
    assert_array_equal(two.ravel(), [140, 23])
    three = transition_probability(as_series(*dates), named, independent(3, 3))
    assert_array_equal(
        three.ravel(), [140, round(250 * (1 - 0.1 * 0.1))]
    )  # without a gain: water, and water, and water
    assert_array_equal(
        transition_probability(as_series(dates[0], None, dates[2]), named, independent(3, 3)).ravel(),
        [0, round(250 * 0.9)],
    )


def test_a_prior_by_hand():
    """A class that stays with 0.9 and is half of the area weighs 1.8 and a change 0.2; over a gap, 1.64 and 0.36."""
    named = pairs_of(["deforestation"], ["forest", "land"])
    prior = markov(np.tile([[0.9, 0.1], [0.1, 0.9]], (2, 1, 1)), np.array([0.5, 0.5]))
    assert_allclose(prior.weights[0, 1], [[1.8, 0.2], [0.2, 1.8]])
    assert_allclose(prior.weights[0, 2], [[1.64, 0.36], [0.36, 1.64]])
    forest, land = [200, 50], [50, 200]
    held = 0.64 * 0.2 / (0.64 * 0.2 + 2 * 0.16 * 1.8 + 0.04 * 0.2)
    assert transition_probability(as_series(forest, land, None), named, prior).item() == round(250 * held)
    held = 0.64 * 0.36 / (0.64 * 0.36 + 2 * 0.16 * 1.64 + 0.04 * 0.36)
    assert transition_probability(as_series(forest, None, land), named, prior).item() == round(250 * held)


def test_the_prior_is_bayes_rule():
    """Classes and images drawn as the model says; the result must be the share of transitions among equal images."""
    rng, shares, many = np.random.default_rng(2), np.array([0.7, 0.3]), 400_000
    follow, image = (
        np.array([[0.9, 0.1], [0.05, 0.95]]),
        np.array([[0.8, 0.2], [0.3, 0.7]]),
    )  # image 0 or 1 given the class
    classes = [(rng.random(many) > shares[0]).astype(int)]
    for _ in range(2):
        classes.append((rng.random(many) > follow[classes[-1], 0]).astype(int))
    images = [(rng.random(many) > image[c, 0]).astype(int) for c in classes]
    at = (images[0] == 0) & (images[1] == 0) & (images[2] == 1)
    happened = ((classes[0] == 0) & (classes[1] == 1)) | ((classes[1] == 0) & (classes[2] == 1))
    dates, now = [], shares
    for x in (0, 0, 1):
        dates.append(np.rint(250 * now * image[:, x] / (now @ image[:, x])))
        now = now @ follow
    found = transition_probability(
        as_series(*dates), pairs_of(["deforestation"], ["forest", "land"]), markov(np.stack([follow, follow]), shares)
    )
    assert abs(found.item() / 250 - (at & happened).sum() / at.sum()) < 0.01


def test_a_flat_matrix_is_independence_and_to_stay_has_its_odds():
    rng = np.random.default_rng(1)
    flat = np.tile(rng.dirichlet(np.ones(4)), (3, 4, 1))
    weights = markov(flat, np.full(4, 0.25)).weights
    assert all(np.allclose(weights[a, b], 1) for a, b in itertools.combinations(range(4), 2))
    assert_allclose(persistent(2, 3), np.tile((np.ones((3, 3)) + 19 * np.eye(3)) / 22, (2, 1, 1)))


def test_a_class_that_is_hardly_there_is_no_change_and_hides_none():
    """Faint signs of a rare class add up to nothing, and change is found whatever other classes a model has."""
    faint = as_series(*([[249, 1, 0]] * 4), *([[212, 38, 0]] * 4))
    named = pairs_of(["deforestation"], ["forest", "pasture", "water"])
    even = np.full(3, 1 / 3)
    assert transition_probability(faint, named, markov(persistent(7, 3), even)).item() < 0.25 * 250
    clear = as_series(*([[225, 13, 12]] * 4), *([[13, 225, 12]] * 4))
    assert transition_probability(clear, named, markov(persistent(7, 3), even)).item() > 0.95 * 250
    late = as_series(*([[240, 5, 5]] * 7), [5, 240, 5])  # nothing after confirms it
    assert transition_probability(late, named, markov(persistent(7, 3), even)).item() > 0.6 * 250


def test_a_series_irons_out_one_doubtful_date():
    forest, pasture, doubt = [225, 25], [25, 225], [100, 150]
    series = as_series(forest, forest, doubt, forest, pasture, None, pasture)
    prior = markov(np.tile([[0.95, 0.05], [0.01, 0.99]], (6, 1, 1)), np.array([0.5, 0.5]))
    found = most_probable_change(
        series, np.ones((1, 1), np.uint8), pairs_of(["deforestation"], ["forest", "land"]), prior
    )
    assert [a.item() for a in found] == [3, 4, 0, 1]


def test_ties_go_to_the_earlier_step_and_the_lower_class():
    named = pairs_of(["water_gain"], ["forest", "pasture", "water"])
    even = as_series([50, 100, 100], [80, 80, 90], [80, 80, 90], None)
    one = np.ones((1, 1), np.uint8)
    assert [a.item() for a in most_probable_change(even, one, named, independent(4, 3))] == [0, 1, 1, 2]
    same = as_series([125, 125, 0], [0, 0, 250], [125, 125, 0], [0, 0, 250])
    assert [a.item() for a in most_probable_change(same, one, named, independent(4, 3))] == [0, 1, 0, 2]


def test_what_the_prior_excludes_is_told_by_the_images():
    named = pairs_of(["deforestation"], ["forest", "land"])
    never = markov(np.eye(2)[None], np.array([0.5, 0.5]))
    sure, one = as_series([250, 0], [0, 250]), np.ones((1, 1), np.uint8)
    assert transition_probability(sure, named, never).item() == 250
    assert [a.item() for a in most_probable_change(sure, one, named, never)] == [0, 1, 0, 1]
    still = as_series([250, 0], [249, 1], [250, 0])  # and what the images all but exclude has a step, too
    assert [a.item() for a in most_probable_change(still, one, named, independent(3, 2))] == [0, 1, 0, 1]


def test_many_dates_stay_in_range():
    dates = 60
    series = as_series(*([[2, 1, 247], [247, 1, 2]] * (dates // 2)))
    named = pairs_of(["water_loss", "water_gain"], ["forest", "pasture", "water"])
    prior = markov(persistent(dates - 1, 3), np.full(3, 1 / 3))
    assert transition_probability(series, named, prior).max() <= 250
    found = most_probable_change(series, np.ones((1, 1), np.uint8), named, prior)
    assert all(a.item() < dates for a in found)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 9))
def test_what_a_class_and_its_confidence_say_of_all_classes(seed, count):
    rng = np.random.default_rng(seed)
    classes, confidence = rng.integers(0, count, (3, 40), np.uint8), rng.integers(0, 251, (3, 40), np.uint8)
    classes[0, :2], confidence[0, 1:3] = 254, 255
    found = expanded(classes, confidence, count).astype(int)
    lost = (classes >= 254) | (confidence == 255)
    assert (found[:, lost] == 255).all()
    assert (found.sum(axis=0)[~lost] == 250).all()
    others = np.arange(count)[:, None, None] != classes
    assert_array_equal(found[~others & ~lost], np.broadcast_to(confidence, found.shape)[~others & ~lost])
    spread = np.broadcast_to((250.0 - confidence) / (count - 1), found.shape)
    assert (np.abs(found - spread) < 1)[others & ~lost].all()


def test_no_transition_matrix_is_refused():
    good = np.eye(2)
    for wrong in (np.ones((2, 2)), np.array([[2.0, -1.0], [0.0, 1.0]]), np.full((2, 2), np.nan)):
        with pytest.raises(ConfigError, match="each row summing to 1"):
            markov(np.stack([good, wrong]), np.array([0.5, 0.5]))
    with pytest.raises(ConfigError, match="2 rows of 2 probabilities"):
        markov(np.eye(3)[None], np.array([0.5, 0.5]))
