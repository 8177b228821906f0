"""The stage of buildings: from files to a layer with its attributes, the same for any strips."""

import geopandas
import numpy as np
import pandas
import pytest
import shapely
import shapely.affinity
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import CRS
from rasterio.features import rasterize
from scipy import ndimage

from geoseg.errors import DataError
from geoseg.grid.instance import Instance
from geoseg.grid.window import Window
from geoseg.stages import buildings as stage
from geoseg.stages.buildings import BuildingSettings, buildings, detected_buildings
from geoseg.vector.footprints import FootprintRules
from tests.tiffs import write_tif

SETTINGS = BuildingSettings(min_area=9.0, max_hole=10.0, neck=0.5, rules=FootprintRules(2.0, 0.6, 0.05, 80.0, 4.0, 1.0))
COLUMNS = {
    "area_m2": "float64",
    "perimeter_m": "float64",
    "orientation_deg": "float64",
    "confidence": "float64",
    "status": "string",
    "score": "float64",
    "pixels": "int64",
}
UTM = (Affine(1, 0, 500_000, 0, -1, 6_000_000), CRS.from_epsg(32640))
BUILDING, LAND, ROAD = 0, 1, 2


def maps(folder, classes, confidence=None, place=UTM):
    transform, crs = place
    confidence = np.full(classes.shape, 200, np.uint8) if confidence is None else confidence
    out = []
    for name, values in (("classes.tif", classes), ("confidence.tif", confidence)):
        write_tif(folder / name, values, crs=crs, transform=transform)
        out.append(folder / name)
    return out


def run(folder, classes, confidence=None, place=UTM, settings=SETTINGS):
    return buildings(*maps(folder, classes, confidence, place), BUILDING, ROAD, settings)


def land(shape=(90, 120)):
    return np.full(shape, LAND, np.uint8)


def wobbly(seed=1, shape=(150, 110)):
    rng = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(rng.random(shape), 2.5) > 0.51
    classes = np.where(mask, BUILDING, LAND).astype(np.uint8)
    classes[60:66] = ROAD
    return classes


def test_attributes_of_a_rectangle_with_known_answers(tmp_path):
    classes = land()
    classes[20:30, 30:70] = BUILDING
    confidence = np.full(classes.shape, 100, np.uint8)
    confidence[20:30, 30:50], confidence[20:30, 50:70] = 250, 125
    layer, figures = run(tmp_path, classes, confidence)
    (row,) = layer.itertuples()
    assert row.pixels == 400 and row.status == "regular"
    assert row.area_m2 == pytest.approx(400 / 0.9996**2, rel=0.002)  # scale of UTM at the central meridian
    assert row.perimeter_m == pytest.approx(100 / 0.9996, rel=0.005)
    assert row.orientation_deg == pytest.approx(90, abs=0.5)
    assert row.confidence == pytest.approx(0.75)
    assert np.isnan(row.score)
    assert row.geometry.hausdorff_distance(shapely.box(500030, 5999970, 500070, 5999980)) < 0.05
    assert figures == {
        "buildings": 1,
        "by_status": {"regular": 1, "circle": 0, "outline": 0},
        "area_m2": row.area_m2,
        "components": 1,
        "too_small": 0,
    }


@pytest.mark.parametrize("angle", [5.0, 40.0, 100.0, 170.0])
def test_orientation_is_from_north_clockwise(tmp_path, angle):
    truth = shapely.affinity.rotate(shapely.box(55, 25, 65, 65), angle)  # y south: a positive turn is clockwise
    burned = rasterize([(truth, BUILDING)], (90, 120), fill=LAND, transform=Affine.identity(), dtype="uint8")
    layer, _ = run(tmp_path, burned)
    assert layer.orientation_deg[0] == pytest.approx(angle, abs=1.0)


@pytest.mark.parametrize("classes", [land(), np.full((5, 7), 255, np.uint8), np.full((1, 1), 254, np.uint8)])
def test_a_map_without_buildings_is_an_empty_layer_with_its_schema(tmp_path, classes):
    layer, figures = run(tmp_path, classes)
    assert len(layer) == 0 and figures["buildings"] == 0
    assert {name: str(layer[name].dtype) for name in COLUMNS} == COLUMNS
    assert layer.crs == UTM[1] and layer.geometry.name == "geometry"


def test_schema_is_that_of_the_empty_layer(tmp_path):
    layer, _ = run(tmp_path, wobbly())
    assert {name: str(layer[name].dtype) for name in layer.columns if name != "geometry"} == COLUMNS
    assert len(layer) > 20


def test_strips_change_nothing(tmp_path, monkeypatch):
    layers = []
    for height in (512, 7, 1):
        monkeypatch.setattr(stage, "STRIP", height)
        layers.append(run(tmp_path, wobbly())[0])
    for layer in layers[1:]:
        pandas.testing.assert_frame_equal(layer, layers[0])


