"""What may be compared, and each refusal by its words."""

import numpy as np
import pytest
from affine import Affine
from numpy.testing import assert_array_equal

from geoseg.errors import ConfigError, DataError
from geoseg.grid.window import Window
from geoseg.stages.change_guard import guarded
from tests.stages.change_maps import TRANSFORM, deliver


def fields(seed=0, shape=(40, 50)):
    return np.random.default_rng(seed).integers(0, 4, shape, np.uint8)


def pair(tmp_path, before=None, after=None, **later):
    one = deliver(tmp_path / "one", "2019-05-01", fields() if before is None else before)
    return one, deliver(
        tmp_path / "two", later.pop("date", "2024-05-01"), fields(1) if after is None else after, **later
    )


def test_maps_of_different_extents_are_compared_where_both_are(tmp_path):
    moved = Affine.translation(30, -50) @ TRANSFORM  # 3 columns east, 5 rows south
    one, two = fields(0), fields(1, (45, 60))
    with guarded(*pair(tmp_path, one, two, transform=moved)) as both:
        assert both.geobox.shape == (35, 47)
        assert both.geobox.transform == moved
        before, after = both.read(Window(2, 1, 10, 8))
        assert_array_equal(before.classes, one[6:14, 5:15])
        assert_array_equal(after.classes, two[1:9, 2:12])
        assert [w.height for w in both.strips(10)] == [10, 10, 10, 5]


@pytest.mark.parametrize(
    ("later", "words"),
    [
        ({"date": "2019-05-01"}, "both map 2019-05-01; change needs two different dates"),
        ({"date": "2014-05-01"}, "the dates are reversed.*Name the earlier folder first"),
    ],
)
def test_dates_equal_or_reversed(tmp_path, later, words):
    with pytest.raises(ConfigError, match=words), guarded(*pair(tmp_path, **later)):
        pass


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (
            {"names": ("forest", "pasture", "road", "water")},
            "only maps of the same classes.*Run both dates with one model",
        ),
        ({"GEOSEG_MODEL_SHA256": "cd" * 32}, "cdcdcdcdcdcd.*Run both dates with one model"),
        ({"GEOSEG_MODEL": "landsat-forest 1.1"}, "landsat-forest 1.1.*Run both dates with one model"),
        ({"GEOSEG_MODEL_SHA256": None}, "does not say its model; name a map that geoseg run made"),
        ({"GEOSEG_DATE": None, "GEOSEG_CLASSES": None}, "does not say its classes or date"),
        ({"crs": "EPSG:32719"}, "EPSG:32718 and EPSG:32719. Run both dates from one AOI file"),
        ({"transform": TRANSFORM @ Affine.scale(2)}, "10 and 20 wide. Run both"),
        ({"transform": TRANSFORM @ Affine.translation(0.2, 4.6)}, "0.20 columns and 0.40 rows out of step. Run both"),
        ({"transform": TRANSFORM @ Affine.translation(50, 0)}, "do not overlap.*Name two dates of the same area"),
    ],
)
def test_maps_that_do_not_go_together(tmp_path, later, words):
    with pytest.raises(DataError, match=words), guarded(*pair(tmp_path, **later)):
        pass


def test_one_scene_under_two_dates(tmp_path):
    with (
        pytest.raises(DataError, match=r"one scene under two dates. Correct the scenes"),
        guarded(*pair(tmp_path, after=fields())),
    ):
        pass


def test_a_date_that_is_all_cloud(tmp_path):
    folders = pair(tmp_path, after=np.full((40, 50), 254, np.uint8))
    with pytest.raises(DataError, match=r"^2024-05-01 shows no ground.*another scene for that date"), guarded(*folders):
        pass


def test_no_ground_that_both_dates_show(tmp_path):
    one, two = fields(), fields()
    one[:20], two[20:] = 254, 254
    with (
        pytest.raises(DataError, match=r"no ground is seen on both.*Choose another scene"),
        guarded(*pair(tmp_path, one, two)),
    ):
        pass


def test_a_folder_without_maps(tmp_path):
    one, two = pair(tmp_path)
    (two / "confidence.tif").unlink()
    with pytest.raises(DataError, match=r"has no confidence.tif; name a folder of results"), guarded(one, two):
        pass


def test_maps_of_one_folder_on_two_grids(tmp_path):
    one, two = pair(tmp_path)
    deliver(tmp_path / "else", "2024-05-01", fields(), transform=TRANSFORM @ Affine.translation(1, 0))
    (tmp_path / "else/confidence.tif").replace(two / "confidence.tif")
    with pytest.raises(DataError, match=r"not on the same grid; run that date again"), guarded(one, two):
        pass
