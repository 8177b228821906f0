"""FAULTS 4.1 and 4.4 for rasters: broken files in, full disks out."""

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from geoseg.errors import DataError, MachineError
from geoseg.io.commit import write_text
from geoseg.io.rasters import open_raster
from tests.tiffs import numbered, write_tif

TILED = {"tiled": True, "blockxsize": 32, "blockysize": 32}
LAYOUTS = {
    "deflate": TILED | {"compress": "deflate"},
    "raw strips, band by band": {"interleave": "band"},
    "jpeg": TILED | {"compress": "jpeg", "interleave": "pixel", "photometric": "ycbcr"},
    "lzw, big": TILED | {"compress": "lzw", "BIGTIFF": "YES"},
    "zstd with a mask": TILED | {"compress": "zstd", "mask": np.tri(100, 120, dtype=bool)},
}


class Whole(dict):
    """Files of each layout: path, bytes, pixels and validity as GDAL decodes the undamaged file."""

    def __repr__(self):  # hypothesis prints arguments
        return "whole"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder, files = tmp_path_factory.mktemp("whole"), Whole()
    image = np.random.default_rng(0).integers(1, 255, (3, 100, 120)).astype(np.uint8)
    for number, (name, profile) in enumerate(LAYOUTS.items()):
        path = write_tif(folder / f"{number}.tif", image, **profile)
        with rasterio.open(path) as file:
            files[name] = path, path.read_bytes(), file.read(), file.dataset_mask() > 0
    return files


def judge_cut(path, pixels, mask):
    """A cut file is refused, or its damage is found by `check` and named by `read`, and what remains is right."""
    try:
        raster = open_raster(path)
    except DataError as error:
        assert "Download it again" in str(error) or path.stat().st_size < 4  # "II" is plain text
        assert error.exit_code == 3
        return "refused"
    with raster:
        with pytest.raises(DataError, match=r"damaged|cut off") as caught:
            raster.check(deep=True)
        assert "Download it again" in str(caught.value) and "block" in str(caught.value)
        data, valid = raster.read([1, 2, 3])
        assert raster.damage and all("block (row" in text and path.name in text for text in raster.damage)
        assert not (valid & ~mask).any() and (mask & ~valid).any()
        assert_array_equal(data[:, valid], pixels[:, valid])
        assert not data[:, ~valid].any()
    return "named"


@pytest.mark.parametrize("name", LAYOUTS)
def test_F01_truncated_anywhere(whole, tmp_path, name):
    path, data, pixels, mask = whole[name]
    offsets = {*range(0, 400, 25), *np.linspace(400, len(data) - 1, 30).astype(int), len(data) - 1}
    assert len(offsets) >= 40
    seen = set()
    for offset in sorted(offsets):
        (tmp_path / path.name).write_bytes(data[:offset])
        seen.add(judge_cut(tmp_path / path.name, pixels, mask))
    assert seen == ({"refused"} if "mask" in name else {"refused", "named"})  # the mask is the file's last part


@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from(sorted(LAYOUTS)), share=st.floats(0, 1, exclude_max=True))
def test_F01_truncated_at_any_byte(whole, tmp_path_factory, name, share):
    path, data, pixels, mask = whole[name]
    short = tmp_path_factory.mktemp("short") / path.name
    short.write_bytes(data[: int(share * len(data))])
    judge_cut(short, pixels, mask)


@pytest.mark.parametrize("tag", [324, 325])
def test_F01_lost_list_of_blocks_is_not_read_as_zeros(tmp_path, tag):
    """The list moved to the file's end, as some writers put it, and cut there: GDAL alone reads zeros."""
    data = bytearray(write_tif(tmp_path / "a.tif", numbered(1, 100, 120), **TILED).read_bytes())
    start = struct.unpack_from("<I", data, 4)[0]
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", data, start)[0], 12):
        found, kind, count, value = struct.unpack_from("<HHII", data, entry)
        if found == tag:
            struct.pack_into("<I", data, entry + 8, len(data))
            data += data[value : value + count * {3: 2, 4: 4}[kind]]
    (tmp_path / "b.tif").write_bytes(data)
    with open_raster(tmp_path / "b.tif") as raster:
        assert_array_equal(raster.read([1])[0], numbered(1, 100, 120))
    (tmp_path / "b.tif").write_bytes(data[:-1])
    with pytest.raises(DataError, match=r"b\.tif is cut off or damaged.*Download it again"):
        open_raster(tmp_path / "b.tif")


