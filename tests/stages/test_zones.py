"""Areas by zone, from maps and layers as files."""

import csv
import json
from datetime import date

import click.testing
import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import CRS, Transformer

from geoseg.cli import geoseg
from geoseg.errors import ConfigError, DataError
from geoseg.stages import zones as stage
from geoseg.stages.zones import ZoneOptions, zones

CLASSES = [[0, "forest", "#00ff00"], [1, "land", "#888888"], [254, "unobserved", "#000000"]]
TRANSFORM = Affine(10, 0, 4_000_000, 0, -10, 3_000_000)  # EPSG:3035 is equal-area: a pixel is 100 m2
FOREST, LAND, UNSEEN, OUTSIDE = 0, 1, 254, 255


def write_map(path, pixels, day=None, *, crs="EPSG:3035", transform=TRANSFORM, classes=CLASSES, **tags):
    pixels = np.asarray(pixels, np.uint8)
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255}
    with rasterio.open(
        path, "w", width=pixels.shape[1], height=pixels.shape[0], crs=crs, transform=transform, **kind
    ) as file:
        file.write(pixels, 1)
        file.update_tags(**({"GEOSEG_CLASSES": json.dumps(classes)} if classes else {}), **tags)
        if day:
            file.update_tags(GEOSEG_DATE=day)
    return path


def box(left, top, right, bottom, transform=TRANSFORM):
    """Of pixels."""
    return shapely.box(*(transform @ (left, bottom)), *(transform @ (right, top)))


def write_zones(path, shapes, names=None, crs="EPSG:3035"):
    geopandas.GeoDataFrame({"name": names or [f"z{i}" for i in range(len(shapes))]}, geometry=shapes, crs=crs).to_file(
        path
    )
    return path


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(row, *names):
    return [float(row[name]) for name in names]


@pytest.fixture
def before(tmp_path):
    pixels = np.full((20, 20), FOREST)
    pixels[:, 10:] = LAND
    pixels[0:2, 0:4] = UNSEEN
    pixels[18:, :] = OUTSIDE
    return write_map(tmp_path / "before.tif", pixels, "2000-01-01")


@pytest.fixture
def after(tmp_path):
    pixels = np.full((20, 20), FOREST)
    pixels[:, 5:] = LAND
    pixels[2:4, 0:4] = UNSEEN
    return write_map(tmp_path / "after.tif", pixels, "2010-01-01")


BESIDE = ("observed_m2", "unobserved_m2", "outside_m2", "zone_m2")


def test_areas_of_one_map_by_hand(tmp_path, before):
    layer = write_zones(tmp_path / "z.gpkg", [box(0, 0, 12, 20), box(15, 2, 25, 4)], ["west", "=east"])
    told = zones(before, layer, tmp_path / "out", ZoneOptions())
    found = rows(tmp_path / "out" / "zones.csv")
    assert [(r["zone_id"], r["zone"], r["class"]) for r in found] == [
        ("1", "west", "forest"),
        ("1", "west", "land"),
        ("2", "'=east", "forest"),
        ("2", "'=east", "land"),
    ]
    # west: 18 rows of 10 forest, 8 of them unseen, and 2 land; 2 rows of 12 are outside
    assert numbers(found[0], "area_m2", "pixels") == pytest.approx([17_200, 172], rel=1e-6)
    assert numbers(found[1], "area_m2", "pixels") == pytest.approx([3_600, 36], rel=1e-6)
    assert numbers(found[0], *BESIDE) == pytest.approx([20_800, 800, 2_400, 24_000], rel=1e-6)
    assert numbers(found[0], "share_of_observed", "share_of_zone") == pytest.approx([172 / 208, 172 / 240], rel=1e-6)
    # east: 2 rows of 5 land, and as much beyond the map
    assert numbers(found[3], "area_m2", *BESIDE) == pytest.approx([1_000, 1_000, 0, 1_000, 2_000], rel=1e-5)
    assert told[0].startswith("2 zones of 0.026 km2: 0.022 km2 observed, 0.001 km2 not observed")
    assert told[1:] == ["1 of 2 zones is partly beyond the map's edge (=east): outside_m2 says how much"]