def test_rows_follow_first_pixels(tmp_path):
    layer, _ = run(tmp_path, wobbly(2))
    tops = -layer.geometry.bounds["maxy"].to_numpy()
    assert (np.diff(tops) > -4).all()  # a footprint starts within a few pixels of its first


def test_no_overlap_with_roads_or_each_other(tmp_path):
    classes = wobbly(3)
    layer, _ = run(tmp_path, classes)
    transform, _ = UTM
    roads = shapely.box(transform.c, transform.f - 66, transform.c + 110, transform.f - 60)
    assert shapely.area(shapely.intersection(layer.geometry.values, roads)).sum() < 1e-5
    a, b = layer.sindex.query(layer.geometry, predicate="intersects")
    shapes = layer.geometry.to_numpy()
    assert shapely.area(shapely.intersection(shapes[a[a < b]], shapes[b[a < b]])).sum() < 1e-5


def test_small_buildings_are_left_out_and_counted(tmp_path):
    classes = land()
    classes[10:12, 10:12] = classes[40:50, 40:50] = BUILDING
    layer, figures = run(tmp_path, classes)
    assert len(layer) == 1 and (figures["components"], figures["too_small"]) == (2, 1)


def test_a_building_at_each_edge_of_the_map(tmp_path):
    classes = land((40, 50))
    classes[:8, :9] = classes[-8:, -9:] = classes[:8, -9:] = classes[-8:, :9] = BUILDING
    layer, _ = run(tmp_path, classes)
    assert len(layer) == 4 and layer.area_m2.to_numpy() == pytest.approx(72, rel=0.06)


@pytest.mark.parametrize("latitude", [0.0, 60.0, -45.0])
def test_degrees_have_right_angles_on_the_ground(tmp_path, latitude):
    """A building of 36 by 20 m, turned by 25 degrees, in a map in longitude and latitude."""
    metre = 1 / 111_320
    place = (Affine(metre, 0, 12.0, 0, -metre, latitude), CRS.from_epsg(4326))
    squeeze = np.cos(np.deg2rad(latitude))
    ground = shapely.affinity.rotate(shapely.box(32, 32, 52, 68), 25)  # metres, y south
    on_map = shapely.affinity.scale(ground, 1 / squeeze, 1, origin=(0, 0))
    shape = (100, int(100 / squeeze))
    burned = rasterize([(on_map, BUILDING)], shape, fill=LAND, transform=Affine.identity(), dtype="uint8")
    layer, _ = run(tmp_path, burned, place=place)
    (row,) = layer.itertuples()
    assert row.status == "regular" and row.orientation_deg == pytest.approx(25, abs=1)
    assert row.area_m2 == pytest.approx(720, rel=0.03) and row.perimeter_m == pytest.approx(112, rel=0.03)
    zone = layer.to_crs(layer.estimate_utm_crs()).geometry[0]
    edges = np.diff(shapely.get_coordinates(zone.exterior), axis=0)
    angles = np.rad2deg(np.arctan2(edges[:, 1], edges[:, 0])) % 90
    assert np.ptp((angles - angles[0] + 45) % 90) < 0.2


def test_objects_of_a_detector_keep_their_scores():
    masks = [(20, 10, 0.9), (20, 30, 0.8), (60, 70, 0.4)]
    objects = [Instance.of(Window(c, r, 20, 14), np.ones((14, 20), bool), 1, s) for r, c, s in masks]
    box = GeoBox((100, 120), UTM[0], UTM[1].to_wkt())
    layer, figures = detected_buildings(objects, box, SETTINGS)
    assert layer.score.tolist() == [0.9, 0.8, 0.4] and layer.confidence.isna().all()
    assert layer.area_m2.to_numpy() == pytest.approx(280, rel=0.01)
    assert figures["by_status"]["regular"] == 3
    assert shapely.coverage_is_valid(layer.geometry.to_numpy())  # the first two share a wall
    assert isinstance(layer, geopandas.GeoDataFrame)


def test_no_objects_no_buildings():
    layer, _ = detected_buildings([], GeoBox((10, 12), UTM[0], UTM[1].to_wkt()), SETTINGS)
    assert len(layer) == 0 and {n: str(layer[n].dtype) for n in COLUMNS} == COLUMNS


def test_a_hole_with_a_road_in_it_stays_open(tmp_path):
    classes = land()
    classes[20:50, 30:70] = BUILDING
    classes[30:33, 40:43] = LAND
    classes[30:33, 55:58] = ROAD
    layer, _ = run(tmp_path, classes)
    road = shapely.box(500_055, 6_000_000 - 33, 500_058, 6_000_000 - 30)
    assert layer.geometry[0].intersection(road).area < 1e-6
    assert len(layer.geometry[0].interiors) == 1


def test_maps_on_different_grids_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"120 x 90 px.*120 x 89 px.*not on the same grid\. Make both again"):
        run(tmp_path, land(), np.full((89, 120), 200, np.uint8))
