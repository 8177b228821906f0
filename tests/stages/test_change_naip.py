"""Real imagery of three dates, each on a grid of its own: what may not be compared, and how far dates lie apart.

No model has been fitted to these scenes, so the maps are clusters of their colours: classes without a meaning, which
is all that the guard and the shift look at.
"""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.warp import Resampling, reproject
from scipy import ndimage
from skimage.registration import phase_cross_correlation
from sklearn.cluster import KMeans

from geoseg.errors import DataError
from geoseg.raster.registration import combined, layers, spread_windows, window_shift
from geoseg.stages.change_guard import guarded
from tests.stages.change_maps import deliver

NAIP = Path(__file__).parents[2] / "../shared/data/naip_nd"
DAYS = ("2009-08-18", "2014-07-20", "2020-08-31")
FILES = [NAIP / f"m_4709963_se_14_1_{day.replace('-', '')}.tif" for day in DAYS]
CLASSES = tuple("abcde")
PLANTED = (1.5, -0.7)  # rows and columns of 5 m
pytestmark = pytest.mark.skipif(not all(map(Path.exists, FILES)), reason="shared/data/naip_nd is not here")


def own_grid(path):
    with rasterio.open(path) as file:
        return file.read().astype(np.float32), file.transform


def first_grid(path, rows=0.0, cols=0.0):
    """On the lattice of the first date, as if the scene lay that much farther down and right."""
    first, place = own_grid(FILES[0])
    image, own = own_grid(path)
    out = np.zeros_like(first)
    crs = dict.fromkeys(("src_crs", "dst_crs"), "EPSG:26914")
    moved = own @ Affine.translation(cols, rows)
    reproject(image, out, src_transform=moved, dst_transform=place, resampling=Resampling.bilinear, src_nodata=0, **crs)
    return out


def clustered(images):
    """Five classes of all dates' pixels, each band of each date centred and scaled first; 254 where there is none."""
    seen = [image.all(axis=0) for image in images]
    tables = []
    for image, there in zip(images, seen, strict=True):
        mean, spread = (f(image[:, there], axis=1)[:, None, None] for f in (np.mean, np.std))
        tables.append(((image - mean) / spread).reshape(len(image), -1).T)
    found = KMeans(len(CLASSES), n_init=1, random_state=0).fit(np.concatenate([table[::29] for table in tables]))
    maps = [found.predict(table).reshape(there.shape) for table, there in zip(tables, seen, strict=True)]
    return [np.where(there, m, 254).astype(np.uint8) for m, there in zip(maps, seen, strict=True)]


def told_by_maps(series):
    """As a map of change takes it, from 36 windows."""
    peaks = []
    for window in spread_windows(series.geobox.shape, 36):
        one, two = series.classes(window)
        maps = (layers(classes, len(CLASSES)) for classes in (one, two))
        peaks.append(window_shift(*maps, (one < 254) & (two < 254)))
    return combined(peaks)


def told_by_imagery(one, two):
    """By scikit-image, from the near infrared of the same windows: mean and its error of those near the median."""
    found = []
    for window in spread_windows(one.shape, 36):
        both = [image[window.slices] - ndimage.gaussian_filter(image[window.slices], 8) for image in (one, two)]
        found.append(-phase_cross_correlation(*both, upsample_factor=50, normalization=None)[0])
    middle = np.median(found, axis=0)
    near = np.array([f for f in found if (np.abs(f - middle) < 1).all()])
    return near.mean(axis=0), near.std(axis=0).max() / np.sqrt(len(near))


@pytest.fixture(scope="module")
def images():
    return [first_grid(path) for path in FILES]


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [(0, 1, "0.00 columns and 0.40 rows out of step"), (1, 2, "0.20 columns and 0.20 rows out of step")],
)
def test_dates_on_grids_of_their_own_are_refused(tmp_path, one, two, words):
    folders = []
    for number in (one, two):
        image, transform = own_grid(FILES[number])
        classes = (image[3] > np.median(image[3])).astype(np.uint8)
        place = {"names": CLASSES[:2], "transform": transform, "crs": "EPSG:26914"}
        folders.append(deliver(tmp_path / DAYS[number], DAYS[number], classes, **place))
    with pytest.raises(DataError, match=rf"not on the same grid: .*{words}.*one AOI file"), guarded(folders):
        pass


def test_on_one_grid_maps_tell_the_shift_that_imagery_tells(tmp_path, images):
    """Between real dates within both errors and 0.2 pixels; and what is planted, which bilinear pixels blur by 0.1."""
    dates, days = [*images, first_grid(FILES[2], *PLANTED)], (*DAYS, "2020-09-01")
    place = {"names": CLASSES, "transform": own_grid(FILES[0])[1], "crs": "EPSG:26914"}
    folders = [deliver(tmp_path / d, d, c, **place) for d, c in zip(days, clustered(dates), strict=True)]
    found = {}
    for one, two in ((0, 2), (1, 2), (1, 3), (2, 3)):
        with guarded([folders[one], folders[two]]) as series:
            shift = told_by_maps(series)
        found[one, two] = np.array((shift.rows, shift.cols))
        assert shift.windows >= 10, (one, two)
        if two == 2:
            expected, error = told_by_imagery(dates[one][3], dates[two][3])
            off = np.abs(found[one, two] - expected).max()
            assert off < 0.2 + 2 * np.hypot(shift.error, error), (one, two)
    assert found[2, 3] == pytest.approx(PLANTED, abs=0.15)
    assert found[1, 3] - found[1, 2] == pytest.approx(PLANTED, abs=0.2)
