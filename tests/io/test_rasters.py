"""The gate and what comes out of it, against rasterio read directly."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.errors import ConfigError, DataError, ModelError, WindowError
from geoseg.grid.window import Window
from geoseg.io.rasters import open_raster, resolve_bands
from tests.tiffs import ORIGIN, numbered, write_tif

TILED = {"tiled": True, "blockxsize": 16, "blockysize": 16}
LAYOUTS = {
    "striped": {},
    "tiled": TILED,
    "band by band": TILED | {"interleave": "band", "compress": "deflate"},
    "big": TILED | {"BIGTIFF": "YES", "compress": "lzw"},
    "big-endian": {"ENDIANNESS": "BIG"},
}
STORED = {"north-up": (1, 1), "south-up": (-1, 1), "mirrored": (1, -1), "both": (-1, -1)}


def stored(image, how):
    """Pixels and transform of the same image stored in another direction."""
    rows, cols = STORED[how]
    height, width = image.shape[1:]
    left = ORIGIN.c if cols > 0 else ORIGIN.c + 2 * width
    top = ORIGIN.f if rows > 0 else ORIGIN.f - 2 * height
    return image[:, ::rows, ::cols], Affine(2.0 * cols, 0, left, 0, -2.0 * rows, top)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One image, stored in each layout and direction."""
    folder, image = tmp_path_factory.mktemp("stored"), numbered(3, 45, 37)
    for layout, profile in LAYOUTS.items():
        for how in STORED:
            pixels, transform = stored(image, how)
            write_tif(folder / f"{layout} {how}.tif", pixels, transform=transform, **profile)
    return folder, image


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("how", STORED)
def test_pixels_come_out_north_up_however_they_are_stored(files, layout, how):
    folder, image = files
    with open_raster(folder / f"{layout} {how}.tif") as raster:
        data, valid = raster.read([3, 1])
        assert_array_equal(data, image[[2, 0]])
        assert data.dtype == np.uint16 and valid.all()
        assert raster.geobox.transform == ORIGIN and raster.shape == (45, 37)
        assert raster.geobox.crs.epsg == 32640
        raster.check(deep=True)


@settings(max_examples=40, deadline=None)
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    how=st.sampled_from(sorted(STORED)),
    edges=st.tuples(st.integers(0, 36), st.integers(0, 44), st.integers(1, 37), st.integers(1, 45)),
)
def test_a_window_is_that_part_of_the_whole(files, layout, how, edges):
    folder, image = files
    left, top, width, height = edges
    window = Window(left, top, min(width, 37 - left), min(height, 45 - top))
    with open_raster(folder / f"{layout} {how}.tif") as raster:
        assert_array_equal(raster.read([1, 2, 3], window)[0], image[:, *window.slices])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("how", STORED)
def test_blocks_cover_every_pixel_once(files, layout, how):
    folder, image = files
    seen = np.zeros(image.shape[1:], int)
    with open_raster(folder / f"{layout} {how}.tif") as raster:
        for window in raster.blocks():
            seen[window.slices] += 1
    assert (seen == 1).all()


def test_a_window_outside_is_refused(files):
    folder, _ = files
    with open_raster(folder / "tiled north-up.tif") as raster:
        for window in (Window(-1, 0, 5, 5), Window(30, 0, 8, 5), Window(0, 45, 1, 1)):
            with pytest.raises(WindowError, match="reaches outside"):
                raster.read([1], window)
        with pytest.raises(DataError, match="band 4"):
            raster.read([4])


def test_agrees_with_rasterio_on_masked_pixels(tmp_path):  # an oracle that shares only GDAL with ours
    image = numbered(1, 30, 20)
    write_tif(tmp_path / "a.tif", image, nodata=17)
    with open_raster(tmp_path / "a.tif") as raster, rasterio.open(tmp_path / "a.tif") as oracle:
        data, valid = raster.read([1])
        expected = oracle.read(masked=True)
        assert_array_equal(valid, ~expected.mask[0])
        assert_array_equal(data, expected.filled(0))


def test_class_maps_are_read_as_they_are(tmp_path):
    classes = np.array([[0, 1, 254], [255, 2, 3]], np.uint8)
    colours = {0: (200, 0, 0, 255), 1: (0, 200, 0, 255)}
    write_tif(tmp_path / "classes.tif", classes, nodata=255, colours=colours)
    with open_raster(tmp_path / "classes.tif") as raster:
        assert_array_equal(raster.read_classes(), classes)
        assert_array_equal(raster.read_classes(Window(1, 0, 2, 2)), classes[:, 1:])
        assert raster.is_palette and raster.colours()[0] == (200, 0, 0, 255) and raster.nodata == 255
    write_tif(tmp_path / "image.tif", numbered(3, 4, 4))
    with (
        open_raster(tmp_path / "image.tif") as raster,
        pytest.raises(DataError, match="class map is one band of uint8"),
    ):
        raster.read_classes()


