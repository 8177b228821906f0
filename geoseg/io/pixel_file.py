"""What is known of some pixels of a map, kept on disk between two passes over its strips."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from geoseg.io.commit import writing


class PixelFile:
    """Values of chosen pixels, strip by strip; gone when nobody holds it. In memory: 16 bytes a strip.

    Args:
        folder: where there is room: a byte for each chosen pixel and layer.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with writing(folder / "pixels"):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _file(folder)
        self._places: list[tuple[int, int]] = []  # of each strip: first byte, layers

    def add(self, chosen: NDArray[np.bool_], layers: Sequence[NDArray[np.uint8]]) -> None:
        """Keep the next strip.

        Args:
            chosen: (height, width).
            layers: (height, width) each.

        Raises:
            MachineError: the disk is full.
        """
        self._places.append((self._file.tell(), len(layers)))
        for layer in layers:
            kept = layer[chosen]
            with writing(self._folder / "pixels", kept.nbytes):
                self._file.write(kept.data)

    def read(self, strip: int, chosen: NDArray[np.bool_], rest: int) -> list[NDArray[np.uint8]]:
        """The layers of a strip, (height, width) each; `rest` in pixels that were not chosen.

        Args:
            strip: its number, in the order they were added.
            chosen: as it was added.
            rest: 0 to 255.
        """
        start, layers = self._places[strip]
        count = int(np.count_nonzero(chosen))
        self._file.seek(start)
        out = []
        for _ in range(layers):
            layer = np.full(chosen.shape, rest, np.uint8)
            layer[chosen] = np.frombuffer(self._file.read(count), np.uint8)
            out.append(layer)
        self._file.seek(0, 2)
        return out


def _file(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder, prefix=".pixels.")
