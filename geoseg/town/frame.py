"""Coordinates that follow the streets: warped grids and long curves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Frame:
    """Street coordinates (p, q) in metres: a rotated grid whose lines sway like sines.

    Widths are kept to within `bend`; with bend below 0.5 the mapping has an inverse, found by fixed-point steps.
    """

    x0: float
    y0: float
    angle: float
    bend: float = 0.0
    length: float = 900.0
    phase_p: float = 0.0
    phase_q: float = 0.0

    def to_pq(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """(p, q) of points (x, y); any shapes that broadcast."""
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        a = c * (x - np.float32(self.x0)) + s * (y - np.float32(self.y0))
        b = c * (y - np.float32(self.y0)) - s * (x - np.float32(self.x0))
        if self.bend == 0:
            return a, b
        return a + self._sway(b, self.phase_p), b + self._sway(a, self.phase_q)

    def to_xy(self, p: float, q: float) -> tuple[float, float]:
        """(x, y) of one point."""
        a, b = p, q
        for _ in range(12):
            a, b = p - self._sway_at(b, self.phase_p), q - self._sway_at(a, self.phase_q)
        c, s = np.cos(self.angle), np.sin(self.angle)
        return float(self.x0 + c * a - s * b), float(self.y0 + s * a + c * b)

    def heading(self, p: float, q: float) -> float:
        """Direction of growing p at a point, radians from x towards y."""
        (x0, y0), (x1, y1) = self.to_xy(p - 1, q), self.to_xy(p + 1, q)
        return float(np.arctan2(y1 - y0, x1 - x0))

    def _sway(self, t: Floats, phase: float) -> Floats:
        k = np.float32(2 * np.pi / self.length)
        return np.asarray(np.float32(self.bend) / k * np.sin(k * t + np.float32(phase)), dtype=np.float32)

    def _sway_at(self, t: float, phase: float) -> float:
        k = 2 * math.pi / self.length
        return self.bend / k * math.sin(k * t + phase)


@dataclass(frozen=True)
class Curve:
    """A long winding line across the scene: along its axis it sways by the sum of two sines."""

    x0: float
    y0: float
    angle: float
    amplitudes: tuple[float, float] = (0.0, 0.0)
    lengths: tuple[float, float] = (800.0, 310.0)
    phases: tuple[float, float] = (0.0, 0.0)

    def to_sv(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Distance along the axis and signed distance to the line, metres (first order in the slope)."""
        c, s = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        a = c * (x - np.float32(self.x0)) + s * (y - np.float32(self.y0))
        b = c * (y - np.float32(self.y0)) - s * (x - np.float32(self.x0))
        offset, slope = self._line(a)
        return a, ((b - offset) / np.sqrt(1 + slope * slope)).astype(np.float32)

    def at(self, along: float, across: float = 0.0) -> tuple[float, float, float]:
        """(x, y, heading) of the point `along` the axis and `across` from the line."""
        offset, slope = self._line(np.array([along], dtype=np.float32))
        turn = float(np.arctan(slope[0]))
        a, b = along - across * np.sin(turn), float(offset[0]) + across * np.cos(turn)
        c, s = np.cos(self.angle), np.sin(self.angle)
        return float(self.x0 + c * a - s * b), float(self.y0 + s * a + c * b), self.angle + turn

    def _line(self, a: Floats) -> tuple[Floats, Floats]:
        offset, slope = np.zeros_like(a), np.zeros_like(a)
        for amplitude, length, phase in zip(self.amplitudes, self.lengths, self.phases, strict=True):
            if amplitude:
                k = np.float32(2 * np.pi / length)
                offset += np.float32(amplitude) * np.sin(k * a + np.float32(phase))
                slope += np.float32(amplitude) * k * np.cos(k * a + np.float32(phase))
        return offset, slope
