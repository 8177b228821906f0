"""Areas from a stratified sample: published figures, textbook formulas, coverage over simulated maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from geoseg.errors import DataError
from geoseg.stats.area_estimates import Points, Strata, error_matrix, estimates
from geoseg.stats.rare_intervals import wilson

NAMES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def sample(matrix, pixels, names=NAMES, pixel=1.0):
    """Strata that are the map's classes, and the points of an error matrix."""
    stratum, reference = np.nonzero(matrix)
    times = matrix[stratum, reference]
    points = [np.repeat(a, times) for a in (stratum, stratum, reference)]
    mapped, names = np.diag(pixels), names[: len(pixels)]
    return Strata(names, names, mapped, mapped * pixel), Points(*points, np.full(matrix.sum(), pixel))


def olofsson_by_hand(matrix, pixels):
    """Equations 1 to 11 of the paper as they are printed, class by class: shares no code with ours."""
    n, w = matrix.sum(axis=1), pixels / pixels.sum()
    p = w[:, None] * matrix / n[:, None]
    q = len(n)
    users = [p[i, i] / p[i].sum() for i in range(q)]
    producers = [p[j, j] / p[:, j].sum() for j in range(q)]
    v_overall = sum(w[i] ** 2 * users[i] * (1 - users[i]) / (n[i] - 1) for i in range(q))
    s_area = [np.sqrt(sum((w[i] * p[i, k] - p[i, k] ** 2) / (n[i] - 1) for i in range(q))) for k in range(q)]
    v_users = [users[i] * (1 - users[i]) / (n[i] - 1) for i in range(q)]
    v_producers = []
    for j in range(q):
        dot = sum(pixels[i] / n[i] * matrix[i, j] for i in range(q))
        own = pixels[j] ** 2 * (1 - producers[j]) ** 2 * users[j] * (1 - users[j]) / (n[j] - 1)
        rest = sum(
            pixels[i] ** 2 * matrix[i, j] / n[i] * (1 - matrix[i, j] / n[i]) / (n[i] - 1) for i in range(q) if i != j
        )
        v_producers.append((own + producers[j] ** 2 * rest) / dot**2)
    return np.trace(p), np.sqrt(v_overall), p.sum(axis=0), s_area, users, v_users, producers, v_producers


def test_worked_example_of_olofsson_2014_digit_by_digit():
    found = estimates(*sample(OLOFSSON, PIXELS))
    deforestation = found.classes[0].area
    assert round(deforestation.value) == 235_086
    assert round(1.96 * deforestation.standard_error) == 68_418
    hectares = deforestation.times(0.09)
    assert (round(hectares.value), round(hectares.value - hectares.low)) == (21_158, 6_158)
    assert (round(hectares.high - hectares.value)) == 6_158

    def shown(estimate):
        return f"{estimate.value:.2f} ± {1.96 * estimate.standard_error:.2f}"

    assert shown(found.overall_accuracy) == "0.95 ± 0.02"
    assert [shown(c.users_accuracy) for c in found.classes] == [
        "0.88 ± 0.07",
        "0.73 ± 0.10",
        "0.93 ± 0.04",
        "0.96 ± 0.02",
    ]
    assert shown(found.classes[0].producers_accuracy) == "0.75 ± 0.21"
    assert [f"{c.area.value:.0f}" for c in found.classes] == ["235086", "129846", "3175221", "6459846"]


def test_few_omissions_are_warned_of_and_the_safe_interval_is_wider():
    deforestation, _, forest, _ = estimates(*sample(OLOFSSON, PIXELS)).classes
    assert deforestation.area.few and deforestation.area.deciding == 3
    assert deforestation.area.safe_high > deforestation.area.high
    assert not forest.area.few and forest.area.deciding == 22


matrices = st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=3, max_size=3)


@settings(deadline=None, max_examples=60)
@given(matrix=matrices, pixels=st.lists(st.integers(100, 10**7), min_size=3, max_size=3))
def test_equals_the_equations_as_printed(matrix, pixels):
    matrix, pixels = np.array(matrix) + np.diag([2, 2, 2]), np.array(pixels)
    strata, points = sample(matrix, pixels, NAMES[:3])
    found = estimates(strata, points)
    overall, s_overall, shares, s_area, users, v_users, producers, v_producers = olofsson_by_hand(matrix, pixels)
    assert_allclose(
        (found.overall_accuracy.value, found.overall_accuracy.standard_error), (overall, s_overall), rtol=1e-9
    )
    assert_allclose([c.area.value / pixels.sum() for c in found.classes], shares, rtol=1e-9)
    assert_allclose([c.area.standard_error / pixels.sum() for c in found.classes], s_area, rtol=1e-7, atol=1e-12)
    assert_allclose([c.users_accuracy.value for c in found.classes], users, rtol=1e-9)
    assert_allclose([c.users_accuracy.standard_error**2 for c in found.classes], v_users, rtol=1e-7, atol=1e-15)
    assert_allclose([c.producers_accuracy.value for c in found.classes], producers, rtol=1e-9)
    assert_allclose([c.producers_accuracy.standard_error**2 for c in found.classes], v_producers, rtol=1e-7, atol=1e-15)
    assert_allclose(error_matrix(strata, points).sum(axis=0), shares, rtol=1e-9)
    for figure in (f for c in found.classes for f in (c.users_accuracy, c.producers_accuracy)):
        assert 0 <= figure.safe_low <= figure.value + 1e-12 and figure.value - 1e-12 <= figure.safe_high <= 1
    low, high = wilson(np.array(users), 1 / matrix.sum(axis=1), 1.96)  # of one stratum it is Wilson's own
    assert_allclose([c.users_accuracy.safe_low for c in found.classes], low, atol=1e-9)
    assert_allclose([c.users_accuracy.safe_high for c in found.classes], high, atol=1e-9)


