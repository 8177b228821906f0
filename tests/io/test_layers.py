"""Layers written in pieces, in every format, and read back by libraries that share nothing with the writers."""

import json
import sqlite3
from itertools import pairwise

import geopandas
import numpy as np
import pandas
import pyarrow.parquet
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.io.layers import batches, geoparquet
from geoseg.io.layers.degrees import in_degrees
from geoseg.io.layers.geojson_back import features
from geoseg.io.vectors import count_features, write_layer

FORMATS = ("parquet", "geojson", "geojsonl", "gpkg")
CRS = "EPSG:32633"


def frame_of(shapes, crs=CRS):
    count = len(shapes)
    attributes = {
        "class": np.arange(count, dtype=np.int32),
        "big": np.arange(count) + 2**40,
        "name": pandas.array(["forêt 雪" if n % 3 else None for n in range(count)], dtype="string"),
        "confidence": np.where(np.arange(count) % 2 == 0, np.nan, np.arange(count) / 7),
        "inferred": np.arange(count) % 3 == 0,
    }
    return geopandas.GeoDataFrame(attributes, geometry=list(shapes), crs=crs)


def squares(count):
    x = np.arange(count) * 3.1 + 500_000
    return shapely.box(x, 5_300_000, x + 2.3, 5_300_002.7)


def lines(count):
    return [
        shapely.LineString([(500_000 + n, 5_300_000), (500_001 + n, 5_300_001), (500_002, 5_300_009)])
        for n in range(count)
    ]


