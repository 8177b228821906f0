import json

import geopandas
import numpy as np
import pandas
import pyarrow.parquet
import pytest
import shapely
from numpy.testing import assert_allclose

from geoseg.io.vectors import write_geojson, write_geoparquet


def layer(polygons, crs="EPSG:32633", name="land"):
    """A land-cover layer of any polygons."""
    polygons = np.asarray(polygons, object)
    count = len(polygons)
    attributes = {
        "class": np.arange(count, dtype=np.int32),
        "name": pandas.array([name] * count, dtype="string"),
        "area_m2": np.arange(count) / 3,
        "confidence": np.where(np.arange(count) % 2 == 0, np.nan, 0.1),
    }
    return geopandas.GeoDataFrame(attributes, geometry=polygons, crs=crs)


def square(left, bottom, side):
    return shapely.box(left, bottom, left + side, bottom + side)


def donut(left=500_000, bottom=5_300_000):
    """A ring with an island in its hole, and holes that touch at a corner."""
    ring = square(left, bottom, 100) - square(left + 10, bottom + 10, 20) - square(left + 30, bottom + 30, 20)
    return [ring, square(left + 10, bottom + 10, 20), square(left + 30, bottom + 30, 20)]


def rings_of(geometry):
    for polygon in [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]:
        yield from ((ring, number == 0) for number, ring in enumerate(polygon))


def test_geoparquet_comes_back_exactly(tmp_path):
    frame = layer(donut(), name="forêt 雪 'quoted' \"twice\"")
    write_geoparquet(frame, tmp_path / "a.parquet")
    back = geopandas.read_parquet(tmp_path / "a.parquet")
    assert shapely.to_wkb(back.geometry.to_numpy()).tolist() == shapely.to_wkb(frame.geometry.to_numpy()).tolist()
    assert back.crs == frame.crs
    pandas.testing.assert_frame_equal(pandas.DataFrame(back.drop(columns="geometry")), frame.drop(columns="geometry"))
    assert list(tmp_path.iterdir()) == [tmp_path / "a.parquet"]


