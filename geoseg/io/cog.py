"""Class maps and confidences as cloud-optimized GeoTIFFs that were read back before they got their name."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.crs import CRS as RasterioCRS
from rasterio.env import Env
from rasterio.shutil import copy
from rasterio.windows import Window as FileWindow
from rio_cogeo.cogeo import cog_validate

from geoseg.errors import DataError, MachineError, WindowError
from geoseg.grid.window import Window
from geoseg.io.commit import commit, free_text, temporary
from geoseg.io.rasters import create_raster, open_raster

BLOCK = 512  # pixels a side of the blocks in the file
CACHE_BYTES = 128_000_000  # of blocks that GDAL keeps; its own limit is a share of the machine's memory
Colour = tuple[int, int, int, int]
Tile = tuple[Window, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class _Look:
    """What a file says of its one band; `write_cog` explains each."""

    nodata: int | None
    overviews: Literal["mode", "average"]
    description: str
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
    """Write one uint8 band as a cloud-optimized GeoTIFF. Memory does not grow with the raster.

    The pixels are streamed into a plain GeoTIFF beside the target, copied into the final layout, read back and
    compared with what was streamed; only then does the file get its name. The same pixels give the same bytes,
    however they were cut into windows.

    Args:
        target: the file; what it had is replaced.
        windows: pieces of the raster, offsets from its top left pixel, each with its (height, width) pixels. They
            must not overlap. Pixels that none covers are `nodata`, or 0 without one.
        geobox: where the raster is, and its size.
        nodata: value where there is no map; None if every value means something.
        overviews: "mode" for classes, "average" for quantities.
        colours: value: (red, green, blue, alpha), 0 to 255; None for grey.
        description: name of the band.
        tags: key: text, written into the file.
        band_category_names: value: class name, which QGIS shows. They stand in `target` + `.aux.xml`, where GDAL
            looks for them; without names, no such file stays from an older map.

    Raises:
        WindowError: a window reaches outside the raster, or its pixels have another shape.
        MachineError: the disk is full or failing, or the folder cannot be written to. `target` is as it was.
    """
    look = _Look(nodata, overviews, description, colours, band_category_names, tags)
    sidecar = target.with_name(target.name + ".aux.xml")
    with Env(GDAL_CACHEMAX=CACHE_BYTES), ExitStack() as files:
        # the stack closes in reverse: the image gets its name, then the class names do
        if look.names:
            files.enter_context(commit(sidecar)).write_text(_category_xml(look.names), encoding="utf-8")
        part = files.enter_context(commit(target))
        plain = files.enter_context(temporary(target))
        sums = _stream(plain, windows, geobox, look)
        _copy(plain, part, look)
        _verify(part, target, sums, geobox, look)
    if not look.names:
        sidecar.unlink(missing_ok=True)


def _profile(geobox: GeoBox, look: _Look) -> dict[str, Any]:
    """Creation options of the intermediate file."""
    height, width = geobox.shape
    return {
        "height": height,
        "width": width,
        "count": 1,
        "dtype": "uint8",
        "crs": RasterioCRS.from_wkt(geobox.crs.proj.to_wkt("WKT2_2019")),
        "transform": geobox.transform,
        "nodata": look.nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "zlevel": 1,  # it lives for a minute
        "sparse_ok": True,
        "bigtiff": "IF_SAFER",
    }


def _stream(plain: Path, windows: Iterable[Tile], geobox: GeoBox, look: _Look) -> list[tuple[Window, int]]:
    """Write the windows into `plain`; a checksum of each."""
    height, width = geobox.shape
    whole = Window(0, 0, width, height)
    sums = []
    with create_raster(plain, **_profile(geobox, look)) as file:
        file.set_band_description(1, look.description)
        file.update_tags(**(look.tags or {}))
        if look.colours:
            file.write_colormap(1, dict(look.colours))
        for window, pixels in windows:
            if not whole.contains(window) or pixels.shape != window.shape:
                raise WindowError(f"{window} with pixels {pixels.shape} does not fit a raster of {geobox.shape}")
            file.write(pixels.astype(np.uint8, casting="safe", copy=False), 1, window=_file_window(window))
            sums.append((window, _checksum(pixels)))
    return sums


def _copy(plain: Path, part: Path, look: _Look) -> None:
    """The final layout, from the finished intermediate file."""
    copy(
        plain,
        part,
        driver="COG",
        COMPRESS="DEFLATE",
        LEVEL=6,
        BLOCKSIZE=BLOCK,
        OVERVIEW_RESAMPLING=look.overviews.upper(),
        BIGTIFF="IF_SAFER",
        STATISTICS="NO",
    )


def _verify(part: Path, target: Path, sums: list[tuple[Window, int]], geobox: GeoBox, look: _Look) -> None:
    """Raise `MachineError` unless the file holds what was streamed, window by window, and its overviews decode."""
    try:
        with open_raster(part) as raster:
            raster.check()
            wrong = [window for window, total in sums if _checksum(raster.read_classes(window)) != total]
            same = raster.shape == geobox.shape and raster.nodata == look.nodata
            levels = raster.overviews
        for level in range(levels):
            with open_raster(part, overview=level) as raster:
                raster.check(deep=True)
        _, errors, warnings = cog_validate(part, strict=True)
    except DataError as error:
        raise _lost(target, "it cannot be read back") from error
    if wrong or not same:
        raise _lost(target, f"{len(wrong)} of {len(sums)} windows read back differently")
    # a strip too thin to be halved once a level is still whole; its levels are judged by the shorter side
    thin = min(geobox.shape) < 2**levels
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


def _file_window(window: Window) -> FileWindow:
    return FileWindow(window.col_off, window.row_off, window.width, window.height)
