"""Change between dates: exact truth, the same from any strips, areas that add up, refusals."""

import csv
import json

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from numpy.testing import assert_array_equal
from pyproj import Geod
from rasterio import features
from scipy import ndimage

from geoseg.cli import geoseg
from geoseg.config import Change
from geoseg.errors import ConfigError, DataError
from geoseg.io.commit import sha256
from geoseg.io.delivery import change_files
from geoseg.stages.change import change
from tests.stages.change_maps import NAMES, TRANSFORM, deliver


def asked(**other):
    usual = {"seed": 0.6, "grow": 0.3, "min_area": 0.0, "registration": 0.0, "simplify": 0.0}
    return Change.model_validate({**usual, **other})


def own(name, before, after):
    return {"name": name, "from": before, "to": after}


def fields(seed=0, side=200):
    noise = np.random.default_rng(seed).normal(size=(4, side, side))
    return np.argmax(ndimage.gaussian_filter(noise, (0, 6, 6)), axis=0).astype(np.uint8)


def cleared(before):
    """Ground truth: a clearing, a building site and a lake that was not there."""
    after, value = before.copy(), np.zeros(before.shape, np.uint8)
    for rows, cols, new in ((slice(20, 60), slice(20, 70), 1), (slice(100, 130), slice(90, 140), 2)):
        after[rows, cols] = new
    value[(before == 0) & (after != 0) & (after != 3)] = 1
    value[(before != 2) & (after == 2) & (value == 0)] = 3
    return after, value


def run(tmp_path, before, after, settings, sure=(None, None), rows=None, out="out"):
    one = deliver(tmp_path / "one", "2019-05-01", before, sure[0])
    two = deliver(tmp_path / "two", "2024-05-01", after, sure[1])
    change([one, two], tmp_path / out, settings, rows)
    with rasterio.open(tmp_path / out / "change.tif") as file:
        return file.read(1), json.loads((tmp_path / out / "change.json").read_text())


def test_certain_maps_give_the_exact_change(tmp_path):
    before = fields()
    after, truth = cleared(before)
    names = ("deforestation", "reforestation", "urbanization")
    found, figures = run(tmp_path, before, after, asked(transitions=names))
    value = np.zeros_like(truth)
    value[truth == 1], value[truth == 3] = 1, 3
    assert_array_equal(found[truth > 0], value[truth > 0])
    assert set(np.unique(found[truth == 0])) <= {0, 2}
    assert figures["dates"] == ["2019-05-01", "2024-05-01"]
    assert figures["transitions"]["deforestation"]["from"] == ["forest"]
    assert figures["transitions"]["deforestation"]["to"] == ["pasture", "building"]


@pytest.mark.parametrize("rows", [3, 64])
def test_nothing_depends_on_the_strips(tmp_path, rows):
    before, rng = fields(), np.random.default_rng(1)
    after = np.roll(cleared(before)[0], 1, axis=1)
    before[5:9], after[:, -8:], after[-6:, :30] = 254, 254, 255
    sure = [np.where(m < 254, rng.integers(70, 251, m.shape), 255).astype(np.uint8) for m in (before, after)]
    settings = asked(registration=1.5, min_area=1500.0, simplify=1.0)
    one, said = run(tmp_path, before, after, settings, sure, out="whole")
    two, cut = run(tmp_path, before, after, settings, sure, rows, out="cut")
    assert_array_equal(one, two)
    for name in change_files(2):
        if not name.endswith(("csv", "html")):  # sums of floating-point numbers
            assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes(), name
    assert {v for v in np.unique(one) if v < 250} > {0} and (one == 253).any()
    assert cut["areas"]["observed_m2"] == pytest.approx(said["areas"]["observed_m2"], rel=1e-12)


def test_unobserved_on_either_date_stays_unobserved_and_is_counted(tmp_path):
    before = fields()
    after = cleared(before)[0]
    before[:30], after[:, 100:120], after[-10:] = 254, 254, 255
    found, figures = run(tmp_path, before, after, asked())
    unseen = (before == 254) | (after == 254)
    unseen[-10:] = False
    assert_array_equal(found == 254, unseen)
    assert (found[-10:] == 255).all()
    share = figures["areas"]["unobserved_m2"] / (unseen.sum() * 100)
    assert share == pytest.approx(1, abs=2e-3)  # UTM pixels of 10 m are 100 m2 but for the projection's scale
    with rasterio.open(tmp_path / "out/change_probability.tif") as file:
        assert_array_equal(file.read(1) == 255, found >= 254)


