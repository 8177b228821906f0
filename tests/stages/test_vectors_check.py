"""A delivery that holds passes; each thing that can be wrong with it is told."""

import json

import geopandas
import numpy as np
import pandas
import pytest
import rasterio
import shapely
from affine import Affine

from geoseg.errors import DataError
from geoseg.io.layers import batches
from geoseg.io.vectors import write_layer
from geoseg.stages.vectors_check import vectors_check
from geoseg.vector.assemble import assemble
from geoseg.vector.generalize import merge_small
from geoseg.vector.polygonize import place
from geoseg.vector.simplify import simplify
from geoseg.vector.trace import trace

TRANSFORM = Affine(0.5, 0, 500_000, 0, -0.5, 5_300_000)
ENTRIES = [(0, "building", "#e31a1c"), (1, "road", "#404040"), (2, "land", "#c0a070"), (254, "unobserved", "#808080")]
CRS = "EPSG:32633"
FORMATS = ("parquet", "geojson", "gpkg")


def blobs(side=64, seed=3):
    """A map of smooth regions, with ground outside and ground not observed."""
    noise = np.random.default_rng(seed).random((side, side))
    for axis in (0, 1):
        noise = sum(np.roll(noise, shift, axis) for shift in range(-3, 4))
    classes = np.digitize(noise, np.quantile(noise, [0.3, 0.6])).astype(np.uint8)
    classes[:5, :9] = 255
    classes[40:50, 40:60] = 254
    return classes


def write_map(folder, classes):
    folder.mkdir(exist_ok=True)
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": CRS, "transform": TRANSFORM}
    with rasterio.open(folder / "map.tif", "w", height=classes.shape[0], width=classes.shape[1], **kind) as dataset:
        dataset.write(classes, 1)
        dataset.update_tags(GEOSEG_CLASSES=json.dumps(ENTRIES))


def write(folder, name, shapes, kind="Polygon", **columns):
    frame = geopandas.GeoDataFrame(columns, geometry=np.asarray(shapes, object), crs=CRS)
    write_layer(lambda: [frame], folder / name, FORMATS, None, None, kind)


def delivery(folder, classes):
    """Exact land cover of a map."""
    write_map(folder, classes)
    arcs, regions = trace([classes])
    polygons, values = assemble(arcs.left, arcs.right, arcs.corners, arcs.starts, len(regions)), regions.values
    write(folder, "landcover", place(polygons, TRANSFORM), **{"class": values.astype(np.int32)})
    return polygons, values


def check(folder):
    return vectors_check(folder / "map.tif", folder / "vectors_check.json")


def refused(folder, words):
    """The check fails with these words, and says so in its file."""
    with pytest.raises(DataError, match=words) as caught:
        check(folder)
    assert "\n" not in str(caught.value)
    assert "Make the layers again" in str(caught.value)
    assert not json.loads((folder / "vectors_check.json").read_text())["holds"]


def test_an_exact_delivery_holds(tmp_path):
    classes = blobs()
    polygons, _ = delivery(tmp_path, classes)
    figures = check(tmp_path)
    assert figures == json.loads((tmp_path / "vectors_check.json").read_text())
    assert figures["holds"]
    assert figures["features"] == {"landcover": dict.fromkeys(FORMATS, len(polygons))}
    land = figures["layers"]["landcover"]
    assert land["gap_px"] == pytest.approx(0, abs=1e-6)
    assert sum(found["raster_px"] for found in land["classes"].values()) == np.count_nonzero(classes != 255)
    for value, name, _ in ENTRIES:
        assert land["classes"][name]["raster_px"] == np.count_nonzero(classes == value)
        assert land["classes"][name]["polygons_px"] == pytest.approx(np.count_nonzero(classes == value))
        assert land["classes"][name]["allowed_px"] < 0.001


def test_generalized_land_cover_holds_within_its_bound_alone(tmp_path):
    classes = blobs()
    write_map(tmp_path, classes)
    arcs, regions = trace([classes])
    small = regions.pixels < 30
    arcs, merged, _ = merge_small(arcs, regions, regions.pixels, 30)
    polygons = assemble(arcs.left, arcs.right, *simplify(arcs, 1.5), len(merged))
    write(tmp_path, "landcover", place(polygons, TRANSFORM), **{"class": merged.values.astype(np.int32)})
    refused(tmp_path, r"landcover: class \w+ has \d+ pixels on the map and [\d.]+ in polygons")
    given = np.bincount(regions.values[small], regions.pixels[small], 256)
    said = {"tolerance_px": 1.5, "small_pixels": {name: int(given[value]) for value, name, _ in ENTRIES}}
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "landcover.json").write_text(json.dumps({"generalized": said}))
    assert check(tmp_path)["layers"]["landcover"]["tolerance_px"] == 1.5


