"""FAULTS F06, 4.2 (G05 to G15) and X02, X08: areas that are broken, misplaced or hostile."""

import copy
import json
import math
import random
import sqlite3
import time

import geopandas
import numpy as np
import pytest
import shapely
from shapely import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from geoseg.config import Area
from geoseg.errors import ConfigError, DataError, GeosegError
from geoseg.grid.area import AreaGeometry, coverage, to_crs, too_thin, utm_or_equal_area
from geoseg.io.areas import read_area

UTM = "EPSG:32640"
SCENE = ((300_000.0, 2_770_000.0, 340_000.0, 2_800_000.0), UTM)  # longitude 55.01 to 55.41, latitude 25.03 to 25.31
SQUARE = box(55.1, 25.1, 55.2, 25.2)


def mapping(geometry):
    return json.loads(json.dumps(shapely.geometry.mapping(geometry)))


def collection(*geometries):
    features = [{"type": "Feature", "properties": {}, "geometry": g} for g in geometries]
    return {"type": "FeatureCollection", "features": features}


@pytest.fixture
def read(tmp_path):
    def _read(content, scenes=(), **options):
        path = tmp_path / "a.geojson"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return read_area(Area(file="a.geojson", **options), tmp_path, scenes)

    return _read


@pytest.fixture
def said(read):
    def _said(content, scenes=(), **options):
        with pytest.raises(DataError) as caught:
            read(content, scenes, **options)
        assert caught.value.exit_code == 3
        return str(caught.value)

    return _said


# ---- F06: broken files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            '{\n  "type": "Polygon",\n  "coordinates": [}',
            "a.geojson:3:19  not JSON: Expecting value; save the file again",
        ),
        ('{"type": "Polygon"', "a.geojson:1:19  not JSON"),
        ("", "a.geojson:1:1  not JSON: Expecting value; the file is empty"),
        (b"PK\x03\x04\x14\0\0\0", "the file is a ZIP archive; save the area as GeoJSON or GeoPackage"),
        (b"\x1f\x8b\x08\0\0\xff", "a.geojson:1:1  is not UTF-8 text, so it is no GeoJSON; the file is a gzip archive"),
        (b'{"type":\n"\xff"}', "a.geojson:2:1  is not UTF-8 text"),
        ("<!DOCTYPE html><html>login</html>", "the file is a web page"),
        ("[" * 100_000, "is nested too deep to be GeoJSON"),
        ("[1, 2]", "is JSON, but no GeoJSON object"),
        ({"type": "Topology", "arcs": []}, "the geometry is a Topology, which has no area to map"),
        ({"type": "Polygon"}, "a polygon's rings must be a list that is not empty"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, "a ring of fewer than 3 different positions"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, "1"], [0, 1]]]}, "position 2: [1, '1'] is not [longitude"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, True], [0, 1]]]}, "position 2: [1, True] is not [longitude"),
        ({"type": "Polygon", "coordinates": [[[0, 0], 7, [0, 1]]]}, "position 2: 7 is not [longitude"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1' + "0" * 400 + ", 1], [0, 1]]]}", "hundreds of digits"),
        ('{"type": "Polygon", "coordinates": [[[0, 0], [1' + "0" * 5000 + ", 1], [0, 1]]]}", "thousands of digits"),
    ],
)
def test_F06_broken_geojson_says_where(said, content, words):
    assert words in said(content)


GOOD = collection(mapping(SQUARE), mapping(MultiPolygon([box(55.2, 25.1, 55.3, 25.2), box(55.3, 25.2, 55.4, 25.3)])))
SWAPS = [
    None,
    True,
    -1,
    10**30,
    1e308,
    math.nan,
    math.inf,
    "",
    "Polygon",
    [],
    {},
    [[]],
    [0],
    {"type": "Feature"},
    "\x00",
]


def spots(tree):
    """Each (container, key) of the tree."""
    for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from spots(tree[key])


def mutate_tree(rng):
    tree = copy.deepcopy(GOOD)
    for _ in range(rng.randint(1, 3)):
        holder, key = rng.choice(list(spots(tree)))
        deed = rng.randrange(3)
        if deed == 0:
            holder[key] = copy.deepcopy(rng.choice(SWAPS))
        elif deed == 1:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(rng.choice(list(spots(GOOD)))[0])
        if not tree:
            break
    return json.dumps(tree).encode()


