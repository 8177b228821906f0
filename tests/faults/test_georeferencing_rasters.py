"""FAULTS 4.2 for rasters: without a place, upside down, rotated, and of two zones."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.testing import assert_array_equal
from pyproj import Transformer
from rasterio.control import GroundControlPoint

from geoseg.errors import DataError
from geoseg.grid.lattice import Lattice
from geoseg.io.rasters import open_raster
from geoseg.io.scenes import Mosaic, Scene
from tests.tiffs import ORIGIN, numbered, write_tif

ZONE_40 = Lattice("EPSG:32640", 2.0)


def truth(x, y):
    """Three smooth functions of UTM 40 coordinates, wavelengths 150 to 400 m."""
    return np.stack([120 + 60 * np.sin(x / 37), 120 + 60 * np.cos(y / 29), 120 + 60 * np.sin((x + y) / 61)])


def centres(transform, shape):
    """x and y of the centre of every pixel."""
    col, row = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    return transform @ (col, row)


def scene(path, transform, shape, crs="EPSG:32640", **profile):
    """A scene that shows `truth` at the centre of each of its pixels."""
    x, y = Transformer.from_crs(crs, "EPSG:32640", always_xy=True).transform(*centres(transform, shape))
    write_tif(path, truth(x, y).astype(np.float32), transform=transform, crs=crs, **profile)
    return Scene(str(path), (1, 2, 3))


def read_all(scenes, lattice=ZONE_40, resampling="bilinear"):
    with Mosaic(scenes, lattice, resampling) as mosaic:
        return *mosaic.read(mosaic.extent), lattice.geobox(mosaic.extent).transform


def test_G01_no_crs(tmp_path):
    path = write_tif(tmp_path / "a.tif", numbered(1, 8, 8), crs=None)
    with pytest.raises(DataError, match=r"a\.tif carries no CRS .* write assume_crs: EPSG:n") as caught:
        open_raster(path)
    assert caught.value.exit_code == 3
    with open_raster(path, assume_crs="EPSG:32640") as raster:
        assert raster.geobox.crs.epsg == 32640
    (data, valid, _) = read_all([Scene(str(path), (1,), assume_crs="EPSG:32640")])
    assert valid.all()
    assert_array_equal(data, numbered(1, 8, 8))


def test_G01_a_crs_that_is_only_a_name(tmp_path):
    local = 'LOCAL_CS["site grid",UNIT["metre",1]]'
    path = write_tif(tmp_path / "a.tif", numbered(1, 8, 8), crs=local)
    with pytest.raises(DataError, match="no CRS that says where"):
        open_raster(path)


def test_G01_no_position(tmp_path):
    path = write_tif(tmp_path / "a.tif", numbered(1, 8, 8), transform=None)
    with pytest.raises(DataError, match=r"has no position: .* Georeference it first"):
        open_raster(path, assume_crs="EPSG:32640")
    with rasterio.open(path, "r+") as file:
        points = [GroundControlPoint(row, col, 4e5 + col, 28e5 - row) for row, col in ((0, 0), (0, 8), (8, 0), (8, 8))]
        file.gcps = points, rasterio.CRS.from_epsg(32640)
    with pytest.raises(DataError, match=r"only ground control points: .* gdalwarp"):
        open_raster(path)


@pytest.mark.parametrize(
    "broken", [Affine(2, 0, np.nan, 0, -2, 0), Affine(2, 0, 0, 2, 0, 0), Affine(2, 0, np.inf, 0, -2, 0)]
)
def test_G01_a_broken_position(tmp_path, broken):
    path = write_tif(tmp_path / "a.tif", numbered(1, 8, 8), transform=broken)
    with pytest.raises(DataError, match="position"):
        open_raster(path)


@pytest.mark.parametrize("lattice", [ZONE_40, Lattice("EPSG:32640", 2.0, 0.7, 1.1), Lattice("EPSG:32639", 3.0)])
def test_G02_south_up_equals_its_north_up_twin(tmp_path, lattice):
    image = numbered(3, 90, 120)
    image[:, 20:30, 40:60] = 0
    write_tif(tmp_path / "north.tif", image, nodata=0)
    upside_down = Affine(2.0, 0, ORIGIN.c, 0, 2.0, ORIGIN.f - 180)
    write_tif(
        tmp_path / "south.tif",
        image[:, ::-1],
        transform=upside_down,
        nodata=0,
        tiled=True,
        blockxsize=16,
        blockysize=32,
    )
    north, south = (read_all([Scene(str(tmp_path / name), (1, 2, 3))], lattice) for name in ("north.tif", "south.tif"))
    assert north[0].tobytes() == south[0].tobytes() and north[1].tobytes() == south[1].tobytes()
    assert north[2] == south[2]


@pytest.mark.parametrize(
    "turn",
    [
        Affine.rotation(10) @ Affine.scale(2, -2),
        Affine.rotation(45) @ Affine.scale(2, -2),
        Affine.rotation(90) @ Affine.scale(2, -2),
        Affine.shear(20) @ Affine.scale(2, -2),
        Affine.rotation(-130) @ Affine.scale(2, 2),
    ],
    ids=["10", "45", "90", "sheared", "mirrored and turned"],
)
def test_G03_rotated_scenes_come_to_the_right_place(tmp_path, turn):
    transform = Affine.translation(400_300, 2_799_700) @ turn
    one = scene(tmp_path / "a.tif", transform, (150, 200))
    with open_raster(one.path) as raster:
        assert raster.geobox.transform.almost_equals(transform)  # never passed off as north-up
    data, valid, grid = read_all([one])
    x, y = centres(grid, valid.shape)
    col, row = ~transform @ (x, y)
    inside = (col > 0) & (row > 0) & (col < 200) & (row < 150)
    clear = np.minimum.reduce([abs(col), abs(row), abs(col - 200), abs(row - 150)]) > 0.01
    assert_array_equal(valid[clear], inside[clear])
    inner = (col > 2) & (row > 2) & (col < 198) & (row < 148)
    assert abs(data[:, inner] - truth(x, y)[:, inner]).max() < 0.3


def test_G04_pixels_that_are_not_square(tmp_path):
    transform = Affine(3.0, 0, 400_000, 0, -5.0, 2_800_000)
    data, valid, grid = read_all([scene(tmp_path / "a.tif", transform, (60, 100))])
    assert valid.shape == (150, 150) and valid.all()
    expected = truth(*centres(grid, valid.shape))
    assert abs(data - expected)[:, 4:-4, 4:-4].max() < 2.0


def test_G17_scenes_of_two_zones_grids_and_directions(tmp_path):
    """Ground at the border of UTM zones 39 and 40, seen by scenes that share no grid."""
    left, top = 200_000, 2_800_000  # UTM 40, just east of 54 degrees
    x39, y39 = Transformer.from_crs("EPSG:32640", "EPSG:32639", always_xy=True).transform(left - 700, top + 100)
    scenes = [
        scene(tmp_path / "zone39.tif", Affine(1.6, 0, x39, 0, -1.6, y39), (800, 800), "EPSG:32639"),
        scene(tmp_path / "south-up.tif", Affine(3.0, 0, left - 10, 0, 3.0, top - 900), (300, 300)),
        scene(tmp_path / "own.tif", Affine(2.0, 0, left + 300, 0, -2.0, top), (450, 400)),
    ]
    data, valid, grid = read_all(scenes)
    expected = truth(*centres(grid, valid.shape))
    steps = abs(data - expected).max(axis=0)
    covered = np.zeros(valid.shape, bool)
    for one in scenes:
        _, seen, place = read_all([one])
        row, col = round((grid.f - place.f) / 2), round((place.c - grid.c) / 2)
        covered[row : row + seen.shape[0], col : col + seen.shape[1]] |= seen
    assert_array_equal(valid, covered)  # no gap and no rim where scenes meet
    assert steps[valid].max() < 6 and np.percentile(steps[valid], 99) < 0.5  # the rim of a scene is extrapolated
    own = read_all(scenes[2:])[0]
    with open_raster(scenes[2].path) as raster:
        assert_array_equal(own, raster.read([1, 2, 3])[0])


def test_G19_no_drift_far_from_the_origin(tmp_path):
    """Whole pixels at coordinates of ten million: bytes as stored, placed to the pixel."""
    image = numbered(1, 40, 50)
    far = Affine(0.1, 0, 499_999.9, 0, -0.1, 9_999_999.9)
    write_tif(tmp_path / "a.tif", image, transform=far)
    with open_raster(tmp_path / "a.tif") as raster:
        lattice = Lattice.from_geobox(raster.geobox)
    data, valid, grid = read_all([Scene(str(tmp_path / "a.tif"), (1,))], lattice)
    assert valid.all() and grid.almost_equals(far, precision=1e-6)
    assert_array_equal(data, image)