def test_a_gap_an_overlap_and_a_wrong_class_are_told(tmp_path):
    polygons, values = delivery(tmp_path, blobs())
    shapes = place(polygons, TRANSFORM)

    def again(shapes, values):
        write(tmp_path, "landcover", shapes, **{"class": values.astype(np.int32)})

    again(shapes[1:], values[1:])
    refused(tmp_path, "cover less than the map")
    again(np.append(shapes, shapes[3]), np.append(values, values[3]))
    refused(tmp_path, "overlap, or touch without sharing corners, near 5000")
    other = values.copy()
    other[0] = 2 if values[0] != 2 else 0
    again(shapes, other)
    refused(tmp_path, r"pixels on the map and .* more apart than")
    bad = shapes.copy()
    bad[0] = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    again(bad, values)
    refused(tmp_path, r"1 of \d+ polygons are not valid")


def test_formats_with_other_counts_are_told(tmp_path):
    delivery(tmp_path, blobs())
    lines = (tmp_path / "landcover.geojson").read_text().splitlines(keepends=True)
    (tmp_path / "landcover.geojson").write_text("".join(lines[:4] + lines[5:]))
    refused(tmp_path, "landcover: formats have different numbers of features, .*'geojson': ")


def boxes(*places):
    """Footprints from pixel edges: left, top, right, bottom."""
    return place(np.array([shapely.box(*p) for p in places]), TRANSFORM)


def footprints(folder, shapes):
    write(folder, "buildings", shapes, status=pandas.array(["regular"] * len(shapes), dtype="string"))


def test_footprints_that_touch_hold_and_those_that_overlap_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MAX_ROWS", 2)  # so that overlaps are between row groups, too
    classes = np.full((64, 64), 2, np.uint8)
    classes[:, 30:34] = 1
    delivery(tmp_path, classes)
    good = [(5, 5, 10, 10), (10, 5, 15, 12), (0, 40, 9, 50), (34, 20, 40, 25), (50, 50, 64, 64)]
    footprints(tmp_path, boxes(*good))
    found = check(tmp_path)["layers"]["buildings"]
    assert found == found | {"footprints": 5, "invalid": 0, "overlaps": 0, "road_overlaps": 0}
    footprints(tmp_path, boxes(*good, (8, 8, 12, 11)))
    refused(tmp_path, "buildings: footprints overlap each other in 2 places by 10 pixels, first near 50000")
    footprints(tmp_path, boxes(*good, (28, 5, 31, 6.5)))
    refused(tmp_path, "buildings: footprints overlap road pixels in 2 places by 1.5 pixels")
    footprints(tmp_path, np.append(boxes(*good), shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])))
    refused(tmp_path, "1 of 6 footprints are not valid")


def network(folder, lines, nodes, ends, degrees):
    write(folder, "roads", lines, "LineString", from_node=[e[0] for e in ends], to_node=[e[1] for e in ends])
    write(folder, "road_nodes", [shapely.Point(p) for p in nodes], "Point", id=list(range(len(nodes))), degree=degrees)


def test_edges_must_end_at_their_nodes(tmp_path):
    write_map(tmp_path, np.full((64, 64), 2, np.uint8))
    nodes = [(500_001, 5_299_990), (500_020, 5_299_990), (500_020, 5_299_980)]
    lines = [shapely.LineString(nodes[:2]), shapely.LineString(nodes[1:])]
    network(tmp_path, lines, nodes, [(0, 1), (1, 2)], [1, 2, 1])
    assert check(tmp_path)["layers"]["roads"]["nodes"] == 3
    network(tmp_path, lines, nodes, [(0, 2), (1, 2)], [1, 1, 2])
    refused(tmp_path, "roads: 1 ends of edges are not where their node is")
    network(tmp_path, lines, nodes, [(0, 1), (1, 7)], [1, 2, 0])
    refused(tmp_path, "roads: 1 ends of edges name a node that is not in road_nodes")
    network(tmp_path, lines, nodes, [(0, 1), (1, 2)], [1, 1, 1])
    refused(tmp_path, "roads: 1 nodes have another degree")
    network(tmp_path, [], [], [], [])
    assert check(tmp_path)["layers"]["roads"]["edges"] == 0


def test_empty_layers_hold(tmp_path):
    delivery(tmp_path, np.full((20, 30), 255, np.uint8))
    footprints(tmp_path, [])
    figures = check(tmp_path)
    assert figures["layers"]["landcover"]["polygons"] == figures["layers"]["buildings"]["footprints"] == 0
