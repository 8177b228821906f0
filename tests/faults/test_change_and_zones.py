"""FAULTS G14, S01, S06, S08 as far as they concern areas by zone and change between dates."""

import json
import time

import click.testing
import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS

from geoseg.cli import geoseg
from geoseg.errors import ConfigError, DataError
from geoseg.io.zone_layer import read_zones
from geoseg.stages.change_guard import guarded
from geoseg.stages.zones import ZoneOptions, zones
from tests.stages.change_maps import deliver

SQUARE = [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]]
SHAPE = (20, 30)


def some(seed, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 4, shape, np.uint8)


@pytest.mark.parametrize("name", ["unknown", 7, None, "EPSG:999999", "x" * 20_000])
@pytest.mark.parametrize("place", ["layer", "feature"])
def test_G14_zones_in_a_crs_that_is_not_understood_are_refused(tmp_path, name, place):
    """GDAL reads them as degrees without a word."""
    feature = {"type": "Feature", "properties": {"crs": "mine"}, "geometry": {"type": "Polygon", "coordinates": SQUARE}}
    layer = {"type": "FeatureCollection", "features": [feature]}
    {"layer": layer, "feature": feature}[place]["crs"] = {"type": "name", "properties": {"name": name}}
    (tmp_path / "z.geojson").write_text(json.dumps(layer))
    with pytest.raises(DataError, match=r"and is read as WGS 84; save it in EPSG:4326.*or as GeoPackage"):
        read_zones(tmp_path / "z.geojson", None)


@pytest.mark.parametrize("name", ["EPSG:32640", "urn:ogc:def:crs:EPSG::3857", "urn:ogc:def:crs:OGC:1.3:CRS84", None])
def test_G14_zones_in_a_crs_that_is_said_are_read_in_it(tmp_path, name):
    feature = {"type": "Feature", "properties": {"crs": "mine"}, "geometry": {"type": "Polygon", "coordinates": SQUARE}}
    layer = {"type": "FeatureCollection", "features": [feature]}
    if name:
        layer["crs"] = {"type": "name", "properties": {"name": name}}
    (tmp_path / "z.geojson").write_text(json.dumps(layer))
    found = read_zones(tmp_path / "z.geojson", None).crs
    assert found.equals(CRS(name or "EPSG:4326"), ignore_axis_order=True)


def test_S06_maps_of_an_early_version_are_compared_by_what_they_say(tmp_path):
    """Without the digest of the card, or with the tags of a later version that this one does not know."""
    early, now = (
        deliver(tmp_path / day, day, some(n), **tags)
        for n, (day, tags) in enumerate(
            (("2019-05-01", {"GEOSEG_CARD_SHA256": None}), ("2024-05-01", {"GEOSEG_SOMETHING": "new"}))
        )
    )
    with guarded([early, now]) as series:
        assert series.dates[0].card_sha256 is None
    cards = [deliver(tmp_path / f"c{n}", f"202{n}-01-01", some(n), GEOSEG_CARD_SHA256=f"{n}" * 64) for n in range(2)]
    with pytest.raises(DataError, match="different cards of the model"), guarded(cards):
        pass


def zone_layer(folder):
    transform = Affine(10, 0, 500_000, 0, -10, 9_070_000)
    ring = [transform @ p for p in ((2, 2), (20, 2), (20, 15), (2, 15))]
    geopandas.GeoDataFrame(geometry=[shapely.Polygon(ring)], crs="EPSG:32718").to_file(folder / "z.gpkg")
    return folder / "z.gpkg"


def test_S01_zones_of_maps_of_one_model_with_two_cards_are_refused(tmp_path):
    maps = [
        deliver(tmp_path / day, day, some(n), GEOSEG_CARD_SHA256=card * 32) / "landcover.tif"
        for n, (day, card) in enumerate((("2019-05-01", "12"), ("2024-05-01", "34")))
    ]
    with pytest.raises(DataError, match=r"different cards of the model.*Make both with one model"):
        zones(maps[0], zone_layer(tmp_path), tmp_path / "out", ZoneOptions(after=maps[1]))


@pytest.mark.parametrize("day", ["2024-02-30", "2023-02-29", "2024-13-01", "20240201T00", "today"])
def test_S08_a_map_of_a_day_that_is_not_in_the_calendar(tmp_path, day):
    one, two = deliver(tmp_path / "a", "2019-05-01", some(0)), deliver(tmp_path / "b", day, some(1))
    with pytest.raises(DataError, match=f"does not say its date \\(only '{day}'\\); name a map"), guarded([one, two]):
        pass
    with pytest.raises(ConfigError, match="which is no year-month-day; set --to to the day it shows"):
        maps = [folder / "landcover.tif" for folder in (one, two)]
        zones(maps[0], zone_layer(tmp_path), tmp_path / "out", ZoneOptions(after=maps[1]))


@pytest.mark.parametrize("day", ["2024-02-30", "2024-6-31", "1717200000", "2024-02-01T10:00:00"])
def test_S08_a_flag_with_a_day_that_is_not_in_the_calendar(tmp_path, day):
    maps = [str(deliver(tmp_path / n, "2019-05-01", some(0)) / "landcover.tif") for n in "ab"]
    words = ["zones", maps[0], str(zone_layer(tmp_path)), str(tmp_path / "out"), "--after", maps[1], "--to", day]
    done = click.testing.CliRunner().invoke(geoseg, words)
    assert done.exit_code == 2
    assert "%Y-%m-%d" in done.output


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_S08_years_between_maps_are_the_same_in_every_time_zone(tmp_path, monkeypatch, zone):
    maps = [
        deliver(tmp_path / day, day, some(n)) / "landcover.tif" for n, day in enumerate(("2019-12-31", "2024-03-01"))
    ]
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        zones(maps[0], zone_layer(tmp_path), tmp_path / "out", ZoneOptions(after=maps[1]))
        with guarded([path.parent for path in maps]) as series:
            assert [str(dated.date) for dated in series.dates] == ["2019-12-31", "2024-03-01"]
    finally:
        monkeypatch.undo()
        time.tzset()
    figures = json.loads((tmp_path / "out/zones.json").read_text())
    assert figures["dates"] == ["2019-12-31", "2024-03-01"]
    assert figures["years"] == pytest.approx(1522 / 365.25, rel=1e-3)
