"""Probabilities of transitions against sums written out, sequences against all sequences, names against a model's."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from geoseg.errors import ConfigError
from geoseg.raster.named_transitions import READY, Transition, resolve
from geoseg.raster.transitions import (
    Coded,
    coded_transition_probability,
    joint,
    most_probable_sequence,
    observed,
    prior_weights,
    transition_probability,
)

CLASSES = ["forest", "pasture", "building", "road", "water"]


def spread(classes, confidence, count):
    """What a class and its confidence say of all classes, the slow way."""
    probs = np.empty((count, classes.size))
    for k, (c, p) in enumerate(zip(classes.ravel(), confidence.ravel() / 250, strict=True)):
        probs[:, k] = (1 - p) / (count - 1)
        probs[c, k] = p
    return probs


def coded(rng, shape=(9, 11), count=5):
    return Coded(rng.integers(0, count, shape, np.uint8), rng.integers(60, 251, shape, np.uint8))


def matrix(rng, count=5):
    table = rng.random((count, count)) + 3 * np.eye(count)
    return table / table.sum(axis=1, keepdims=True)


def dense(rng, count, pixels):
    return rng.dirichlet(np.ones(count), pixels).T


def test_a_pixel_by_hand():
    before, after = np.array([[0.8], [0.1], [0.1]]), np.array([[0.2], [0.7], [0.1]])
    named = resolve(["deforestation", "water_gain"], ["forest", "land", "water"])
    found = transition_probability(before, after, named)
    assert_allclose(found[:, 0], [0.8 * 0.7, 0.9 * 0.1])


@pytest.mark.parametrize("prior", [False, True])
def test_the_closed_form_is_the_sum_over_pairs(prior):
    rng = np.random.default_rng(0)
    one, two = coded(rng), coded(rng)
    named = resolve(
        [*READY, Transition("any", (), ("road", "water")), Transition("both", ("forest", "road"), ("forest", "water"))],
        CLASSES,
    )
    weights = prior_weights(matrix(rng), np.full(5, 0.2)) if prior else None
    slow = transition_probability(
        spread(one.classes, one.confidence, 5), spread(two.classes, two.confidence, 5), named, weights
    )
    fast = coded_transition_probability(one, two, named, weights)
    assert np.abs(fast.reshape(len(named), -1) - 250 * slow).max() <= 0.5 + 1e-9


def test_unobserved_on_either_date_stays_unobserved():
    classes = np.array([[0, 254, 0, 0, 255]], np.uint8)
    certain = np.array([[250, 255, 250, 255, 255]], np.uint8)
    clear = Coded(np.ones((1, 5), np.uint8), np.full((1, 5), 250, np.uint8))
    cloudy = Coded(classes, certain)
    named = resolve(["deforestation", "reforestation"], CLASSES)
    for one, two, seen in ((cloudy, clear, [250, 255, 250, 255, 255]), (clear, cloudy, [0, 255, 0, 255, 255])):
        assert_array_equal(coded_transition_probability(one, two, named)[0, 0], seen)
        assert_array_equal(observed(one, two)[0], [True, False, True, False, False])


def test_pairs_sum_to_one_and_a_flat_matrix_changes_nothing():
    rng = np.random.default_rng(1)
    before, after = dense(rng, 4, 50), dense(rng, 4, 50)
    flat = np.tile(rng.dirichlet(np.ones(4)), (4, 1))
    assert_allclose(prior_weights(flat, np.full(4, 0.25)), 1)
    assert_allclose(joint(before, after, prior_weights(flat, np.full(4, 0.25))), joint(before, after))
    assert_allclose(joint(before, after, prior_weights(matrix(rng, 4), np.full(4, 0.25))).sum(axis=(0, 1)), 1)


def test_the_prior_is_bayes_rule():
    """Classes and images drawn as the model says; the joint must be the share of pairs among equal images."""
    rng, shares = np.random.default_rng(2), np.array([0.7, 0.3])
    follow = np.array([[0.9, 0.1], [0.05, 0.95]])
    seen = np.array([[0.8, 0.2], [0.3, 0.7]])  # probability of an image, 0 or 1, given the class
    first = (rng.random(400_000) > shares[0]).astype(int)
    second = (rng.random(400_000) > follow[first, 0]).astype(int)
    images = [(rng.random(400_000) > seen[c, 0]).astype(int) for c in (first, second)]
    at = (images[0] == 0) & (images[1] == 1)
    drawn = np.array([[(at & (first == i) & (second == j)).sum() for j in range(2)] for i in range(2)]) / at.sum()
    later = shares @ follow
    p1, p2 = (s * seen[:, x] / (s * seen[:, x]).sum() for s, x in ((shares, 0), (later, 1)))
    assert_allclose(joint(p1[:, None], p2[:, None], prior_weights(follow, shares))[..., 0], drawn, atol=0.005)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), dates=st.integers(1, 4), lost=st.booleans())
def test_the_sequence_is_the_best_of_all(seed, dates, lost):
    rng, shares = np.random.default_rng(seed), np.array([0.5, 0.3, 0.2])
    follow = matrix(rng, 3)
    series = np.stack([dense(rng, 3, 3) for _ in range(dates)]).astype(np.float32)
    if lost:
        series[rng.integers(dates), :, 2] = 0
    found = most_probable_sequence(series, follow, shares)
    for k in range(3):

        def score(way, k=k):
            total = np.log(shares[way[0]]) + sum(np.log(follow[i, j]) for i, j in itertools.pairwise(way))
            return total + sum(np.log(series[t, c, k] / shares[c]) for t, c in enumerate(way) if series[t, :, k].any())

        best = max(itertools.product(range(3), repeat=dates), key=score)
        seen = [c if series[t, :, k].any() else 254 for t, c in enumerate(best)]
        assert_array_equal(found[:, k], seen)


def test_a_series_irons_out_one_doubtful_date():
    forest, pasture = [0.9, 0.1], [0.1, 0.9]
    series = np.array([forest, forest, [0.4, 0.6], forest, pasture, pasture], np.float32)[:, :, None]
    rare = np.array([[0.95, 0.05], [0.01, 0.99]])
    assert most_probable_sequence(series, rare, np.array([0.5, 0.5]))[:, 0].tolist() == [0, 0, 0, 0, 1, 1]


def test_what_the_matrix_excludes_is_told_by_each_date_alone():
    series = np.array([[1, 0], [0, 1]], np.float32)[:, :, None]
    assert most_probable_sequence(series, np.eye(2), np.array([0.5, 0.5]))[:, 0].tolist() == [0, 1]


def test_no_transition_matrix_is_refused():
    for wrong in (np.ones((2, 2)), np.eye(3), np.array([[2.0, -1.0], [0.0, 1.0]])):
        with pytest.raises(ConfigError, match="each row summing to 1"):
            prior_weights(wrong, np.array([0.5, 0.5]))


def test_ready_made_transitions_mean_what_they_say():
    pairs = {
        p.name: {(CLASSES[i], CLASSES[j]) for i in range(5) for j in range(5) if p.before[i] and p.after[j]}
        for p in resolve(list(READY), CLASSES)
    }
    assert pairs["deforestation"] == {("forest", c) for c in ("pasture", "building", "road")}
    assert pairs["reforestation"] == {(c, "forest") for c in CLASSES if c != "forest"}
    assert pairs["urbanization"] == set(itertools.product(("forest", "pasture", "water"), ("building", "road")))
    assert pairs["water_gain"] == {(c, "water") for c in CLASSES if c != "water"}
    assert pairs["water_loss"] == {("water", c) for c in CLASSES if c != "water"}
    assert [p.name for p in resolve([], ["building", "land"])] == ["urbanization"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([Transition("clearing", ("forrest",), ("pasture",))], "no class 'forrest'; did you mean forest?"),
        ([Transition("clearing", ("forest",), ("snow",))], "Its classes are forest, pasture"),
        (["deforrestation"], "did you mean deforestation?"),
        ([Transition("same", ("forest",), ("forest",))], "Name a class under from and another under to"),
        (["deforestation", Transition("deforestation", ("forest",), ("road",))], "give each its own name"),
    ],
)
def test_transitions_that_cannot_be_are_refused(asked, words):
    with pytest.raises(ConfigError, match=words.replace("?", r"\?")):
        resolve(asked, CLASSES)


def test_a_map_without_the_class_is_told_so():
    with pytest.raises(ConfigError, match="deforestation needs a class called forest, and the map has land, road"):
        resolve(["deforestation"], ["land", "road"])
    with pytest.raises(ConfigError, match="Name your own with sets of classes"):
        resolve([], ["land", "grass"])