SHAPES = {
    "Polygon": squares(7),
    "LineString": lines(7),
    "Point": shapely.points(np.arange(14.0).reshape(7, 2) / 3 + [500_000, 5_300_000]),
    "MultiPolygon": shapely.multipolygons(squares(14), indices=np.arange(14) // 2),
}
DRIVERS = {"geojsonl": "GeoJSONSeq"}


def read(path):
    if path.suffix == ".parquet":
        return geopandas.read_parquet(path)
    kind = path.suffix[1:]
    return geopandas.read_file(path, **({"driver": DRIVERS[kind]} if kind in DRIVERS else {"layer": path.stem}))


@pytest.mark.parametrize("kind", SHAPES)
def test_every_format_holds_the_same_layer(tmp_path, kind):
    frame = frame_of(SHAPES[kind])
    written = write_layer(lambda: [frame[:0], frame[:3], frame[3:]], tmp_path / "a", FORMATS, "<qgis/>", None, kind)
    assert written == {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sorted(written) == ["a.geojson", "a.geojsonl", "a.gpkg", "a.parquet", "a.qml"]
    for ending in FORMATS:
        back = read(tmp_path / f"a.{ending}")
        assert count_features(tmp_path / f"a.{ending}") == len(back) == 7
        assert back.columns.tolist() == frame.columns.tolist()
        for name in ("class", "big", "confidence", "inferred"):
            assert_array_equal(back[name], frame[name])
            assert back[name].dtype.kind == frame[name].dtype.kind
        assert back["name"].isna().tolist() == frame["name"].isna().tolist()
        assert set(back["name"].dropna()) == {"forêt 雪"}
        assert set(back.geom_type) == {kind}
        if ending in ("parquet", "gpkg"):
            assert (
                shapely.to_wkb(back.geometry.to_numpy()).tolist() == shapely.to_wkb(frame.geometry.to_numpy()).tolist()
            )
        else:
            near = shapely.hausdorff_distance(back.to_crs(CRS).geometry.to_numpy(), frame.geometry.to_numpy())
            assert near.max() < 0.01


@pytest.mark.parametrize("kind", SHAPES)
def test_empty_layers_have_their_schema(tmp_path, kind):
    empty = frame_of(SHAPES[kind])[:0]
    write_layer(lambda: [empty], tmp_path / "a", FORMATS, None, None, kind)
    for ending in FORMATS:
        assert count_features(tmp_path / f"a.{ending}") == 0
    back = read(tmp_path / "a.gpkg")
    assert [dtype.kind for dtype in back.dtypes[:-1]] == ["i", "i", "O", "f", "b"]
    assert back.crs == empty.crs
    with sqlite3.connect(tmp_path / "a.gpkg") as database:
        assert database.execute("SELECT geometry_type_name FROM gpkg_geometry_columns").fetchone()[0] == kind.upper()
    assert dict(read(tmp_path / "a.parquet").dtypes) == dict(empty.dtypes)
    assert json.loads((tmp_path / "a.geojson").read_text())["features"] == []
    assert (tmp_path / "a.geojsonl").read_bytes() == b""


def test_the_bytes_do_not_depend_on_the_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MAX_ROWS", 10)
    frame = frame_of(squares(47))
    cuts = {
        "whole": [frame],
        "odd": [frame[:0], frame[:4], frame[4:29], frame[29:]],
        "ones": [frame[n : n + 1] for n in range(47)],
    }
    for name, given_ in cuts.items():
        write_layer(lambda given_=given_: given_, tmp_path / name / "a", FORMATS, "<qgis/>", None)
    for ending in FORMATS:
        first, *others = [(tmp_path / name / f"a.{ending}").read_bytes() for name in cuts]
        assert all(other == first for other in others), ending
    file = pyarrow.parquet.ParquetFile(tmp_path / "odd" / "a.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [10, 10, 10, 10, 7]
    assert [len(f) for f in geoparquet.frames_of(tmp_path / "odd" / "a.parquet", ["big"])] == [10, 10, 10, 10, 7]


@given(sizes=st.lists(st.integers(0, 12), min_size=1, max_size=12), rows=st.integers(1, 9), corners=st.integers(1, 60))
@settings(deadline=None, max_examples=25)
def test_pieces_are_the_layer_whatever_the_frames(sizes, rows, corners):
    frame = frame_of(squares(sum(sizes)))
    ends = np.cumsum([0, *sizes])
    frames = [frame[a:b] for a, b in pairwise(ends)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "MAX_ROWS", rows)
        patch.setattr(batches, "MAX_CORNERS", corners)
        found, whole = list(batches.pieces(frames)), list(batches.pieces([frame]))
    assert [p["class"].tolist() for p in found] == [p["class"].tolist() for p in whole]
    assert [n for p in found for n in p["class"]] == list(range(len(frame)))
    assert all(0 < len(p) <= rows and 5 * (len(p) - 1) < corners for p in found)


def test_geopackage_has_its_style_index_and_no_clock(tmp_path):
    frame = frame_of(squares(7))
    write_layer(lambda: [frame], tmp_path / "b'1", ["gpkg"], "<qgis>é</qgis>", None)
    with sqlite3.connect(tmp_path / "b'1.gpkg") as database:
        rows = database.execute(
            "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles"
        ).fetchall()
        assert rows == [("b'1", "geom", "<qgis>é</qgis>", 1)]
        dates = database.execute("SELECT last_change FROM gpkg_contents UNION SELECT update_time FROM layer_styles")
        assert dates.fetchall() == [("2000-01-01T00:00:00.000Z",)]
        assert database.execute('SELECT count(*) FROM "rtree_b\'1_geom"').fetchone()[0] == 7
    inside = geopandas.read_file(tmp_path / "b'1.gpkg", layer="b'1", bbox=(500_000, 5_300_000, 500_002, 5_300_001))
    assert inside["class"].tolist() == [0]


def test_a_field_called_fid_stays_a_field(tmp_path):
    frame = frame_of(squares(3)).assign(FID=[7, 7, 8], geom=[1.5, 2.5, 3.5])
    frame = frame[["FID", "geom", "geometry"]]
    write_layer(lambda: [frame], tmp_path / "a", FORMATS, None, None)
    for ending in FORMATS:
        back = read(tmp_path / f"a.{ending}")
        assert back["FID"].tolist() == [7, 7, 8], ending
        assert back["geom"].tolist() == [1.5, 2.5, 3.5]


def test_what_the_producer_raises_is_what_is_raised(tmp_path):
    def torn():
        yield frame_of(squares(3))
        raise InterruptedError("the source broke")

    for ending in FORMATS:
        with pytest.raises(InterruptedError, match="the source broke"):
            write_layer(torn, tmp_path / "a", [ending], None, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        b'{\n"type":"FeatureCollection",\n"name":"a",\n"features":[\n',
        b'{\n"type":"FeatureCollection",\n"name":"a",\n"features":[\n]\n',
        b'{\n"type":"FeatureCollection",\n"name":"a",\n"features":[\n%s\n%s\n]\n}\n',
        b'{\n"type":"FeatureCollection",\n"name":"a",\n"features":[\n%s,\n%s,\n]\n}',
    ],
)
def test_a_torn_collection_is_seen(tmp_path, text):
    feature = b'{"type":"Feature","properties":{"a":1},"geometry":{"type":"Point","coordinates":[1.0,2.0]}}'
    (tmp_path / "a").write_bytes(text.replace(b"%s", feature))
    with (tmp_path / "a").open("rb") as file, pytest.raises(ValueError, match="missing"):
        list(features(file, lines=False))


@pytest.mark.parametrize(
    "geometry",
    [
        b'{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,0]]}}',
        b'{"type":"Polygon","coordinates":[[0,0],[1,0],[1,1],[0,0]]}}',
        b'{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,x],[0,0]]]}}',
        b'{"type":"Polygon","coordinates":[[[0,0],[1,0],[1],[0,0]]]}}',
        b'{"type":"LineString","coordinates":[[0,0],[1,,0]]}}',
        b'{"type":"Circle","coordinates":[0,0]}}',
    ],
)
def test_a_torn_geometry_is_seen(tmp_path, geometry):
    (tmp_path / "a").write_bytes(b'{"type":"Feature","properties":{},"geometry":' + geometry + b"\n")
    with (tmp_path / "a").open("rb") as file, pytest.raises(ValueError):
        list(features(file, lines=True))


numbers = st.floats(-179, 179).map(lambda v: round(v, 7))


@given(
    shapes=st.lists(
        st.one_of(
            st.builds(lambda x, y: shapely.Point(x, y / 2), numbers, numbers),
            st.lists(st.tuples(numbers, numbers), min_size=2, max_size=5).map(shapely.LineString),
            st.builds(
                lambda x, y: shapely.Point(x / 2, y / 2).buffer(9, 2) - shapely.Point(x / 2, y / 2).buffer(3, 1),
                numbers,
                numbers,
            ),
            st.just(
                shapely.MultiPolygon(
                    [shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 1) - shapely.box(2.2, 0.2, 2.7, 0.7)]
                )
            ),
            st.just(shapely.MultiLineString([[(0, 0), (1, 1)], [(5, 5), (6, 6), (7, 5)]])),
            st.none(),
        ),
        max_size=8,
    )
)
@settings(deadline=None, max_examples=80)
def test_what_is_read_back_is_what_a_json_parser_reads(tmp_path_factory, shapes):
    texts = [
        json.dumps(shapely.geometry.mapping(s)).replace(", ", ",").replace(": ", ":") if s else "null" for s in shapes
    ]
    path = tmp_path_factory.mktemp("a") / "a"
    path.write_text(
        "".join(f'{{"type":"Feature","properties":{{"n":{n}}},"geometry":{t}}}\n' for n, t in enumerate(texts))
    )
    with path.open("rb") as file:
        read_back = list(features(file, lines=True))
    found = [shape for _, own in read_back for shape in own]
    assert [p["n"] for own, _ in read_back for p in own] == list(range(len(shapes)))
    assert all(a is b is None or shapely.equals_exact(a, b) for a, b in zip(found, shapes, strict=True))


def test_lines_and_points_across_180_degrees_are_split(tmp_path):
    line = shapely.LineString([(160_000, 1_800_000), (190_000, 1_801_000)])  # zone 1 begins at 180 degrees
    points = shapely.points([(160_000, 1_800_000), (190_000, 1_801_000)])
    crs = "EPSG:32601"
    degrees = in_degrees(geopandas.GeoDataFrame(geometry=[line, *points], crs=crs), None)
    assert [shape.geom_type for shape in degrees] == ["MultiLineString", "Point", "Point"]
    west, east = sorted(degrees[0].geoms, key=lambda part: part.bounds[0])
    assert (west.bounds[0], east.bounds[2]) == (-180, 180)
    assert degrees[1].x > 179
    assert degrees[2].x < -179
    back = geopandas.GeoSeries(degrees, crs=4326).to_crs(crs)
    assert back.length[0] == pytest.approx(line.length, rel=1e-4)


@pytest.mark.parametrize("shift", [-360, 0, 360, 720])
def test_longitudes_beyond_180_are_brought_back(shift):
    box = shapely.box(179.5 + shift, 10, 180.5 + shift, 11)
    (degrees,) = in_degrees(geopandas.GeoDataFrame(geometry=[box], crs="EPSG:4326"), None)
    assert shapely.equals(degrees, shapely.union(shapely.box(179.5, 10, 180, 11), shapely.box(-180, 10, -179.5, 11)))


def test_a_wide_area_in_degrees_is_left_as_it_is():
    box = shapely.box(-170, 10, 170, 11)
    (degrees,) = in_degrees(geopandas.GeoDataFrame(geometry=[box], crs="EPSG:4326"), None)
    assert shapely.equals(degrees, box)
