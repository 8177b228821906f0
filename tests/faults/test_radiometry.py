"""FAULTS 4.3 for rasters: which bands, which pixels are data, which types can be read."""

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_array_equal

from geoseg.errors import ConfigError, DataError, ModelError
from geoseg.grid.lattice import Lattice
from geoseg.io.rasters import open_raster, resolve_bands
from geoseg.io.scenes import Mosaic, Scene
from geoseg.io.validity import is_nodata
from tests.tiffs import numbered, write_tif

RGB = ("red", "green", "blue")


@pytest.mark.parametrize("count", [1, 3, 5])
def test_R01_bands_the_file_does_not_have(tmp_path, count):
    names = ("red", "green", "blue", "swir16", "swir22")[:count]
    path = write_tif(tmp_path / "town.tif", numbered(count, 8, 8), names=names)
    with open_raster(path) as raster, pytest.raises(ModelError) as caught:
        resolve_bands(raster, ["red", "green", "nir08"])
    message = str(caught.value)
    assert caught.value.exit_code == 4
    assert f"town.tif has {count} image band" in message and "needed are red, green, nir08" in message
    assert all(f"{i + 1} {name}" in message for i, name in enumerate(names))
    assert "there is no" in message and "nir08" in message and "bands:" in message and "another model" in message


def test_R01_fewer_unnamed_bands_than_needed(tmp_path):
    path = write_tif(tmp_path / "a.tif", numbered(1, 8, 8))
    with open_raster(path) as raster, pytest.raises(ModelError, match=r"1 image band .*without a name"):
        resolve_bands(raster, RGB)


def test_R02_order_is_taken_from_names(tmp_path):
    image = numbered(3, 8, 8)
    path = write_tif(tmp_path / "a.tif", image[[2, 0, 1]], names=("Blue", "red", "GREEN"))
    with open_raster(path) as raster:
        assert_array_equal(raster.read(resolve_bands(raster, RGB))[0], image)


@pytest.mark.parametrize("count", [3, 4, 7])
def test_R02_unnamed_bands_are_not_guessed(tmp_path, count):
    path = write_tif(tmp_path / "a.tif", numbered(count, 8, 8))
    with open_raster(path) as raster, pytest.raises(ConfigError, match="is not guessed") as caught:
        resolve_bands(raster, RGB)
    assert "under bands: of this scene in the AOI file, such as bands: [red, green, blue]" in str(caught.value)
    assert caught.value.exit_code == 2
    with open_raster(path) as raster:
        assert resolve_bands(raster, RGB, {"red": 3, "green": 2, "blue": 1}) == (3, 2, 1)


def test_R05_palette_is_refused_and_alpha_is_no_band(tmp_path):
    path = write_tif(tmp_path / "p.tif", numbered(1, 8, 8, "uint8"), colours={1: (255, 0, 0, 255)})
    with open_raster(path) as raster, pytest.raises(DataError, match=r"palette image.*gdal_translate -expand rgb"):
        resolve_bands(raster, ["red"])
    path = write_tif(tmp_path / "a.tif", numbered(4, 8, 8, "uint8"), photometric="RGB", alpha="yes")
    with open_raster(path) as raster:
        assert resolve_bands(raster, RGB, list(RGB)) == (1, 2, 3)
        with pytest.raises(ConfigError, match="alpha is not an image band"):
            resolve_bands(raster, ["red"], {"red": 4})


# ---- R07: which pixels are data ------------------------------------------------------------------------------


def image_with_zeros():
    """Three bands; zero in band 1 at row 1, in band 2 at row 2; 9 in band 3 at row 3."""
    image = numbered(3, 8, 8, "uint8") % 100 + 100
    image[0, 1], image[1, 2], image[2, 3] = 0, 0, 9
    return image


def valid_rows(path, bands=(1, 2, 3), nodata=None):
    with open_raster(path) as raster:
        data, valid = raster.read(bands, nodata=nodata)
    assert (valid.all(axis=1) | ~valid.any(axis=1)).all() and not data[:, ~valid].any()
    return [row for row in range(8) if not valid[row, 0]]


def test_R07_nodata_of_any_band_counts_and_an_override_replaces_the_tag(tmp_path):
    tagged = write_tif(tmp_path / "tagged.tif", image_with_zeros(), nodata=0)
    assert valid_rows(tagged) == [1, 2]
    assert valid_rows(tagged, bands=(2, 3)) == [2]  # only bands that are read
    assert valid_rows(tagged, nodata=9) == [3]
    assert valid_rows(tagged, nodata="none") == []
    untagged = write_tif(tmp_path / "untagged.tif", image_with_zeros())
    assert valid_rows(untagged) == [] and valid_rows(untagged, nodata=0) == [1, 2]


