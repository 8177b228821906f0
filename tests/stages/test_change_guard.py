"""What may be compared, and each refusal by its words."""

import numpy as np
import pytest
from affine import Affine
from numpy.testing import assert_array_equal

from geoseg.errors import ConfigError, DataError
from geoseg.grid.window import Window
from geoseg.raster.transitions import expanded
from geoseg.stages.change_guard import guarded
from tests.stages.change_maps import TRANSFORM, deliver

DATES = ("2019-05-01", "2021-05-01", "2024-05-01")
SHAPE = (40, 50)
CLOUD = np.full(SHAPE, 254, np.uint8)


def fields(seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 4, shape, np.uint8)


def folders(tmp_path, dates=2, maps=(), **last):
    """Delivered dates, the last with what is said of it; of each its `maps`, or fields of its own."""
    made = [maps[k] if k < len(maps) else fields(k) for k in range(dates)]
    days = [*DATES[: dates - 1], last.pop("date", DATES[-1])]
    said = [{}] * (dates - 1) + [last]
    return [
        deliver(tmp_path / f"of-{n}", day, classes, **more)
        for n, (day, classes, more) in enumerate(zip(days, made, said, strict=True))
    ]


def refused(kind, words, named):
    with pytest.raises(kind, match=words), guarded(named):
        pass


def test_maps_of_different_extents_are_compared_where_all_are(tmp_path):
    moved = TRANSFORM @ Affine.translation(3, 5)
    maps = fields(0), fields(1), fields(2, (45, 60))
    with guarded(folders(tmp_path, 3, maps, transform=moved)) as series:
        assert series.geobox.shape == (35, 47)
        assert series.geobox.transform == moved
        assert series.names == ["forest", "pasture", "building", "water"]
        assert [str(d.date) for d in series.dates] == list(DATES)
        found = series.classes(Window(2, 1, 10, 8))
        parts = [m[6:14, 5:15] for m in maps[:2]] + [maps[2][1:9, 2:12]]
        assert_array_equal(found, parts)
        assert_array_equal(series.pair(1).classes(Window(2, 1, 10, 8)), parts[1:])
        assert_array_equal(series.probs(Window(2, 1, 10, 8)), [expanded(p, np.full_like(p, 230), 4) for p in parts])
        assert [w.height for w in series.strips(10)] == [10, 10, 10, 5]


@pytest.mark.parametrize("folder", [".", "work"])
def test_all_probabilities_are_read_where_every_date_has_them(tmp_path, folder):
    rng = np.random.default_rng(0)
    named = []
    for n, day in enumerate(DATES):
        probs = np.rint(rng.dirichlet(np.ones(4), SHAPE).transpose(2, 0, 1) * 250).astype(np.uint8)
        classes, confidence = probs.argmax(axis=0).astype(np.uint8), probs.max(axis=0)
        classes[n], confidence[n] = 254, 255
        named.append(deliver(tmp_path / day, day, classes, confidence, probs=probs))
        (named[-1] / folder).mkdir(exist_ok=True)
        (named[-1] / "probs.tif").rename(named[-1] / folder / "probs.tif")
        probs[:, n] = 255
        window = Window(0, 0, 50, 9)
        if n:
            with guarded(named) as series:
                assert_array_equal(series.probs(window)[n], probs[:, :9])
    (named[1] / folder / "probs.tif").unlink()
    with guarded(named) as series:
        assert_array_equal(series.probs(window)[2], expanded(classes[:9], confidence[:9], 4))


@pytest.mark.parametrize("dates", [2, 3])
@pytest.mark.parametrize(
    ("day", "words"),
    [
        (DATES[0], "of-0 and .*both map 2019-05-01; change needs different dates"),
        ("2014-05-01", "the dates are reversed: .* the earlier 2014-05-01. Name the earlier folder first"),
    ],
)
def test_dates_equal_or_reversed_anywhere(tmp_path, dates, day, words):
    refused(ConfigError, words, folders(tmp_path, dates, date=day))


def test_too_few_folders_or_one_twice(tmp_path):
    one, two = folders(tmp_path)
    refused(ConfigError, "two dates or more, and none was named; name the folders", [])
    refused(ConfigError, "two dates or more, and 1 was named; name the folders", [one])
    refused(ConfigError, "are one folder; name the folders of different dates", [one, two, two / ".." / one.name])


@pytest.mark.parametrize("dates", [2, 3])
@pytest.mark.parametrize(
    ("last", "words"),
    [
        (
            {"names": ("forest", "pasture", "road", "water")},
            "only maps of the same classes.*Run all dates with one model",
        ),
        ({"GEOSEG_MODEL_SHA256": "cd" * 32}, "cdcdcdcdcdcd.*Run all dates with one model"),
        ({"GEOSEG_MODEL": "landsat-forest 1.1"}, "landsat-forest 1.1.*Run all dates with one model"),
        (
            {"GEOSEG_CARD_SHA256": "34" * 32},
            "same weights, but with different cards.*121212121212 and sha256 343434343434.*normalization, calibration "
            "or classes differ.*Run all dates with one model",
        ),
        ({"GEOSEG_MODEL_SHA256": None}, "does not say its model; name a map that geoseg run made"),
        ({"GEOSEG_DATE": None, "GEOSEG_CLASSES": None}, "does not say its classes or date"),
        ({"crs": "EPSG:32719"}, "EPSG:32718 and EPSG:32719. Run all dates from one AOI file"),
        ({"transform": TRANSFORM @ Affine.scale(2)}, "10 and 20 wide. Run all"),
        ({"transform": TRANSFORM @ Affine.translation(0.2, 4.6)}, "0.20 columns and 0.40 rows out of step. Run all"),
        (
            {"transform": TRANSFORM @ Affine.translation(50, 0)},
            "of-0 and .* do not overlap.*Name dates of the same area",
        ),
    ],
)
def test_maps_that_do_not_go_together(tmp_path, dates, last, words):
    refused(DataError, words, folders(tmp_path, dates, **last))


