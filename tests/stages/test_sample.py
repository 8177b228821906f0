"""From a map to points to areas: the sample depends on map and seed alone, and nothing but it is accepted back."""

import csv
import io
import json
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal
from pyproj import CRS
from rasterio.warp import transform as transform_points
from scipy import ndimage

from geoseg.cli import geoseg
from geoseg.errors import ConfigError, DataError
from geoseg.io.sample_points import read_points
from geoseg.stages import map_strata
from geoseg.stages.areas import areas
from geoseg.stages.map_strata import StratumRule
from geoseg.stages.sample import SampleWish, sample

CLASSES = [(0, "cleared", "#e31a1c"), (1, "forest", "#33a02c"), (2, "field", "#ffdd33"), (254, "unobserved", "#808080")]
NAMES = ("cleared", "forest", "field")
TRANSFORM = Affine(10, 0, 300_000, 0, -10, 6_600_000)
WISH = SampleWish(
    rule=StratumRule(),
    standard_error=0.02,
    points=90,
    allocation="equal",
    least=5,
    accuracy=0.85,
    accuracies=(),
    omissions=0.005,
    buffer_omissions=0.05,
    seed=3,
)
BUFFERED = replace(WISH, rule=StratumRule(("cleared",), buffer=4), points=120)


def ground(shape=(150, 170), seed=0):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 5)
    pixels = np.digitize(field, np.quantile(field, [0.08, 0.6])).astype(np.uint8)
    pixels[:10, :40], pixels[-5:] = 254, 255
    return pixels


def write(path, pixels, crs="EPSG:32633", transform=TRANSFORM, classes=CLASSES, block=64):
    height, width = pixels.shape
    kind = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "tiled": True, "compress": "deflate"}
    kind |= {"blockxsize": block, "blockysize": block}
    with rasterio.open(path, "w", width=width, height=height, crs=crs, transform=transform, **kind) as dataset:
        dataset.write(pixels, 1)
        if classes:
            dataset.update_tags(GEOSEG_CLASSES=json.dumps(classes))
    return path


