"""Layers compared with true ones, on examples whose answers are known by hand."""

import json

import geopandas
import numpy as np
import pytest
import shapely
from click.testing import CliRunner

from geoseg.cli import geoseg
from geoseg.errors import ConfigError, DataError
from geoseg.io.vectors import write_layer
from geoseg.stages.evaluate_vectors import BuildingOptions, evaluate_buildings, evaluate_roads
from geoseg.vector.outline_scores import outline_scores
from geoseg.vector.road_scores import RoadScoreSettings

CRS = "EPSG:32633"
AT = np.array([500_000, 5_300_000])
OPTIONS = BuildingOptions(min_iou=0.5, sizes="50,200", distance=1.0)
ROADS = RoadScoreSettings(snap=4, spacing=1000, buffer=3, sources=1000, seed=0)
FORMATS = ("parquet", "geojson", "geojsonl", "gpkg")


def squares(*places):
    """Squares: left, bottom, side."""
    return [shapely.box(x, y, x + side, y + side) for x, y, side in np.array(places, float) + np.append(AT, 0)]


def lines(*paths):
    return [shapely.LineString(np.array(path) + AT) for path in paths]


def layer(folder, name, shapes, kind="Polygon", crs=CRS, formats=("gpkg",)):
    frame = geopandas.GeoDataFrame({"n": np.arange(len(shapes))}, geometry=shapes, crs=CRS).to_crs(crs)
    write_layer(lambda: [frame], folder / name, formats, None, None, kind)
    return folder / f"{name}.{formats[0]}"


def buildings(tmp_path, found, truth, options=OPTIONS):
    said = list(evaluate_buildings(found, truth, tmp_path / "out", options))
    return json.loads((tmp_path / "out" / "scores.json").read_text())["scores"], said


TRUTH = squares((0, 0, 5), (20, 0, 10), (40, 0, 10), (60, 0, 20))


def test_footprints_are_counted_by_size(tmp_path):
    truth = layer(tmp_path, "truth", TRUTH)
    # the small one is missed, one is exact, one is off by 2 m (IoU 80/120), one is exact, one is invented
    found = layer(tmp_path, "found", squares((20, 0, 10), (42, 0, 10), (60, 0, 20), (100, 0, 5)))
    scores, said = buildings(tmp_path, found, truth)
    counts = [(row["truth"], row["found"], row["matched"]) for row in scores["sizes"]]
    assert counts == [(1, 1, 0), (2, 2, 2), (1, 1, 1)]
    every = scores["all"]
    assert (every["truth"], every["found"], every["matched"]) == (4, 4, 3)
    assert every["f1"] == every["precision"] == every["recall"] == 0.75
    assert every["mean_iou"] == pytest.approx((1 + 80 / 120 + 1) / 3)
    assert every["hausdorff"] == pytest.approx(2 / 3)
    assert scores["sizes"][0]["mean_iou"] is None
    assert any("all" in line and "0.750" in line for line in said)
    assert any("1 of the layer's, which count as wrong" in line for line in said)
    protocol = json.loads((tmp_path / "out" / "scores.json").read_text())["protocol"]
    assert protocol["crs"].startswith("EPSG:32633 ")
    assert "IoU at least 0.5" in protocol["match"]


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_and_crs_gives_the_same_scores(tmp_path, ending):
    truth = layer(tmp_path, "truth", TRUTH, crs="EPSG:3857")  # metres that are none: the areas are twice too large
    found = layer(tmp_path, "found", TRUTH, crs="EPSG:4258", formats=(ending,))
    scores, said = buildings(tmp_path, found, truth)
    assert [row["matched"] for row in scores["sizes"]] == [1, 2, 1]
    assert scores["all"]["mean_iou"] == pytest.approx(1, abs=0.01)
    assert scores["boundary"]["f1"] == pytest.approx(1)
    assert any("EPSG:32633" in line and "EPSG:3857" in line for line in said)


def test_multipolygons_are_their_parts_and_bad_ones_are_repaired(tmp_path):
    truth = layer(tmp_path, "truth", [shapely.MultiPolygon(TRUTH)], "MultiPolygon")
    bow = shapely.Polygon(np.array([(20, 0), (30, 10), (30, 0), (20, 10)]) + AT)
    scores, said = buildings(tmp_path, layer(tmp_path, "found", [bow, TRUTH[3]]), truth)
    assert (scores["all"]["truth"], scores["all"]["matched"]) == (4, 1)
    assert any("1 invalid polygons of the layer" in line for line in said)


