"""Pictures of the points of a sample, cut from the imagery that interpreters are to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from geoseg.errors import ConfigError, DataError
from geoseg.grid.window import Window
from geoseg.io.image import write_picture
from geoseg.io.rasters import Raster, open_raster
from geoseg.report.chip import Box, chip, stretched
from geoseg.stages.drawn import Drawn

CONTEXT = 61  # pixels of the map a side of a panel, the point's own in the middle
_PIXELS = (32, 1024)  # of the image a side, at least and at most, where its pixels are much larger or smaller
_COLOURS = ("red", "green", "blue")
_LOOKS = 24  # windows that the stretch is taken from
_LOOK = 128  # pixels a side

Floats = NDArray[np.float64]


class Imagery:
    """One date: an image, how it is stretched, and where the map's pixels lie in it.

    Args:
        image: of that date.
        classes: the map.
        bands: numbers of the bands shown as red, green and blue; none for those of these names, or the first three.
    """

    def __init__(self, image: Raster, classes: Raster, bands: Sequence[int]) -> None:
        self._image, self._map = image, classes
        self._bands = list(bands) or _shown_bands(image)
        if absent := [band for band in self._bands if not 1 <= band <= image.count]:
            raise ConfigError(
                f"{image.path} has {image.count} bands, no band {absent[0]}; name three of them in --bands"
            )
        to_image = Transformer.from_crs(classes.geobox.crs.proj, image.geobox.crs.proj, always_xy=True)
        self._to_image = to_image
        height, width = classes.shape
        top, left, bottom, right = self._place(np.array([0.0, height]), np.array([0.0, width]))
        if not (top < image.shape[0] and left < image.shape[1] and bottom > 0 and right > 0):
            raise DataError(f"{image.path} shows no part of the map {classes.path}; name imagery of the same place")
        self._low, self._high = self._ends()
        middle = self._place(np.array([height // 2, height // 2 + 1.0]), np.array([width // 2, width // 2 + 1.0]))
        fine = max(middle[2] - middle[0], middle[3] - middle[1])  # pixels of the image along one of the map
        self._context = max((float(np.clip(CONTEXT * fine, *_PIXELS)) / fine - 1) / 2, 1.0)

    def panel(self, row: int, col: int) -> tuple[NDArray[np.uint8], Box]:
        """(height, width, 3) around a pixel of the map, and the pixel's place in it."""
        corners = self._place(np.array([row, row + 1.0]), np.array([col, col + 1.0]))
        around = self._place(
            np.array([row - self._context, row + 1.0 + self._context]),
            np.array([col - self._context, col + 1.0 + self._context]),
        )
        top, left = (int(np.floor(v)) for v in around[:2])
        window = Window.from_edges(
            left, top, max(int(np.ceil(around[3])), left + 1), max(int(np.ceil(around[2])), top + 1)
        )
        box = (corners[0] - top, corners[1] - left, corners[2] - top, corners[3] - left)
        return self._read(window), box

    def _place(self, rows: Floats, cols: Floats) -> tuple[float, float, float, float]:
        """(top, left, bottom, right) in pixels of the image, of a rectangle given by two corners in the map's."""
        row, col = np.meshgrid(rows, cols)
        x, y = self._map.geobox.pix2wld(col.ravel(), row.ravel())
        image_col, image_row = self._image.geobox.wld2pix(*self._to_image.transform(x, y))
        return (float(image_row.min()), float(image_col.min()), float(image_row.max()), float(image_col.max()))

    def _read(self, window: Window) -> NDArray[np.uint8]:
        """What the image has of a window that may reach outside it."""
        pixels = np.zeros((3, *window.shape), self._image.dtype)
        valid = np.zeros(window.shape, bool)
        if (part := window.intersect(self._image.window)) is not None:
            place = part.within(window).slices
            pixels[:, *place], valid[place] = self._image.read(self._bands, part)
        return stretched(pixels, valid, self._low, self._high)

    def _ends(self) -> tuple[Floats, Floats]:
        """Second and 98th percentile of each band, over windows spread evenly: the same for every point.

        Pixels that are 0 in all bands do not count: they are the fill of images that do not say so.
        """
        whole = self._image.window
        across = max(1, round(np.sqrt(_LOOKS * whole.width / whole.height)))
        down = max(1, -(-_LOOKS // across))
        seen = []
        for row in np.linspace(0, max(0, whole.height - _LOOK), down).astype(int).tolist():
            for col in np.linspace(0, max(0, whole.width - _LOOK), across).astype(int).tolist():
                window = Window(col, row, _LOOK, _LOOK).intersect(whole)
                assert window is not None
                pixels, valid = self._image.read(self._bands, window)
                seen.append(pixels[:, valid & pixels.any(axis=0)].astype(np.float64))
        values = np.concatenate(seen, axis=1)
        if not values.shape[1]:
            return np.zeros(3), np.ones(3)
        low, high = np.quantile(values, (0.02, 0.98), axis=1)
        return low, high


def _shown_bands(image: Raster) -> list[int]:
    names = image.band_names or ()
    if all(colour in names for colour in _COLOURS):
        return [names.index(colour) + 1 for colour in _COLOURS]
    bands = list(image.image_bands)
    return bands[:3] if len(bands) >= 3 else bands[:1] * 3


@contextmanager
def open_imagery(classes: Raster, images: Sequence[Path], bands: Sequence[int]) -> Iterator[list[Imagery]]:
    """The images, each in any CRS, as dates of a map.

    Raises:
        ConfigError: an image has no such band.
        DataError: an image cannot be read, or lies elsewhere.
    """
    with ExitStack() as files:
        yield [Imagery(files.enter_context(open_raster(path)), classes, bands) for path in images]


def write_chips(drawn: Drawn, dates: Sequence[Imagery], folder: Path) -> None:
    """A PNG of each point, named by its id, the dates side by side; none without dates."""
    if not dates:
        return
    for number, (row, col) in enumerate(zip(drawn.rows.tolist(), drawn.cols.tolist(), strict=True), start=1):
        panels, boxes = zip(*(date.panel(row, col) for date in dates), strict=True)
        write_picture(folder / f"{number}.png", chip(panels, boxes))