def stehman():
    """Forty points of four strata that differ from the map's classes: Stehman 2014, table 2 in spirit, by formula."""
    rng = np.random.default_rng(5)
    stratum = np.repeat(np.arange(4), 10)
    mapped, reference = rng.integers(0, 4, 40), rng.integers(0, 4, 40)
    same = rng.random(40) < 0.6
    return stratum, mapped, np.where(same, mapped, reference)


def test_strata_that_differ_from_the_classes_follow_stehman():
    stratum, mapped, reference = stehman()
    sizes = np.array([40_000, 30_000, 20_000, 10_000])
    pixels = np.array([[n // 4] * 4 for n in sizes])
    found = estimates(
        Strata(tuple("abcd"), NAMES, pixels, pixels.astype(float)), Points(stratum, mapped, reference, np.ones(40))
    )
    for k, figures in enumerate(found.classes):
        for estimate, x_u in ((figures.users_accuracy, mapped == k), (figures.producers_accuracy, reference == k)):
            y_u = ((mapped == k) & (reference == k)).astype(float)
            y, x = (np.array([v[stratum == h].mean() for h in range(4)]) for v in (y_u, x_u.astype(float)))
            ratio = sizes @ y / (sizes @ x)
            terms = [np.cov(y_u[stratum == h], x_u[stratum == h]) for h in range(4)]
            spread = [c[0, 0] + ratio**2 * c[1, 1] - 2 * ratio * c[0, 1] for c in terms]
            error = np.sqrt(sizes**2 @ (np.array(spread) / 10)) / (sizes @ x)
            assert_allclose((estimate.value, estimate.standard_error), (ratio, error), rtol=1e-9)


def test_pixels_of_different_sizes_weigh_as_their_area():
    """Two halves of a stratum: pixels of 3 m2 are all forest, pixels of 1 m2 are none; three quarters are forest."""
    area = np.tile([3.0, 1.0], 50)
    reference = np.tile([0, 1], 50)
    strata = Strata(("all",), ("forest", "other"), np.array([[500, 500]]), np.array([[1500.0, 500.0]]))
    found = estimates(strata, Points(np.zeros(100, int), reference, reference, area))
    assert_allclose(found.classes[0].area.value, 1500.0)
    assert_allclose([c.area.value for c in found.classes], [c.mapped_area for c in found.classes])


@pytest.mark.parametrize(("count", "words"), [(1, "one point"), (0, "no point")])
def test_a_stratum_with_too_few_points_is_named(count, words):
    matrix = OLOFSSON.copy()
    matrix[1] = [0, count, 0, 0]
    with pytest.raises(DataError, match=f"forest gain has {words}.*at least two points"):
        estimates(*sample(matrix, PIXELS))


def test_a_class_without_points_has_no_accuracy_but_an_open_interval():
    matrix = np.array([[20, 0, 0], [0, 30, 0], [3, 0, 17]])
    mapped = np.diag([100, 1000, 0])[:2]
    stratum, reference = np.nonzero(matrix[:2])
    points = Points(*(np.repeat(a, matrix[:2][stratum, reference]) for a in (stratum, stratum, reference)), np.ones(50))
    found = estimates(Strata(NAMES[:2], NAMES[:3], mapped, mapped.astype(float)), points).classes[2]
    assert np.isnan(found.users_accuracy.value) and np.isnan(found.producers_accuracy.value)
    assert found.area.value == 0 and found.area.few
    assert found.area.safe_high > 50  # 1,000 pixels with 30 points may hide a tenth


def coverage(matrix, pixels, counts, maps, target=0):
    """Share of simulated maps whose true area the published and the safe interval hold."""
    rng, rates = np.random.default_rng(3), matrix / matrix.sum(axis=1, keepdims=True)
    held = []
    for _ in range(maps):
        truth = np.array([rng.multinomial(n, row) for n, row in zip(pixels, rates, strict=True)])
        drawn = np.array(
            [rng.multivariate_hypergeometric(r, n, method="marginals") for r, n in zip(truth, counts, strict=True)]
        )
        area = estimates(*sample(drawn, pixels)).classes[target].area
        true = truth[:, target].sum()
        held.append((area.low <= true <= area.high, area.safe_low <= true <= area.safe_high))
    return np.mean(held, axis=0)


def test_coverage_where_many_omissions_are_expected():
    published, safe = coverage(OLOFSSON, PIXELS, (75, 75, 165, 325), 100, target=2)
    assert published > 0.9 and safe > 0.9


def test_where_few_omissions_are_expected_only_the_safe_interval_holds():
    """One per cent changed, one omission in 500 points of the rest expected: mostly none is seen."""
    rates, pixels = np.array([[850, 150, 0], [2, 998, 0], [0, 0, 1000]]), np.array([100_000, 9_000_000, 900_000])
    published, safe = coverage(rates, pixels, (100, 500, 2), 100)
    assert published < 0.8 and safe > 0.92