def mutate_bytes(rng):
    data = bytearray(json.dumps(GOOD).encode())
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data))
        deed = rng.randrange(4)
        if deed == 0:
            data[at] = rng.randrange(256)
        elif deed == 1:
            del data[at : at + rng.randint(1, 40)]
        elif deed == 2:
            data[at:at] = rng.choice([b"[", b"]", b"{", b",", b"e999", b"-", b"NaN", b"\0", b'"', b"1" * 30])
        else:
            data[at:at] = data[at : at + rng.randint(1, 60)]
    return bytes(data)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("mutate", [mutate_tree, mutate_bytes])
def test_F06_mutated_geojson_gives_an_area_or_a_sentence(read, mutate, seed):
    rng = random.Random(seed)
    for _ in range(25):
        content = mutate(rng)
        start = time.process_time()
        try:
            area = read(content, [SCENE], fix=rng.random() < 0.5)
        except GeosegError as problem:
            assert problem.exit_code in (2, 3)
            assert "a.geojson" in str(problem) or "the area" in str(problem)
        else:
            assert area.geometry.is_valid
            assert area.geometry.area > 0
            assert all(map(math.isfinite, area.geometry.bounds))
        assert time.process_time() - start < 5


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "a.gpkg"
    geopandas.GeoDataFrame(geometry=[box(300_000, 2_770_000, 310_000, 2_780_000)], crs=UTM).to_file(path, layer="area")
    return path


def test_F06_damaged_geopackages_give_an_area_or_a_sentence(package):
    good = package.read_bytes()
    rng = random.Random(1)
    for _ in range(150):
        data = bytearray(good)
        for _ in range(rng.randint(1, 30)):
            data[rng.randrange(100, len(data))] = rng.randrange(256)
        package.write_bytes(data[: rng.choice([len(data), rng.randrange(200, len(data))])])
        try:
            area = read_area(Area(file="a.gpkg"), package.parent, [SCENE])
        except GeosegError as problem:
            assert problem.exit_code in (2, 3)
        else:
            assert area.geometry.is_valid


def test_F06_a_truncated_geopackage(package):
    package.write_bytes(package.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"a\.gpkg cannot be read as a GeoPackage .*; save the area again"):
        read_area(Area(file="a.gpkg"), package.parent, [])


# ---- 4.2: where the area lies -------------------------------------------------------------------------------


def test_G05_scenes_in_degrees_get_a_metric_grid(tmp_path):
    degrees = ((55.0, 25.0, 55.4, 25.3), "EPSG:4326")
    area = read_area(Area(scenes=True), tmp_path, [degrees])
    crs = utm_or_equal_area(area.geometry)
    assert crs == UTM
    a, e2 = 6_378_137.0, 0.00669437999014  # of WGS 84; the zone between two parallels has an area in closed form

    def zone(latitude):
        s, e = math.sin(math.radians(latitude)), math.sqrt(e2)
        return s / (1 - e2 * s * s) + math.atanh(e * s) / e

    true = math.radians(0.4) * a * a * (1 - e2) / 2 * (zone(25.3) - zone(25.0))
    assert to_crs(area, crs).area == pytest.approx(true, rel=1e-3)


def test_G07_swapped_axes_are_told_with_the_share_that_swapping_would_give(said):
    words = said(mapping(box(25.1, 55.1, 25.2, 55.2)), [SCENE])
    assert "the area lies at longitude 25.1000 to 25.2000, latitude 55.1000 to 55.2000, outside all scenes" in words
    assert "Did you swap longitude and latitude? Swapped, 100% of it would lie in the scenes" in words
    half = said(mapping(box(25.2, 55.3, 25.25, 55.5)), [SCENE])
    share = coverage(AreaGeometry(box(55.3, 25.2, 55.5, 25.25), "EPSG:4326"), [SCENE])
    assert 0.4 < share < 0.6
    assert f"Swapped, {share:.0%} of it" in half


