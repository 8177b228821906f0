"""How the ground is cut into patches, the network's inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from geoseg.grid.lattice import cells
from geoseg.grid.window import Window


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """How patches are cut.

    Args:
        size: side of a patch's core, the part that is kept; pixels, a multiple of `stride`.
        halo: context around the core; pixels, a multiple of `stride`.
        stride: the network's total downsampling.
    """

    size: int
    halo: int
    stride: int

    def cores(self, target: Window, extent: Window) -> Iterator[Window]:
        """Cores of the patches that answer for `target`: lattice cells that touch it, trimmed to the imagery.

        A cell is trimmed where imagery ends, outwards to a multiple of the stride, so the same ground is always
        computed in the same patch: the trimming depends on the scenes, never on the area or the tile.

        Args:
            target: pixels wanted, lattice pixels.
            extent: where imagery is, lattice pixels.
        """
        for cell in cells(target, self.size):
            seen = cell.intersect(extent)
            if seen is not None and seen.intersect(target) is not None:
                yield seen.align(self.stride)
