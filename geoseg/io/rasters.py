"""The one gate through which rasters are opened, and what comes out of it: north-up windows of pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.windows import Window as FileWindow

from geoseg.errors import DataError, WindowError
from geoseg.grid.window import Window
from geoseg.io.bands import name_bands, resolve_bands
from geoseg.io.blocks import Block, Blocks
from geoseg.io.georeference import crs_of, north_up, transform_of
from geoseg.io.sniff import regular_file, require_tiff, shorten
from geoseg.io.tiff_header import require_whole_header
from geoseg.io.validity import Nodata, alpha_bands, require_fit, valid_pixels

__all__ = ["Raster", "create_raster", "open_raster", "resolve_bands"]

READ_ERRORS = (RasterioError, CPLE_BaseError)
_LISTED = 5  # damaged blocks named in one message


def open_raster(path: str | PathLike[str], *, assume_crs: str | None = None, overview: int | None = None) -> Raster:
    """Open a GeoTIFF; the only way geoseg reads rasters.

    The file must be a regular file that starts as a TIFF does. It is opened by GDAL's GeoTIFF driver and no
    other. An `.aux.xml` or `.ovr` beside it is not read; a `.msk` is.

    Args:
        path: a file on this machine.
        assume_crs: CRS of a file that carries none, such as EPSG:32640.
        overview: opens a reduced copy inside the file, 0 being the finest, instead of the image.

    Raises:
        DataError: no such file, another kind of file, a header that cannot be read, no georeferencing, pixels
            that are not integers or floats, or blocks too big to decode.
        ConfigError: `assume_crs` is no CRS, or contradicts the file.
    """
    real, shown = regular_file(path), shorten(fspath(path))
    require_tiff(real, shown)
    require_whole_header(real, shown)
    mask = real.with_name(real.name + ".msk")
    if mask.exists():
        require_tiff(regular_file(mask), f"{mask.name}, the mask of the image,")
        require_whole_header(mask, f"{mask.name}, the mask of the image,", is_mask=True)
    level = {} if overview is None else {"overview_level": overview}
    try:
        dataset = rasterio.open(real, driver="GTiff", sharing=False, **level)  # noqa: TID251
    except READ_ERRORS as error:
        raise DataError(
            f"{shown} starts like a TIFF, but its header cannot be read ({shorten(_reason(error))}): it is cut off "
            "or damaged. Download it again."
        ) from error
    try:
        return Raster(dataset, Path(path), real.stat().st_size, assume_crs)
    except BaseException:
        dataset.close()
        raise


@contextmanager
def create_raster(path: Path, **profile: Any) -> Iterator[rasterio.io.DatasetWriter]:
    """A new GeoTIFF to write into. Closing it may fail without a word on a full disk: read it back."""
    with rasterio.open(path, "w", driver="GTiff", **profile) as dataset:  # noqa: TID251
        yield dataset


class Raster:
    """An open GeoTIFF whose rows run north to south and columns west to east, however they are stored.

    Attributes:
        path: as it was given.
        geobox: where the pixels are. North-up, unless the image is rotated or sheared.
        count: bands, alpha included.
        dtype: of all pixels.
        band_names: one a band, lower case; None where the file does not say.
        image_bands: numbers, from 1, of the bands that are not alpha.
        nodata: the file's tag, None if it has none.
        is_palette: whether values are numbers of colours, as in a class map.
        damage: blocks that a read met and could not decode, in words.
    """

    def __init__(self, dataset: rasterio.DatasetReader, path: Path, size: int, assume_crs: str | None) -> None:
        self._dataset = dataset
        self.path = path
        self.count: int = dataset.count
        self.dtype = _dtype(dataset, path)
        self._blocks = Blocks(dataset, size)
        self._blocks.gate(str(path))
        transform, self._flip = north_up(transform_of(dataset, path), dataset.height, dataset.width)
        self.geobox = GeoBox(dataset.shape, transform, crs_of(dataset, path, assume_crs))
        self.nodata: float | None = dataset.nodata
        self.band_names = name_bands(dataset.descriptions, [colour.name for colour in dataset.colorinterp])
        alpha = alpha_bands(dataset)
        self.image_bands = tuple(i for i in dataset.indexes if i not in alpha)
        self.is_palette = dataset.colorinterp[0] == ColorInterp.palette
        self.damage: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), pixels."""
        return self._dataset.height, self._dataset.width

    @property
    def crs(self) -> CRS:
        """The CRS, which every raster has that was opened."""
        crs = self.geobox.crs
        assert crs is not None
        return crs.proj

    @property
    def window(self) -> Window:
        """All pixels."""
        return Window(0, 0, self._dataset.width, self._dataset.height)

    @property
    def overviews(self) -> int:
        """Number of reduced copies in the file."""
        return len(self._dataset.overviews(1))

    def tags(self) -> dict[str, str]:
        """The file's own key: value texts."""
        return dict(self._dataset.tags())

    def colours(self) -> dict[int, tuple[int, int, int, int]]:
        """Value: (red, green, blue, alpha) of a palette image; empty for others."""
        return dict(self._dataset.colormap(1)) if self.is_palette else {}

    def blocks(self) -> Iterator[Window]:
        """The file's own blocks, each as a window, north to south: the cheapest pieces to read it in."""
        places = list(self._blocks.everywhere())
        return (self._mirrored(self._blocks.window(*place)) for place in (places[::-1] if self._flip[0] else places))

    def read(
        self, bands: Sequence[int], window: Window | None = None, nodata: Nodata = None
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Pixels and where they are valid.

        A pixel is invalid if in any of `bands` it is nodata, NaN or infinite, if the mask or alpha says so, or
        if its block is damaged: what can be read is read, and the block is named in `damage`.

        Args:
            bands: numbers from 1.
            window: pixels of this raster, inside it; None reads all.
            nodata: replaces the file's tag; "none" drops it.

        Returns:
            (band, height, width) of the file's dtype, 0 where invalid; (height, width) bool.

        Raises:
            WindowError: the window reaches outside.
            DataError: the file has no such band.
            ConfigError: the file cannot hold this nodata value.
        """
        self._require(bands, window, nodata)
        stored = self._stored(window or self.window)
        short = [block for block, _, _ in self._blocks.short(bands, self._blocks.touching(stored))]
        try:
            if short:  # some codecs invent the pixels that are missing
                raise RasterioError(short[0].name)
            data, valid = self._read(bands, stored, nodata)
        except READ_ERRORS:
            data, valid = self._salvage(bands, stored, nodata, short)
        data[:, ~valid] = 0
        return self._turned(data), self._turned(valid)

    def read_classes(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Values of a class map as they are, (height, width); nothing is masked.

        Raises:
            DataError: not one band of uint8, or a damaged block.
        """
        if self.count != 1 or self.dtype != np.uint8:
            raise DataError(
                f"{self.path} has {self.count} bands of {self.dtype}; a class map is one band of uint8. "
                "Name the raster that holds class numbers."
            )
        return self._read_plain([1], window)[0]

    def read_probs(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Coded probabilities as they are, (class, height, width); nothing is masked.

        Raises:
            DataError: not of uint8, or a damaged block.
        """
        if self.dtype != np.uint8:
            raise DataError(
                f"{self.path} has pixels of {self.dtype}; probabilities are one band of uint8 a class. "
                "Name a probs.tif that geoseg made."
            )
        return self._read_plain(self._dataset.indexes, window)

    def check(self, *, deep: bool = False) -> None:
        """Find damage without computing anything.

        Compares where each block should lie with the file's length; `deep` also decodes every block and mask.

        Raises:
            DataError: names the damaged blocks.
        """
        self._raise_short(self._dataset.indexes, self._blocks.everywhere())
        if deep and (found := self._undecodable(self._blocks.everywhere())):
            raise self._damaged(found)

    def _require(self, bands: Sequence[int], window: Window | None, nodata: Nodata) -> None:
        if window is not None and not self.window.contains(window):
            raise WindowError(f"{window} reaches outside {self.path}, which has {self.shape} rows and columns")
        if absent := [number for number in bands if not 1 <= number <= self.count]:
            raise DataError(
                f"{self.path} has {self.count} bands; band {absent[0]} was asked for. "
                "Check bands: of this scene in the AOI file."
            )
        require_fit(str(self.path), self.dtype, nodata)

    def _read_plain(self, bands: Sequence[int], window: Window | None) -> NDArray[np.uint8]:
        """Bands as they are, (band, height, width). Raises `DataError` for a damaged block."""
        self._require(bands, window, None)
        stored = self._stored(window or self.window)
        self._raise_short(bands, self._blocks.touching(stored))
        try:
            pixels: NDArray[np.uint8] = self._turned(self._dataset.read(list(bands), window=stored))
        except READ_ERRORS as error:
            raise self._damaged(self._undecodable(self._blocks.touching(stored))) from error
        return pixels

    def _read(self, bands: Sequence[int], stored: FileWindow, nodata: Nodata) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        data = self._dataset.read(list(bands), window=stored)
        return data, valid_pixels(self._dataset, bands, stored, data, nodata)

    def _salvage(
        self, bands: Sequence[int], stored: FileWindow, nodata: Nodata, short: Sequence[Block]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read block by block; what cannot be decoded stays invalid and is noted."""
        data = np.zeros((len(bands), stored.height, stored.width), self.dtype)
        valid = np.zeros((stored.height, stored.width), bool)
        for row, col in self._blocks.touching(stored):
            bad = [block for block in short if (block.row, block.col) == (row, col)]
            piece = self._blocks.window(row, col).intersection(stored)
            top, left = piece.row_off - stored.row_off, piece.col_off - stored.col_off
            place = slice(top, top + piece.height), slice(left, left + piece.width)
            try:
                if not bad:
                    data[:, *place], valid[place] = self._read(bands, piece, nodata)
            except READ_ERRORS:
                bad = self._undecodable(iter([(row, col)])) or [Block(0, row, col)]
            self._note(bad)
        return data, valid

    def _note(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            text = f"{self.path}: {block.name} is damaged"
            if text not in self.damage:
                self.damage.append(text)

    def _undecodable(self, places: Iterator[tuple[int, int]]) -> list[Block]:
        """Blocks that GDAL cannot decode, masks included."""
        bad = []
        for row, col in places:
            window = self._blocks.window(row, col)
            for number in self._dataset.indexes[:1] if self._blocks.together else self._dataset.indexes:
                try:
                    self._dataset.read(None if self._blocks.together else number, window=window)
                    self._dataset.read_masks(number, window=window)
                except READ_ERRORS:
                    bad.append(Block(0 if self._blocks.together else number, row, col))
        return bad

    def _raise_short(self, bands: Sequence[int], places: Iterator[tuple[int, int]]) -> None:
        """Raise for blocks whose bytes are not all in the file."""
        short = list(self._blocks.short(bands, places))
        if short:
            block, got, expected = short[0]
            more = f" {len(short) - 1} more blocks are cut off too." if len(short) > 1 else ""
            raise DataError(
                f"{self.path} is cut off: {block.name} has {got} of its {expected} bytes.{more} Download it again."
            )

    def _damaged(self, blocks: Sequence[Block]) -> DataError:
        names = "; ".join(block.name for block in blocks[:_LISTED]) or "a block"
        more = f" and {len(blocks) - _LISTED} more" if len(blocks) > _LISTED else ""
        return DataError(f"{self.path} is damaged and cannot be decoded at {names}{more}. Download it again.")

    def _stored(self, window: Window) -> FileWindow:
        """Where the pixels of a window lie in the file."""
        rows, cols = self._flip
        top = self._dataset.height - window.bottom if rows else window.row_off
        left = self._dataset.width - window.right if cols else window.col_off
        return FileWindow(left, top, window.width, window.height)

    def _mirrored(self, stored: FileWindow) -> Window:
        """The inverse of `_stored`, which is its own inverse."""
        turned = self._stored(Window(stored.col_off, stored.row_off, stored.width, stored.height))
        return Window(turned.col_off, turned.row_off, turned.width, turned.height)

    def _turned(self, array: NDArray[Any]) -> NDArray[Any]:
        """Stored pixels with north up; contiguous."""
        rows, cols = self._flip
        return np.ascontiguousarray(array[..., :: -1 if rows else 1, :: -1 if cols else 1])


def _dtype(dataset: rasterio.DatasetReader, path: Path) -> np.dtype[Any]:
    """The pixels' type; only integers and floats measure something band by band."""
    name = dataset.dtypes[0]
    with suppress(TypeError):
        dtype = np.dtype(name)
        if np.issubdtype(dtype, np.integer) or np.issubdtype(dtype, np.floating):
            return dtype
    raise DataError(
        f"{path} has pixels of type {name}; integers and floats can be read. Complex radar pixels must be turned "
        "into amplitude or intensity first."
    )


def _reason(error: BaseException) -> str:
    """The innermost message, which is GDAL's own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip() or type(error).__name__
