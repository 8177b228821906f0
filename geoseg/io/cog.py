"""Class maps and confidences as cloud-optimized GeoTIFFs that were read back before they got their name."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS as RasterioCRS
from rasterio.env import Env
from rasterio.shutil import copy
from rasterio.windows import Window as FileWindow
from rio_cogeo.cogeo import cog_validate

from geoseg.errors import DataError, MachineError, WindowError
from geoseg.grid.window import Window
from geoseg.io.commit import commit, free_text, temporary, writing
from geoseg.io.overviews import halved
from geoseg.io.rasters import create_raster, open_raster

BLOCK = 512  # pixels a side of the blocks in the file
CACHE_BYTES = 128_000_000  # of blocks that GDAL keeps; its own limit is a share of the machine's memory
Colour = tuple[int, int, int, int]
Tile = tuple[Window, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class _Look:
    """What a file says of its bands; `cog_writer` explains each."""

    nodata: int | None
    overviews: Literal["mode", "average"]
    descriptions: tuple[str, ...]
    colours: Mapping[int, Colour] | None
    names: Mapping[int, str] | None
    tags: Mapping[str, str] | None


def write_cog(
    target: Path,
    windows: Iterable[Tile],
    geobox: GeoBox,
    *,
    nodata: int | None,
    overviews: Literal["mode", "average"],
    colours: Mapping[int, Colour] | None = None,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    band_category_names: Mapping[int, str] | None = None,
) -> None:
    """Write one band from its windows: see `cog_writer`, which has the same arguments, and the same errors."""
    with cog_writer(
        target,
        geobox,
        nodata=nodata,
        overviews=overviews,
        colours=colours,
        descriptions=(description,),
        tags=tags,
        band_category_names=band_category_names,
    ) as file:
        for window, pixels in windows:
            file.write(window, pixels)


@contextmanager
def cog_writer(
    target: Path,
    geobox: GeoBox,
    *,
    bands: int = 1,
    nodata: int | None,
    overviews: Literal["mode", "average"],
    colours: Mapping[int, Colour] | None = None,
    descriptions: tuple[str, ...] = ("",),
    tags: Mapping[str, str] | None = None,
    band_category_names: Mapping[int, str] | None = None,
) -> Iterator[CogWriter]:
    """A cloud-optimized GeoTIFF of uint8 bands to write windows into. Memory does not grow with the raster.

    The pixels are streamed into a plain GeoTIFF beside the target. When the block ends without an error it is copied
    into the final layout, read back and compared with what was streamed; only then does the file get its name. The same
    pixels give the same bytes, however they were cut into windows. Several files may be written side by side;
    `finish` completes them in threads.

    Args:
        target: the file; what it had is replaced.
        geobox: where the raster is, and its size.
        bands: how many.
        nodata: value where there is no map; None if every value means something. Pixels that no window covers are
            `nodata`, or 0 without one.
        overviews: "mode" for classes, "average" for quantities.
        colours: value: (red, green, blue, alpha), 0 to 255; None for grey.
        descriptions: name of each band.
        tags: key: text, written into the file.
        band_category_names: value: class name, which QGIS shows. They stand in `target` + `.aux.xml`, where GDAL
            looks for them; without names, no such file stays from an older map.

    Raises:
        WindowError: a window reaches outside the raster, or its pixels have another shape.
        MachineError: the disk is full or failing, or the folder cannot be written to. `target` is as it was.
    """
    assert len(descriptions) == bands, descriptions
    look = _Look(nodata, overviews, descriptions, colours, band_category_names, tags)
    sidecar = target.with_name(target.name + ".aux.xml")
    with Env(GDAL_CACHEMAX=CACHE_BYTES), ExitStack() as files:
        # the stack closes in reverse: the image gets its name, then the class names do
        if look.names:
            files.enter_context(commit(sidecar)).write_text(_category_xml(look.names), encoding="utf-8")
        part = files.enter_context(commit(target))
        writer = CogWriter(target, part, files.enter_context(temporary(target)), geobox, look)
        with closing(writer):
            yield writer
            writer.finish()
    if not look.names:
        sidecar.unlink(missing_ok=True)


def finish(*writers: CogWriter) -> None:
    """Copy and verify several files in threads, before their blocks end and give them their names."""
    with ThreadPoolExecutor(len(writers)) as pool:
        for done in [pool.submit(writer.finish) for writer in writers]:
            done.result()


class CogWriter:
    """A file that is being written: see `cog_writer`."""

    def __init__(self, target: Path, part: Path, plain: Path, geobox: GeoBox, look: _Look) -> None:
        self._target, self._part, self._plain, self._geobox, self._look = target, part, plain, geobox, look
        self._whole = Window(0, 0, geobox.shape.x, geobox.shape.y)
        self._sums: list[tuple[Window, int]] = []  # of what was streamed
        self._files = ExitStack()
        self._done = False
        with writing(target):
            self._file = self._files.enter_context(create_raster(plain, **_profile(geobox, look)))
            for number, description in enumerate(look.descriptions, start=1):
                self._file.set_band_description(number, description)
            self._file.update_tags(**(look.tags or {}))
            if look.colours:
                self._file.write_colormap(1, dict(look.colours))

    def write(self, window: Window, pixels: NDArray[np.uint8]) -> None:
        """Add pixels, (height, width) of one band or (band, height, width), that no other window covers."""
        layers = pixels[None] if pixels.ndim == 2 else pixels
        if not self._whole.contains(window) or layers.shape != (len(self._look.descriptions), *window.shape):
            raise WindowError(f"{window} with pixels {pixels.shape} does not fit a raster of {self._geobox.shape}")
        layers = layers.astype(np.uint8, casting="safe", copy=False)
        with writing(self._target):
            self._file.write(layers, window=FileWindow(window.col_off, window.row_off, window.width, window.height))
        self._sums.append((window, _checksum(layers)))

    def finish(self) -> None:
        """Copy into the final layout and verify; nothing can be written after it."""
        if self._done:
            return
        self._done = True
        with Env(GDAL_CACHEMAX=CACHE_BYTES), writing(self._target), ExitStack() as files:
            self.close()
            levels, plain, geobox = [self._sums], self._plain, self._geobox
            while max(geobox.shape) > BLOCK:
                coarse = plain.with_name(plain.name + ".ovr")  # GDAL takes it for an overview of the other
                files.callback(coarse.unlink, missing_ok=True)
                try:
                    geobox, sums = _halve(plain, geobox, coarse, self._look)
                except DataError as error:
                    raise _lost(self._target, "it cannot be read back") from error
                levels, plain = [*levels, sums], coarse
            _copy(self._plain, self._part, self._look)
            _verify(self._part, self._target, levels, self._geobox, self._look)

    def close(self) -> None:
        """Close the intermediate file."""
        self._files.close()


def _profile(geobox: GeoBox, look: _Look) -> dict[str, Any]:
    """Creation options of the intermediate file."""
    height, width = geobox.shape
    return {
        "height": height,
        "width": width,
        "count": len(look.descriptions),
        "dtype": "uint8",
        "crs": RasterioCRS.from_wkt(geobox.crs.proj.to_wkt("WKT2_2019")),
        "transform": geobox.transform,
        "nodata": look.nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "interleave": "band",  # a strip of many bands does not fill the cache
        "photometric": "minisblack",  # three bands are no colours
        "compress": "deflate",
        "zlevel": 1,  # it lives for a minute
        "sparse_ok": True,
        "bigtiff": "IF_SAFER",
    }


def _halve(source: Path, geobox: GeoBox, target: Path, look: _Look) -> tuple[GeoBox, list[tuple[Window, int]]]:
    """Write an overview half as fine as `source`; where it is, and the checksums of its windows."""
    height, width = (-(-size // 2) for size in geobox.shape)
    half = GeoBox((height, width), geobox.transform @ Affine.scale(2), geobox.crs)
    sums = []
    with open_raster(source) as fine, create_raster(target, **_profile(half, look)) as coarse:
        for top in range(0, height, BLOCK):
            rows = min(BLOCK, height - top)
            below = Window(0, 2 * top, geobox.shape.x, min(2 * rows, geobox.shape.y - 2 * top))
            pixels = halved(fine.read_probs(below), look.nodata, look.overviews)
            coarse.write(pixels, window=FileWindow(0, top, width, rows))
            sums.append((Window(0, top, width, rows), _checksum(pixels)))
    return half, sums


def _copy(plain: Path, part: Path, look: _Look) -> None:
    """The final layout, from the finished image and its overviews, which lie beside it."""
    if look.overviews == "mode":
        packing = {"LEVEL": 5}  # 6 takes three times as long for a file 15 % smaller
    elif len(look.descriptions) == 1:
        packing = {"LEVEL": 1, "PREDICTOR": 2}  # smaller than by level 5, in half the time
    else:
        packing = {"LEVEL": 1}  # differences between neighbours would slow down reading; 5 saves 3 % in twice the time
    with Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE"):  # or it does not look for overviews
        copy(
            plain,
            part,
            driver="COG",
            COMPRESS="DEFLATE",
            BLOCKSIZE=BLOCK,
            BIGTIFF="IF_SAFER",
            STATISTICS="NO",
            NUM_THREADS=2,  # the bytes do not depend on it
            **packing,
        )


def _verify(part: Path, target: Path, levels: list[list[tuple[Window, int]]], geobox: GeoBox, look: _Look) -> None:
    """Raise `MachineError` unless the file holds what was streamed, window by window, on each of its levels."""
    wrong, count = 0, 0
    try:
        for number, sums in enumerate(levels):
            with open_raster(part, overview=number - 1 if number else None) as raster:
                raster.check()
                wrong += sum(_checksum(raster.read_probs(window)) != total for window, total in sums)
                count += len(sums)
                if not number:
                    same = raster.shape == geobox.shape and raster.nodata == look.nodata
                    same &= raster.overviews == len(levels) - 1
        _, errors, warnings = cog_validate(part, strict=True)
    except DataError as error:
        raise _lost(target, "it cannot be read back") from error
    if wrong or not same:
        raise _lost(target, f"{wrong} of {count} windows read back differently")
    # a strip too thin to be halved once a level is still whole; its levels are judged by the shorter side
    thin = min(geobox.shape) < 2 ** (len(levels) - 1)
    # the COG driver always tiles; the validator takes a level exactly one block wide for strips
    known = [c for c in errors + warnings if c.endswith("not tiled") or (thin and c.startswith("Invalid Decimation"))]
    if complaints := [c for c in errors + warnings if c not in known]:
        raise _lost(target, "; ".join(complaints))


def _lost(target: Path, what: str) -> MachineError:
    return MachineError(
        f"{target} did not reach the disk whole: {what}; {free_text(target.parent)}. Make room or choose another "
        "output folder, then run the same command again: what is finished is kept."
    )


def _category_xml(names: Mapping[int, str]) -> str:
    """Class names as GDAL's sidecar lists them: by position, so that unused values are empty."""
    rows = (f"      <Category>{escape(names.get(value, ''))}</Category>\n" for value in range(max(names) + 1))
    return (
        '<PAMDataset>\n  <PAMRasterBand band="1">\n    <CategoryNames>\n'
        + "".join(rows)
        + "    </CategoryNames>\n  </PAMRasterBand>\n</PAMDataset>\n"
    )


def _checksum(pixels: NDArray[np.uint8]) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels))
