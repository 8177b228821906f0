"""What tracing the polygons of a class map needs of files: the map in strips, and room on disk for corners."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from geoseg.grid.window import Window
from geoseg.io.commit import writing
from geoseg.io.rasters import Raster

_ROWS = 512  # read at a time, at least: the block of the maps that geoseg makes
_PIXELS = 1 << 22  # of a strip, at most, unless a row has more


def class_strips(raster: Raster) -> Iterator[NDArray[np.uint8]]:
    """Rows of a class map, (height, width) of full width from north to south; each block of it is read once.

    Raises:
        DataError: not a class map, or damaged.
    """
    raster.check()
    height, width = raster.shape
    block = next(raster.blocks()).height
    rows = block * max(1, _ROWS // block)
    step = max(1, _PIXELS // width)
    for top in range(0, height, rows):
        classes = raster.read_classes(Window(0, top, width, min(rows, height - top)))
        for row in range(0, len(classes), step):
            yield classes[row : row + step]


class CornerFile:
    """Room on disk for the corners of arcs, as `geoseg.vector.trace.Scratch` asks for; gone when nobody holds it.

    Args:
        folder: where there is room: 16 bytes for each corner of the map.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = self._new()
        self._count = 0

    def append(self, corners: NDArray[np.int32]) -> None:
        """Keep (k, 2) more corners.

        Raises:
            MachineError: the disk is full.
        """
        with writing(self._folder / "corners", corners.nbytes):
            self._file.write(np.ascontiguousarray(corners).data)
        self._count += len(corners)

    def whole(self) -> NDArray[np.int32]:
        """All corners kept, (m, 2), in order, as they lie on disk."""
        return self._mapped(self._file, self._count)

    def empty(self, count: int) -> NDArray[np.int32]:
        """(count, 2) corners to be written, on disk.

        Raises:
            MachineError: the disk is full.
        """
        return self._mapped(self._new(), count)

    def _new(self) -> IO[bytes]:
        with writing(self._folder / "corners"):
            self._folder.mkdir(parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=self._folder, prefix=".corners.")

    def _mapped(self, file: IO[bytes], count: int) -> NDArray[np.int32]:
        if not count:  # nothing cannot be mapped
            return np.empty((0, 2), np.int32)
        with writing(self._folder / "corners", 8 * count):
            file.flush()
            os.posix_fallocate(file.fileno(), 0, 8 * count)  # a full disk must show now: later it is a signal
            return np.memmap(file, np.int32, "r+", shape=(count, 2))
