"""The road stage: maps in, layers out, in any CRS, read by windows."""

import itertools

import networkx
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from scipy import ndimage

from geoseg.errors import DataError
from geoseg.io.graphml import read_graphml, road_graph, write_graphml
from geoseg.io.rasters import Raster
from geoseg.stages.roads import RoadSettings, roads
from tests.vector.roadmaps import BUILDING, ROAD, burn, class_map, line_array

UTM, UTM_TRANSFORM = "EPSG:32633", Affine(1, 0, 500_000, 0, -1, 6_600_000)
SETTINGS = RoadSettings(
    road=ROAD,
    blocked=(BUILDING,),
    max_width=20.0,
    max_hole=10.0,
    evenness=2,
    spur_widths=0.75,
    shortest=8.0,
    merge_widths=2.0,
    gap=20.0,
    gap_to_road=10.0,
    gap_angle=30.0,
    tolerance=1.6,
    tile=128,
)
EDGE_COLUMNS = [
    "id",
    "from_node",
    "to_node",
    "length_m",
    "width_mean_m",
    "width_min_m",
    "confidence",
    "inferred",
    "geometry",
]
TOWN = line_array(
    *[[(x, 20), (x, 180)] for x in (80, 150, 220)],
    *[[(0, y), (300, y)] for y in (60, 120)],
    [(150, 120), (220, 180)],
)


def write(path, pixels, crs=UTM, transform=UTM_TRANSFORM):
    height, width = pixels.shape
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "tiled": True, "blockxsize": 128, "blockysize": 128}
    with rasterio.open(path, "w", width=width, height=height, crs=crs, transform=transform, **kind) as dataset:
        dataset.write(pixels, 1)
    return path


def run(folder, classes, confidence=None, settings=SETTINGS, **place):
    confidence = np.full(classes.shape, 200, np.uint8) if confidence is None else confidence
    return roads(write(folder / "c.tif", classes, **place), write(folder / "p.tif", confidence, **place), settings)


def town(width=7, shape=(200, 300)):
    return class_map(burn(TOWN, width, shape))


def test_layers_and_figures(tmp_path):
    found = run(tmp_path, town())
    edges, nodes = found.edges, found.nodes
    assert list(edges.columns) == EDGE_COLUMNS
    assert list(nodes.columns) == ["id", "degree", "geometry"]
    assert edges.crs == nodes.crs == UTM
    assert edges["id"].tolist() == list(range(len(edges)))
    assert sorted(nodes["degree"]) == [1] * 9 + [4] * 5 + [5]
    ends = edges["from_node"].tolist() + edges["to_node"].tolist()
    assert np.bincount(ends).tolist() == nodes["degree"].tolist()
    assert edges["width_mean_m"].to_numpy() == pytest.approx(7.5, abs=1)
    assert (edges["width_min_m"] <= edges["width_mean_m"]).all()
    assert edges["confidence"].to_numpy() == pytest.approx(0.8)
    scale = 0.9996  # of UTM on its central meridian
    assert edges["length_m"].to_numpy() == pytest.approx(edges.length.to_numpy() / scale, rel=1e-4)
    assert found.figures["edges"] == len(edges)
    assert found.figures["length_m"] == pytest.approx(edges["length_m"].sum())
    west = nodes.geometry.x.min()
    assert west == pytest.approx(500_000, abs=0.6)  # a road cut by the map ends at its edge


def test_tiles_do_not_show(tmp_path):
    rng = np.random.default_rng(0)
    classes = town()
    classes[ndimage.gaussian_filter(rng.normal(size=classes.shape), 2) > 0.25] = rng.choice([1, ROAD, 255])
    confidence = rng.integers(0, 250, classes.shape).astype(np.uint8)
    by_tile = [
        run(tmp_path, classes, confidence, RoadSettings(**{**fields(SETTINGS), "tile": tile}))
        for tile in (50, 131, 999)
    ]
    for other in by_tile[1:]:
        assert other.edges.equals(by_tile[0].edges)
        assert other.nodes.equals(by_tile[0].nodes)


def fields(settings):
    return {name: getattr(settings, name) for name in settings.__slots__}


def test_maps_are_read_by_windows(tmp_path, monkeypatch):
    read, seen = Raster.read_classes, []

    def watched(self, window=None):
        seen.append(window)
        return read(self, window)

    monkeypatch.setattr(Raster, "read_classes", watched)
    classes = np.pad(town(), ((0, 600), (0, 900)), constant_values=1)
    run(tmp_path, classes)
    assert None not in seen
    assert max(w.width * w.height for w in seen) < classes.size / 2


