"""A layer in other formats: the same features, with its style, and words for what is none."""

import json
import sqlite3

import geopandas
import numpy as np
import pytest
import shapely
from pyproj import CRS, Transformer

from geoseg.errors import ConfigError
from geoseg.io.vectors import write_geoparquet
from geoseg.stages.translate import longest_straight, translate


@pytest.fixture
def layer(tmp_path):
    frame = geopandas.GeoDataFrame(
        {"status": ["regular", "outline"], "area_m2": [100.0, 25.0]},
        geometry=[shapely.box(0, 0, 10, 10), shapely.box(20, 0, 25, 5)],
        crs="EPSG:32633",
    ).translate(400_000, 5_000_000)
    frame = geopandas.GeoDataFrame({"status": ["regular", "outline"]}, geometry=frame, crs="EPSG:32633")
    write_geoparquet(frame, tmp_path / "buildings.parquet")
    (tmp_path / "buildings.qml").write_text("<qgis>style</qgis>")
    return tmp_path / "buildings.parquet"


@pytest.mark.parametrize("end", ["geojson", "geojsonl", "gpkg"])
def test_each_format_has_the_features(layer, end):
    translate(layer, layer.with_suffix(f".{end}"))
    back = geopandas.read_file(layer.with_suffix(f".{end}"))
    meant = geopandas.read_parquet(layer).to_crs(back.crs)
    assert back["status"].tolist() == ["regular", "outline"]
    assert back.geometry.geom_equals_exact(meant.geometry.normalize(), 2e-7).all() or (
        np.abs(back.bounds.to_numpy() - meant.bounds.to_numpy()).max() < 2e-7
    )


def test_a_geopackage_holds_the_style(layer):
    translate(layer, layer.with_suffix(".gpkg"))
    with sqlite3.connect(layer.with_suffix(".gpkg")) as database:
        rows = database.execute("SELECT f_table_name, styleQML, useAsDefault FROM layer_styles").fetchall()
    assert rows == [("buildings", "<qgis>style</qgis>", 1)]


def test_long_edges_stay_where_they_are(tmp_path):
    """An edge of 50 km that is straight on the map bows by metres in degrees, unless it gets more corners."""
    left, bottom, side = 300_000.0, 7_000_000.0, 50_000.0
    frame = geopandas.GeoDataFrame(
        {"class": [1]}, geometry=[shapely.box(left, bottom, left + side, bottom + side)], crs=32633
    )
    write_geoparquet(frame, tmp_path / "landcover.parquet")
    translate(tmp_path / "landcover.parquet", tmp_path / "landcover.geojson")
    (feature,) = json.loads((tmp_path / "landcover.geojson").read_text())["features"]
    ring = np.array(feature["geometry"]["coordinates"][0])
    fine = shapely.get_coordinates(shapely.segmentize(shapely.linearrings(ring), 1e-4))
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:32633", always_xy=True).transform(*fine.T)
    assert shapely.distance(shapely.points(x, y), frame.geometry[0].exterior).max() < 0.06
    assert longest_straight(CRS("EPSG:4326")) is None


@pytest.mark.parametrize(
    ("layer_name", "target", "said"),
    [
        ("buildings.parquet", "buildings.shp", r"must end in one of \.geojson, \.geojsonl, \.gpkg"),
        ("houses.parquet", "houses.gpkg", r"is no layer; name one that geoseg made: landcover\.parquet"),
        ("roads.parquet", "roads.gpkg", r"there is no file .*roads\.parquet; did you mean"),
    ],
)
def test_what_cannot_be(layer, layer_name, target, said):
    with pytest.raises(ConfigError, match=said):
        translate(layer.with_name(layer_name), layer.with_name(target))
    assert not layer.with_name(target).exists()