def label(folder, pixels, target=None, transform=TRANSFORM, wrong=lambda row, col, name: name):
    """points.csv filled in with what the map says, or what `wrong` makes of it."""
    with (folder / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for line in rows:
        col, row = ~transform @ (float(line["x"]), float(line["y"]))
        line["reference"] = wrong(int(row), int(col), NAMES[pixels[int(row), int(col)]])
    return save(target or folder / "labelled.csv", rows)


def save(path, rows, delimiter=","):
    text = io.StringIO()
    table = csv.DictWriter(text, rows[0].keys(), delimiter=delimiter, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    path.write_text(text.getvalue())
    return path


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def drawn(tmp_path):
    """Map, its sample's folder and the labelled points."""
    pixels = ground()
    path = write(tmp_path / "landcover.tif", pixels)
    sample(path, tmp_path / "sample", BUFFERED)
    return path, tmp_path / "sample", label(tmp_path / "sample", pixels)


def test_points_do_not_depend_on_how_the_map_is_read(tmp_path, monkeypatch):
    pixels = ground()
    files = []
    for name, block, side in (("a", 16, 1024), ("b", 64, 61)):
        monkeypatch.setattr(map_strata, "_SIDE", side)
        sample(write(tmp_path / f"{name}.tif", pixels, block=block), tmp_path / name, BUFFERED)
        files.append((tmp_path / name / "points.geojson").read_bytes())
    assert files[0] == files[1]
    sample(tmp_path / "b.tif", tmp_path / "c", replace(BUFFERED, seed=4))
    assert (tmp_path / "c" / "points.geojson").read_bytes() != files[0]


def test_each_point_lies_in_its_stratum_and_counts_are_as_designed(drawn):
    path, folder, _ = drawn
    pixels = rasterio.open(path).read(1)
    near = ndimage.distance_transform_edt(pixels != 0) <= 4
    strata = np.where(near & (pixels != 0), 3, pixels)
    names = (*NAMES, "buffer of cleared")
    design = json.loads((folder / "sample.json").read_text())
    points = read_points(folder / "points.csv")
    for number, stratum in enumerate(design["strata"]):
        mine = (strata == number) & (pixels < 254)
        assert (stratum["name"], stratum["pixels"]) == (names[number], mine.sum())
        assert sum(p.stratum == stratum["name"] for p in points) == stratum["points"] == 30
    for point in points:
        col, row = ~TRANSFORM @ (point.x, point.y)
        assert (row % 1, col % 1) == (0.5, 0.5)
        assert names[strata[int(row), int(col)]] == point.stratum
    assert [p.number for p in points] == list(range(1, 121))
    assert read_points(folder / "points.geojson") == points


def test_perfect_labels_give_the_mapped_areas(drawn, tmp_path):
    _, folder, labelled = drawn
    lines = areas(folder, labelled, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "areas.json").read_text())
    for row in found["classes"]:
        assert row["users_accuracy"] == row["producers_accuracy"] == 1
        assert row["area_m2_interval"] == "safe"  # 30 points a stratum do not prove that there are no errors
        assert row["area_m2_safe_low95"] < row["area_m2"] < row["area_m2_safe_high95"]
        assert_allclose(row["unobserved_m2"], 400 * 100, rtol=2e-3)
    total = sum(row["area_m2"] for row in found["classes"])
    assert_allclose(total, found["observed_m2"])
    table = rows_of(tmp_path / "out" / "areas.csv")
    assert [row["class"] for row in table] == list(NAMES)
    assert any("not observed" in line for line in lines) and any("safe" in line for line in lines)


def test_estimates_are_right_on_average(tmp_path):
    """A map that misses a third of what was cleared: the mean of 12 samples' areas is the true area."""
    truth = ground()
    pixels = truth.copy()
    hidden = (truth == 0) & (np.random.default_rng(1).random(truth.shape) < 0.33)
    pixels[hidden] = 1
    path, found = write(tmp_path / "map.tif", pixels), []
    for seed in range(12):
        folder = tmp_path / str(seed)
        sample(path, folder, replace(WISH, seed=seed))
        areas(folder, label(folder, truth), folder)
        found.append(json.loads((folder / "areas.json").read_text())["classes"][0]["area_m2"])
    true, mapped = (100 * (p == 0).sum() for p in (truth, pixels))
    error = np.std(found, ddof=1) / np.sqrt(12)
    assert abs(np.mean(found) - true) < 3 * error
    assert abs(mapped - true) > 4 * error


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(0.002, 0, 11, 0, -0.002, 60.5)),
        ("EPSG:3857", Affine(200, 0, 1_000_000, 0, -200, 8_500_000)),
        ("EPSG:3857", Affine(200, 0, 1_000_000, 0, -200, 15_000)),
        ("EPSG:3857", Affine(200, 0, 1_000_000, 0, -200, 15_540_000)),
        ("EPSG:32633", Affine(100, 0, 300_000, 0, -100, 6_700_000)),
    ],
)
def test_areas_are_on_the_ellipsoid_whatever_the_crs(tmp_path, crs, transform):
    """G05, G06: degrees, and Web Mercator at 60, 0 and 80 degrees north, against the geodesic area of the outline."""
    pixels = ground()
    pixels[pixels >= 254] = 1
    path = write(tmp_path / "map.tif", pixels, crs, transform)
    sample(path, tmp_path / "s", WISH)
    areas(tmp_path / "s", label(tmp_path / "s", pixels, transform=transform), tmp_path)
    found = json.loads((tmp_path / "areas.json").read_text())
    edge = np.linspace(0, 1, 500)
    outline = np.concatenate([np.c_[edge, 0 * edge], np.c_[1 + 0 * edge, edge], np.c_[edge[::-1], 1 + 0 * edge]])
    outline = np.concatenate([outline, np.c_[0 * edge, edge[::-1]]]) * [170, 150]
    to_degrees = transform_points(crs, "EPSG:4326", *(transform @ outline.T))
    true = abs(CRS(4326).get_geod().polygon_area_perimeter(*to_degrees)[0])
    assert_allclose(found["observed_m2"], true, rtol=1e-3)
    for row in found["classes"]:
        assert_allclose(row["area_m2"], row["mapped_m2"], rtol=1e-9)


