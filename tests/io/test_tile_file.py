"""Tile files give back what was written, or are not there."""

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_array_equal

from geoseg.errors import DataError, MachineError
from geoseg.grid.lattice import Lattice
from geoseg.grid.window import Window
from geoseg.io import tile_file
from geoseg.io.tile_file import read_tile, write_tile

LAEA = "+proj=laea +lat_0=10 +lon_0=20 +datum=WGS84 +units=m"


def tile(seed=0, count=2, shape=(37, 45)):
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


@pytest.mark.parametrize("crs", ["EPSG:32640", "EPSG:2263", LAEA])
def test_a_tile_comes_back_and_lies_where_it_was(tmp_path, crs):
    bands = tile()
    geobox = Lattice(crs, 0.8, 0.3, 0.1).geobox(Window(-5000, 7000, 45, 37))
    write_tile(tmp_path / "tiles" / "a.tif", bands, geobox)
    assert [p.name for p in (tmp_path / "tiles").iterdir()] == ["a.tif"]
    assert_array_equal(read_tile(tmp_path / "tiles" / "a.tif", (1, 2)), bands)
    assert_array_equal(read_tile(tmp_path / "tiles" / "a.tif", (2,)), bands[1:])
    with rasterio.open(tmp_path / "tiles" / "a.tif") as file:
        assert file.transform.almost_equals(geobox.transform, 1e-9)
        assert file.crs == rasterio.CRS.from_user_input(str(geobox.crs))
        assert file.nodata is None  # 255 is a value like any other here


@pytest.mark.parametrize("classes", [1, 2, 3, 4])
def test_bands_of_probabilities_are_no_colours(tmp_path, classes):
    """Four bands would be red, green, blue and alpha: a class of no probability would blot the others out."""
    bands = tile(count=2 + classes)
    bands[-1] = 0
    write_tile(tmp_path / "a.tif", bands, Lattice("EPSG:32640", 0.8).geobox(Window(0, 0, 45, 37)))
    assert_array_equal(read_tile(tmp_path / "a.tif", range(1, 3 + classes)), bands)
    with rasterio.open(tmp_path / "a.tif") as file:
        assert_array_equal(file.read(masked=True).mask, False)


def test_the_same_tile_is_the_same_bytes(tmp_path):
    geobox = Lattice("EPSG:32640", 0.8).geobox(Window(0, 0, 45, 37))
    for name in "ab":
        write_tile(tmp_path / f"{name}.tif", tile(), geobox)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_tile_that_reads_back_otherwise_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tile_file.np, "array_equal", lambda *_: False)
    geobox = Lattice("EPSG:32640", 0.8).geobox(Window(0, 0, 45, 37))
    with pytest.raises(MachineError, match=r"did not read back as it was written; .* free at .* run again"):
        write_tile(tmp_path / "a.tif", tile(), geobox)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_tile_is_told(tmp_path):
    geobox = Lattice("EPSG:32640", 0.8).geobox(Window(0, 0, 45, 37))
    write_tile(tmp_path / "a.tif", tile(), geobox)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"a\.tif"):
        read_tile(tmp_path / "a.tif", (1,))