def test_an_empty_layer_scores_nothing_and_an_empty_truth_is_refused(tmp_path):
    truth, empty = layer(tmp_path, "truth", TRUTH), layer(tmp_path, "empty", [])
    scores, _ = buildings(tmp_path, empty, truth)
    assert (scores["all"]["recall"], scores["all"]["f1"], scores["all"]["precision"]) == (0, 0, None)
    assert scores["boundary"] == {"distance": 1, "precision": None, "recall": 0, "f1": None}
    with pytest.raises(DataError, match="name a truth that has some"):
        buildings(tmp_path, truth, empty)


def test_what_cannot_be_compared_is_refused(tmp_path):
    truth = layer(tmp_path, "truth", TRUTH)
    far = layer(tmp_path, "far", squares((9_000, 0, 5)))
    with pytest.raises(DataError, match=r"do not overlap: x 509000 to 509005.*Name layers of the same place"):
        buildings(tmp_path, far, truth)
    roads = layer(tmp_path, "roads", lines([(0, 0), (9, 9)]), "LineString")
    with pytest.raises(DataError, match="such as a LineString; use geoseg evaluate roads"):
        buildings(tmp_path, roads, truth)
    with pytest.raises(DataError, match="4 features that are no lines, such as a Polygon; use geoseg evaluate build"):
        list(evaluate_roads(truth, roads, tmp_path / "out", ROADS))
    with pytest.raises(ConfigError, match="rising areas in m2, such as 50,200"):
        buildings(tmp_path, truth, truth, BuildingOptions(0.5, "200,50", 1))
    with pytest.raises(ConfigError, match=r"did you mean truth\.gpkg"):
        buildings(tmp_path, tmp_path / "trut.gpkg", truth)
    (tmp_path / "a.shp").touch()
    with pytest.raises(ConfigError, match=r"name a layer as GeoParquet"):
        buildings(tmp_path, tmp_path / "a.shp", truth)
    (tmp_path / "a.gpkg").write_text("no")
    with pytest.raises(DataError, match="save it again"):
        buildings(tmp_path, tmp_path / "a.gpkg", truth)
    both = geopandas.GeoDataFrame(geometry=TRUTH, crs=CRS)
    both.to_file(tmp_path / "two.gpkg", layer="one")
    both.to_file(tmp_path / "two.gpkg", layer="other", mode="a")
    with pytest.raises(DataError, match="2 layers with geometries: one, other; save the one"):
        buildings(tmp_path, tmp_path / "two.gpkg", truth)


def test_an_exact_network_scores_one_and_a_known_break_what_it_is_worth(tmp_path):
    path = [(0, 0), (100, 0), (200, 0), (300, 0)]
    whole = layer(tmp_path, "whole", lines(*[path[n : n + 2] for n in range(3)]), "LineString")
    said = list(evaluate_roads(whole, whole, tmp_path / "out", ROADS))
    assert said[0].startswith("APLS 1.000")
    broken = layer(tmp_path, "broken", lines(path[:2], path[2:]), "LineString", crs="EPSG:4326", formats=("geojson",))
    said = list(evaluate_roads(broken, whole, tmp_path / "out", ROADS))
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())["scores"]
    # of the 6 pairs of true nodes 2 are still joined; both pairs of the broken one are as long as in truth
    assert scores["apls_truth"] == pytest.approx(1 / 3, abs=1e-3)
    assert scores["apls_proposal"] == pytest.approx(1, abs=1e-3)
    assert scores["apls"] == pytest.approx(2 * (1 / 3) / (4 / 3), abs=1e-3)
    assert scores["completeness"] == pytest.approx((200 + 2 * 3) / 300, abs=1e-3)  # and 3 m on each side of the gap
    assert scores["correctness"] == pytest.approx(1)
    assert any("0.300 km, found 0.200 km" in line for line in said)


def test_boundary_f1_of_a_shifted_square():
    one, other = (np.array(squares(place)) for place in [(0, 0, 10), (3, 0, 10)])
    assert outline_scores(one, one, 0.5).f1 == pytest.approx(1)
    # two sides share 7 m and 0.5 m more at each end of that; of the side in between nothing but 0.5 m at its ends
    scores = outline_scores(one, other, 0.5)
    assert scores.precision == scores.recall == pytest.approx((2 * 7.5 + 2 * 0.5) / 40, abs=1e-3)
    assert outline_scores(one, other, 3.001).f1 == pytest.approx(1)
    nothing = outline_scores(one, np.empty(0, object), 1)
    assert nothing.recall == 0
    assert np.isnan(nothing.precision)


def test_the_commands(tmp_path):
    truth, roads = layer(tmp_path, "truth", TRUTH), layer(tmp_path, "roads", lines([(0, 0), (99, 9)]), "LineString")
    for name, file, line in [("buildings", truth, "boundary F1 1.000"), ("roads", roads, "APLS 1.000")]:
        done = CliRunner().invoke(geoseg, ["evaluate", name, str(file), str(file), str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        assert line in done.output
        assert str(tmp_path / name / "scores.json") in done.output