def test_G07_swapped_bounds_and_latitudes_over_ninety(said, tmp_path):
    with pytest.raises(DataError, match="Did you swap longitude and latitude"):
        read_area(Area(bounds=(25.1, 55.1, 25.2, 55.2), crs="EPSG:4326"), tmp_path, [SCENE])
    east = ((500_000.0, 0.0, 900_000.0, 400_000.0), "EPSG:32650")
    words = said(mapping(box(1, 118, 2, 119)), [east])
    assert "latitude 118, which is no place on Earth. Did you swap longitude and latitude? Swapped, 100%" in words


def test_G08_outside_all_scenes_is_told_with_both_extents_and_the_distance(said):
    words = said(mapping(box(55.1, 26.1, 55.2, 26.2)), [SCENE])
    assert "the area lies at longitude 55.1000 to 55.2000, latitude 26.1000 to 26.2000, outside all scenes" in words
    assert "the scenes at longitude 55.01" in words
    assert "swap" not in words
    assert abs(float(words.split(" km apart")[0].rsplit(" ", 1)[1]) - 88) < 2  # 26.1 - 25.3065 degrees of latitude
    assert "Correct the area, or name scenes that show it" in words


def test_G08_touching_along_an_edge_is_outside(tmp_path):
    with pytest.raises(DataError, match=r"outside all scenes.* 0\.0 km apart"):
        read_area(Area(bounds=(340_000, 2_770_000, 350_000, 2_800_000), crs=UTM), tmp_path, [SCENE])


def test_G09_partly_outside_is_an_area_with_a_share(tmp_path):
    area = read_area(Area(bounds=(330_000, 2_770_000, 350_000, 2_800_000), crs=UTM), tmp_path, [SCENE])
    assert area.geometry.bounds == (330_000, 2_770_000, 350_000, 2_800_000)  # nothing is cut off
    assert coverage(area, [SCENE]) == pytest.approx(0.5, abs=1e-3)


FIJI = {
    "jump": Polygon([(178, -18), (-178, -18), (-178, -17), (178, -17)]),
    "split": MultiPolygon([box(178, -18, 180, -17), box(-180, -18, -178, -17)]),
    "past 180": box(178, -18, 182, -17),
}


@pytest.mark.parametrize("name", FIJI)
def test_G10_across_the_antimeridian_the_area_is_whole(read, name):
    west = ((700_000.0, 7_900_000.0, 900_000.0, 8_200_000.0), "EPSG:32760")
    area = read(mapping(FIJI[name]), [west])
    assert area.geometry.equals(box(178, -18, 182, -17))
    assert "crosses the antimeridian" in area.note
    assert to_crs(area, utm_or_equal_area(area.geometry)).area == pytest.approx(4 * 106.0e3 * 110.67e3, rel=0.01)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((10, 94, 11, 95), "latitude 94, which is no place on Earth. Latitude must be between -90 and 90"),
        ((400, 10, 401, 11), "longitude 401, latitude 10, which is no place on Earth"),
        ((300_000, 2_770_000, 310_000, 2_780_000), "look like coordinates of a projected CRS"),
        ((-180, -90, 180, 90), "the area is 360 degrees wide; map at most 180 at once"),
    ],
)
def test_G11_no_place_on_earth(said, bounds, words):
    assert words in said(mapping(box(*bounds)))


def test_G11_near_the_poles_the_grid_is_polar_and_finite(read, said):
    for latitude, crs in ((84.5, "EPSG:5041"), (-89.5, "EPSG:5042")):
        area = read(mapping(box(10, latitude, 11, latitude + 0.4)))
        assert utm_or_equal_area(area.geometry) == crs
        assert all(map(math.isfinite, to_crs(area, crs).bounds))
    assert "runs round a pole; give it in a polar CRS" in said(mapping(Polygon([(0, 85), (120, 85), (-120, 85)])))


