"""Which grid a run works on, and training with it: the same choice, so that a network learns what it will see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from odc.geo.crs import CRS

from geoseg.config import GridSection
from geoseg.errors import ConfigError, DataError
from geoseg.grid.area import AreaGeometry, move, parse_crs, utm_or_equal_area
from geoseg.grid.lattice import Lattice
from geoseg.io.scenes import SceneInfo

LONLAT = "EPSG:4326"
ALIKE = 0.01  # relative: scenes whose GSDs differ by less show the ground at one scale


class Scale(Protocol):
    """What the choice depends on of a model: a card has it."""

    @property
    def gsd(self) -> float: ...
    @property
    def gsd_range(self) -> tuple[float, float]: ...


def choose_lattice(grid: GridSection, scale: Scale, infos: Sequence[SceneInfo], area: AreaGeometry) -> Lattice:
    """The scenes' own pixels where they agree and fit, so that nothing is resampled; else a chosen CRS and GSD.

    Scenes that share their CRS and, to a hundredth, their GSD keep both, but not their sub-pixel phase where it
    differs. An automatic CRS is else UTM by the area's centroid, or equal-area where the area is too wide for it.

    Args:
        grid: what is asked for.
        scale: the GSD that the network was, or will be, trained at, and those it takes.
        infos: all scenes that shall lie on one grid. The first gives its GSD and phase, so the order must not vary.
        area: where they are.

    Raises:
        ConfigError: the CRS named is not projected, or unknown.
    """
    own = _common(infos)
    crs = _grid_crs(grid, own, area)
    unit = Lattice(crs, 1.0).metres_per_unit
    low, high = scale.gsd_range
    if own is not None and own.crs == crs:
        same = low <= own.gsd <= high if grid.gsd == "auto" else math.isclose(grid.gsd, own.gsd, rel_tol=1e-6)
        if same:
            return own
    return Lattice(crs, (scale.gsd if grid.gsd == "auto" else grid.gsd) / unit)


def _common(infos: Sequence[SceneInfo]) -> Lattice | None:
    """The lattice all scenes lie on, or one of their CRS and GSD with phase zero, or None where these differ, too."""
    if not infos[0].geobox.crs.projected:
        return None
    try:
        own = [Lattice.from_geobox(info.geobox) for info in infos]
    except DataError:
        return None
    first = own[0]
    if all(first.holds(info.geobox) for info in infos):
        return first
    alike = all(o.crs == first.crs and math.isclose(o.resolution, first.resolution, rel_tol=ALIKE) for o in own)
    return Lattice(first.crs, first.resolution) if alike else None


def _grid_crs(grid: GridSection, own: Lattice | None, area: AreaGeometry) -> str:
    if grid.crs != "auto":
        crs = parse_crs(grid.crs, "grid: crs")
        if not crs.is_projected:
            raise ConfigError(
                f"grid: crs: {grid.crs} counts in degrees, whose length on the ground varies; "
                "name a projected CRS, or auto"
            )
        return f"EPSG:{code}" if (code := CRS(crs).epsg) else str(crs.to_wkt())
    if own is not None:
        return own.crs
    lonlat = move(area.geometry, area.crs, LONLAT)
    if lonlat is None:
        raise DataError(f"the area has points that {area.crs} does not place on the Earth; check its CRS")
    return utm_or_equal_area(lonlat)