def test_R07_masks_and_alpha_join_nodata(tmp_path):
    mask = np.ones((8, 8), bool)
    mask[5] = False
    inside = write_tif(tmp_path / "inside.tif", image_with_zeros(), nodata=0, mask=mask)
    assert valid_rows(inside) == [1, 2, 5] and valid_rows(inside, nodata="none") == [5]
    beside = write_tif(tmp_path / "beside.tif", image_with_zeros())
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(beside, "r+") as file:
        file.write_mask(mask)
    assert (tmp_path / "beside.tif.msk").exists()
    assert valid_rows(beside) == [5] and valid_rows(beside, nodata=9) == [3, 5]
    rgba = np.concatenate([image_with_zeros(), mask[None].astype(np.uint8) * 255])
    alpha = write_tif(tmp_path / "alpha.tif", rgba, photometric="RGB", alpha="yes", nodata=0)
    assert valid_rows(alpha) == [1, 2, 5] and valid_rows(alpha, nodata="none") == [5]


def test_R07_a_tag_the_pixels_cannot_hold_masks_nothing_and_an_override_is_refused(tmp_path):
    path = write_tif(tmp_path / "a.tif", image_with_zeros())
    for wrong in (-9999.0, 256.0, 0.5, float("nan")):
        with open_raster(path) as raster, pytest.raises(ConfigError, match=r"nodata: .*\(0 to 255\).*nodata: none"):
            raster.read([1], nodata=wrong)
        if np.isfinite(wrong):  # as a tag, which a careless writer may leave
            assert not is_nodata(image_with_zeros(), wrong).any()


@pytest.mark.parametrize("tag", [-9999.0, np.finfo(np.float32).min, 1e20, 0.1])
def test_R07_float_nodata_is_compared_as_the_pixels_are_stored(tmp_path, tag):
    image = np.ones((1, 8, 8), np.float32)
    image[0, 4] = np.float32(tag)
    path = write_tif(tmp_path / "a.tif", image, nodata=float(tag))
    assert valid_rows(path, bands=(1,)) == [4]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("lattice", [Lattice("EPSG:32640", 2.0), Lattice("EPSG:32640", 2.0, 0.6, 1.3)])
def test_R08_one_bad_pixel_is_masked_and_leaves_the_others_as_they_were(tmp_path, bad, lattice):
    image = np.random.default_rng(0).normal(0, 1000, (2, 64, 64)).astype(np.float32)  # negative values are data
    good = Scene(str(write_tif(tmp_path / "good.tif", image)), (1, 2))
    image[1, 30, 40] = bad
    spoilt = Scene(str(write_tif(tmp_path / "spoilt.tif", image)), (1, 2))
    with Mosaic([good], lattice) as one, Mosaic([spoilt], lattice) as two:
        (expected, full), (data, valid) = one.read(one.extent), two.read(two.extent)
    assert (full & ~valid).sum() == 1 and not (valid & ~full).any()
    assert np.isfinite(data).all() and not data[:, ~valid].any()
    differs = (data != expected).any(axis=0)
    rows, cols = np.nonzero(differs)
    reach = 0 if lattice.phase_x == 0 else 1  # a bilinear kernel is two pixels wide
    assert np.ptp(rows) <= 2 * reach and np.ptp(cols) <= 2 * reach and abs(rows - 30).max() <= 1 + reach


# ---- R11: types ----------------------------------------------------------------------------------------------

EXTREMES = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "uint16": (0, 65535),
    "int16": (-32768, 32767),
    "uint32": (0, 2**24),
    "int32": (-(2**24), 2**24),
    "uint64": (0, 2**24),
    "int64": (-(2**24), 2**24),
    "float32": (-1e30, 1e30),
    "float64": (-0.5, 2.0**20),
}


@pytest.mark.parametrize("dtype", EXTREMES)
def test_R11_integers_and_floats_come_out_exactly(tmp_path, dtype):
    image = np.linspace(*EXTREMES[dtype], 64).astype(dtype).reshape(1, 8, 8)
    path = write_tif(tmp_path / "a.tif", image)
    with open_raster(path) as raster:
        data, valid = raster.read([1])
        assert data.dtype == raster.dtype == np.dtype(dtype) and valid.all()
        assert_array_equal(data, image)
    with Mosaic([Scene(str(path), (1,))], Lattice("EPSG:32640", 2.0)) as mosaic:
        seen, _ = mosaic.read(mosaic.extent)
    assert_array_equal(seen, image.astype(np.float32))


def test_R11_twelve_bits_and_jpeg(tmp_path):
    image = (numbered(1, 8, 8) * 63).astype(np.uint16)
    with open_raster(write_tif(tmp_path / "a.tif", image, NBITS=12)) as raster:
        assert_array_equal(raster.read([1])[0], image)
    rgb = np.full((3, 64, 64), 90, np.uint8)
    rgb[0] = 200
    path = write_tif(tmp_path / "b.tif", rgb, compress="jpeg", photometric="ycbcr", interleave="pixel")
    with open_raster(path) as raster:
        assert raster.band_names == RGB  # what comes out is red, green, blue, not luminance and colour
        assert abs(raster.read([1, 2, 3])[0].astype(int) - rgb).max() <= 3


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "complex_int16"])
def test_R11_complex_pixels_are_refused_by_name(tmp_path, dtype):
    image = np.ones((1, 8, 8), "complex64" if dtype == "complex_int16" else dtype)
    path = write_tif(tmp_path / "a.tif", image, dtype=dtype)
    with pytest.raises(DataError, match=f"pixels of type {dtype}.*amplitude") as caught:
        open_raster(path)
    assert caught.value.exit_code == 3
