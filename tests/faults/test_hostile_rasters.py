"""FAULTS 4.7 for rasters: files that are not what they say, names that are no files, bombs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio

from geoseg.errors import DataError
from geoseg.io.rasters import open_raster
from geoseg.io.scenes import Scene, describe
from tests.tiffs import numbered, write_tif

SECRET = "PLANTED-SECRET-" * 20
RAW = """<VRTDataset rasterXSize="16" rasterYSize="16"><SRS>EPSG:32640</SRS>
<GeoTransform>400000,2,0,2800000,0,-2</GeoTransform>
<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="{relative}">{path}
</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>16</LineOffset></VRTRasterBand>
</VRTDataset>"""


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "private").mkdir()
    path = tmp_path / "private" / "secret.txt"
    path.write_text(SECRET)
    return path


@pytest.mark.parametrize("before", ["", "\n\n  ", "<?xml version='1.0'?>\n", "\ufeff", "<!-- " + "x" * 500 + " -->"])
@pytest.mark.parametrize("relative", [0, 1])
def test_X01_a_vrt_named_tif_is_refused_and_reads_nothing(tmp_path, secret, before, relative):
    path = tmp_path / "scene.tif"
    path.write_text(before + RAW.format(relative=relative, path="private/secret.txt" if relative else secret))
    for read in (open_raster, lambda p: describe(Scene(str(p), (1,)))):
        with pytest.raises(DataError, match="not a GeoTIFF: it is a GDAL VRT") as caught:
            read(path)
        assert "gdal_translate" in str(caught.value) and "PLANTED" not in str(caught.value)
        assert caught.value.exit_code == 3


def test_X01_the_driver_itself_is_off(tmp_path, secret):
    """Should a check ever be passed by: GDAL in this process has no VRT driver at all."""
    path = tmp_path / "scene.tif"
    path.write_text(RAW.format(relative=0, path=secret))
    with pytest.raises(rasterio.errors.RasterioIOError):
        rasterio.open(path)


@pytest.mark.parametrize(
    "text", ["<GDAL_WMS><Service name='TMS'/></GDAL_WMS>", "GDAL_WMTS", '{"type": "FeatureCollection"}']
)
def test_X01_services_named_tif_are_refused(tmp_path, text):
    (tmp_path / "scene.tif").write_text(text)
    with pytest.raises(DataError, match="not a GeoTIFF"):
        open_raster(tmp_path / "scene.tif")


@pytest.mark.parametrize(
    "name",
    [
        "/vsicurl/http://127.0.0.1:9/scene.tif",
        "/vsizip/{folder}/scene.zip/scene.tif",
        "/vsimem/scene.tif",
        "/vsistdin/",
        "/vsisubfile/0_100,{folder}/scene.tif",
        "MEM:::DATAPOINTER=1,PIXELS=1,LINES=1",
        "<VRTDataset rasterXSize='1' rasterYSize='1'></VRTDataset>",
        "GTIFF_DIR:1:{folder}/scene.tif",
        "GTIFF_RAW:{folder}/scene.tif",
        "NETCDF:{folder}/scene.nc:band",
        "http://127.0.0.1:9/scene.tif",
        "zip://{folder}/scene.zip!scene.tif",
        "file://{folder}/scene.tif",
        "vrt://{folder}/scene.tif",
        "{folder}/scene.tif\0.txt",
        "{folder}/missing.tif",
    ],
)
def test_X03_names_that_are_no_files(tmp_path, name):
    write_tif(tmp_path / "scene.tif", numbered(1, 8, 8))
    with pytest.raises(DataError, match=r"no such file can be read. Give the path of a GeoTIFF") as caught:
        open_raster(name.format(folder=tmp_path))
    assert caught.value.exit_code == 3 and "\0" not in str(caught.value)


def test_X03_files_whose_names_look_like_something_else_are_just_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GTIFF_DIR:1:a.tif", "a b.tif", "é雪.tif", "a#1.tif", "a?b!.tif", "-a.tif", "zip:a.tif", "a,b.tif"):
        os.replace(write_tif(tmp_path / "plain.tif", numbered(1, 8, 8)), name)
        with open_raster(name) as raster:
            assert raster.read([1])[1].all()


def test_X03_folders_pipes_and_devices(tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    for path, words in (
        (tmp_path, "is a folder. Name the GeoTIFF in it"),
        (tmp_path / "pipe.tif", "not a regular file"),
    ):
        with pytest.raises(DataError, match=words):
            open_raster(path)
    with pytest.raises(DataError, match="not a regular file"):
        open_raster("/dev/null")


BOMB = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (6_000_000_000, 6_000_000_000))
from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.io.rasters import open_raster
start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_raster(sys.argv[1]) as raster:
    shape = raster.shape
    data, valid = raster.read([1, 4], Window(150_000, 150_000, 64, 64))
    raster.check()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"shape": shape, "read": data.shape, "MB": (after - before) / 1000, "s": time.monotonic() - start}))
"""


def test_X07_a_bomb_is_read_a_window_at_a_time(tmp_path):
    """1.8 MB that declare 596 GiB: 349 000 to 1."""
    path = tmp_path / "bomb.tif"
    profile = {"width": 200_000, "height": 200_000, "count": 4, "dtype": "float32", "crs": "EPSG:32640"}
    place = rasterio.Affine(1, 0, 0, 0, -1, 0)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        transform=place @ rasterio.Affine.translation(9, 9),
        tiled=True,
        blockxsize=512,
        blockysize=512,
        sparse_ok=True,
        bigtiff=True,
        **profile,
    ):
        pass
    assert path.stat().st_size < 5_000_000
    done = subprocess.run([sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["shape"] == [200_000, 200_000] and result["read"] == [2, 64, 64]
    assert result["MB"] < 300 and result["s"] < 20


def test_X07_a_block_too_big_to_decode_is_refused_before_it_is(tmp_path):
    path = tmp_path / "bigblock.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=16384,
        height=16384,
        count=1,
        dtype="uint8",
        crs="EPSG:32640",
        tiled=True,
        transform=rasterio.Affine(1, 0, 9, 0, -1, 9),
        blockxsize=16384,
        blockysize=16384,
        sparse_ok=True,
    ):
        pass
    with pytest.raises(
        DataError, match=r"16384 x 16384 px, 268 MB .* at most 256 MB .* gdal_translate -of COG"
    ) as caught:
        open_raster(path)
    assert caught.value.exit_code == 3


def test_F09_damaged_headers_never_crash_the_reader(tmp_path):
    """Bytes of the header changed at random: an image, or one sentence; never another exception."""
    rng = np.random.default_rng(0)
    good = write_tif(tmp_path / "good.tif", numbered(3, 64, 64), tiled=True, blockxsize=16, blockysize=16).read_bytes()
    (tmp_path / "bad.tif").write_bytes(good)
    seen = set()
    for _ in range(300):
        data = bytearray(good)
        for place in rng.integers(4, 900, rng.integers(1, 6)):
            data[place] = rng.integers(0, 256)
        (tmp_path / "bad.tif").write_bytes(data)
        try:
            with open_raster(tmp_path / "bad.tif") as raster:
                height, width = raster.shape
                if height * width < 10_000_000:
                    raster.read(raster.image_bands)
            seen.add("read")
        except DataError:
            seen.add("refused")
    assert seen == {"read", "refused"}
