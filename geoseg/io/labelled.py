"""Imagery with labels on one lattice: windows of both, read straight from the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize

from geoseg.errors import DataError
from geoseg.grid.area import Footprint, move
from geoseg.grid.folds import FoldSide
from geoseg.grid.lattice import Lattice, cells
from geoseg.grid.window import Window
from geoseg.io.burn import burn
from geoseg.io.label_polygons import LabelSource, class_polygons
from geoseg.io.rasters import open_raster
from geoseg.io.scenes import Mosaic, Scene, describe, scene_footprint
from geoseg.io.warped_pieces import WarpedPieces

IGNORE = 255  # label of a pixel that nobody labelled
_KEPT = WarpedPieces(256_000_000)  # bytes; of a process: training reads the same ground again and again

__all__ = ["IGNORE", "LabelSource", "Labelled", "own_lattice"]


class Labelled:
    """One labelled scene. It opens its files when first read, so it can be sent to another process.

    Args:
        scene: the imagery.
        labels: the labels, in any CRS.
        lattice: pixels that both are brought to: imagery as `Mosaic` does, labels by their nearest value.
        part: lattice pixels that are used; None uses all.
        outline: WKT of the ground whose labels count, in the lattice's CRS; None counts all of `part`.
        fold: which of the labels count in a fold; None counts all.
        fill: value of each band that stands where there is no imagery.
    """

    def __init__(
        self,
        scene: Scene,
        labels: LabelSource,
        lattice: Lattice,
        part: Window | None = None,
        *,
        outline: str | None = None,
        fold: FoldSide | None = None,
        fill: tuple[float, ...] | None = None,
    ) -> None:
        self.scene, self.labels, self.lattice, self.part = scene, labels, lattice, part
        self.outline, self.fold, self.fill = outline, fold, fill

    def __getstate__(self) -> dict[str, Any]:
        names = ("scene", "labels", "lattice", "part", "outline", "fold", "fill")
        return {k: self.__dict__[k] for k in names}

    def on(self, fold: FoldSide) -> Labelled:
        """The same scene, with the labels of one side of a fold."""
        return Labelled(
            self.scene, self.labels, self.lattice, self.part, outline=self.outline, fold=fold, fill=self.fill
        )

    def place_text(self, window: Window) -> str:
        """File and place of a window, in words."""
        left, bottom, right, top = self.lattice.geobox(window).boundingbox.bbox
        return f"{self.scene.path}, {left:.8g} to {right:.8g} east and {bottom:.8g} to {top:.8g} north"

    @cached_property
    def extent(self) -> Window:
        """Pixels that have imagery, lattice pixels."""
        whole = self.imagery.extent
        part = whole if self.part is None else whole.intersect(self.part)
        if part is None:
            raise DataError(f"bounds of {self.scene.path} do not touch it; give bounds in the image's CRS")
        return part

    @cached_property
    def ground(self) -> shapely.Geometry:
        """The ground that is used, in the lattice's CRS."""
        ground: shapely.Geometry = self.lattice.geobox(self.extent).boundingbox.polygon.geom
        if self.imagery.resampled:  # its edges are oblique to the lattice
            outline = describe(self.scene).geobox.extent
            footprint = move(outline.geom, str(outline.crs), self.lattice.crs)
            ground = ground if footprint is None else ground.intersection(footprint)
        return ground if self.outline is None else ground.intersection(shapely.from_wkt(self.outline))

    @property
    def label_footprint(self) -> Footprint:
        """Bounds of the labels, and their CRS."""
        if self.labels.is_vector:
            left, bottom, right, top = (float(v) for v in self._shapes.total_bounds)
            return (left, bottom, right, top), self.lattice.crs
        return scene_footprint(Scene(str(self.labels.path), (1,)))

    def classes(self, window: Window) -> NDArray[np.uint8]:
        """Class index of each pixel, (height, width), `IGNORE` where there is none or it does not count here."""
        found = self._polygons(window) if self.labels.is_vector else self._raster(window)
        if self.fold is not None:
            found[~self.fold.keeps(self.lattice, window)] = IGNORE
        if self.outline is not None:
            found[~burn(self.outline, self.lattice, window)] = IGNORE
        return found

    def unlisted(self, window: Window) -> Counter[float]:
        """Values of a label raster that `labels.indices` does not list, with their pixels; 255 means no label."""
        read = None if self.labels.is_vector else self._values(window)
        if read is None:
            return Counter()
        _, values, valid = read
        known = [IGNORE, *(self._value(name) for name in self.labels.indices)]
        found, counts = np.unique(values[valid & ~np.isin(values, known)], return_counts=True)
        return Counter(dict(zip(found.tolist(), counts.tolist(), strict=True)))

    def blocks(self, side: int) -> Iterator[Window]:
        """`extent` cut into lattice squares; without those that a fold leaves no label."""
        for cell in cells(self.extent, side):
            block = cell.intersect(self.extent)
            assert block is not None
            if self.fold is None or self.fold.keeps(self.lattice, block).any():
                yield block

    @cached_property
    def imagery(self) -> Mosaic:
        """The scene on its lattice."""
        return Mosaic([self.scene], self.lattice, kept=_KEPT)

    @cached_property
    def _label_mosaic(self) -> Mosaic:
        return Mosaic([Scene(str(self.labels.path), (1,))], self.lattice, "nearest", _KEPT)

    def _raster(self, window: Window) -> NDArray[np.uint8]:
        out = np.full(window.shape, IGNORE, dtype=np.uint8)
        read = self._values(window)
        if read is None:
            return out
        seen, values, valid = read
        found = np.full(seen.shape, IGNORE, dtype=np.uint8)
        for name, index in self.labels.indices.items():
            found[valid & (values == self._value(name))] = index
        out[seen.within(window).slices] = found
        return out

    def _values(self, window: Window) -> tuple[Window, NDArray[np.float32], NDArray[np.bool_]] | None:
        """What the label raster holds in a window: the part it reaches, its values and where they are valid."""
        seen = window.intersect(self._label_mosaic.extent)
        if seen is None:
            return None
        values, valid = self._label_mosaic.read(seen)
        return seen, values[0], valid

    def _value(self, name: str) -> float:
        try:
            return float(name)
        except ValueError as error:
            raise DataError(
                f"{self.labels.path} is a raster, so classes must name its values, such as 0: land, not {name!r}"
            ) from error

    @cached_property
    def _shapes(self) -> gpd.GeoDataFrame:
        return class_polygons(self.labels).to_crs(self.lattice.crs)

    def _polygons(self, window: Window) -> NDArray[np.uint8]:
        geobox = self.lattice.geobox(window)
        hits = self._shapes.iloc[self._shapes.sindex.query(geobox.boundingbox.polygon.geom, sort=True)]  # file order
        if hits.empty:
            return np.full(window.shape, IGNORE, dtype=np.uint8)
        pairs = zip(hits.geometry, hits["index"].astype(int), strict=True)
        return np.asarray(rasterize(pairs, window.shape, fill=IGNORE, transform=geobox.transform, dtype="uint8"))


def own_lattice(path: Path) -> Lattice:
    """The lattice of a scene's own pixels. Raises `DataError` where they are not north-up squares."""
    with open_raster(path) as raster:
        return Lattice.from_geobox(raster.geobox)