def test_unclear_points_are_counted_and_bounded(drawn, tmp_path):
    path, folder, _ = drawn
    pixels = rasterio.open(path).read(1)
    labelled = label(folder, pixels, wrong=lambda row, col, name: "unclear" if row % 5 == 0 else name)
    lines = areas(folder, labelled, tmp_path)
    found = json.loads((tmp_path / "areas.json").read_text())
    count = sum(row["reference"] == "unclear" for row in rows_of(labelled))
    assert sum(found["unclear_points"].values()) == count > 10
    assert any(f"{count} points are unclear" in line for line in lines)
    for row in found["classes"]:
        assert row["area_if_unclear_is_not_m2"] < row["area_m2"] < row["area_if_unclear_is_m2"]


def changed(change):
    """A saboteur of the labelled rows."""
    return lambda rows: change(rows) or rows


SPOILED = {
    "lacks point 7 .*add them": changed(lambda rows: rows.pop(6) and None),
    "has point 7 twice; keep one": changed(lambda rows: rows.append(rows[6])),
    "has point 500, which was never drawn": changed(lambda rows: rows.append(rows[6] | {"id": "500"})),
    "point 7 is not where it was drawn": changed(lambda rows: rows[6].update(x=float(rows[6]["x"]) + 10)),
    "point 8 is not where it was drawn": changed(lambda rows: rows[7].update(lat=float(rows[7]["lat"]) + 1e-5)),
    "point 7 has the reference forst, no class of the map; did you mean forest": changed(
        lambda rows: rows[6].update(reference="forst")
    ),
    "point 7 has no reference yet; interpret it": changed(lambda rows: rows[6].update(reference=" ")),
    "point 7 has an id or a coordinate that is no number": changed(lambda rows: rows[6].update(lon="east")),
    "point 7 was drawn from stratum .*, not elsewhere": changed(lambda rows: rows[6].update(stratum="elsewhere")),
    "stratum forest has one point to go by": changed(
        lambda rows: (
            [row.update(reference="unclear") for row in rows if row["stratum"] == "forest"][1:]
            and next(row for row in rows if row["stratum"] == "forest").update(reference="forest")
        )
    ),
    "has no column stratum": lambda rows: [{k: v for k, v in row.items() if k != "stratum"} for row in rows],
}


@pytest.mark.parametrize("words", SPOILED)
def test_points_that_are_not_the_sample_are_refused(drawn, tmp_path, words):
    _, folder, labelled = drawn
    save(labelled, SPOILED[words](rows_of(labelled)))
    with pytest.raises(DataError, match=words):
        areas(folder, labelled, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_map_is_read_once(drawn, tmp_path, monkeypatch):
    """For strata and points together."""
    _, folder, labelled = drawn
    passes, pieces = [], map_strata.MapStrata.pieces
    monkeypatch.setattr(map_strata.MapStrata, "pieces", lambda self: passes.append(self) or pieces(self))
    areas(folder, labelled, tmp_path)
    assert len(passes) == 1


def test_another_map_is_refused(drawn, tmp_path):
    path, folder, labelled = drawn
    pixels = ground()
    pixels[70, 70] ^= 1
    with pytest.raises(DataError, match=r"is not the map that the sample was drawn from.*--map"):
        areas(folder, labelled, tmp_path, write(tmp_path / "other.tif", pixels))
    path.rename(tmp_path / "moved.tif")
    with pytest.raises(ConfigError, match="there is no file"):
        areas(folder, labelled, tmp_path)
    areas(folder, labelled, tmp_path, tmp_path / "moved.tif")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(seed=4), "was changed after the draw"),
        (lambda d: d.update(seed=-4), "is no design that geoseg sample wrote"),
        (lambda d: d.pop("seed"), "is no design that geoseg sample wrote"),
        (lambda d: d["strata"][0].update(points=31), "was changed after the draw"),
        (lambda d: d["strata"][0].update(pixels=31), "was changed after the draw"),
        (lambda d: d["strata"].pop(1), "lacks stratum forest.*draw a new sample"),
        (lambda d: d.update(buffer_pixels=0), "was changed after the draw"),
    ],
)
def test_an_edited_design_is_refused(drawn, tmp_path, change, words):
    _, folder, labelled = drawn
    design = json.loads((folder / "sample.json").read_text())
    change(design)
    (folder / "sample.json").write_text(json.dumps(design))
    with pytest.raises(DataError, match=words):
        areas(folder, labelled, tmp_path)


