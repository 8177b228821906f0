"""Shapes that say which pixels are theirs. A pixel belongs to a shape when its centre does.

Each shape yields patches: a window of the scene, a boolean mask in it, and coordinates (u, v) of its own in metres
(or radii, for crowns) from which textures are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg.town.frame import Curve, Floats, Frame


class Patch(NamedTuple):
    """Pixels of a shape inside a window of the scene."""

    rows: slice
    cols: slice
    mask: NDArray[np.bool_]
    u: Floats
    v: Floats
    dome: Floats | None = None
    """Share of the feature's height at each pixel; None where its top is level."""


class Ground:
    """Pixel grid of a scene, with the street coordinates that its shapes share, computed once."""

    def __init__(self, size: int, gsd: float, borders: tuple[Curve, ...]) -> None:
        self.size = size
        self.gsd = gsd
        self.borders = borders
        self._frames: dict[Frame, tuple[Floats, Floats]] = {}
        self._curves: dict[Curve, tuple[Floats, Floats]] = {}

    def forget(self) -> None:
        """Free the coordinates; they are computed again when a shape asks for them."""
        self._frames.clear()
        self._curves.clear()

    @cached_property
    def x(self) -> Floats:
        """Pixel centres, metres; y has the same values, downwards."""
        return ((np.arange(self.size) + 0.5) * self.gsd).astype(np.float32)

    @cached_property
    def districts(self) -> NDArray[np.uint8]:
        """Which side of each border a pixel is on, one bit a border."""
        out = np.zeros((self.size, self.size), dtype=np.uint8)
        for bit, curve in enumerate(self.borders):
            out |= (self.sv(curve)[1] > 0).astype(np.uint8) << bit
        return out

    def district_at(self, x: float, y: float) -> int:
        """District of a point in metres; -1 off the scene."""
        row, col = int(y // self.gsd), int(x // self.gsd)
        return int(self.districts[row, col]) if 0 <= row < self.size and 0 <= col < self.size else -1

    def pq(self, frame: Frame) -> tuple[Floats, Floats]:
        """Street coordinates of all pixels."""
        if frame not in self._frames:
            self._frames[frame] = frame.to_pq(self.x[None, :], self.x[:, None])
        return self._frames[frame]

    def sv(self, curve: Curve) -> tuple[Floats, Floats]:
        """Coordinates along and across a curve of all pixels."""
        if curve not in self._curves:
            self._curves[curve] = curve.to_sv(self.x[None, :], self.x[:, None])
        return self._curves[curve]

    def window(self, x0: float, x1: float, y0: float, y1: float) -> tuple[slice, slice] | None:
        """Rows and columns of the pixels in a box of metres, cut to the scene; None if there are none."""
        r0, r1 = max(0, int(y0 / self.gsd - 1)), min(self.size, int(y1 / self.gsd + 2))
        c0, c1 = max(0, int(x0 / self.gsd - 1)), min(self.size, int(x1 / self.gsd + 2))
        return (slice(r0, r1), slice(c0, c1)) if r0 < r1 and c0 < c1 else None


class Shape(Protocol):
    """Anything that can be painted."""

    def patches(self, ground: Ground) -> Iterator[Patch]:
        """The shape's pixels, in one or more windows."""
        ...


@dataclass(frozen=True)
class Everywhere:
    """The whole scene."""

    def patches(self, ground: Ground) -> Iterator[Patch]:
        whole = slice(0, ground.size)
        zero = np.zeros((ground.size, ground.size), dtype=np.float32)
        yield Patch(whole, whole, np.ones(zero.shape, dtype=bool), zero, zero)


@dataclass(frozen=True)
class Cell:
    """Rectangle in street coordinates, with round corners; u, v from its centre. Cut to one district."""

    frame: Frame
    district: int
    p0: float
    p1: float
    q0: float
    q1: float
    corner: float = 0.0

    @property
    def centre(self) -> tuple[float, float]:
        """(p, q) of the middle."""
        return (self.p0 + self.p1) / 2, (self.q0 + self.q1) / 2

    @property
    def sides(self) -> tuple[float, float]:
        """Lengths along p and q, metres."""
        return self.p1 - self.p0, self.q1 - self.q0

    def inset(self, by: float, corner: float = 0.0) -> Cell:
        """This cell with `by` metres less on each side; a negative number grows it."""
        return Cell(self.frame, self.district, self.p0 + by, self.p1 - by, self.q0 + by, self.q1 - by, corner)

    def part(self, p0: float, p1: float, q0: float, q1: float, corner: float = 0.0) -> Cell:
        """Cell of other bounds in the same streets."""
        return Cell(self.frame, self.district, p0, p1, q0, q1, corner)

    def patches(self, ground: Ground) -> Iterator[Patch]:
        (p, q), (du, dv) = self.centre, self.sides
        if du <= 0 or dv <= 0:
            return
        for rows, cols in self._windows(ground):
            all_p, all_q = ground.pq(self.frame)
            u, v = all_p[rows, cols] - np.float32(p), all_q[rows, cols] - np.float32(q)
            mask = (np.abs(u) < du / 2) & (np.abs(v) < dv / 2)
            if self.corner:
                reach = np.maximum(np.abs(u) - (du / 2 - self.corner), 0) ** 2
                mask &= reach + np.maximum(np.abs(v) - (dv / 2 - self.corner), 0) ** 2 < self.corner**2
            if ground.borders:
                mask &= ground.districts[rows, cols] == self.district
            if mask.any():
                yield Patch(rows, cols, mask, u, v)

    def _windows(self, ground: Ground) -> Iterator[tuple[slice, slice]]:
        """Boxes around pieces of the cell. They may overlap; a long street in one box would be mostly not street."""
        step = max(min(self.sides) * 3, 60.0)
        ps = np.linspace(self.p0, self.p1, max(2, int(np.ceil(self.sides[0] / step)) + 1))
        qs = np.linspace(self.q0, self.q1, max(2, int(np.ceil(self.sides[1] / step)) + 1))
        xy = np.array([[self.frame.to_xy(p, q) for q in qs] for p in ps])
        reach = ground.size * ground.gsd
        slack = step * self.frame.bend * 0.6 + ground.gsd  # sides bow out between corners
        for i in range(len(ps) - 1):
            for k in range(len(qs) - 1):
                corners = xy[i : i + 2, k : k + 2].reshape(4, 2)
                (x0, y0), (x1, y1) = corners.min(axis=0) - slack, corners.max(axis=0) + slack
                if x1 > 0 and y1 > 0 and x0 < reach and y0 < reach:
                    window = ground.window(x0, x1, y0, y1)
                    if window is not None:
                        yield window


@dataclass(frozen=True)
class Band:
    """Strip between two distances from a curve; u along it, v across from the curve."""

    curve: Curve
    v0: float
    v1: float

    def patches(self, ground: Ground) -> Iterator[Patch]:
        s, v = ground.sv(self.curve)
        mask = (v > self.v0) & (v < self.v1)
        rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if rows.size:
            window = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)
            yield Patch(*window, mask[window], s[window], v[window])