def test_a_map_of_an_early_version_says_no_card_and_is_compared_by_its_weights(tmp_path):
    with guarded(folders(tmp_path, GEOSEG_CARD_SHA256=None)) as series:
        assert [d.card_sha256 for d in series.dates] == ["12" * 32, None]


@pytest.mark.parametrize("dates", [2, 3])
@pytest.mark.parametrize("sure", [True, False])
def test_one_scene_under_two_dates(tmp_path, dates, sure):
    """With probabilities of all classes, those tell."""
    maps = [fields(k) for k in range(dates - 1)]
    named = folders(tmp_path, dates, [*maps, maps[-1]])
    words = f"maps of {DATES[dates - 2]} and 2024-05-01 are the same .* one scene under two dates. Correct the scenes"
    refused(DataError, words, named)
    for folder, day, classes in zip(named, [*DATES[: dates - 1], DATES[-1]], [*maps, maps[-1]], strict=True):
        probs = expanded(classes, np.full_like(classes, 230), 4)
        if day == DATES[-1] and not sure:
            probs[:, 0, 0] = np.roll(probs[:, 0, 0], 1)
        deliver(folder, day, classes, probs=probs)
    if sure:
        refused(DataError, words, named)
    else:
        with guarded(named) as series:
            assert len(series.dates) == dates


@pytest.mark.parametrize("dates", [2, 3])
def test_a_date_that_is_all_cloud(tmp_path, dates):
    maps = [fields(k) for k in range(dates - 1)]
    refused(
        DataError, "^2024-05-01 shows no ground.*another scene for that date", folders(tmp_path, dates, [*maps, CLOUD])
    )


@pytest.mark.parametrize("dates", [2, 3])
def test_no_ground_that_two_dates_show(tmp_path, dates):
    maps = [fields() for _ in range(dates)]
    for n, pixels in enumerate(maps):
        pixels[np.arange(SHAPE[0]) % dates != n] = 254
    refused(
        DataError,
        f"no ground is seen on two of the dates {', '.join([*DATES[: dates - 1], DATES[-1]])}.*Choose another scene",
        folders(tmp_path, dates, maps),
    )
    maps[0][3, 3] = maps[1][3, 3] = 1
    if dates == 3:
        with guarded(folders(tmp_path, 3, maps)) as series:
            assert len(series.dates) == 3


def test_a_folder_without_maps(tmp_path):
    named = folders(tmp_path, 3)
    (named[1] / "confidence.tif").unlink()
    refused(DataError, r"of-1 has no confidence.tif; name a folder of results", named)


def test_maps_of_one_folder_on_two_grids(tmp_path):
    one, two = folders(tmp_path)
    deliver(tmp_path / "else", DATES[-1], fields(), transform=TRANSFORM @ Affine.translation(1, 0))
    (tmp_path / "else/confidence.tif").replace(two / "confidence.tif")
    refused(DataError, r"not on the same grid; run that date again", [one, two])


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"transform": TRANSFORM @ Affine.translation(1, 0)}, "is not on the same grid as"),
        ({"probs": np.zeros((3, *SHAPE), np.uint8)}, "has 3 bands for the 4 classes of"),
        ({"names": ("forest", "water", "building", "pasture")}, "names other classes than"),
        ({"date": DATES[0]}, "is of another date than"),
        ({"GEOSEG_CARD_SHA256": "34" * 32}, "was made by another model than"),
    ],
)
def test_probabilities_that_were_not_made_with_the_map(tmp_path, other, words):
    one, two = folders(tmp_path)
    made = {"date": DATES[-1], "classes": fields(), "probs": np.zeros((4, *SHAPE), np.uint8), **other}
    (deliver(tmp_path / "else", **made) / "probs.tif").replace(two / "probs.tif")
    refused(DataError, f"probs.tif {words} .*landcover.tif; run that date again, or delete probs.tif", [one, two])


def test_classes_without_a_name_or_a_probability(tmp_path):
    one, two = folders(tmp_path, maps=[fields(), np.where(fields(1) == 2, 4, fields(1)).astype(np.uint8)])
    refused(DataError, "of-1/landcover.tif holds the value 4, which it does not name; run that date again", [one, two])
    deliver(two, DATES[-1], fields(1), np.full(SHAPE, 255, np.uint8))
    with guarded([one, two]) as series, pytest.raises(DataError, match="no probability; run that date again"):
        series.probs(Window(0, 0, 5, 5))