BOW_TIE = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
INVALID = {
    "bow-tie": (BOW_TIE, "crosses itself at 0.5, 0.5", 0.5),
    "spike": (Polygon([(0, 0), (1, 0), (1, 1), (0.5, 1), (0.5, 2), (0.5, 1), (0, 1)]), "crosses itself at 0.5", 1.0),
    "hole outside": (
        Polygon(box(0, 0, 1, 1).exterior, [box(2, 2, 3, 3).exterior]),
        "has a hole outside its outline at 3, 2",
        1.0,
    ),
    "overlap": (MultiPolygon([box(0, 0, 1, 1), box(0.5, 0, 1.5, 1)]), "crosses itself at", 1.5),
    "part in part": (MultiPolygon([box(0, 0, 3, 3), box(1, 1, 2, 2)]), "has a part inside another part at", 9.0),
}


@pytest.mark.parametrize("name", INVALID)
def test_G12_invalid_polygons_are_refused_with_the_place(said, name):
    geometry, words, _ = INVALID[name]
    message = said(collection(mapping(box(5, 5, 6, 6)), mapping(geometry)))
    assert f"a.geojson: feature 2 {words}" in message
    assert "set area: fix: true to have it repaired" in message


@pytest.mark.parametrize("name", INVALID)
def test_G12_repaired_on_request_and_told(read, name):
    geometry, words, area = INVALID[name]
    found = read(mapping(geometry), fix=True)
    assert found.geometry.is_valid
    assert found.geometry.area == pytest.approx(area)
    assert words in found.note
    assert "; repaired: " in found.note
    assert " before, " in found.note and " after" in found.note


def test_G12_a_valid_area_has_no_note(read):
    assert read(mapping(SQUARE), fix=True).note is None


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        (None, "feature 2 has no geometry; draw the area as polygons, or remove it"),
        ({"type": "Polygon", "coordinates": []}, "feature 2: a polygon's rings must be a list that is not empty"),
        (mapping(Point(55, 25)), "feature 2 is a Point, which has no area to map; draw the area as polygons"),
        (mapping(LineString([(55, 25), (56, 25)])), "feature 2 is a LineString, which has no area"),
        (mapping(GeometryCollection([SQUARE, Point(55, 25)])), "feature 2 is a Point, which has no area"),
        ({"type": "GeometryCollection", "geometries": []}, "feature 2: geometries must be a list that is not empty"),
        (
            {"type": "Polygon", "coordinates": [[[0, 0], [math.nan, 1], [0, 1]]]},
            "feature 2, position 2: [nan, 1] is not a finite",
        ),
        (
            {"type": "Polygon", "coordinates": [[[0, 0], [1, math.inf], [0, 1]]]},
            "feature 2, position 2: [1, inf] is not a finite",
        ),
        (mapping(Polygon([(0, 0), (1, 1), (2, 2)])), "feature 2 "),
    ],
)
def test_G13_features_that_are_no_area_are_named(said, geometry, words):
    assert words in said(collection(mapping(SQUARE), geometry))


def test_G13_empty_collections(said):
    assert "has no features; draw the area as polygons" in said(collection())


def test_G13_a_flat_area_is_no_area_even_when_repaired(said):
    assert "has no area" in said(mapping(Polygon([(0, 0), (1, 1), (2, 2)])), fix=True)


@pytest.mark.parametrize("name", ["EPSG:32640", "urn:ogc:def:crs:EPSG::3857", "unknown", 7, None])
def test_G14_another_crs_in_geojson_is_refused(said, name):
    crs = {"type": "name", "properties": {"name": name}}
    words = said(collection(mapping(SQUARE)) | {"crs": crs})
    assert "GeoJSON is longitude and latitude (RFC 7946): save it in EPSG:4326, or as GeoPackage" in words
    features = collection(mapping(SQUARE))
    features["features"][0]["crs"] = crs
    assert "GeoJSON is longitude and latitude" in said(features)


def test_G15_an_area_thinner_than_a_pixel_is_told():
    area = AreaGeometry(box(300_000, 2_770_000, 300_001, 2_771_000), UTM)
    assert (
        too_thin(to_crs(area, UTM), 10.0)
        == "the area is at most 0.1 px wide at a pixel of 10; draw it wider, or lower grid: gsd"
    )
    assert too_thin(to_crs(area, UTM), 0.5) is None


# ---- 4.7: hostile files -------------------------------------------------------------------------------------