def test_geoparquet_says_what_it_is(tmp_path):
    write_geoparquet(layer(donut()), tmp_path / "a.parquet")
    file = pyarrow.parquet.ParquetFile(tmp_path / "a.parquet")
    geo = json.loads(file.metadata.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    assert geo["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    assert geo["columns"]["geometry"]["crs"]["id"] == {"authority": "EPSG", "code": 32633}
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    one = geopandas.read_parquet(tmp_path / "a.parquet", bbox=(500_012, 5_300_012, 500_013, 5_300_013))
    assert one["class"].tolist() == [0, 1]


@pytest.mark.parametrize("frame", [layer(donut()), layer(donut())[:0]], ids=["full", "empty"])
def test_same_layer_same_bytes(tmp_path, frame):
    for write, ending in [(write_geoparquet, "parquet"), (write_geojson, "geojson")]:
        first, second = tmp_path / f"a.{ending}", tmp_path / "b" / f"a.{ending}"
        write(frame, first)
        write(frame, second)
        assert first.read_bytes() == second.read_bytes()


def test_geojson_is_rfc_7946(tmp_path):
    frame = layer(donut())
    write_geojson(frame, tmp_path / "landcover.geojson")
    data = json.loads((tmp_path / "landcover.geojson").read_text("utf-8"))
    assert data["type"] == "FeatureCollection"
    assert data["name"] == "landcover"
    assert "crs" not in data
    assert len(data["features"]) == 3
    for feature in data["features"]:
        for ring, exterior in rings_of(feature["geometry"]):
            assert ring[0] == ring[-1]
            assert shapely.LinearRing(ring).is_ccw == exterior
            lon, lat = np.array(ring).T
            assert ((lon > 14.99) & (lon < 15.01) & (lat > 47.8) & (lat < 47.9)).all()
            assert (np.round(ring, 7) == ring).all()
    properties = data["features"][1]["properties"]
    assert properties == {"class": 1, "name": "land", "area_m2": pytest.approx(1 / 3), "confidence": 0.1}
    assert data["features"][0]["properties"]["confidence"] is None


def test_geojson_keeps_areas(tmp_path):
    frame = layer(donut())
    write_geojson(frame, tmp_path / "a.geojson")
    back = geopandas.read_file(tmp_path / "a.geojson").to_crs(frame.crs)
    assert_allclose(back.area, frame.area, rtol=2e-3)


def test_a_polygon_below_a_centimetre_keeps_its_row(tmp_path):
    sliver = shapely.box(500_000, 5_300_000, 500_050, 5_300_000.000_01)
    write_geojson(layer([sliver, *donut()]), tmp_path / "a.geojson")
    features = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert features[0]["geometry"] is None
    assert features[0]["properties"]["class"] == 0
    assert len(features) == 4


def test_a_neck_thinner_than_rounding_is_repaired(tmp_path):
    bridge = shapely.box(500_009, 5_300_004, 500_021, 5_300_004.002)
    neck = shapely.union_all([square(500_000, 5_300_000, 10), square(500_020, 5_300_000, 10), bridge])
    write_geojson(layer([neck]), tmp_path / "a.geojson")
    back = geopandas.read_file(tmp_path / "a.geojson")
    assert back.is_valid.all()
    assert_allclose(back.to_crs(32633).area, 200, rtol=2e-3)


def test_a_polygon_across_the_antimeridian_is_split(tmp_path):
    across = layer([square(160_000, 1_800_000, 30_000)], crs="EPSG:32601")  # zone 1 begins at 180 degrees
    write_geojson(across, tmp_path / "a.geojson")
    geometry = json.loads((tmp_path / "a.geojson").read_text())["features"][0]["geometry"]
    assert geometry["type"] == "MultiPolygon"
    lon = sorted(point[0] for ring, _ in rings_of(geometry) for point in ring)
    assert lon[0] == -180
    assert lon[-1] == 180
    assert max(abs(180 - abs(value)) for value in lon) < 1
    back = geopandas.read_file(tmp_path / "a.geojson").to_crs(32601)
    assert_allclose(back.area, across.area, rtol=1e-4)


def test_long_edges_get_corners_so_that_neighbours_still_meet(tmp_path):
    one = shapely.box(450_000, 5_000_000, 550_000, 5_100_000)
    many = [shapely.box(450_000 + n * 1_000, 4_900_000, 451_000 + n * 1_000, 5_000_000) for n in range(100)]
    frame = layer([one, *many])

    def overlap(max_segment):
        """Area that both neighbours claim, km2: where one's long edge is straight in degrees."""
        write_geojson(frame, tmp_path / "a.geojson", max_segment)
        back = geopandas.read_file(tmp_path / "a.geojson").geometry.to_numpy()
        return shapely.area(shapely.intersection(back[0], shapely.union_all(back[1:]))) * 111 * 78

    assert overlap(None) > 10
    assert overlap(2_000.0) < 0.01


def test_an_empty_layer_keeps_its_columns(tmp_path):
    empty = layer(donut())[:0]
    write_geoparquet(empty, tmp_path / "a.parquet")
    back = geopandas.read_parquet(tmp_path / "a.parquet")
    assert len(back) == 0
    assert back.crs == empty.crs
    assert dict(back.dtypes) == dict(empty.dtypes)
    write_geojson(empty, tmp_path / "a.geojson")
    assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []
    assert len(geopandas.read_file(tmp_path / "a.geojson")) == 0


def test_missing_folders_are_made_and_old_files_replaced(tmp_path):
    target = tmp_path / "a b" / "é 雪" / "x#1.geojson"
    write_geojson(layer(donut()), target)
    write_geojson(layer(donut()[:1]), target)
    assert len(json.loads(target.read_text("utf-8"))["features"]) == 1
    assert list(target.parent.iterdir()) == [target]


def test_a_corner_next_to_a_round_number_keeps_its_digits(tmp_path):
    corner = shapely.box(-54.3353352, -25.4000008, -54.335, -25.3997247)  # GDAL would write -25.4, nine centimetres off
    frame = geopandas.GeoDataFrame({"class": [1]}, geometry=[corner], crs="OGC:CRS84")
    write_geojson(frame, tmp_path / "map.geojson")
    assert "-25.4000008" in (tmp_path / "map.geojson").read_text()