def test_changes_of_two_maps_by_hand(tmp_path, before, after):
    layer = write_zones(tmp_path / "z.geojson", [box(0, 0, 12, 20)], ["حي"])
    zones(before, layer, tmp_path / "out", ZoneOptions(after=after))
    forest, land = rows(tmp_path / "out" / "zones.csv")
    # rows 0 to 17 of 12; 16 pixels unseen at one date: forest 180 - 16 = 164, of which columns 5 to 9 were lost: 90
    assert numbers(forest, "before_m2", "after_m2", "change_m2") == pytest.approx([16_400, 7_400, -9_000], rel=1e-6)
    assert numbers(land, "before_m2", "after_m2", "change_m2") == pytest.approx([3_600, 12_600, 9_000], rel=1e-6)
    assert numbers(forest, *BESIDE) == pytest.approx([20_000, 1_600, 2_400, 24_000], rel=1e-6)
    years = 3653 / 365.2425
    assert float(forest["change_m2_per_year"]) == pytest.approx(-9_000 / years, rel=1e-6)
    assert float(forest["simple_rate"]) == pytest.approx(-90 / 164 / years, rel=1e-6)
    assert float(forest["fao_rate"]) == pytest.approx((74 / 164) ** (1 / years) - 1, rel=1e-6)
    assert float(forest["puyravaud_rate"]) == pytest.approx(np.log(74 / 164) / years, rel=1e-6)
    changes = rows(tmp_path / "out" / "transitions.csv")
    assert [(r["zone"], r["from"], r["to"]) for r in changes] == [
        ("حي", "forest", "forest"),
        ("حي", "forest", "land"),
        ("حي", "land", "land"),
    ]
    assert [float(r["area_m2"]) for r in changes] == pytest.approx([7_400, 9_000, 3_600], rel=1e-6)
    assert [r["pixels"] for r in changes] == ["74", "90", "36"]
    assert numbers(changes[1], "share_of_observed", "share_of_zone") == pytest.approx([0.45, 0.375], rel=1e-6)


def test_transitions_of_an_earlier_run_do_not_stay(tmp_path, before, after):
    layer, out = write_zones(tmp_path / "z.geojson", [box(0, 0, 12, 20)]), tmp_path / "out"
    zones(before, layer, out, ZoneOptions())
    alone = {path.name: path.read_bytes() for path in out.iterdir()}
    zones(before, layer, out, ZoneOptions(after=after))
    assert (out / "transitions.csv").is_file()
    zones(before, layer, out, ZoneOptions())
    assert {path.name: path.read_bytes() for path in out.iterdir()} == alone


def test_layers_and_json_say_the_same(tmp_path, before, after):
    layer = write_zones(tmp_path / "z.gpkg", [box(0, 0, 12, 20), box(0, 0, 4, 2)], ["a", "unseen"])
    told = zones(before, layer, tmp_path / "out", ZoneOptions(after=after))
    parquet, geojson = (
        geopandas.read_parquet(tmp_path / "out" / "zones.parquet"),
        geopandas.read_file(tmp_path / "out" / "zones.geojson"),
    )
    figures = json.loads((tmp_path / "out" / "zones.json").read_text())
    assert parquet["zone"].tolist() == geojson["zone"].tolist() == ["a", "unseen"]
    assert parquet.crs.to_epsg() == 3035
    assert shapely.equals(parquet.geometry.to_numpy(), [box(0, 0, 12, 20), box(0, 0, 4, 2)]).all()
    assert parquet["class_forest_after_m2"].tolist() == pytest.approx([7_400, 0], rel=1e-6)
    assert geojson["class_forest_puyravaud_rate"].isna().tolist() == [False, True]  # nothing was observed: no rate
    assert geojson["unobserved_m2"].tolist() == pytest.approx([1_600, 800], rel=1e-6)
    assert figures["dates"] == ["2000-01-01", "2010-01-01"]
    assert figures["told"] == told[1:]
    a, unseen = figures["zones"]
    assert a["transitions"][1]["area_m2"] == pytest.approx(9_000, rel=1e-6)
    assert unseen["transitions"] == []
    assert unseen["classes"][0]["simple_rate"] is None
    assert a["polygon_m2"] == pytest.approx(24_000, rel=1e-5)