def test_files_of_other_programs_are_taken(drawn, tmp_path):
    """A spreadsheet's semicolons and decimal commas; seven digits of a degree and fields of their own in GeoJSON."""
    _, folder, labelled = drawn
    rows = rows_of(labelled)
    comma = [{k: v.replace(".", ",") if k in ("lon", "lat", "x", "y") else v for k, v in row.items()} for row in rows]
    expected = areas(folder, labelled, tmp_path / "a")
    assert areas(folder, save(tmp_path / "semicolons.csv", comma, ";"), tmp_path / "b") == expected
    root = json.loads((folder / "points.geojson").read_text())
    for feature, row in zip(root["features"], rows, strict=True):
        feature["geometry"]["coordinates"] = [round(v, 7) for v in feature["geometry"]["coordinates"]]
        feature["properties"] |= {"reference": row["reference"], "remark": None}
    (tmp_path / "qgis.geojson").write_text(json.dumps(root))
    assert areas(folder, tmp_path / "qgis.geojson", tmp_path / "c") == expected
    root["features"][3]["geometry"]["coordinates"][0] += 1e-4
    (tmp_path / "qgis.geojson").write_text(json.dumps(root))
    with pytest.raises(DataError, match="point 4 is not where it was drawn"):
        areas(folder, tmp_path / "qgis.geojson", tmp_path / "c")


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (replace(WISH, rule=StratumRule(("clearing",))), "has no class clearing; did you mean cleared"),
        (replace(WISH, points=9), "too few for 3 strata.*ask for 15"),
        (replace(WISH, points=None, standard_error=1e-6), "allow a larger one"),
        (replace(WISH, accuracies=(("lake", 0.5),)), "has no class lake; it has cleared, forest, field"),
    ],
)
def test_wishes_that_cannot_be_are_refused(tmp_path, wish, words):
    path = write(tmp_path / "map.tif", ground())
    with pytest.raises(ConfigError, match=words):
        sample(path, tmp_path / "s", wish)
    assert not (tmp_path / "s").exists()


