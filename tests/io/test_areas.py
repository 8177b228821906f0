"""Areas read from GeoJSON, GeoPackage, bounds and scenes."""

import json

import geopandas
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import GeometryCollection, MultiPolygon, Point, Polygon, box

from geoseg.config import Area
from geoseg.errors import ConfigError, DataError
from geoseg.grid.area import ellipsoid_area
from geoseg.io.areas import read_area

UTM = "EPSG:32640"
SQUARE = box(55.1, 25.1, 55.2, 25.2)
SCENE = ((300_000.0, 2_770_000.0, 340_000.0, 2_800_000.0), UTM)


def feature(geometry, **more):
    return {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(geometry), **more}


@pytest.fixture
def read(tmp_path):
    def _read(content, scenes=(), **options):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "a.geojson").write_text(text, encoding="utf-8")
        return read_area(Area(file="a.geojson", **options), tmp_path, scenes)

    return _read


@pytest.fixture
def package(tmp_path):
    """Writes a GeoPackage with GDAL and reads it with ours."""

    def _package(*shapes, crs=UTM, **options):
        frame = geopandas.GeoDataFrame(geometry=list(shapes), crs=crs)
        frame.to_file(tmp_path / "a.gpkg", driver="GPKG", layer="area")
        return read_area(Area(file="a.gpkg", **options), tmp_path, [])

    return _package


def test_collection_feature_and_bare_geometry_are_the_same_area(read):
    geometry = shapely.geometry.mapping(SQUARE)
    for content in (geometry, feature(SQUARE), {"type": "FeatureCollection", "features": [feature(SQUARE)]}):
        area = read(content, [SCENE])
        assert area.geometry.equals(SQUARE)
        assert (area.crs, area.note) == ("EPSG:4326", None)


def test_features_are_joined(read):
    halves = [feature(box(0, 0, 1, 1)), feature(box(0.5, 0, 2, 1)), feature(box(3, 0, 4, 1))]
    area = read({"type": "FeatureCollection", "features": halves})
    assert area.geometry.equals(MultiPolygon([box(0, 0, 2, 1), box(3, 0, 4, 1)]))


def test_collections_of_polygons_and_heights_are_taken(read):
    area = read(feature(GeometryCollection([box(0, 0, 1, 1), MultiPolygon([box(2, 0, 3, 1)])])))
    assert area.geometry.area == 2
    area = read(feature(shapely.force_3d(SQUARE, 120.0)))
    assert area.geometry.equals(SQUARE)
    assert not area.geometry.has_z


def test_a_byte_order_mark_and_lon_lat_crs_members_are_taken(read):
    for name in ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326", "OGC:CRS84"):
        crs = {"type": "name", "properties": {"name": name}}
        assert read("\ufeff" + json.dumps(feature(SQUARE, crs=crs))).geometry.equals(SQUARE)
    assert read(feature(SQUARE, crs=None)).geometry.equals(SQUARE)


def test_split_at_the_antimeridian_as_the_rfc_says(read):
    halves = MultiPolygon([box(177, -18, 180, -16), box(-180, -18, -177, -16)])
    area = read(feature(halves))
    assert area.geometry.equals(box(177, -18, 183, -16))
    assert "crosses the antimeridian" in area.note
    features = [feature(p) for p in halves.geoms]
    assert read({"type": "FeatureCollection", "features": features}).geometry.equals(area.geometry)


coordinates = st.floats(-80, 80, allow_nan=False).map(lambda v: round(v, 6))


@settings(max_examples=30, deadline=None)
@given(points=st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=12, unique=True))
def test_geojson_and_geopackage_read_back_what_was_written(points, tmp_path_factory):
    shape = shapely.convex_hull(shapely.MultiPoint(points))
    if not isinstance(shape, Polygon) or shape.area < 1e-9:
        return
    folder = tmp_path_factory.mktemp("areas")
    (folder / "a.geojson").write_text(json.dumps(feature(shape)))
    geopandas.GeoDataFrame(geometry=[shape], crs=4326).to_file(folder / "a.gpkg", driver="GPKG")
    for name in ("a.geojson", "a.gpkg"):
        area = read_area(Area(file=name), folder, [])
        assert area.crs == "EPSG:4326"
        assert area.geometry.normalize().equals_exact(shape.normalize(), 0)


def test_geopackage_keeps_its_crs(package):
    area = package(
        box(300_000, 2_770_000, 310_000, 2_780_000), MultiPolygon([box(320_000, 2_770_000, 330_000, 2_780_000)])
    )
    assert area.crs == UTM
    assert area.geometry.area == 2e8


def test_geopackage_in_a_crs_without_a_code(package):
    local = "+proj=laea +lat_0=25 +lon_0=55 +datum=WGS84 +units=m"
    area = package(box(0, 0, 1000, 1000), crs=local)
    assert ellipsoid_area(area.geometry, area.crs) == pytest.approx(1e6, rel=1e-5)


def test_bounds_with_their_crs(tmp_path):
    area = read_area(Area(bounds=(300_000, 2_770_000, 310_000, 2_780_000), crs="epsg:32640"), tmp_path, [SCENE])
    assert area.crs == UTM
    assert area.geometry.equals(box(300_000, 2_770_000, 310_000, 2_780_000))


def test_scenes_are_the_area_in_the_crs_of_the_first(tmp_path):
    beside = ((340_000.0, 2_770_000.0, 350_000.0, 2_800_000.0), UTM)
    area = read_area(Area(scenes=True), tmp_path, [SCENE, beside])
    assert (area.crs, area.geometry.area) == (UTM, 50_000 * 30_000)
    area = read_area(Area(scenes=True), tmp_path, [SCENE, ((55.4, 25.1, 55.6, 25.2), "EPSG:4326")])
    assert area.geometry.area > 40_000 * 30_000
    with pytest.raises(ConfigError, match="needs at least one scene"):
        read_area(Area(scenes=True), tmp_path, [])


def test_a_missing_file_and_an_unknown_crs_are_faults_of_the_settings(tmp_path):
    (tmp_path / "town.geojson").touch()
    with pytest.raises(ConfigError, match=r"no file .*twon\.geojson; did you mean town\.geojson\?"):
        read_area(Area(file="twon.geojson"), tmp_path, [])
    with pytest.raises(ConfigError, match=r"area\.crs: 'EPSG:1' is no CRS; write its EPSG code"):
        read_area(Area(bounds=(0, 0, 1, 1), crs="EPSG:1"), tmp_path, [])


@pytest.mark.filterwarnings("ignore:.crs. was not provided")
def test_geopackages_that_are_no_area(package, tmp_path):
    with pytest.raises(DataError, match="feature 2 is a Point, which has no area to map"):
        package(box(0, 0, 1, 1), Point(0, 0))
    with pytest.raises(DataError, match="feature 2 has no geometry"):
        package(box(0, 0, 1, 1), None)
    with pytest.raises(DataError, match="has no features"):
        package()
    with pytest.raises(DataError, match="does not say in which CRS"):
        package(box(0, 0, 1, 1), crs=None)
    package(box(0, 0, 1, 1))
    geopandas.GeoDataFrame(geometry=[box(0, 0, 1, 1)], crs=UTM).to_file(
        tmp_path / "a.gpkg", layer="other", driver="GPKG"
    )
    with pytest.raises(DataError, match="must have one layer of polygons; it has area, other"):
        read_area(Area(file="a.gpkg"), tmp_path, [])