def test_a_shift_alone_is_no_change_and_is_said(tmp_path):
    before = fields()
    after = cleared(before)[0]
    found, figures = run(
        tmp_path, before, np.roll(after, (1, -1), axis=(0, 1)), asked(registration="auto", min_area="auto")
    )
    shift = figures["registration"]["shifts_px"][0]
    assert (shift["rows"], shift["cols"]) == pytest.approx((1, -1), abs=0.1)
    near = ndimage.binary_dilation(before != after, iterations=4)
    inside = slice(3, -3), slice(3, -3)  # the roll wraps
    false = ((found > 0) & (found < 250) & ~near)[inside].sum()
    assert (found == 253).sum() > 500
    plain, _ = run(tmp_path, before, np.roll(after, (1, -1), axis=(0, 1)), asked(plain=True), out="plain")
    plainly = ((plain > 0) & ~near)[inside].sum()
    assert plainly > 500 and false == 0


def test_plain_is_the_comparison_of_mapped_classes(tmp_path):
    before, after = fields(), fields(1)
    named = [own("loss", ["forest"], ["pasture", "building"]), own("flood", ["pasture"], ["water"])]
    found, _ = run(tmp_path, before, after, asked(plain=True, transitions=named))
    expected = np.zeros_like(before)
    expected[(before == 1) & (after == 3)] = 2
    expected[(before == 0) & np.isin(after, (1, 2))] = 1
    assert_array_equal(found, expected)


def test_areas_of_raster_table_and_polygons_agree(tmp_path):
    before = fields()
    after = cleared(before)[0]
    _, figures = run(tmp_path, before, after, asked())
    layer = geopandas.read_parquet(tmp_path / "out/events.parquet")
    areas = figures["areas"]
    for classes in zip(*areas["classes_by_date_m2"].values(), strict=True):
        assert sum(classes) == pytest.approx(areas["observed_m2"])
    for name, found in figures["transitions"].items():
        of = layer[layer["transition"] == name]
        assert of["area_m2"].sum() == pytest.approx(found["mapped_m2"], abs=1e-6)
        assert len(of) == found["events"]
        assert found["whole_m2"] >= found["mapped_m2"] - 1e-6
        assert sum(sum(row.values()) for row in found["from_to_m2"].values()) == pytest.approx(found["mapped_m2"])
    geod, degrees = Geod(ellps="WGS84"), layer.to_crs(4326)
    true = [abs(geod.geometry_area_perimeter(g)[0]) for g in degrees.geometry[:20]]
    np.testing.assert_allclose(layer["area_m2"][:20], true, rtol=1e-4)
    assert set(layer["first_date"]) == {"2019-05-01"} and set(layer["last_date"]) == {"2024-05-01"}


def test_events_say_from_to_and_how_sure(tmp_path):
    before, after = np.zeros((60, 60), np.uint8), np.zeros((60, 60), np.uint8)
    before[:, 30:] = 3
    before[50:, :30] = 1  # no part of any event
    after[:] = before
    after[10:20, 10:20], after[20:24, 10:20] = 1, 2
    sure = np.where(after == before, 250, 200).astype(np.uint8)
    found, _ = run(tmp_path, before, after, asked(transitions=("deforestation",)), (np.full_like(sure, 250), sure))
    layer = geopandas.read_parquet(tmp_path / "out/events.parquet")
    assert len(layer) == 1
    event = layer.iloc[0]
    assert (event["from"], event["to"], event["pixels"]) == ("forest", "pasture", 140)
    assert event["confidence"] == pytest.approx(0.8 + 0.2 / 3, abs=0.003)  # either class it may have become counts
    burned = features.rasterize(layer.geometry, found.shape, transform=TRANSFORM)
    assert_array_equal(burned, found == 1)


def test_weak_places_count_only_beside_strong_ones(tmp_path):
    before, after = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
    after[5:10, 5:20], after[25:30, 5:20] = 1, 1
    sure = np.full((40, 40), 250, np.uint8)
    sure[5:10, 5:20], sure[25:30, 5:20] = 100, 100  # p 0.4, and 0.2 that it is a building
    sure[7, 5] = 240
    found, _ = run(tmp_path, before, after, asked(transitions=[own("t", ["forest"], ["pasture"])]), (None, sure))
    assert (found[5:10, 5:20] == 1).all() and not (found[25:30] == 1).any()


