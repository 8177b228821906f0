import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import ConfigError
from geoseg.stats.rates import Rates, rates, years_between

areas = st.floats(1e-3, 1e9)


def test_half_of_a_forest_in_ten_years():
    found = rates(100.0, 50.0, 10.0)  # 1 - 0.5 ** 0.1 = 0.06697 and ln(2) / 10 = 0.06931, by hand
    assert found.per_year == -5.0
    assert found.simple == pytest.approx(-0.05)
    assert found.compound == pytest.approx(-0.066967, abs=1e-6)
    assert found.continuous == pytest.approx(-0.069315, abs=1e-6)


def test_growth_that_doubles_in_seven_years():
    found = rates(20.0, 40.0, 7.0)  # 2 ** (1 / 7) - 1 and ln(2) / 7
    assert (found.per_year, found.simple) == (pytest.approx(20 / 7), pytest.approx(1 / 7))
    assert found.compound == pytest.approx(0.104090, abs=1e-6)
    assert found.continuous == pytest.approx(0.099021, abs=1e-6)


@given(before=areas, share=st.floats(0.01, 0.5), years=st.integers(1, 40))
def test_compound_loss_taken_each_year_gives_the_last_area(before, share, years):
    after = before
    for _ in range(years):
        after -= after * share
    assert rates(before, after, years).compound == pytest.approx(-share, rel=1e-9)


@given(before=areas, after=areas, years=st.floats(2, 100))
def test_the_continuous_rate_is_the_logarithm_of_the_compound_one_and_never_above_it(before, after, years):
    found = rates(before, after, years)
    assert found.continuous == pytest.approx(math.log1p(found.compound), rel=1e-6, abs=1e-9)
    assert found.continuous <= found.compound  # Puyravaud 2003: FAO's rate understates a loss
    back = rates(after, before, years)
    assert back.continuous == pytest.approx(-found.continuous)  # and only the continuous one turns with the dates


def test_areas_of_nothing():
    assert rates(0.0, 0.0, 2.0) == Rates(0.0, None, None, None)
    assert rates(0.0, 6.0, 2.0) == Rates(3.0, None, None, None)
    assert rates(6.0, 0.0, 2.0) == Rates(-3.0, -0.5, -1.0, None)
    assert rates(1e-3, 1e9, 1 / 365).compound is None  # no number is that high


@pytest.mark.parametrize("missing", [None, math.nan])
def test_areas_that_were_not_measured_have_no_rate(missing):
    nothing = Rates(None, None, None, None)
    assert rates(missing, 1.0, 1.0) == rates(1.0, missing, 1.0) == nothing


def test_wrong_use():
    with pytest.raises(ValueError, match="above 0"):
        rates(1.0, 2.0, 0.0)
    with pytest.raises(ValueError, match="negative"):
        rates(-1.0, 2.0, 1.0)


def test_years_are_counted_in_days():
    assert years_between(date(2000, 1, 1), date(2400, 1, 1)) == 400  # the Gregorian calendar repeats
    assert years_between(date(2019, 2, 28), date(2020, 3, 1)) == pytest.approx(367 / 365.2425)


def test_dates_without_time_between_them():
    with pytest.raises(ConfigError, match="give two dates"):
        years_between(date(2020, 1, 1), date(2020, 1, 1))
    with pytest.raises(ConfigError, match="earlier map first"):
        years_between(date(2021, 1, 1), date(2020, 1, 1))
