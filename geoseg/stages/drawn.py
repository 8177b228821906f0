"""Points drawn from a map: the same ones whenever they are drawn again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.io.rasters import Raster
from geoseg.io.sample_points import SamplePoint, points_sha256
from geoseg.stages.map_strata import MapStrata, Piece
from geoseg.stats.lots import Lots
from geoseg.stats.pixel_area import PixelArea

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Drawn:
    """Points in the order of their ids, which start at 1.

    Args:
        names: of the strata.
        strata: (point,) index of the stratum.
        rows, cols: (point,) pixel.
        classes: (point,) index of the map's class.
        areas: (point,) area of the pixel, m2.
    """

    names: tuple[str, ...]
    strata: NDArray[np.int16]
    rows: Ints
    cols: Ints
    classes: NDArray[np.int16]
    areas: NDArray[np.float64]

    @property
    def sha256(self) -> str:
        """Hash of ids, strata and pixels."""
        rows = zip(self.strata.tolist(), self.rows.tolist(), self.cols.tolist(), strict=True)
        return points_sha256((n, self.names[h], row, col) for n, (h, row, col) in enumerate(rows, start=1))


class Drawing:
    """Draws points at random within strata, every pixel of a stratum as likely as another, from pieces that go by.

    Args:
        raster: the map that `strata` reads.
        strata: see there.
        counts: points of each stratum by name; strata that are not named get none.
        seed: the same seed draws the same points.
    """

    def __init__(self, raster: Raster, strata: MapStrata, counts: dict[str, int], seed: int) -> None:
        self._raster, self._strata = raster, strata
        self._lots = Lots(np.array([counts.get(name, 0) for name in strata.names]), seed)

    def add(self, piece: Piece) -> None:
        """One of `strata.pieces`; all of them are needed, in any order."""
        rows = np.arange(piece.window.row_off, piece.window.bottom, dtype=np.int64)
        cols = np.arange(piece.window.col_off, piece.window.right, dtype=np.int64)
        self._lots.add(piece.strata, rows[:, None] * self._raster.shape[1] + cols)

    def drawn(self) -> Drawn:
        """The points."""
        raster, strata = self._raster, self._strata
        drawn, places = self._lots.drawn()
        rows, cols = np.divmod(places, raster.shape[1])
        values = [_at(raster, row, col) for row, col in zip(rows.tolist(), cols.tolist(), strict=True)]
        area = PixelArea(raster.geobox.crs.proj, raster.geobox.transform, raster.shape)
        areas = [area(Window(col, row, 1, 1)).item() for row, col in zip(rows.tolist(), cols.tolist(), strict=True)]
        return Drawn(strata.names, drawn, rows, cols, strata.class_of(np.array(values, np.uint8)), np.array(areas))


def sample_points(raster: Raster, drawn: Drawn) -> list[SamplePoint]:
    """The points as they are written for interpreters."""
    x, y = raster.geobox.pix2wld(drawn.cols + 0.5, drawn.rows + 0.5)
    lon, lat = Transformer.from_crs(raster.geobox.crs.proj, "EPSG:4326", always_xy=True).transform(x, y)
    if not np.isfinite(lon).all():
        raise DataError(f"{raster.path} reaches where its CRS is not defined; cut the map to the area of interest")
    columns = (drawn.strata.tolist(), lon.round(9).tolist(), lat.round(9).tolist(), x.tolist(), y.tolist())
    rows = enumerate(zip(*columns, strict=True), start=1)
    return [SamplePoint(number, drawn.names[h], *place) for number, (h, *place) in rows]


def _at(raster: Raster, row: int, col: int) -> int:
    return int(raster.read_classes(Window(col, row, 1, 1)).item())