def test_a_prior_that_knows_change_to_be_rare_takes_doubtful_change_back(tmp_path):
    before = fields()
    after = cleared(before)[0]
    sure = np.full(before.shape, 190, np.uint8)
    rare = {one: {two: 0.97 if one == two else 0.01 for two in NAMES} for one in NAMES}
    freely, _ = run(tmp_path, before, after, asked(seed=0.5), (sure, sure))
    held, figures = run(tmp_path, before, after, asked(seed=0.5, matrix=rare), (sure, sure), out="held")
    assert (freely == 1).any() and not (held == 1).any()
    assert "transition matrix" in figures["method"]["assumption"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"transitions": ["deforestration"]}, "did you mean deforestation"),
        ({"matrix": {"forest": {"forest": 1.0}}}, "pasture"),
        ({"matrix": {"wood": {"forest": 1.0}}}, "wood"),
        ({"matrix": {one: {one: 0.5} for one in NAMES}}, "0.5"),
    ],
)
def test_settings_that_cannot_be(tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words):
        run(tmp_path, fields(), fields(1), asked(**settings))
    assert not (tmp_path / "out").exists()


def test_maps_whose_shift_cannot_be_told_are_refused(tmp_path):
    with pytest.raises(DataError, match="state the registration error in pixels"):
        run(tmp_path, fields(), np.zeros((200, 200), np.uint8), asked(registration="auto"))


def test_the_command_takes_the_section_of_an_aoi_file(tmp_path):
    before = fields()
    one = deliver(tmp_path / "one", "2019-05-01", before)
    two = deliver(tmp_path / "two", "2024-05-01", cleared(before)[0])
    section = {"transitions": [own("clearing", ["forest"], ["pasture", "building"]), "urbanization"], "registration": 0}
    call = ["change", *map(str, (one, two, tmp_path / "out")), "--settings"]
    CliRunner().invoke(geoseg, [*call, json.dumps(section)], catch_exceptions=False)
    figures = json.loads((tmp_path / "out/change.json").read_text())
    assert list(figures["transitions"]) == ["clearing", "urbanization"]
    assert figures["transitions"]["clearing"]["to"] == ["pasture", "building"]
    assert figures["files"] == {name: sha256(tmp_path / "out" / name) for name in change_files(2)}
    with pytest.raises(ConfigError, match="an event grows from seed down to grow"):
        CliRunner().invoke(geoseg, [*call, '{"seed": 0.2}'], catch_exceptions=False)


def test_maps_in_degrees_have_areas_in_square_metres(tmp_path):
    before, place = fields(side=60), Affine(0.001, 0, -74.6, 0, -0.001, -8.3)
    for name, date, classes in (("one", "1985-08-01", before), ("two", "2020-08-01", cleared(before)[0])):
        deliver(tmp_path / name, date, classes, crs="EPSG:4326", transform=place, names=NAMES)
    change([tmp_path / "one", tmp_path / "two"], tmp_path / "out", asked())
    areas = json.loads((tmp_path / "out/change.json").read_text())["areas"]
    box = ([-74.6, -74.54, -74.54, -74.6], [-8.3, -8.3, -8.36, -8.36])
    assert areas["observed_m2"] == pytest.approx(abs(Geod(ellps="WGS84").polygon_area_perimeter(*box)[0]), rel=1e-4)


def test_small_holes_in_events_are_filled_and_clouds_are_not(tmp_path):
    before, after = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    after[5:25, 5:35] = 1
    after[10:12, 10:12], after[10:14, 20:24], after[20, 30] = 0, 0, 254  # 4 and 16 pixels that stayed, one cloud
    found, figures = run(tmp_path, before, after, asked(min_area="auto"))
    expected = np.zeros_like(before)
    expected[5:25, 5:35] = 1
    expected[10:14, 20:24], expected[20, 30] = 0, 254
    assert_array_equal(found, expected)
    assert figures["transitions"]["deforestation"]["mapped_m2"] == pytest.approx(100 * (expected == 1).sum(), rel=2e-3)


DATES = ("1985-08-01", "1990-08-01", "1995-08-01", "2005-08-01")


def spreading(tmp_path):
    """Forest that is cleared from the left: a quarter, then a place apart, then beside it; one cloud."""
    first = np.zeros((60, 80), np.uint8)
    first[50:], first[:, 70:] = 3, 1
    maps = [first.copy() for _ in DATES]
    for k, part in ((1, np.s_[5:25, 5:20]), (2, np.s_[5:25, 40:50]), (3, np.s_[5:25, 20:30])):
        for later in maps[k:]:
            later[part] = 1
    maps[1][5:25, 40:44] = 254  # the second date does not show some of what is cleared by the third
    maps[2][30:32, 30:34] = 1  # eight pixels that are forest again by the fourth
    sure = [np.where(m == 254, 255, 235).astype(np.uint8) for m in maps]
    return [deliver(tmp_path / d, d, m, s) for d, m, s in zip(DATES, maps, sure, strict=True)]