def test_F01_check_says_which_block_and_how_much_of_it_is_there(tmp_path):
    path = write_tif(tmp_path / "a.tif", numbered(3, 64, 64), interleave="band", **TILED)
    path.write_bytes(path.read_bytes()[:-500])
    with open_raster(path) as raster, pytest.raises(DataError) as caught:
        raster.check()
    assert "band 3, block (row 1, column 1) has 1548 of its 2048 bytes" in str(caught.value)


def test_F01_undecodable_block_is_found_by_the_deep_check(tmp_path):
    path = write_tif(tmp_path / "a.tif", numbered(1, 64, 64), compress="deflate", **TILED)
    with rasterio.open(path) as file:
        start = int(file.get_tag_item("BLOCK_OFFSET_1_0", "TIFF", bidx=1))
    data = bytearray(path.read_bytes())
    data[start : start + 20] = b"x" * 20
    path.write_bytes(data)
    with open_raster(path) as raster:
        raster.check()  # all bytes are there
        with pytest.raises(DataError, match=r"cannot be decoded at band all, block \(row 0, column 1\)"):
            raster.check(deep=True)
        image, valid = raster.read([1])
        assert valid.sum() == 64 * 64 - 32 * 32 and not valid[:32, 32:].any()
        assert_array_equal(image[0][valid], numbered(1, 64, 64)[0][valid])
    classes = write_tif(tmp_path / "c.tif", np.ones((64, 64), np.uint8), **TILED)
    classes.write_bytes(classes.read_bytes()[:-1])
    with open_raster(classes) as raster, pytest.raises(DataError, match="cut off"):
        raster.read_classes()


def zipped():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("scene.tif", b"II*\0")
    return data.getvalue()


