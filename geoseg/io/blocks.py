"""The blocks of a TIFF: where they lie in the file, whether their bytes are there, how big they are decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.enums import Interleaving
from rasterio.windows import Window as FileWindow

from geoseg.errors import DataError

MAX_BLOCK_BYTES = 256_000_000  # decoded: one pixel of a block costs the whole block (FAULTS, X07)
MAX_BLOCKS = 20_000_000


@dataclass(frozen=True, slots=True)
class Block:
    """One compressed unit of a file; `band` is 0 where the bands are stored together."""

    band: int
    row: int
    col: int

    @property
    def name(self) -> str:
        """As messages call it."""
        return f"band {self.band or 'all'}, block (row {self.row}, column {self.col})"


class Blocks:
    """Blocks of one open file. Rows and columns are the file's own, which may be south-up."""

    def __init__(self, dataset: rasterio.DatasetReader, size: int) -> None:
        """`size` is the file's length in bytes."""
        self._dataset = dataset
        self._size = size
        self.height, self.width = dataset.block_shapes[0]
        self.rows = -(-dataset.height // self.height)
        self.cols = -(-dataset.width // self.width)
        self.together = dataset.count == 1 or dataset.interleaving == Interleaving.pixel

    def gate(self, path: str) -> None:
        """Raise `DataError` where reading one pixel would cost more memory than any sensible file asks for."""
        bands = self._dataset.count if self.together else 1
        decoded = self.width * self.height * bands * np.dtype(self._dataset.dtypes[0]).itemsize
        if decoded > MAX_BLOCK_BYTES:
            raise DataError(
                f"{path} stores blocks of {self.width} x {self.height} px, {decoded / 1e6:.0f} MB each once decoded; "
                f"at most {MAX_BLOCK_BYTES / 1e6:.0f} MB are read. Rewrite it in small ones: "
                "gdal_translate -of COG IN.tif OUT.tif"
            )
        if self.rows * self.cols > MAX_BLOCKS:
            raise DataError(
                f"{path} declares {self.rows * self.cols} blocks of {self.width} x {self.height} px, more than "
                f"{MAX_BLOCKS}. Rewrite it in larger ones: gdal_translate -of COG IN.tif OUT.tif"
            )

    def window(self, row: int, col: int) -> FileWindow:
        """Pixels of a block that are inside the image."""
        left, top = col * self.width, row * self.height
        return FileWindow(
            left, top, min(self.width, self._dataset.width - left), min(self.height, self._dataset.height - top)
        )

    def touching(self, window: FileWindow) -> Iterator[tuple[int, int]]:
        """(row, column) of the blocks that hold pixels of `window`."""
        for row in range(window.row_off // self.height, -(-(window.row_off + window.height) // self.height)):
            for col in range(window.col_off // self.width, -(-(window.col_off + window.width) // self.width)):
                yield row, col

    def short(self, bands: Sequence[int], places: Iterator[tuple[int, int]]) -> Iterator[tuple[Block, int, int]]:
        """Blocks that reach past the end of the file, with the bytes that are there and that should be."""
        for row, col in places:
            for band in (0,) if self.together else bands:
                start, length = self._extent(max(band, 1), row, col)
                if start + length > self._size:
                    yield Block(band, row, col), max(0, self._size - start), length

    def everywhere(self) -> Iterator[tuple[int, int]]:
        """(row, column) of all blocks, row by row."""
        return ((row, col) for row in range(self.rows) for col in range(self.cols))

    def _extent(self, band: int, row: int, col: int) -> tuple[int, int]:
        """Offset and length of a block in the file, bytes; (0, 0) where it was never written, which means nodata."""
        start = self._dataset.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=band)
        length = self._dataset.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=band)
        return (int(start), int(length)) if start and length else (0, 0)