@dataclass(frozen=True)
class Box:
    """Rectangle turned by `angle`; half sides hu along and hv across; u, v from its centre."""

    x: float
    y: float
    angle: float
    hu: float
    hv: float

    def patches(self, ground: Ground) -> Iterator[Patch]:
        c, s = float(np.cos(self.angle)), float(np.sin(self.angle))
        rx, ry = abs(c) * self.hu + abs(s) * self.hv, abs(s) * self.hu + abs(c) * self.hv
        window = ground.window(self.x - rx, self.x + rx, self.y - ry, self.y + ry)
        if window is None:
            return
        rows, cols = window
        dx, dy = (ground.x[cols] - np.float32(self.x))[None, :], (ground.x[rows] - np.float32(self.y))[:, None]
        u, v = c * dx + s * dy, c * dy - s * dx
        yield Patch(rows, cols, (np.abs(u) < self.hu) & (np.abs(v) < self.hv), u, v)


@dataclass(frozen=True)
class Blob:
    """Round outline of mean radius r whose lobes are cosines of the angle; u, v from its centre."""

    x: float
    y: float
    r: float
    lobes: tuple[tuple[float, float], ...] = ()
    """(share of r, phase) of the cosines of 2, 3, 4, ... turns."""

    def patches(self, ground: Ground) -> Iterator[Patch]:
        reach = self.r * (1 + sum(abs(share) for share, _ in self.lobes))
        window = ground.window(self.x - reach, self.x + reach, self.y - reach, self.y + reach)
        if window is None:
            return
        rows, cols = window
        dx, dy = (ground.x[cols] - np.float32(self.x))[None, :], (ground.x[rows] - np.float32(self.y))[:, None]
        u, v = np.broadcast_arrays(dx, dy)
        turn, edge = np.arctan2(dy, dx), np.float32(self.r)
        for order, (share, phase) in enumerate(self.lobes, start=2):
            edge = edge + np.float32(self.r * share) * np.cos(order * turn + np.float32(phase))
        yield Patch(rows, cols, np.hypot(dx, dy) < edge, u, v)


@dataclass(frozen=True, eq=False)
class Crowns:
    """Tree crowns, all in one go: centres and radii, (n,) metres. u, v are in radii; a crown is a dome."""

    x: Floats
    y: Floats
    r: Floats

    def patches(self, ground: Ground) -> Iterator[Patch]:
        for x, y, r in zip(self.x.tolist(), self.y.tolist(), self.r.tolist(), strict=True):
            window = ground.window(x - r * 1.2, x + r * 1.2, y - r * 1.2, y + r * 1.2)
            if window is None:
                continue
            rows, cols = window
            u, v = (ground.x[cols] - np.float32(x))[None, :] / r, (ground.x[rows] - np.float32(y))[:, None] / r
            far = np.hypot(u, v)
            lobed = far - 0.18 * np.cos(3 * np.arctan2(v, u) + (x * 7.1 + y * 3.3))
            u, v = np.broadcast_arrays(u, v)
            yield Patch(rows, cols, lobed < 1, u, v, np.sqrt(np.maximum(1 - 0.7 * far * far, 0.1)) * min(r / 2.6, 1.3))