def test_maps_that_cannot_be_sampled(tmp_path):
    pixels = ground()
    with pytest.raises(ConfigError, match="--target"):
        StratumRule(buffer=3)
    with pytest.raises(DataError, match="does not name its classes"):
        sample(write(tmp_path / "map.tif", pixels, classes=None), tmp_path / "s", WISH)
    with pytest.raises(DataError, match="value 9, which it does not name"):
        sample(write(tmp_path / "map.tif", np.where(pixels == 2, 9, pixels).astype(np.uint8)), tmp_path / "s", WISH)
    with pytest.raises(DataError, match="shows no class anywhere"):
        sample(write(tmp_path / "map.tif", np.full_like(pixels, 254)), tmp_path / "s", WISH)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.geojson", '{"features": [{"geometry": null, "properties": {}}]}', "no GeoJSON of points"),
        (
            "a.geojson",
            '{"features": [{"geometry": {"coordinates": [1, 2]}, "properties": null}]}',
            "no GeoJSON of points",
        ),
        ("a.geojson", "[]", "no GeoJSON of points"),
        ("a.json", '{"features": [{"geometry": {"coordinates": [1, 2]}, "properties": {"id": 1}}]}', "has no stratum"),
        ("a.csv", b"\xff\xfe", "not UTF-8"),
        ("a.csv", "id,lon\n1,2\n", "has no column stratum"),
        ("a.csv", "id,stratum,lon,lat,x,y,reference\n1.5,a,1,2,3,4,b\n", "is no number"),
        ("a.csv", "id,stratum,lon,lat,x,y,reference\ninf,a,1,2,3,4,b\n", "is no number"),
        ("a.csv", "id,stratum,lon,lat,x,y,reference\n1,forest\n", "is no number"),
        ("a.csv", "", "lacks point 1 and 119 more"),
        ("a.csv", "id,stratum,lon,lat,x,y,reference\n", "lacks point 1 and 119 more"),
        ("a.xlsx", b"PK", "neither GeoJSON nor CSV"),
    ],
)
def test_files_that_are_no_labelled_points(drawn, tmp_path, name, content, words):
    _, folder, _ = drawn
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((DataError, ConfigError), match=words):
        areas(folder, tmp_path / name, tmp_path / "out")


def test_a_stratum_of_one_pixel_is_refused_and_may_be_merged(tmp_path):
    pixels = ground()
    pixels[pixels == 0] = 1
    pixels[80, 80] = 0
    path = write(tmp_path / "map.tif", pixels)
    with pytest.raises(DataError, match=r'cleared has one pixel.*--merge "cleared=OTHER"'):
        sample(path, tmp_path / "s", WISH)
    sample(path, tmp_path / "s", replace(WISH, rule=StratumRule(merge=(("cleared", "forest"),))))
    areas(tmp_path / "s", label(tmp_path / "s", pixels), tmp_path)
    assert [row["class"] for row in rows_of(tmp_path / "areas.csv")] == list(NAMES)


def test_a_class_may_be_merged_into_the_buffer(tmp_path):
    pixels = ground()
    rule = StratumRule(("cleared",), buffer=3, merge=(("field", "buffer of cleared"),))
    sample(write(tmp_path / "map.tif", pixels), tmp_path / "s", replace(WISH, rule=rule))
    design = json.loads((tmp_path / "s" / "sample.json").read_text())
    near = (pixels == 1) & (ndimage.distance_transform_edt(pixels != 0) <= 3)
    sizes = {s["name"]: s["pixels"] for s in design["strata"]}
    assert list(sizes) == ["cleared", "forest", "buffer of cleared"]
    assert sizes["buffer of cleared"] == near.sum() + (pixels == 2).sum()
    areas(tmp_path / "s", label(tmp_path / "s", pixels), tmp_path)


def test_labels_are_not_overwritten(drawn):
    path, folder, _ = drawn
    with pytest.raises(ConfigError, match="name another folder"):
        sample(path, folder, BUFFERED)