@pytest.mark.parametrize("exact", [False, True])
def test_strips_do_not_change_a_byte(tmp_path, before, after, exact, monkeypatch):
    shapes = [shapely.Point(TRANSFORM @ (9, 9)).buffer(70), box(1.3, 2.2, 14.7, 15.1)]
    layer = write_zones(tmp_path / "z.gpkg", shapes)
    for rows_a_strip in (512, 7, 1):
        monkeypatch.setattr(stage, "STRIP", rows_a_strip)
        zones(before, layer, tmp_path / str(rows_a_strip), ZoneOptions(after=after, exact=exact))
    for name in ("zones.csv", "transitions.csv", "zones.json", "zones.parquet", "zones.geojson"):
        once, *others = [(tmp_path / part / name).read_bytes() for part in ("512", "7", "1")]
        assert others == [once, once]


def test_exact_borders_give_the_polygon_its_own_area(tmp_path):
    plain = write_map(tmp_path / "m.tif", np.zeros((40, 40)))
    star = (
        shapely.Point(TRANSFORM @ (20.3, 19.6)).buffer(133.3).difference(shapely.Point(TRANSFORM @ (21, 20)).buffer(41))
    )
    thin = box(3.6, 3, 3.8, 30)
    layer = write_zones(tmp_path / "z.gpkg", [star, thin], ["ring", "thin"])
    told = zones(plain, layer, tmp_path / "centres", ZoneOptions())
    assert told[1] == "1 of 2 zones is too small or thin to hold the centre of a pixel (thin): use --exact"
    zones(plain, layer, tmp_path / "exact", ZoneOptions(exact=True))
    for row, shape in zip(rows(tmp_path / "exact" / "zones.csv")[::2], (star, thin), strict=True):
        assert float(row["area_m2"]) == pytest.approx(shape.area, rel=1e-6)
    ring = rows(tmp_path / "centres" / "zones.csv")[0]
    assert float(ring["area_m2"]) != pytest.approx(star.area, rel=1e-6)


@pytest.mark.parametrize("latitude", [0.0, 60.0, 80.0])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_degrees_and_mercator_give_what_their_equal_area_twin_gives(tmp_path, latitude, crs):
    """G05, G06: one zone; a map in each CRS, forest on one side of a slanting line."""
    twin = CRS(f"+proj=laea +lat_0={latitude} +lon_0=20 +ellps=WGS84 +units=m")
    zone = shapely.segmentize(shapely.Point(0, 0).buffer(9_000), 100)
    areas = []
    for name, its, side in (("twin", twin, 60.0), ("map", CRS(crs), None)):
        to_map = Transformer.from_crs(twin, its, always_xy=True)
        left, bottom, right, top = to_map.transform_bounds(-10_000, -10_000, 10_000, 10_000)
        width = 340
        dx, dy = (right - left) / width, (top - bottom) / width
        transform = Affine(side or dx, 0, left, 0, -(side or dy), top)
        x = left + (np.arange(width) + 0.5) * transform.a
        y = top + (np.arange(width) + 0.5) * transform.e
        lon, lat = Transformer.from_crs(its, "EPSG:4326", always_xy=True).transform(*np.meshgrid(x, y))
        path = write_map(
            tmp_path / f"{name}.tif",
            np.where((lon - 20) * np.cos(np.radians(latitude)) < 0.37 * (lat - latitude), FOREST, LAND),
            crs=its.to_wkt(),
            transform=transform,
        )
        layer = write_zones(tmp_path / f"{name}.gpkg", [zone], crs=twin)
        zones(path, layer, tmp_path / name, ZoneOptions(exact=True))
        areas.append([float(r["area_m2"]) for r in rows(tmp_path / name / "zones.csv")])
    (twin_forest, twin_land), (forest, land) = areas
    assert forest + land == pytest.approx(twin_forest + twin_land, rel=1e-4)
    assert twin_forest + twin_land == pytest.approx(zone.area, rel=1e-4)
    assert [forest, land] == pytest.approx([twin_forest, twin_land], rel=1e-3)