SECRET = "planted-secret-7c1e"


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.json"])
def test_X02_an_ogr_vrt_is_not_opened_whatever_its_name(tmp_path, name):
    (tmp_path / "secret.csv").write_text(f'WKT,name\n"POLYGON((55 25,56 25,56 26,55 25))",{SECRET}\n')
    (tmp_path / name).write_text(
        f"<OGRVRTDataSource><OGRVRTLayer name='secret'><SrcDataSource>{tmp_path}/secret.csv</SrcDataSource>"
        "<GeometryField encoding='WKT' field='WKT'/></OGRVRTLayer></OGRVRTDataSource>"
    )
    with pytest.raises(DataError, match=r"not JSON.* the file is an XML document") as caught:
        read_area(Area(file=name), tmp_path, [])
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "PG:dbname=gis user=postgres",
        "MYSQL:gis",
        "WFS:http://127.0.0.1/wfs",
        "https://127.0.0.1/a.geojson",
        "/vsicurl/http://127.0.0.1/a.geojson",
        "/vsizip/a.zip/a.geojson",
        "GPKG:a.gpkg:area",
        "<OGRVRTDataSource/>",
        '{"type": "Polygon"}',
        "SELECT 1",
        "/dev/zero",
        ".",
    ],
)
def test_X02_only_a_regular_file_is_an_area(tmp_path, text):
    with pytest.raises(ConfigError, match=r"there is no file|not a file"):
        read_area(Area(file=text), tmp_path, [])


def test_X02_a_geopackage_cannot_attach_or_write(package):
    with sqlite3.connect(package) as database:
        database.execute("DROP TABLE area")
        database.execute("CREATE VIEW area AS SELECT load_extension('/tmp/evil') AS geom")
    before = package.read_bytes()
    with pytest.raises(DataError, match="cannot be read as a GeoPackage"):
        read_area(Area(file="a.gpkg"), package.parent, [])
    assert package.read_bytes() == before
    assert [p.name for p in package.parent.iterdir()] == ["a.gpkg"]


def test_X08_a_view_that_computes_for_ever_is_stopped(package, monkeypatch):
    monkeypatch.setattr("geoseg.io.geopackage.MAX_STEPS", 5)
    with sqlite3.connect(package) as database:
        database.execute("DROP TABLE area")
        database.execute(
            "CREATE VIEW area AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT max(i) AS geom FROM n"
        )
    with pytest.raises(DataError, match="interrupted"):
        read_area(Area(file="a.gpkg"), package.parent, [])


def test_X08_large_files_are_not_read(tmp_path):
    for name in ("a.geojson", "a.gpkg"):
        with (tmp_path / name).open("wb") as file:
            file.write(b"SQLite format 3\0" if name == "a.gpkg" else b"{")
            file.truncate(1 << 32)
        with pytest.raises(ConfigError, match="is larger than 20 MB"):
            read_area(Area(file=name), tmp_path, [])


def test_X08_too_many_vertices(said, tmp_path):
    ring = "[0,0]," * 1_200_000 + "[0,1],[1,1],[0,0]"
    start = time.process_time()
    assert "more than 1000000 vertices; simplify the area" in said(f'{{"type":"Polygon","coordinates":[[{ring}]]}}')
    assert time.process_time() - start < 2
    turn = np.linspace(0, 2 * np.pi, 1_050_000, endpoint=False)
    circle = Polygon(np.column_stack([np.cos(turn), np.sin(turn)]) * 1000)
    geopandas.GeoDataFrame(geometry=[circle], crs=UTM).to_file(tmp_path / "a.gpkg", layer="area")
    with pytest.raises(DataError, match="more than 1000000 vertices"):
        read_area(Area(file="a.gpkg"), tmp_path, [])


def test_X08_as_many_vertices_as_allowed_are_read_in_reasonable_time(read):
    ring = [[round(c, 7) for c in p] for p in Point(55.2, 25.2).buffer(0.05, quad_segs=50_000).exterior.coords]
    start = time.process_time()
    area = read({"type": "Polygon", "coordinates": [ring]}, [SCENE])
    assert coverage(area, [SCENE]) == 1.0
    assert time.process_time() - start < 20