def test_a_series_tells_when_and_what_was_near(tmp_path):
    change(spreading(tmp_path), tmp_path / "out", asked(transitions=["deforestation"], min_area="auto"))
    events = geopandas.read_parquet(tmp_path / "out/events.parquet").sort_values("last_date")
    told = events[["first_date", "last_date", "from", "to", "pixels"]].to_numpy().tolist()
    assert told == [
        [DATES[0], DATES[1], "forest", "pasture", 300],
        [DATES[1], DATES[2], "forest", "pasture", 200],
        [DATES[2], DATES[3], "forest", "pasture", 200],
    ]
    first, second, _ = events["event"]
    assert events["earlier_event"].isna().tolist() == [True, False, False]
    assert events["earlier_event"].tolist()[1] == first and events["earlier_event"].tolist()[2] in (first, second)
    assert events["earlier_m"].tolist()[1:] == pytest.approx([200, 0], rel=1e-3)  # UTM is shorter than the ground here
    with rasterio.open(tmp_path / "out/change_date.tif") as file:
        when = file.read(1)
    assert [(when == k).sum() for k in (1, 2, 3)] == [300, 200, 200]
    assert (when[30:32, 30:34] == 0).all()


def test_the_annual_table_adds_up_and_gives_rates(tmp_path):
    change(spreading(tmp_path), tmp_path / "out", asked(transitions=["deforestation"], min_area="auto"))
    with (tmp_path / "out/annual.csv").open() as file:
        rows = list(csv.DictReader(file))
    figures = json.loads((tmp_path / "out/change.json").read_text())
    assert sum(float(row["area_m2"]) for row in rows) == pytest.approx(
        figures["transitions"]["deforestation"]["mapped_m2"]
    )
    told = {(row["first_date"], row["last_date"]): row for row in rows}
    seen = {pair: round(float(row["compared_m2"]) / 100) for pair, row in told.items()}
    first, third = told[DATES[0], DATES[1]], told[DATES[1], DATES[2]]
    assert list(seen) == sorted(seen) and seen[DATES[0], DATES[2]] == pytest.approx(80, rel=1e-3)  # the cloud
    assert seen[DATES[0], DATES[1]] == seen[DATES[1], DATES[2]] == pytest.approx(4800 - 80, abs=5)
    assert [row["dates_before"] + row["dates_after"] for row in (first, third)] == ["13", "22"]
    years, area, source = (float(first[name]) for name in ("years", "area_m2", "from_m2"))
    assert years == pytest.approx(5, abs=0.01) and float(first["m2_per_year"]) == pytest.approx(area / years)
    assert float(first["gross_rate_puyravaud"]) == pytest.approx(np.log((source - area) / source) / years)
    assert float(first["gross_rate_fao"]) == pytest.approx(((source - area) / source) ** (1 / years) - 1)