FAKES = {
    "empty": (b"", "empty", "Download it again"),
    "zeros": (b"\0" * 5000, "zeros only", "Download it again"),
    "page": (b"\n<!DOCTYPE html>\n<html><form>Sign in</form></html>", "a web page", "signed in"),
    "zip": (zipped(), "a ZIP archive", "Unpack it"),
    "gzip": (gzip.compress(b"II*\0"), "a gzip archive", "Unpack it"),
    "png": (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "a PNG picture", "gdal_translate"),
    "jp2": (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 image", "gdal_translate"),
    "json": (b'{"message": "token expired"}', "JSON text", "error message"),
    "xml": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document", "error message"),
    "text": ("Città: coordinate\n".encode(), "plain text", "Name the image"),
    "noise": (bytes(range(200, 256)) * 3 + b"\0\1", "of an unknown kind (it starts with c8 c9", "convert it"),
    "netcdf": (b"\x89HDF\r\n\x1a\n", "an HDF5 or netCDF-4 file", "Export"),
    "geopackage": (b"SQLite format 3\0", "GeoPackage", "Export"),
}


@pytest.mark.parametrize("name", FAKES)
def test_F02_tells_what_the_file_really_is(tmp_path, name):
    data, what, advice = FAKES[name]
    (tmp_path / "scene.tif").write_bytes(data)
    with pytest.raises(DataError, match="is not a GeoTIFF") as caught:
        open_raster(tmp_path / "scene.tif")
    assert what in str(caught.value) and advice in str(caught.value) and caught.value.exit_code == 3


def test_F05_lying_files_beside_a_scene_are_not_believed(tmp_path):
    image = numbered(1, 64, 64)
    path = write_tif(tmp_path / "a.tif", image)
    write_tif(tmp_path / "a.tif.ovr", np.zeros((1, 32, 32), np.uint16))
    (tmp_path / "a.tif.aux.xml").write_text(
        '<PAMDataset><SRS>EPSG:4326</SRS><PAMRasterBand band="1"><NoDataValue>5</NoDataValue>'
        "<Description>nir</Description></PAMRasterBand></PAMDataset>"
    )
    with open_raster(path) as raster:
        data, valid = raster.read([1])
        assert raster.nodata is None and raster.geobox.crs.epsg == 32640 and raster.band_names == (None,)
        assert valid.all() and raster.overviews in (0, 1)
        assert_array_equal(data, image)


def test_F05_broken_mask_beside_a_scene_is_refused(tmp_path):
    path = write_tif(tmp_path / "a.tif", numbered(1, 64, 64))
    mask = Path(f"{path}.msk")
    mask.write_text("<VRTDataset/>")
    with pytest.raises(DataError, match=r"a\.tif\.msk, the mask of the image, is not a GeoTIFF: it is a GDAL VRT"):
        open_raster(path)
    write_tif(mask, np.full((1, 64, 64), 255, np.uint8))
    mask.write_bytes(mask.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"a\.tif\.msk, the mask of the image, is cut off"):
        open_raster(path)


# A disk that fills up at a chosen byte: the kernel refuses to let files grow past a limit. One child tries all.
FULL_DISK = """
import json, os, resource, sys
from pathlib import Path
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from geoseg.errors import MachineError
from geoseg.grid.window import Window
from geoseg.io.cog import write_cog
from geoseg.io.commit import append_line, sha256, write_json, write_text

folder = Path(sys.argv[1])
image = np.random.default_rng(0).integers(0, 254, (600, 600)).astype(np.uint8)
grid = GeoBox(image.shape, Affine(1, 0, 400000, 0, -1, 2800000), "EPSG:32640")
tiles = [(Window(c, r, 300, 300), image[r:r + 300, c:c + 300]) for r in (0, 300) for c in (0, 300)]
def cog(path):
    write_cog(path, tiles, grid, nodata=255, overviews="mode", band_category_names={0: "a"})
writers = {
    "map.tif": cog,
    "run.json": lambda path: write_json(path, {"seen": list(range(500))}),
    "notes.txt": lambda path: write_text(path, "x" * 3000),
    "tiles.jsonl": lambda path: append_line(path, "y" * 2000),
}
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
results = []
for name, write in writers.items():
    limit(resource.RLIM_INFINITY)
    target = folder / name
    write(target)
    size, golden = target.stat().st_size, sha256(target)
    short = [1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 400, 450, 499, 500, 501, 550, 600, 650, 700]
    spread = range(1000, size, max(1, size // 20))
    for stop in sorted({0, 1, 8, 100, 500, *spread, *(size - n for n in short)}):
        for path in folder.iterdir():
            path.unlink()
        limit(stop)
        outcome = {"writer": name, "short": size - stop}
        try:
            write(target)
            outcome["end"] = "written"
        except MachineError as error:
            outcome |= {"end": "MachineError", "text": str(error), "code": error.exit_code}
        except BaseException as error:
            outcome |= {"end": repr(error)}
        limit(resource.RLIM_INFINITY)
        outcome["left"] = {p.name: sha256(p) == golden for p in folder.iterdir() if p.stat().st_size}
        results.append(outcome)
print(json.dumps(results))
"""


def test_H01_disk_full_at_any_byte(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    results = json.loads(done.stdout.splitlines()[-1])
    assert sum(r["writer"] == "map.tif" for r in results) >= 40
    for result in results:
        assert result["end"] == "MachineError", result
        assert result["code"] == 5 and result["writer"] in result["text"], result
        assert "free" in result["text"] and "Make room or choose another output folder" in result["text"], result
        assert result["left"] == {}, result


def test_H01_an_old_map_survives_a_full_disk(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("old")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(MachineError, match=r"needs 3 bytes, and .* are free"):
        write_text(tmp_path / "notes.txt", "new")
    assert os.listdir(tmp_path) == ["notes.txt"] and (tmp_path / "notes.txt").read_text() == "old"


def test_H04_a_file_stands_where_the_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("a file")
    for target in (tmp_path / "out" / "a.json", tmp_path / "out" / "deeper" / "a.json"):
        with pytest.raises(MachineError, match="out is a file, not a folder") as caught:
            write_text(target, "x")
        assert "Choose another output folder" in str(caught.value) and caught.value.exit_code == 5
    (tmp_path / "a.json").mkdir()
    with pytest.raises(MachineError, match="is a folder"):
        write_text(tmp_path / "a.json", "x")
    assert sorted(os.listdir(tmp_path)) == ["a.json", "out"]


NO_RIGHTS = """
import os, sys
from pathlib import Path
from geoseg.errors import MachineError
from geoseg.io.commit import write_text
if os.geteuid() == 0:
    os.setuid(65534)
try:
    write_text(Path(sys.argv[1]) / "a.json", "x")
except MachineError as error:
    print(error)
"""


def test_H04_a_folder_that_may_not_be_written_to():
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "out"
        folder.mkdir()
        Path(parent).chmod(0o755)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", NO_RIGHTS, str(folder)], capture_output=True, text=True, check=True
        )
        assert "a.json cannot be written: Permission denied" in done.stdout
        assert f"get write access to {folder}" in done.stdout
        assert os.listdir(folder) == []