@pytest.mark.parametrize("how", STORED)
def test_probabilities_are_read_as_they_are(tmp_path, how):
    probs = np.random.default_rng(3).integers(0, 256, (5, 12, 9)).astype(np.uint8)
    pixels, transform = stored(probs, how)
    write_tif(tmp_path / "probs.tif", pixels, transform=transform, nodata=255, interleave="band")
    with open_raster(tmp_path / "probs.tif") as raster:
        assert_array_equal(raster.read_probs(), probs)
        assert_array_equal(raster.read_probs(Window(2, 3, 6, 8)), probs[:, 3:11, 2:8])
    write_tif(tmp_path / "image.tif", numbered(3, 4, 4))
    with (
        open_raster(tmp_path / "image.tif") as raster,
        pytest.raises(DataError, match=r"pixels of uint16; probabilities are .* Name a probs\.tif that geoseg made"),
    ):
        raster.read_probs()
    whole = (tmp_path / "probs.tif").read_bytes()
    (tmp_path / "probs.tif").write_bytes(whole[:-20])
    with open_raster(tmp_path / "probs.tif") as raster, pytest.raises(DataError, match=r"is cut off: .* again"):
        raster.read_probs()


def test_names_come_from_descriptions_then_from_colours(tmp_path):
    image = numbered(4, 4, 4, "uint8")
    write_tif(tmp_path / "a.tif", image, photometric="RGB", names=(None, None, None, " NIR "))
    write_tif(tmp_path / "b.tif", image, photometric="RGB", alpha="yes")
    write_tif(tmp_path / "c.tif", numbered(4, 4, 4))
    with (
        open_raster(tmp_path / "a.tif") as a,
        open_raster(tmp_path / "b.tif") as b,
        open_raster(tmp_path / "c.tif") as c,
    ):
        assert a.band_names == ("red", "green", "blue", "nir") and a.image_bands == (1, 2, 3, 4)
        assert b.band_names == ("red", "green", "blue", None) and b.image_bands == (1, 2, 3)
        assert c.band_names == (None,) * 4
        assert resolve_bands(a, ["nir", "red"]) == (4, 1)
        assert resolve_bands(a, ["NIR08"]) == (4,)  # the only band of that kind in the file
        assert resolve_bands(b, ["blue", "green", "red"]) == (3, 2, 1)
        assert resolve_bands(c, ["red", "nir"], ["swir1", "nir", "red", "green"]) == (3, 2)
        assert resolve_bands(c, ["swir16"], {"swir1": 4}) == (4,)


def test_an_alias_that_could_mean_two_bands_is_not_used(tmp_path):
    write_tif(tmp_path / "a.tif", numbered(2, 4, 4), names=("nir", "nir08"))
    with open_raster(tmp_path / "a.tif") as raster:
        assert resolve_bands(raster, ["nir08", "nir"]) == (2, 1)
    write_tif(tmp_path / "b.tif", numbered(2, 4, 4), names=("red", "red"))
    with open_raster(tmp_path / "b.tif") as raster, pytest.raises(ConfigError, match="names two bands 'red'"):
        resolve_bands(raster, ["red"])


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (["red", "green"], "lists 2 names .* has 3 image bands"),
        (["red", "green", "red"], "a name twice"),
        ({"red": 4}, "image bands are 1, 2, 3"),
        ({"red": 0}, "Count from 1"),
    ],
)
def test_declared_bands_that_do_not_fit_the_file(tmp_path, declared, words):
    write_tif(tmp_path / "a.tif", numbered(3, 4, 4))
    with open_raster(tmp_path / "a.tif") as raster, pytest.raises(ConfigError, match=words):
        resolve_bands(raster, ["red"], declared)


def test_a_declared_name_that_is_missing_is_not_looked_for_elsewhere(tmp_path):
    write_tif(tmp_path / "a.tif", numbered(3, 4, 4, "uint8"), photometric="RGB")
    with open_raster(tmp_path / "a.tif") as raster, pytest.raises(ModelError, match="there is no blue"):
        resolve_bands(raster, ["red", "blue"], {"red": 1})


def test_assumed_crs_is_for_files_without_one(tmp_path):
    write_tif(tmp_path / "none.tif", numbered(1, 4, 4), crs=None)
    write_tif(tmp_path / "own.tif", numbered(1, 4, 4))
    with open_raster(tmp_path / "none.tif", assume_crs="EPSG:32640") as raster:
        assert raster.geobox.crs.epsg == 32640
    with open_raster(tmp_path / "own.tif", assume_crs="EPSG:32640") as raster:  # it says the same
        assert raster.geobox.crs.epsg == 32640
    with pytest.raises(ConfigError, match=r"contradicts .*EPSG:32640.*Remove assume_crs"):
        open_raster(tmp_path / "own.tif", assume_crs="EPSG:32641")
    with pytest.raises(ConfigError, match=r"no CRS that is known. Write EPSG:n"):
        open_raster(tmp_path / "none.tif", assume_crs="EPSG:99999")


def test_a_world_file_places_an_image(tmp_path):
    write_tif(tmp_path / "a.tif", numbered(1, 4, 4), crs=None, transform=None)
    (tmp_path / "a.tfw").write_text("2\n0\n0\n-2\n400001\n2799999\n")
    with open_raster(tmp_path / "a.tif", assume_crs="EPSG:32640") as raster:
        assert raster.geobox.transform == ORIGIN


def test_overviews_are_opened_by_number(tmp_path):
    write_tif(tmp_path / "a.tif", np.full((64, 64), 7, np.uint8), **TILED)
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.build_overviews([2, 4])
    with open_raster(tmp_path / "a.tif") as raster:
        assert raster.overviews == 2 and raster.shape == (64, 64)
    with open_raster(tmp_path / "a.tif", overview=1) as raster:
        assert raster.shape == (16, 16)
        raster.check(deep=True)