@pytest.mark.parametrize("value", [1, 254, 255])
def test_no_road_gives_empty_layers_with_all_columns(tmp_path, value):
    full, empty = run(tmp_path, town()), run(tmp_path, np.full((50, 60), value, np.uint8))
    assert len(empty.edges) == len(empty.nodes) == 0
    assert list(empty.edges.dtypes) == list(full.edges.dtypes)
    assert list(empty.nodes.dtypes) == list(full.nodes.dtypes)
    assert empty.edges.crs == UTM
    assert empty.figures["length_m"] == 0
    write_graphml(empty.edges, empty.nodes, tmp_path / "roads.graphml")
    assert len(read_graphml(tmp_path / "roads.graphml")) == 0


@pytest.mark.parametrize("value", [1, ROAD])
def test_one_pixel(tmp_path, value):
    assert len(run(tmp_path, np.full((1, 1), value, np.uint8)).edges) == 0


def test_all_road_and_noise(tmp_path):
    assert run(tmp_path, np.full((120, 150), ROAD, np.uint8)).figures["edges"] >= 1
    noise = np.random.default_rng(0).choice([0, 1, ROAD, 254, 255], (150, 150)).astype(np.uint8)
    assert np.isfinite(run(tmp_path, noise).edges["length_m"]).all()


def test_noise_beyond_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("geoseg.stages.roads.MOST_PIXELS", 1000)
    noise = np.random.default_rng(0).choice([1, ROAD], (150, 150)).astype(np.uint8)
    with pytest.raises(DataError, match="leave roads out of products:"):
        run(tmp_path, noise)


def test_degrees_give_metres(tmp_path):
    # at 60 degrees north a degree of longitude is half as long: pixels of 1 m by 1 m, told in degrees
    transform = Affine(1 / 55_800, 0, 15, 0, -1 / 111_412, 60)
    there = run(tmp_path, town(), crs="EPSG:4326", transform=transform)
    here = run(tmp_path, town())
    assert len(there.edges) == len(here.edges)
    assert there.figures["length_m"] == pytest.approx(here.figures["length_m"], rel=0.01)
    assert there.edges["width_mean_m"].to_numpy() == pytest.approx(here.edges["width_mean_m"].to_numpy(), abs=0.3)


def test_oblong_pixels(tmp_path):
    wide = town()[:, ::2]  # 2 m across and 1 m down
    found = run(tmp_path, wide, transform=Affine(2, 0, 500_000, 0, -1, 6_600_000))
    square = run(tmp_path, town())
    assert found.figures["length_m"] == pytest.approx(square.figures["length_m"], rel=0.02)
    assert found.edges["width_mean_m"].median() == pytest.approx(7, abs=1.5)


def test_maps_on_different_grids_are_refused(tmp_path):
    classes = write(tmp_path / "c.tif", town())
    confidence = write(tmp_path / "p.tif", town()[1:])
    with pytest.raises(DataError, match="Make both again"):
        roads(classes, confidence, SETTINGS)


def test_a_route_after_reading_back(tmp_path):
    found = run(tmp_path, town())
    write_graphml(found.edges, found.nodes, tmp_path / "roads.graphml")
    graph = read_graphml(tmp_path / "roads.graphml")
    assert networkx.utils.graphs_equal(graph, road_graph(found.edges, found.nodes))
    west, east = found.nodes.geometry.x.idxmin(), found.nodes.geometry.x.idxmax()
    route = networkx.shortest_path(graph, west, east, weight="length")
    assert networkx.path_weight(graph, route, "length") == pytest.approx(300 / 0.9996, abs=61)
    assert len(route) == 5
    assert graph.nodes[west]["x"] == found.nodes.geometry.x.min()
    steps = [min(graph[a][b].values(), key=lambda edge: edge["length"]) for a, b in itertools.pairwise(route)]
    line = shapely.line_merge(shapely.union_all([shapely.from_wkt(step["wkt"]) for step in steps]))
    assert line.geom_type == "LineString"


def test_loops_and_parallel_edges_and_unknown_confidence_are_kept(tmp_path):
    ring = shapely.Point(150, 100).buffer(40).exterior
    mask = burn(line_array(ring, [(0, 100), (110, 100)], [(190, 100), (300, 100)]), 6, (200, 300))
    mask[:, 40:50] = False
    found = run(tmp_path, class_map(mask))
    write_graphml(found.edges, found.nodes, tmp_path / "roads.graphml")
    graph = read_graphml(tmp_path / "roads.graphml")
    assert graph.number_of_edges() == len(found.edges)
    assert max(graph.number_of_edges(a, b) for a, b in graph.edges()) == 2
    (gap,) = [edge for *_, edge in graph.edges(data=True) if edge["inferred"]]
    assert "confidence" not in gap
    assert gap["length"] == pytest.approx(10, abs=2)
