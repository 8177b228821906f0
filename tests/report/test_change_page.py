"""The page of change: charts to scale, text escaped, nothing from outside."""

from datetime import date

import numpy as np
import pytest

from geoseg.report.change_page import ChangePage, Period, Picture, TransitionLine, bars, curve, hectares, page

PERIODS = [
    Period(date(1985, 8, 1), date(1990, 8, 1), 5.0, 5e6, 3, 0.0),
    Period(date(1990, 8, 1), date(2000, 8, 1), 10.0, 20e6, 7, 1e4),
]
LINE = TransitionLine(
    "clearing", "#d7301f", ["forest"], ["<b>pasture</b>"], 25e6, 26e6, 10, PERIODS, [(0.3, 30e6, 28e6), (0.7, 9e6, 8e6)]
)


def test_the_area_of_a_bar_is_what_changed():
    one, two = bars(PERIODS)
    assert two.width * two.height / (one.width * one.height) == pytest.approx(4, rel=1e-3)
    hidden = Period(date(1985, 8, 1), date(2000, 8, 1), 15.0, 15e6, 1, 1e4)  # nobody saw when
    assert [bar.rate for bar in bars([*PERIODS, hidden])] == [2e6, 3e6]
    assert two.left + two.width == pytest.approx(1) and two.height == 1
    assert [bar.height for bar in bars([Period(date(2019, 5, 1), date(2024, 5, 1), 5.0, 0.0, 0, 0.0)])] == [0]


def test_curves_and_map_share_a_scale():
    without, large, mapped = curve(LINE)
    assert without == [(0.3, 1.0), (0.7, 0.3)] and large[0] == (0.3, pytest.approx(28 / 30))
    assert mapped == pytest.approx(26 / 30)


@pytest.mark.parametrize(
    ("area", "said"),
    [(0, "0.00 ha"), (12_300, "1.23 ha"), (5e6, "500 ha"), (3.2e9, "320,000 ha"), (3.2e10, "32,000 km²")],
)
def test_areas_as_people_read_them(area, said):
    assert hectares(area) == said


def test_the_page_is_whole_and_escaped():
    picture = Picture("Transitions", np.zeros((4, 5, 3), np.uint8), [("a & b", "#ffffff")])
    text = page(ChangePage("T <x>", "s", [LINE], 1e8, 2e6, 3e4, {"m": "t"}, [picture]))
    assert "T &lt;x&gt;" in text and "&lt;b&gt;pasture" in text and "a &amp; b" in text and "<b>pasture" not in text
    assert "1985-08-01 to 1990-08-01" in text and "-69 %" in text
    assert "http" not in text.replace("http-equiv", "") and "<script" not in text