def test_chips_show_the_points_pixel_at_each_date(tmp_path):
    """The images say where they are: red and green are the map's column and row; one is twice as fine."""
    path = write(tmp_path / "map.tif", ground())
    images = []
    for name, fine in (("a", 1), ("b", 2)):
        rows, cols = (np.arange(n * fine) // fine for n in (150, 170))
        bands = np.stack(np.broadcast_arrays(cols[None], rows[:, None], 0)).astype(np.uint8)
        kind = {"driver": "GTiff", "count": 3, "dtype": "uint8", "height": 150 * fine, "width": 170 * fine}
        place = TRANSFORM @ Affine.scale(1 / fine)
        with rasterio.open(tmp_path / f"{name}.tif", "w", crs="EPSG:32633", transform=place, **kind) as file:
            file.write(bands)
        images.append(tmp_path / f"{name}.tif")
    sample(path, tmp_path / "s", replace(WISH, points=15), images)
    seen = []
    for point in read_points(tmp_path / "s" / "points.csv"):
        picture = matplotlib.image.imread(tmp_path / "s" / "chips" / f"{point.number}.png")[..., :3]
        assert picture.shape[:2] == (360, 728)
        col, row = ~TRANSFORM @ (point.x, point.y)
        for date, left in enumerate((0, 368)):
            seen += [(date, int(col), 0, picture[180, left + 180, 0]), (date, int(row), 1, picture[180, left + 180, 1])]
            box = (picture[160:200, left + 160 : left + 200] == np.array([255, 230, 0], np.float32) / 255).all(axis=2)
            assert box.any() and ndimage.center_of_mass(box) == pytest.approx((20, 20), abs=1.5)
    seen = np.array(seen)
    for date in (0, 1):
        for axis in (0, 1):  # one stretch for all points: colour is linear in place, to less than a pixel
            mine = seen[(seen[:, 0] == date) & (seen[:, 2] == axis)]
            place, colour = mine[(mine[:, 3] > 0.01) & (mine[:, 3] < 0.99)][:, [1, 3]].T
            assert np.abs(np.polyval(np.polyfit(place, colour, 1), place) - colour).max() < 0.004


def test_imagery_that_does_not_fit_is_refused_before_anything_is_drawn(tmp_path):
    path = write(tmp_path / "map.tif", ground())
    with pytest.raises(ConfigError, match="has 1 bands, no band 4; name three"):
        sample(path, tmp_path / "s", WISH, [path], (4, 3, 2))
    far = write(tmp_path / "far.tif", ground(), transform=Affine(10, 0, 600_000, 0, -10, 6_600_000))
    with pytest.raises(DataError, match=r"shows no part of the map.*same place"):
        sample(path, tmp_path / "s", WISH, [far])
    assert not (tmp_path / "s").exists()


def test_an_image_of_far_finer_or_coarser_pixels_gives_chips_too(tmp_path):
    path = write(tmp_path / "map.tif", ground())
    for name, side in (("fine", 0.05), ("coarse", 500)):
        size = 4000 if side < 1 else 4
        kind = {"driver": "GTiff", "count": 1, "dtype": "uint16", "height": size, "width": size}
        place = Affine(side, 0, 300_800, 0, -side, 6_599_300)
        with rasterio.open(tmp_path / f"{name}.tif", "w", crs="EPSG:32633", transform=place, **kind) as file:
            file.write(np.arange(size**2, dtype=np.uint16).reshape(1, size, size))
        sample(path, tmp_path / name, replace(WISH, points=15), [tmp_path / f"{name}.tif"])
        assert len(list((tmp_path / name / "chips").glob("*.png"))) == 15


CHANGES = ((0, "no change"), (1, "deforestation"), (2, "urbanization"), (253, "within registration error"))


def change_map(path):
    """As `geoseg change` writes it."""
    pixels = np.choose(ground().clip(max=3), [1, 0, 2, 255]).astype(np.uint8)
    pixels[ndimage.distance_transform_edt(pixels != 2) == 1] = 253
    pixels[:10, :40] = 254
    return write(path, pixels, classes=[(value, name, "#000000") for value, name in [*CHANGES, (254, "unobserved")]])


def labelled_change(folder):
    """What lies within registration error is no change in truth, as all that is near change is."""
    rows = rows_of(folder / "points.csv")
    for row in rows:
        row["reference"] = row["stratum"] if row["stratum"] in ("deforestation", "urbanization") else "no change"
    return save(folder / "labelled.csv", rows)


@pytest.mark.parametrize(
    ("rule", "strata"),
    [
        (StratumRule(), [name for _, name in CHANGES]),
        (StratumRule(merge=(("within registration error", "no change"),)), [name for _, name in CHANGES[:3]]),
        (
            StratumRule(("deforestation", "urbanization"), buffer=2),
            [*(name for _, name in CHANGES[:3]), "buffer of deforestation, urbanization"],
        ),
    ],
)
def test_transitions_are_strata_and_what_is_set_aside_counts_as_no_change(tmp_path, rule, strata):
    path = change_map(tmp_path / "change.tif")
    images = [write(tmp_path / f"{day}.tif", ground(seed=day) + np.uint8(1), classes=None) for day in (1, 2)]
    sample(path, tmp_path / "s", replace(WISH, rule=rule), images)
    rows = rows_of(tmp_path / "s" / "points.csv")
    assert {row["stratum"] for row in rows} == set(strata)
    chip = matplotlib.image.imread(tmp_path / "s" / "chips" / "1.png")
    assert chip.shape[1] > 1.9 * chip.shape[0]  # both dates
    areas(tmp_path / "s", labelled_change(tmp_path / "s"), tmp_path)
    found = json.loads((tmp_path / "areas.json").read_text())
    assert [row["class"] for row in found["classes"]] == [name for _, name in CHANGES[:3]]
    assert found["overall_accuracy"]["overall_accuracy"] == 1
    for row in found["classes"]:
        assert_allclose(row["area_m2"], row["mapped_m2"], rtol=1e-9)


def test_change_that_is_set_aside_is_guessed_to_hide_as_much_as_a_buffer(tmp_path):
    path, points = change_map(tmp_path / "change.tif"), []
    for guess in (0.0, 0.3):
        wish = replace(WISH, rule=StratumRule(("urbanization",)), points=200, allocation="neyman")
        sample(path, tmp_path / str(guess), replace(wish, buffer_omissions=guess))
        points.append(sum(row["stratum"] == CHANGES[3][1] for row in rows_of(tmp_path / str(guess) / "points.csv")))
    assert points[0] == 5 < points[1] / 2


def test_class_names_are_no_formulas_in_tables_and_come_back(tmp_path):
    """X12: whether interpreters write the name as it is, or as the table has it."""
    classes = [(0, "=cleared()", "#e31a1c"), *CLASSES[1:]]
    pixels = ground()
    path = write(tmp_path / "map.tif", pixels, classes=classes)
    sample(path, tmp_path / "s", WISH)
    rows = rows_of(tmp_path / "s" / "points.csv")
    assert {row["stratum"] for row in rows} == {"'=cleared()", "forest", "field"}
    for number, row in enumerate(rows):
        row["reference"] = row["stratum"].lstrip("'") if number % 2 else row["stratum"]
    areas(tmp_path / "s", save(tmp_path / "labelled.csv", rows), tmp_path)
    found = rows_of(tmp_path / "areas.csv")
    assert [row["class"] for row in found] == ["'=cleared()", "forest", "field"]
    assert [float(row["users_accuracy"]) for row in found] == [1, 1, 1]


def test_commands(tmp_path):
    pixels = ground()
    path = write(tmp_path / "map.tif", pixels)
    asked = [
        "sample",
        str(path),
        str(tmp_path / "s"),
        "--target",
        "cleared",
        "--standard-error",
        "0.2",
        "--buffer",
        "3",
    ]
    done = CliRunner().invoke(geoseg, [*asked, "--min-points", "10"], catch_exceptions=False)
    assert done.exit_code == 0 and "buffer of cleared: " in done.output and "omissions are expected" in done.output
    label(tmp_path / "s", pixels)
    done = CliRunner().invoke(
        geoseg,
        ["areas", str(tmp_path / "s"), str(tmp_path / "s" / "labelled.csv"), str(tmp_path)],
        catch_exceptions=False,
    )
    assert done.exit_code == 0 and "overall accuracy 1.00" in done.output
    assert_array_equal([row["class"] for row in rows_of(tmp_path / "areas.csv")], NAMES)