def test_sensitivity_is_what_other_thresholds_would_map(tmp_path):
    before, after = fields(), cleared(fields())[0]
    rng = np.random.default_rng(3)
    sure = [rng.integers(120, 250, before.shape).astype(np.uint8) for _ in range(2)]
    run(tmp_path, before, after, asked(transitions=["deforestation"]), sure)
    with (tmp_path / "out/sensitivity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["threshold"]) for row in rows] == [0.3, 0.4, 0.5, 0.6, 0.7]
    for row in (rows[0], rows[-1]):
        t = float(row["threshold"])
        _, figures = run(
            tmp_path, before, after, asked(transitions=["deforestation"], seed=t, grow=t), sure, out="other"
        )
        whole = figures["transitions"]["deforestation"]["whole_m2"]
        assert float(row["area_m2"]) == pytest.approx(whole)
        assert float(row["area_from_min_area_m2"]) == pytest.approx(whole)  # the smallest area is 0


def test_the_page_says_what_the_tables_say(tmp_path):
    change(spreading(tmp_path), tmp_path / "out", asked(transitions=["deforestation"], min_area="auto"))
    text = (tmp_path / "out/change.html").read_text()
    area = json.loads((tmp_path / "out/change.json").read_text())["transitions"]["deforestation"]["mapped_m2"]
    assert f"{area / 1e4:.1f} ha" in text or f"{area / 1e4:.2f} ha" in text
    assert "1990-08-01 to 1995-08-01" in text and text.count("<img ") == 2 and "<script" not in text


def test_a_series_that_becomes_a_pair_leaves_no_dates_behind(tmp_path):
    folders, out = spreading(tmp_path), tmp_path / "out"
    change(folders, out, asked(transitions=["deforestation"]))
    assert {p.name for p in out.iterdir() if p.suffix != ".xml"} == {*change_files(4), "change.json"}
    change(folders[::3], out, asked(transitions=["deforestation"]))
    assert {p.name for p in out.iterdir() if p.suffix != ".xml"} == {*change_files(2), "change.json"}
    assert not (out / "change_date.tif.aux.xml").exists()


def test_transitions_and_dates_that_a_map_cannot_hold_are_refused(tmp_path):
    folders = [deliver(tmp_path / str(y), f"{y}-01-01", fields(y % 7, 20)) for y in range(1960, 2013)]
    with pytest.raises(ConfigError, match=r"5 transitions over 53 dates"):
        change(
            folders,
            tmp_path / "out",
            asked(transitions=["deforestation", "reforestation", "urbanization", "water_gain", "water_loss"]),
        )


@pytest.mark.parametrize("dates", [2, 3])
def test_nothing_that_changed_is_a_result_too(tmp_path, dates):
    sure = [np.full((30, 40), 240 + k, np.uint8) for k in range(dates)]
    still = fields(side=40)[:30]
    folders = [deliver(tmp_path / str(k), f"20{k}0-01-01", still, sure[k]) for k in range(dates)]
    change(folders, tmp_path / "out", asked(transitions=["deforestation"], min_area=1e12))
    figures = json.loads((tmp_path / "out/change.json").read_text())
    assert figures["transitions"]["deforestation"]["mapped_m2"] == 0
    assert len(geopandas.read_parquet(tmp_path / "out/events.parquet")) == 0
    with (tmp_path / "out/annual.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == dates - 1 and float(rows[0]["gross_rate_fao"]) == 0


def test_what_comes_of_it_does_not_go_where_a_map_is(tmp_path):
    folders = spreading(tmp_path)
    with pytest.raises(ConfigError, match="holds a map that is compared"):
        change(folders, folders[1], asked())


def test_maps_events_and_table_tell_the_same_dates(tmp_path):
    """Noise dates small parts of events otherwise; they join, in the map as well."""
    rng, maps = np.random.default_rng(5), []
    first = np.zeros((90, 90), np.uint8)
    first[:, 60:] = 1
    when = np.where(np.add.outer(np.zeros(90), np.arange(90)) < 20, 1, 2)
    when = np.where(rng.random(when.shape) < 0.2, 3 - when, when)
    for k in range(3):
        later = first.copy()
        later[10:80, 5:40][when[10:80, 5:40] <= k] = 1
        maps.append(later)
    folders = [deliver(tmp_path / str(k), f"20{k}0-01-01", m) for k, m in enumerate(maps)]
    change(folders, tmp_path / "out", asked(transitions=["deforestation"], min_area="auto"))
    events = geopandas.read_parquet(tmp_path / "out/events.parquet")
    with rasterio.open(tmp_path / "out/change_date.tif") as file:
        dates = file.read(1)
    assert events["pixels"].min() >= 9 and len(events) > 1
    assert (events["first_date"] < events["last_date"]).all()
    with (tmp_path / "out/annual.csv").open() as file:
        rows = {row["last_date"]: row for row in csv.DictReader(file) if row["events"] != "0"}
    for k in (1, 2):
        day = f"20{k}0-01-01"
        here = events[events["last_date"] == day]
        assert here["pixels"].sum() == (dates == k).sum() > 0
        assert float(rows[day]["area_m2"]) == pytest.approx(here["area_m2"].sum())


def test_outlines_of_events_are_straight_within_the_tolerance(tmp_path):
    before = np.zeros((80, 80), np.uint8)
    before[:, 70:] = 3
    after = np.where(np.tri(80, k=-20, dtype=bool), 1, before).astype(np.uint8)
    run(tmp_path, before, after, asked(transitions=["deforestation"]), out="steps")
    run(tmp_path, before, after, asked(transitions=["deforestation"], simplify=1.0), out="lines")
    steps, lines = (geopandas.read_parquet(tmp_path / name / "events.parquet") for name in ("steps", "lines"))
    assert steps.count_coordinates().sum() > 100 and lines.count_coordinates().sum() < 12
    assert steps.geometry[0].hausdorff_distance(lines.geometry[0]) <= 10 + 1e-6
    assert steps["area_m2"].equals(lines["area_m2"])
