"""What a plan makes of settings, card and scenes: patches, blends, views, and one grid for all dates."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from affine import Affine
from odc.geo.geobox import GeoBox

from geoseg.config import GridSection, Tiling, Views
from geoseg.errors import ConfigError, DataError, ModelError
from geoseg.grid.area import AreaGeometry
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.io.scenes import SceneInfo
from geoseg.stages.grid_choice import choose_lattice
from geoseg.stages.plan import check_scales, make_plan, patch_plan, plan, request
from geoseg.stages.segment import SegmentOptions, _views
from tests.bundles import card, tiny_bundle
from tests.scenes import ORIGIN, small_town, write_scene

NAIP = Path(__file__).parents[2] / "../shared/data/naip_nd"
CARD = card(patch_size=1024, halo=192, blend=64, radius=150)


@pytest.mark.parametrize(
    "tiling, views, plan",
    [
        ({}, {}, PatchPlan(1024, 192, 32, 64)),
        ({"blend": 0}, {}, PatchPlan(1024, 192, 32)),
        ({"halo": 96}, {"scales": [0.5, 1]}, PatchPlan(1024, 96, 32, 64)),
        ({}, {"scales": [0.5, 1]}, PatchPlan(1024, 384, 32, 64)),
        ({}, {"symmetry": "all"}, PatchPlan(1024, 192, 32, 64)),
        ({"exact": True}, {"symmetry": "all"}, PatchPlan(1024, 160, 32)),
    ],
)
def test_patches_are_the_cards_or_as_asked_for(tiling, views, plan):
    assert patch_plan(Tiling(**tiling), CARD, Views(**views)) == plan


@pytest.mark.parametrize(
    "tiling, views, words",
    [
        ({"halo": 32}, {}, r"blend 64 reaches beyond halo 32 .* set it to at most 32"),
        ({"patch_size": 64}, {}, r"half of patch_size 64; set it to at most 32"),
        ({"exact": True}, {"scales": [0.5, 1]}, r"no halo is exact for views: scales: \[0\.5, 1\.0\]; leave one"),
    ],
)
def test_patches_that_cannot_be_are_refused(tiling, views, words):
    with pytest.raises(ConfigError, match=words) as caught:
        patch_plan(Tiling(**tiling), CARD, Views(**views))
    assert caught.value.exit_code == 2


def test_scales_show_the_ground_as_the_model_has_seen_it():
    check_scales(Views(scales=[0.5, 1, 2]), 0.8, CARD)  # it knows pixels of 0.4 to 2 m
    check_scales(Views(), 8.0, CARD)  # whether the imagery fits is asked elsewhere
    with pytest.raises(ConfigError, match=r"scales: 4 shows pixels of 0\.2 m; .* Use scales from 0\.4 to 2$"):
        check_scales(Views(scales=[1, 4]), 0.8, CARD)


def test_flags_are_views():
    assert _views(SegmentOptions()) == Views()
    asked = SegmentOptions(symmetry="mirror", scales="0.75, 1,1.5")
    assert _views(asked) == Views(symmetry="mirror", scales=[0.75, 1, 1.5])


@dataclass(frozen=True)
class Scale:
    """What the choice of a grid asks of a model."""

    gsd: float = 1.0
    gsd_range: tuple[float, float] = (0.4, 2.0)


def scene_at(left=0.0, top=0.0, gsd=0.8, crs="EPSG:32640"):
    """A scene of 100 x 80 px whose corner is so far from a whole pixel."""
    transform = Affine(gsd, 0, 400_000 + left, 0, -gsd, 2_800_000 + top)
    return SceneInfo(GeoBox((80, 100), transform, crs), ("uint8",))


@pytest.mark.parametrize(
    "scenes, grid, expected",
    [
        ([scene_at(0.3, 0.5), scene_at(8.3, -7.5)], {}, ("EPSG:32640", 0.8, 0.3, 0.5)),  # their own pixels
        ([scene_at(0.3, 0.5), scene_at(8.2, -7.5)], {}, ("EPSG:32640", 0.8, 0, 0)),  # not in step
        ([scene_at(gsd=0.8), scene_at(gsd=0.805)], {}, ("EPSG:32640", 0.8, 0, 0)),
        ([scene_at(gsd=0.8), scene_at(gsd=0.82)], {}, ("EPSG:32640", 1, 0, 0)),  # two scales
        ([scene_at(gsd=0.2), scene_at(0.1, gsd=0.2)], {}, ("EPSG:32640", 1, 0, 0)),  # finer than the model takes
        ([scene_at(), scene_at(crs="EPSG:32639")], {}, ("EPSG:32640", 1, 0, 0)),  # two zones: that of the area
        ([scene_at(crs="EPSG:3857"), scene_at(0.3, crs="EPSG:3857")], {}, ("EPSG:3857", 0.8, 0, 0)),
        ([scene_at(), scene_at(0.3)], {"gsd": 0.5}, ("EPSG:32640", 0.5, 0, 0)),
        ([scene_at(), scene_at(0.3)], {"gsd": 0.8}, ("EPSG:32640", 0.8, 0, 0)),
        ([scene_at(), scene_at(0.3)], {"crs": "EPSG:32639"}, ("EPSG:32639", 1, 0, 0)),
    ],
)
def test_a_grid_takes_from_the_scenes_what_they_share(scenes, grid, expected):
    area = AreaGeometry(scene_at().geobox.extent.geom, "EPSG:32640")
    found = choose_lattice(GridSection(**grid), Scale(), scenes, area)
    assert (found.crs, found.resolution) == expected[:2]
    assert (found.phase_x, found.phase_y) == pytest.approx(expected[2:], abs=1e-6)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny").folder


def dated(folder, model, scenes, **sections):
    """An AOI file of one scene, or one entry, a date; `sections` replace its own."""
    entries = {day: {"scenes": [s if isinstance(s, dict) else str(s)]} for day, s in scenes.items()}
    content = {"area": {"scenes": True}, "model": str(model), "dates": entries, **sections}
    (folder / "area.yaml").write_text(yaml.safe_dump(content))
    return folder / "area.yaml"


def town(path, left=0.0, top=0.0, **changes):
    image = np.maximum(small_town().image(), 1)
    origin = (ORIGIN[0] + left, ORIGIN[1] + top)
    return write_scene(path, image, **{"origin": origin, "names": ("red", "green", "blue"), **changes})


def test_all_dates_lie_on_one_grid_whichever_is_planned(model, tmp_path):
    shifts = {"2020-01-01": (0.8, -1.6), "2022-01-01": (2.3, 0.7), "2019-01-01": (0, 0.2)}
    scenes = {day: town(tmp_path / f"{day}.tif", *shift) for day, shift in shifts.items()}
    aoi = dated(tmp_path, model, scenes)
    plans = {day: plan(aoi, day, tmp_path / f"{day}.json") for day in scenes}
    assert {p.lattice for p in plans.values()} == {Lattice("EPSG:32640", 0.8)}
    assert [p.window.shape for p in plans.values()] == [(48, 64), (49, 65), (49, 64)]  # what each date's scene touches
    assert plans["2020-01-01"].notes == ()  # its pixels are the grid's
    note = "1 of 1 scenes were resampled (bilinear) onto the grid, which all dates share"
    assert plans["2022-01-01"].notes == plans["2019-01-01"].notes == (note,)
    alone = dated(tmp_path, model, {"2022-01-01": scenes["2022-01-01"]})
    assert make_plan(request(alone, "2022-01-01"), tmp_path).notes == ()


def test_the_grid_is_that_of_the_first_date_to_the_last_digit(model, tmp_path):
    """Scenes that agree to a thousandth pixel are one grid, but the numbers of only one of them."""
    scenes = {f"202{n}-01-01": town(tmp_path / f"{n}.tif", 0.3 + 1e-5 * n) for n in (2, 0, 1)}
    aoi = dated(tmp_path, model, scenes)
    first, *others = [make_plan(request(aoi, day), tmp_path).lattice for day in scenes]
    assert all(other == first for other in others)
    assert first.phase_x == pytest.approx(0.3, abs=1e-9)


def test_dates_of_two_zones_lie_on_one_grid(model, tmp_path):
    """Where the area is what the scenes cover, that of all dates decides, for each date alone lies in another zone."""
    west = town(tmp_path / "west.tif", crs="EPSG:32639", origin=(780_000.0, 2_800_000.0))
    east = town(tmp_path / "east.tif", crs="EPSG:32640", origin=(220_000.0, 2_800_000.0))
    aoi = dated(tmp_path, model, {"2020-01-01": west, "2021-01-01": east})
    plans = [make_plan(request(aoi, day), tmp_path) for day in ("2020-01-01", "2021-01-01")]
    assert plans[0].lattice == plans[1].lattice
    assert plans[0].lattice.gsd == 1
    assert plans[0].window.intersect(plans[1].window) is None  # each maps its own ground


@pytest.mark.parametrize(
    "other, kind, words",
    [
        ({"names": ("red", "green", "grey")}, ModelError, "blue"),
        ({"crs": None}, DataError, "assume_crs"),
    ],
)
def test_a_scene_of_another_date_that_cannot_be_used_is_named(model, tmp_path, other, kind, words):
    scenes = {"2020-01-01": town(tmp_path / "good.tif"), "2021-06-30": town(tmp_path / "bad.tif", **other)}
    with pytest.raises(kind) as caught:
        make_plan(request(dated(tmp_path, model, scenes), "2020-01-01"), tmp_path)
    assert str(caught.value).startswith("2021-06-30, whose grid this date shares: ")
    assert "bad.tif" in str(caught.value) and words in str(caught.value)


def test_a_scene_of_another_date_that_is_cut_off_is_named(model, tmp_path):
    scenes = {"2020-01-01": town(tmp_path / "good.tif"), "2021-06-30": town(tmp_path / "bad.tif")}
    bad = tmp_path / "bad.tif"
    aoi = dated(tmp_path, model, scenes)
    bad.write_bytes(bad.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"2021-06-30, whose grid this date shares: .*bad\.tif is cut off"):
        make_plan(request(aoi, "2020-01-01"), tmp_path)
    bad.unlink()
    with pytest.raises(ConfigError, match=r"bad\.tif"):
        request(aoi, "2020-01-01")


@pytest.mark.skipif(not NAIP.is_dir(), reason="shared/data/naip_nd is not here")
def test_naip_dates_that_are_out_of_step_share_a_grid(tmp_path):
    """Three flights of one quarter quad: 5 m, EPSG:26914, 2 m and 1 m and a row off each other."""
    bands = ["red", "green", "blue", "nir08"]
    taken = {"bands": bands, "mean": [0.5] * 4, "std": [0.25] * 4, "gsd": 4.0, "gsd_range": (3.0, 8.0)}
    model = tiny_bundle(tmp_path / "model", **taken).folder
    files = sorted(NAIP.glob("*.tif"))
    days = [f"{f.stem[-8:-4]}-{f.stem[-4:-2]}-{f.stem[-2:]}" for f in files]
    scenes = {day: {"path": str(f.resolve()), "bands": [*bands]} for day, f in zip(days, files, strict=True)}
    aoi = dated(tmp_path, model, scenes)
    plans = [make_plan(request(aoi, day), tmp_path) for day in days]
    assert {p.lattice for p in plans} == {Lattice("EPSG:26914", 5.0)}  # their GSD, not the model's
    assert [len(p.notes) for p in plans] == [1, 0, 1]  # 2014 starts at whole multiples of 5 m
    for one, two in pairwise(plans):
        both = one.window.intersect(two.window)
        assert both is not None and min(both.shape) > 720