def test_zones_that_overlap_repeat_or_lie_elsewhere_are_told(tmp_path, before):
    bow = shapely.Polygon([TRANSFORM @ p for p in [(12, 12), (14, 14), (14, 12), (12, 14)]])
    shapes = [box(0, 0, 4, 4), box(2, 2, 6, 6), box(6, 0, 8, 4), box(90, 0, 99, 9), bow]
    layer = write_zones(tmp_path / "z.gpkg", shapes, ["a", "b", "b", "far", "bow"])
    told = zones(before, layer, tmp_path / "out", ZoneOptions())[1:]
    assert told[0].startswith("zone bow was not a valid polygon (Self-intersection[4000130 2999870]) and was repaired")
    assert told[1] == "1 of 5 zones is outside the map (far): all of their area is outside_m2"
    assert told[2].startswith("1 pair of zones overlaps, by 400 m2 in all (most: a and b, 400 m2)")
    assert told[3].startswith("1 zone has a name that another has, too; zone_id")
    found = rows(tmp_path / "out" / "zones.csv")
    assert numbers(found[6], "area_m2", "outside_m2", "zone_m2") == pytest.approx([0, 8_100, 8_100], rel=1e-4)
    assert numbers(found[2], "area_m2", "observed_m2") == pytest.approx(
        [1_600, 1_600], rel=1e-6
    )  # b is right by itself


def test_zones_of_few_pixels_are_told_how_far_they_are_off(tmp_path, before):
    shapes = [box(0, 0, 10, 10), box(3.6, 3.6, 5.4, 5.4)]  # 1.8 pixels a side: 4 centres and 3.24 pixels
    layer = write_zones(tmp_path / "z.gpkg", shapes, ["whole", "few"])
    told = zones(before, layer, tmp_path / "out", ZoneOptions())
    assert told[2].startswith("1 of 2 zones is more than 1% off the area of the polygon")
    assert told[2].endswith("(few): use --exact")
    assert len(zones(before, layer, tmp_path / "out", ZoneOptions(exact=True))) == 2  # and the overlap


def test_more_figures_than_memory_is_meant_for(tmp_path, before, after, monkeypatch):
    layer = write_zones(tmp_path / "z.gpkg", [box(0, 0, 10, 10)] * 3)
    monkeypatch.setattr(stage, "_SUM_BYTES", 16 * 3 * 4 * 4 - 1)  # two classes, not observed and outside, twice
    with pytest.raises(ConfigError, match=r"3 zones and 2 classes would take .*split the layer"):
        zones(before, layer, tmp_path / "out", ZoneOptions(after=after))


def test_zones_all_elsewhere_are_refused(tmp_path, before):
    layer = write_zones(tmp_path / "z.gpkg", [shapely.box(0, 0, 1, 1)])
    with pytest.raises(DataError, match=r"none of the 1 zones .* touches .*check that the layer's CRS"):
        zones(before, layer, tmp_path / "out", ZoneOptions())


def test_maps_that_do_not_fit(tmp_path, before):
    layer = write_zones(tmp_path / "z.gpkg", [box(0, 0, 4, 4)])
    pixels = np.zeros((20, 20))
    others = {
        "not on the same grid. Make both from one": write_map(tmp_path / "1.tif", pixels[:19], "2010-01-01"),
        "Make both with the same model": write_map(
            tmp_path / "2.tif", pixels, "2010-01-01", classes=[[0, "water", "#0000ff"]]
        ),
        "does not name its classes; name a landcover.tif": write_map(tmp_path / "3.tif", pixels, classes=None),
        "holds the value 9, which it does not name": write_map(tmp_path / "4.tif", pixels + 9, "2010-01-01"),
    }
    for fix, path in others.items():
        with pytest.raises(DataError, match=fix):
            zones(before, layer, tmp_path / "out", ZoneOptions(after=path))


