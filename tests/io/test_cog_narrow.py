"""Maps with a level that is exactly one block wide, which validators take for strips."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.testing import assert_array_equal
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from geoseg.grid.window import Window
from geoseg.io.cog import BLOCK, write_cog


@pytest.mark.parametrize(("height", "width"), [(1500, 1024), (1300, 512), (2100, 2048), (600, 1024)])
def test_maps_as_wide_as_blocks_are_written_in_tiles(tmp_path, height, width):
    pixels = np.random.default_rng(0).integers(0, 4, (height, width), np.uint8)
    place = GeoBox((height, width), Affine(1, 0, 500_000, 0, -1, 5_000_000), CRS("EPSG:32633"))
    write_cog(tmp_path / "map.tif", [(Window(0, 0, width, height), pixels)], place, nodata=255, overviews="mode")
    with rasterio.open(tmp_path / "map.tif") as file:
        assert_array_equal(file.read(1), pixels)
        levels = len(file.overviews(1))
        assert file.block_shapes == [(BLOCK, BLOCK)]
    for level in range(levels):
        with rasterio.open(tmp_path / "map.tif", overview_level=level) as file:
            assert file.block_shapes == [(BLOCK, BLOCK)]
