"""Arrays of strips of a map, kept on disk between two passes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np
from numpy.typing import NDArray

from geoseg.io.commit import writing


class StripFile:
    """Arrays of uint8 by the number of their strip, from several threads; gone when nobody holds it.

    Args:
        folder: where there is room.
    """

    def __init__(self, folder: Path) -> None:
        self._target = folder / "strips"
        with writing(self._target):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _file(folder)
        self._places: dict[int, tuple[int, list[tuple[int, ...]]]] = {}  # first byte, and shape of each array
        self._lock = Lock()

    def put(self, number: int, arrays: Sequence[NDArray[np.uint8]]) -> None:
        """Keep the arrays of a strip. Raises `MachineError`."""
        with self._lock, writing(self._target, sum(array.nbytes for array in arrays)):
            self._places[number] = self._file.seek(0, 2), [array.shape for array in arrays]
            for array in arrays:
                self._file.write(np.ascontiguousarray(array).data)

    def get(self, number: int) -> list[NDArray[np.uint8]] | None:
        """The arrays of a strip; None if none were put."""
        with self._lock:
            if number not in self._places:
                return None
            start, shapes = self._places[number]
            self._file.seek(start)
            counts = [int(np.prod(shape)) for shape in shapes]
            read = [np.frombuffer(self._file.read(count), np.uint8) for count in counts]
        return [array.reshape(shape) for array, shape in zip(read, shapes, strict=True)]


def _file(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder, prefix=".strips.")
