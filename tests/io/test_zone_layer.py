import json

import geopandas
import numpy as np
import pytest
import shapely

from geoseg.errors import ConfigError, DataError
from geoseg.io import zone_layer
from geoseg.io.zone_layer import read_zones

BOX, FAR = shapely.box(0, 0, 4, 4), shapely.box(10, 0, 12, 2)
BOW = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])


def layer(tmp_path, shapes, ending="gpkg", crs="EPSG:32640", **fields):
    path = tmp_path / f"zones.{ending}"
    frame = geopandas.GeoDataFrame(fields, geometry=list(shapes), crs=crs)
    frame.to_parquet(path) if ending == "parquet" else frame.to_file(path)
    return path


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "parquet"])
def test_zones_come_in_order_with_their_names(tmp_path, ending):
    crs = "EPSG:4326" if ending == "geojson" else "EPSG:32640"
    found = read_zones(layer(tmp_path, [FAR, BOX], ending, crs, Name=["東京", "=b"], code=[7.0, 8.0]), None)
    assert found.names == ("東京", "=b")
    assert [s.geom_type for s in found.shapes] == ["MultiPolygon"] * 2
    assert shapely.equals(found.shapes, [FAR, BOX]).all()
    assert found.crs.to_epsg() == int(crs[5:])
    assert (found.repaired, found.without_shape) == ((), 0)


def test_a_field_names_zones_and_numbers_those_without_a_name(tmp_path):
    path = layer(tmp_path, [BOX] * 4, code=[12345678.0, None, 2.5, 1.0], label=["a\nb", "", None, "\x1b]0;x"])
    assert read_zones(path, "code").names == ("12345678", "2", "2.5", "1")
    assert read_zones(path, "label").names == ("a b", "2", "3", "]0;x")
    assert read_zones(path, None).names == ("1", "2", "3", "4")


def test_an_invalid_zone_is_repaired_and_told_with_the_place(tmp_path):
    found = read_zones(layer(tmp_path, [BOX, BOW], name=["good", "bow"]), None)
    assert [float(s.area) for s in found.shapes] == [16, 2]
    assert len(found.repaired) == 1
    assert "zone bow was not a valid polygon (Self-intersection[1 1])" in found.repaired[0]


def test_a_zone_without_any_area_is_refused_with_the_place(tmp_path):
    line = shapely.Polygon([(5, 6), (7, 6), (9, 6), (5, 6)])
    with pytest.raises(DataError, match=r"zone line of .*, at 5, 6, has no area; draw it again"):
        read_zones(layer(tmp_path, [BOX, line], name=["good", "line"]), None)


def test_features_without_a_geometry_are_counted(tmp_path):
    for ending in ("gpkg", "parquet"):
        found = read_zones(layer(tmp_path, [BOX, None, FAR], ending, name=["a", "b", "c"]), None)
        assert (found.names, found.without_shape) == (("a", "c"), 1)


def test_heights_are_dropped(tmp_path):
    found = read_zones(layer(tmp_path, [shapely.force_3d(BOX, 7)]), None)
    assert not shapely.has_z(found.shapes).any()


@pytest.mark.parametrize(
    ("shapes", "field", "fix"),
    [
        (
            [BOX, shapely.Point(1, 1), shapely.Point(2, 1)],
            None,
            "2 of 3 features .* are no polygons .*name a layer of polygons",
        ),
        ([shapely.LineString([(0, 0), (1, 1)])], None, "the first is a LineString"),
        ([BOX], "district", "no field 'district'; set --name to one of: label"),
        ([], None, "no features with a geometry; name a layer with the polygons"),
        ([None], None, "no features with a geometry"),
    ],
)
def test_layers_that_are_no_zones(tmp_path, shapes, field, fix):
    path = layer(tmp_path, shapes, label=["x"] * len(shapes))
    with pytest.raises(DataError, match=fix):
        read_zones(path, field)


def test_a_layer_without_crs_or_that_is_no_layer(tmp_path):
    with pytest.raises(DataError, match="says no CRS; save it again"):
        read_zones(layer(tmp_path, [BOX], crs=None), None)
    (tmp_path / "bad.geojson").write_text("{}")
    with pytest.raises(DataError, match=r"bad\.geojson"):
        read_zones(tmp_path / "bad.geojson", None)
    with pytest.raises(ConfigError, match="name a layer as"):
        (tmp_path / "zones.shp").write_text("")
        read_zones(tmp_path / "zones.shp", None)
    with pytest.raises(ConfigError, match="no file"):
        read_zones(tmp_path / "absent.gpkg", None)


def test_more_corners_than_memory_is_meant_for(tmp_path, monkeypatch):
    monkeypatch.setattr(zone_layer, "_MOST_CORNERS", 9)
    with pytest.raises(DataError, match="have 10 corners, the most is 9; simplify them"):
        read_zones(layer(tmp_path, [BOX, FAR]), None)


def test_rings_that_are_no_rings(tmp_path):
    path = tmp_path / "torn.geojson"
    ring = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": ring}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(DataError, match="torn"):
        read_zones(path, None)


def test_corners_that_are_no_numbers(tmp_path):
    broken = shapely.Polygon([(0, 0), (np.inf, 1), (2, 2), (0, 0)])
    with pytest.raises(DataError, match=r"zone 1 of .* has a corner that is no number"):
        read_zones(layer(tmp_path, [broken], "parquet"), None)