def test_maps_of_two_models_are_refused_and_unknown_ones_told(tmp_path):
    made = [{"GEOSEG_MODEL_SHA256": "aaaa"}, {"GEOSEG_MODEL_SHA256": "bbbb"}, {}]
    one, two, unknown = (
        write_map(tmp_path / f"{i}.tif", np.zeros((20, 20)), f"200{i}-01-01", **tags) for i, tags in enumerate(made)
    )
    layer = write_zones(tmp_path / "z.gpkg", [box(0, 0, 4, 4)])
    with pytest.raises(DataError, match=r"different models.*sha256 aaaa.*sha256 bbbb.*Make both with one"):
        zones(one, layer, tmp_path / "out", ZoneOptions(after=two))
    assert "which model made it" in zones(one, layer, tmp_path / "out", ZoneOptions(after=unknown))[-1]


def test_one_map_twice_and_days_without_a_second_map(tmp_path, before):
    layer = write_zones(tmp_path / "z.gpkg", [box(0, 0, 4, 4)])
    with pytest.raises(ConfigError, match="compared with itself; name a map of another date with --after"):
        zones(before, layer, tmp_path / "out", ZoneOptions(after=before))
    with pytest.raises(ConfigError, match="name the later one with --after"):
        zones(before, layer, tmp_path / "out", ZoneOptions(first=date(2000, 1, 1)))


def test_a_turned_map_gives_zones_their_own_area(tmp_path):
    turned = TRANSFORM @ Affine.rotation(25)
    path = write_map(tmp_path / "m.tif", np.zeros((40, 40)), transform=turned)
    zone = shapely.Point(turned @ (20, 20)).buffer(150)
    zones(path, write_zones(tmp_path / "z.gpkg", [zone]), tmp_path / "out", ZoneOptions(exact=True))
    assert float(rows(tmp_path / "out" / "zones.csv")[0]["area_m2"]) == pytest.approx(zone.area, rel=1e-6)


@pytest.mark.parametrize(
    ("first", "last", "fix"),
    [
        (None, "2010-01-01", r"has no date in it; set --from to the day"),
        ("2000-01-01", "2010", r"'2010', which is no year-month-day; set --to to the day"),
        ("2010-01-01", "2010-01-01", r"both dates are 2010-01-01.*set --from and --to"),
        ("2010-01-01", "2000-01-01", r"is after the second.*earlier map first.*set --from and --to"),
    ],
)
def test_dates_that_give_no_rate(tmp_path, first, last, fix):
    maps = [write_map(tmp_path / f"{i}.tif", np.zeros((20, 20)), day) for i, day in enumerate((first, last))]
    layer = write_zones(tmp_path / "z.gpkg", [box(0, 0, 4, 4)])
    with pytest.raises(ConfigError, match=fix):
        zones(maps[0], layer, tmp_path / "out", ZoneOptions(after=maps[1]))


def test_the_command_takes_dates_names_and_exact_borders(tmp_path):
    maps = [write_map(tmp_path / f"{i}.tif", np.full((20, 20), i)) for i in range(2)]
    layer = write_zones(tmp_path / "z.gpkg", [box(0, 0, 4.5, 4)])
    words = [
        "zones",
        maps[0],
        layer,
        tmp_path / "out",
        "--after",
        maps[1],
        "--from",
        "2000-01-01",
        "--to",
        "2004-01-01",
    ]
    done = click.testing.CliRunner().invoke(
        geoseg, [*map(str, words), "--name", "name", "--exact"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert done.output.startswith("1 zones of 0.002 km2")
    figures = json.loads((tmp_path / "out" / "zones.json").read_text())
    assert figures["years"] == pytest.approx(1461 / 365.2425)
    assert figures["borders"] == "share of the pixel inside"
    assert figures["zones"][0]["transitions"][0]["pixels"] == pytest.approx(18)
