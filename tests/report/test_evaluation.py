"""The page of an evaluation: what it shows is what was counted, and nothing in it can run or be fetched."""

import base64
import io
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.testing import assert_array_equal

from geoseg.report.evaluation import (
    ClassLine,
    Headline,
    Measure,
    Page,
    Place,
    bars,
    count_text,
    framed,
    page,
    picture,
    row_shares,
)
from geoseg.report.html_page import png_uri

ALLOWED = {"style", "class", "lang", "charset", "name", "content", "http-equiv", "src", "alt", "role", "aria-label"}


class Reader(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(" ".join(data.split()))


def shown(**changes):
    measure = Measure(0.8125, 0.75, 0.875)
    pictures = (("image", np.full((8, 9, 3), 7, np.uint8)), ("map", np.zeros((8, 9, 3), np.uint8)))
    bins = np.zeros((15, 3))
    bins[14] = (100, 97, 90)
    fields = {
        "title": "How good is it?",
        "subtitle": "on paper",
        "headlines": [Headline("mean IoU", measure, "of classes"), Headline("F1", Measure(None), "none")],
        "protocol": {"scale": "pixels of 0.8 m"},
        "columns": ["IoU"],
        "classes": [ClassLine(n, "#d7483d", 0.4, 0.5, (measure,)) for n in ("road", "water")],
        "grounds": [("one", 60, [measure, measure]), ("two", 40, [measure, measure])],
        "matrix": np.array([[30, 10], [0, 60]]),
        "bins": bins,
        "places": [Place("one: 20% right", "road taken for water on 60%", pictures)],
    }
    return Page(**(fields | changes))


def test_it_shows_scores_protocol_and_confusion():
    words = Reader(page(shown())).words
    for text in (
        "How good is it?",
        "pixels of 0.8 m",
        "0.812",
        "0.750 to 0.875",
        "75 %",
        "25 %",
        "30 px",
        "no interval",
    ):
        assert text in words, text
    assert "one: 20% right" in words and "road taken for water on 60%" in words


def test_nothing_runs_and_nothing_is_fetched():
    """However the text is meant: all of it comes from files that others may have written."""
    evil = '<script>alert(1)</script><img src=x onerror="alert(2)">" onload="x'
    plain = shown()
    html = page(
        replace(
            plain,
            title=evil,
            subtitle=evil,
            protocol={evil: evil},
            headlines=[Headline(evil, Measure(0.5), evil)],
            classes=[replace(c, name=evil) for c in plain.classes],
            grounds=[(evil, 1, []), (evil, 2, [])],
            places=[replace(p, title=evil, note=evil, pictures=((evil, p.pictures[0][1]),)) for p in plain.places],
        )
    )
    tags = Reader(html).tags
    assert {"script", "link", "iframe", "object", "embed", "form", "a", "base"}.isdisjoint(t for t, _ in tags)
    drawn = {"svg", "line", "rect", "text"}
    assert {name for tag, attrs in tags if tag not in drawn for name in attrs} <= ALLOWED
    assert not any(name.startswith("on") for _, attrs in tags for name in attrs)
    assert all(attrs["src"].startswith("data:image/png;base64,") for _, attrs in tags if "src" in attrs)
    assert "url(" not in html and "@import" not in html and "http://" not in html and "https://" not in html
    policy = next(attrs["content"] for _, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_a_map_without_probabilities_says_so():
    text = " ".join(Reader(page(shown(bins=np.zeros((15, 3))))).words)
    assert "probabilities of the map are not known" in text


def test_one_scene_needs_no_table_of_scenes():
    plain = shown()
    assert "Each scene" in page(plain) and "Each scene" not in page(replace(plain, grounds=plain.grounds[:1]))


def test_pictures_come_back_whole():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    found = imread(io.BytesIO(base64.b64decode(png_uri(pixels).split(",")[1])), format="png")
    assert_array_equal(np.rint(found[..., :3] * 255), pixels)


def test_bars_and_shares():
    bins = np.zeros((15, 3))
    bins[7], bins[14] = (10, 5, 4), (30, 29.4, 27)
    low, high = bars(bins)
    assert (low.left, low.right) == pytest.approx((7 / 15, 8 / 15))
    assert (low.confidence, low.accuracy, low.share) == pytest.approx((0.5, 0.4, 0.25))
    assert (high.confidence, high.accuracy) == pytest.approx((0.98, 0.9))
    assert row_shares(np.array([[3, 1], [0, 0]])) == [[0.75, 0.25], [0, 0]]


def test_a_frame_lies_on_the_edge_of_its_block():
    pixels = np.full((12, 14, 3), 90, np.uint8)
    out = framed(pixels, 2, 3, 8, 9)
    inside = np.zeros((12, 14), bool)
    inside[2:10, 3:12] = True
    assert_array_equal(out[~inside], pixels[~inside])
    black = (out == 0).all(axis=2)
    assert black.sum() == 2 * 8 + 2 * 9 - 4 and black[2, 3:12].all() and black[2:10, 11].all()
    assert (out[5:7, 6:9] == 90).all()
    assert framed(pixels, 11, 13, 1, 1)[11, 13].tolist() == [0, 0, 0]


def test_pictures_of_imagery():
    image, valid = np.array([[[0, 1000, 3000]]], np.float32), np.array([[False, True, True]])
    assert picture(image, valid, None)[0].tolist() == [[0] * 3, [0] * 3, [255] * 3]
    bytes_ = np.array([[[12]], [[0]], [[255]]], np.float32)
    assert picture(bytes_, np.array([[True]]), (0, 255)).tolist() == [[[12, 0, 255]]]


def test_counts_as_people_read_them():
    assert [count_text(n) for n in (0, 812, 45_300, 12_600_000)] == ["0 px", "812 px", "45.3 kpx", "12.6 Mpx"]
