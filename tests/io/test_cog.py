"""Cloud-optimized GeoTIFFs: the same bytes however they were cut, and all a viewer needs in them."""

import hashlib
import os
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from odc.geo.geobox import GeoBox
from rio_cogeo import cog_validate

from geoseg.errors import MachineError, WindowError
from geoseg.grid.window import Window
from geoseg.io import cog as module
from geoseg.io.cog import cog_writer, finish, write_cog
from geoseg.io.rasters import open_raster

COLOURS = {0: (220, 20, 60, 255), 1: (200, 180, 140, 255), 2: (90, 90, 90, 255), 254: (240, 240, 240, 255)}
NAMES = {0: "building", 1: "land", 2: "road & <path>", 254: "not observed"}


def classes(height, width, seed=0):
    """A blocky map with some pixels not observed and a rim outside."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice([0, 1, 2, 254], (height // 25 + 1, width // 25 + 1))
    image = np.kron(coarse, np.ones((25, 25))).astype(np.uint8)[:height, :width]
    image[:7], image[:, -5:] = 255, 255
    return image


def geobox(image):
    return GeoBox(image.shape, Affine(0.8, 0, 390_000, 0, -0.8, 2_790_000), "EPSG:32640")


def cut(image, height, width):
    for row in range(0, image.shape[0], height):
        for col in range(0, image.shape[1], width):
            tile = image[row : row + height, col : col + width]
            yield Window(col, row, tile.shape[1], tile.shape[0]), tile


def write(path, image, height=512, width=512, **options):
    look = {
        "nodata": 255,
        "overviews": "mode",
        "colours": COLOURS,
        "description": "class",
        "tags": {"MODEL": "vhr-rgb"},
    }
    write_cog(path, cut(image, height, width), geobox(image), band_category_names=NAMES, **(look | options))


def digest(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_a_viewer_finds_pixels_place_colours_and_names(tmp_path):
    image, path = classes(1100, 1300), tmp_path / "out" / "landcover.tif"
    write(path, image)
    assert sorted(os.listdir(path.parent)) == ["landcover.tif", "landcover.tif.aux.xml"]
    assert cog_validate(path, strict=True)[:2] == (True, [])
    with rasterio.open(path) as file:
        assert_array_equal(file.read(1), image)
        assert file.nodata == 255 and file.crs.to_epsg() == 32640 and file.transform == geobox(image).transform
        assert file.descriptions == ("class",) and file.tags()["MODEL"] == "vhr-rgb"
        assert file.block_shapes == [(512, 512)] and file.overviews(1) == [2, 4]
        assert all(file.colormap(1)[value] == colour for value, colour in COLOURS.items())
        assert file.compression.name == "deflate"
    assert ET.parse(f"{path}.aux.xml").find("PAMRasterBand").get("band") == "1"
    listed = [item.text or "" for item in ET.parse(f"{path}.aux.xml").iter("Category")]
    assert len(listed) == 255 and {i: name for i, name in enumerate(listed) if name} == NAMES


def test_the_same_map_has_the_same_bytes_however_it_was_cut(tmp_path):
    image, seen = classes(1100, 1300), []
    for height, width in ((512, 512), (1100, 1300), (100, 1300), (1100, 77), (333, 501)):
        write(tmp_path / "landcover.tif", image, height, width)
        seen.append(digest(tmp_path))
    assert all(one == seen[0] for one in seen)


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 600), st.integers(1, 600)),
    tile=st.tuples(st.integers(60, 700), st.integers(60, 700)),
    seed=st.integers(0, 9),
    overviews=st.sampled_from(["mode", "average"]),
    nodata=st.sampled_from([None, 0, 255]),
)
@example(shape=(513, 1), tile=(60, 60), seed=0, overviews="mode", nodata=None)  # its overview is no smaller across
def test_read_back_is_what_was_written(tmp_path_factory, shape, tile, seed, overviews, nodata):
    image, path = classes(*shape, seed), tmp_path_factory.mktemp("cog") / "x.tif"
    write(path, image, *tile, overviews=overviews, nodata=nodata, colours=None)
    assert cog_validate(path, strict=True)[0] or min(shape) == 1
    with open_raster(path) as raster:
        raster.check(deep=True)
        assert raster.nodata == nodata
        assert_array_equal(raster.read_classes(), image)


def test_overviews_hold_the_commonest_class_and_never_a_new_one(tmp_path):
    image = np.full((1024, 1024), 2, np.uint8)
    image[::2, ::2] = 0  # a quarter of each 2 x 2
    write(tmp_path / "a.tif", image)
    with open_raster(tmp_path / "a.tif", overview=0) as raster:
        assert_array_equal(raster.read_classes(), np.full((512, 512), 2))
    quantity = np.tile(np.array([[0, 100], [100, 200]], np.uint8), (512, 512))
    write(tmp_path / "b.tif", quantity, overviews="average", colours=None)
    with open_raster(tmp_path / "b.tif", overview=0) as raster:
        assert_array_equal(raster.read_classes(), np.full((512, 512), 100))


def test_pixels_that_no_window_covers_are_nodata(tmp_path):
    image = classes(700, 700)
    tiles = [tile for tile in cut(image, 300, 300) if tile[0].col_off != 300]
    write_cog(tmp_path / "a.tif", tiles, geobox(image), nodata=255, overviews="mode")
    expected = image.copy()
    expected[:, 300:600] = 255
    with open_raster(tmp_path / "a.tif") as raster:
        assert_array_equal(raster.read_classes(), expected)


def test_names_of_an_older_map_do_not_stay(tmp_path):
    image = classes(100, 100)
    write(tmp_path / "a.tif", image)
    write_cog(tmp_path / "a.tif", cut(image, 50, 50), geobox(image), nodata=255, overviews="mode")
    assert os.listdir(tmp_path) == ["a.tif"]


def test_a_window_that_does_not_fit_leaves_nothing(tmp_path):
    image = classes(100, 100)
    for window, pixels in ((Window(60, 0, 50, 50), image[:50, :50]), (Window(0, 0, 50, 50), image[:50, :40])):
        with pytest.raises(WindowError, match="does not fit"):
            write_cog(tmp_path / "a.tif", [(window, pixels)], geobox(image), nodata=255, overviews="mode")
    assert os.listdir(tmp_path) == []


def test_pixels_that_changed_on_the_way_are_found(tmp_path, monkeypatch):
    """The read-back, not the writer's word, decides: here a copy writes other pixels than it was given."""
    image, real = classes(600, 600), module.copy
    (tmp_path / "a.tif").write_bytes(b"older map")

    def faulty(source, target, **options):
        real(source, target, **options)
        if True:
            with rasterio.open(target, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
                file.write(np.full((1, 1), 3, np.uint8), 1, window=((300, 301), (400, 401)))

    monkeypatch.setattr(module, "copy", faulty)
    with pytest.raises(MachineError, match=r"1 of 5 windows read back differently.*Make room") as caught:
        write(tmp_path / "a.tif", image)
    assert caught.value.exit_code == 5
    assert (tmp_path / "a.tif").read_bytes() == b"older map" and os.listdir(tmp_path) == ["a.tif"]


def test_several_files_of_several_bands_in_one_pass(tmp_path):
    rng = np.random.default_rng(0)
    image, probs = classes(1100, 1300), rng.integers(0, 251, (5, 1100, 1300), dtype=np.uint8)
    probs[:, :7] = 255
    look = {"nodata": 255, "overviews": "average", "descriptions": tuple("abcde"), "tags": {"MODEL": "vhr"}}
    for folder, height, threads in (("strips", 512, True), ("others", 333, False)):
        with (
            cog_writer(tmp_path / folder / "class.tif", geobox(image), nodata=255, overviews="mode") as one,
            cog_writer(tmp_path / folder / "probs.tif", geobox(image), bands=5, **look) as two,
        ):
            for window, pixels in cut(image, height, 700):
                one.write(window, pixels)
                two.write(window, probs[:, *window.slices])
            if threads:
                finish(one, two)
        assert sorted(os.listdir(tmp_path / folder)) == ["class.tif", "probs.tif"]
    assert digest(tmp_path / "strips") == digest(tmp_path / "others")
    write_cog(tmp_path / "alone" / "class.tif", cut(image, 100, 100), geobox(image), nodata=255, overviews="mode")
    assert digest(tmp_path / "alone")["class.tif"] == digest(tmp_path / "strips")["class.tif"]
    with rasterio.open(tmp_path / "strips" / "probs.tif") as file:
        assert_array_equal(file.read(), probs)
        assert file.descriptions == tuple("abcde") and file.tags()["MODEL"] == "vhr" and file.nodata == 255
    assert cog_validate(tmp_path / "strips" / "probs.tif", strict=True)[:2] == (True, [])


@pytest.mark.parametrize("kind", ["mode", "average"])
def test_overviews_are_halved_pixel_by_pixel(tmp_path, kind):
    image = np.random.default_rng(1).choice([0, 3, 9, 255], (530, 601), p=[0.4, 0.2, 0.1, 0.3]).astype(np.uint8)
    write(tmp_path / "a.tif", image, overviews=kind)
    expected = np.empty((265, 301), np.uint8)
    for row, col in np.ndindex(*expected.shape):
        four = image[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].ravel()
        seen = [int(value) for value in four if value != 255] or [255]
        mean = int(np.floor(np.mean(seen) + 0.5))
        expected[row, col] = max(seen, key=seen.count) if kind == "mode" else mean
    with open_raster(tmp_path / "a.tif", overview=0) as raster:
        assert_array_equal(raster.read_classes(), expected)
