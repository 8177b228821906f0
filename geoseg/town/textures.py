"""Brightness and colour of each material, as factors on a feature's own colour."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.town.feature import Kind
from geoseg.town.frame import Floats
from geoseg.town.noise import hashed, octaves, smooth_field
from geoseg.town.style import TownStyle
from geoseg.town.town import Town

Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Fields:
    """Random fields shared by all materials, (size, size), deviation about 1."""

    broad: Floats
    patchy: Floats
    medium: Floats
    fine: Floats
    grain: Floats

    @staticmethod
    def draw(rng: np.random.Generator, size: int) -> Fields:
        """New fields."""
        return Fields(
            broad=octaves(rng, size, (260.0, 120.0, 60.0)),
            patchy=octaves(rng, size, (60.0, 28.0, 13.0)),
            medium=octaves(rng, size, (14.0, 7.0, 4.0), fall=0.85),
            fine=smooth_field(rng, size, 1.7),
            grain=rng.standard_normal((size, size), dtype=np.float32),
        )


@dataclass(frozen=True, eq=False)
class Spot:
    """The pixels of one material: flat arrays of what textures are made from."""

    index: NDArray[np.intp]
    ident: Ints
    u: Floats
    v: Floats
    hu: Floats
    hv: Floats
    broad: Floats
    patchy: Floats
    medium: Floats
    fine: Floats
    grain: Floats


def spot(town: Town, fields: Fields, index: NDArray[np.intp], half: Floats) -> Spot:
    """Gather the pixels `index` (flat) of the town; half is (feature, 2)."""
    canvas = town.canvas
    ident = canvas.ident.ravel()[index]
    return Spot(
        index,
        ident,
        canvas.u.ravel()[index],
        canvas.v.ravel()[index],
        half[ident, 0],
        half[ident, 1],
        *(f.ravel()[index] for f in (fields.broad, fields.patchy, fields.medium, fields.fine, fields.grain)),
    )


def texture(kind: Kind, at: Spot, style: TownStyle) -> tuple[Floats, Floats]:
    """(factor, add) for the pixels of one material: light = colour * factor + add."""
    k = np.float32(style.relief)
    zero = np.zeros_like(at.u)
    match kind:
        case Kind.SAND | Kind.CLEARED:
            return _sand(at, k, churned=kind == Kind.CLEARED), zero
        case Kind.PAVING:
            wall = np.where((at.hu > 0) & (np.minimum(at.hu - np.abs(at.u), at.hv - np.abs(at.v)) < 0.8), 0.25, 0)
            return 1 + k * (0.05 * at.patchy + 0.045 * at.medium + 0.04 * at.fine + 0.02 * at.grain) - wall, zero
        case Kind.ASPHALT | Kind.STREET | Kind.HIGHWAY | Kind.PARKING:
            return 1 + k * (0.05 * at.patchy + 0.03 * at.medium + 0.03 * at.fine), _paint(kind, at)
        case Kind.CAR:
            return np.where(np.abs(at.u - 0.4) < 0.9, np.float32(0.7), np.float32(1)), zero
        case Kind.GRASS:
            return 1 + k * (0.07 * at.broad + 0.11 * at.patchy + 0.07 * at.medium + 0.05 * at.fine), zero
        case Kind.FIELD:
            rows = 0.07 * np.sign(np.sin(at.v * np.float32(2 * np.pi / 5)))
            return 1 + k * (0.09 * at.patchy + 0.06 * at.medium + 0.04 * at.fine) + rows, zero
        case Kind.CROWN:
            return 1 + k * (0.12 * at.medium + 0.17 * at.fine + 0.06 * at.grain), zero
        case Kind.WATER:
            return 1 + k * (0.16 * at.broad + 0.05 * at.medium + 0.04 * at.fine), zero
        case _:
            return _roof(kind, at, style, k), zero


def _sand(at: Spot, k: np.float32, churned: bool) -> Floats:
    """Soil: soft dunes and stains, dark wheel tracks where a smooth field crosses zero, some ripples."""
    soil = 0.06 * at.broad + 0.028 * at.patchy + 0.02 * at.medium + 0.03 * at.fine + 0.015 * at.grain
    tracks = 0.13 * np.exp(-((at.broad * 22) ** 2)) - 0.09 * np.exp(-(((at.broad - 0.7) * 26) ** 2))
    stain = np.maximum(at.patchy + at.broad - 1.6, 0) * np.float32(0.07)
    if churned:
        soil += 0.015 * at.medium + 0.045 * at.fine
    return np.asarray(1 + k * (soil - tracks - stain), dtype=np.float32)


def _paint(kind: Kind, at: Spot) -> Floats:
    """Lane and bay markings, as light added to the asphalt."""
    light = np.zeros_like(at.u)
    if kind == Kind.HIGHWAY:
        across = np.abs(at.v) - at.hu - 0.4
        width = at.hv - at.hu - 0.8
        lanes = np.maximum(np.round(width / 3.6), 1)
        lane = across * lanes / width
        line = (np.abs(lane - np.round(lane)) < 0.055) & (lane > 0.5) & (lane < lanes - 0.5)
        light[line & (np.mod(at.u, 9) < 4.5)] = 62
        light[(np.abs(lane) < 0.06) | (np.abs(lane - lanes) < 0.06)] = 52
        light += 6 * np.cos(lane * np.float32(4 * np.pi))  # wheels polish two tracks a lane
    elif kind == Kind.STREET:
        along_p = at.hv > 0
        across, along = np.where(along_p, at.v, at.u), np.where(along_p, at.u, at.v)
        wide = np.abs(at.hv) > 4.6
        light[wide & (np.abs(across) < 0.4) & (np.mod(along, 8) < 4)] = 48
        light += 4 * np.cos(across * np.float32(np.pi / 1.6))
    elif kind == Kind.PARKING:
        lane = np.mod(at.v + at.hv - 0.4, 16.8)
        bays = (lane < 11.2) & (np.mod(at.u + at.hu - 0.95, 2.7) < 0.55)
        light[bays] = 42
    return light


def _roof(kind: Kind, at: Spot, style: TownStyle, k: np.float32) -> Floats:
    """Roofs: parapets and fittings on flat ones, a light and a dark side on pitched ones, ribs on sheds."""
    base = np.asarray(1 + k * (0.03 * at.medium + 0.03 * at.fine), dtype=np.float32)
    edge_u, edge_v = at.hu - np.abs(at.u), at.hv - np.abs(at.v)
    edge = np.minimum(edge_u, edge_v)
    if kind == Kind.FLAT:
        base += np.where(edge < 0.9, np.float32(0.13), np.float32(-0.03))
        cell_u, cell_v = np.floor(at.u / 2.6).astype(np.int32), np.floor(at.v / 2.6).astype(np.int32)
        pick = hashed(at.ident, cell_u, cell_v)
        inner = (np.abs(np.mod(at.u, 2.6) - 1.3) < 0.95) & (np.abs(np.mod(at.v, 2.6) - 1.3) < 0.95) & (edge > 1.4)
        base[inner & (pick < 0.07)] *= 0.55
        base[inner & (pick > 0.94)] *= 1.22
        return base
    if kind == Kind.SHED:
        ribs = np.where(np.mod(at.u, 6.0) < 0.9, np.float32(-0.08), np.float32(0.02))
        return np.asarray(base + ribs, dtype=np.float32)
    side_u = (edge_u < edge_v) if kind == Kind.HIP else np.zeros(at.u.shape, dtype=bool)
    tiles = 0.04 * np.sign(np.sin(at.u * np.float32(2 * math.pi / 1.9)))
    ends = np.where(side_u, 0.05 * np.sign(at.u), 0.0)
    return np.asarray(base + tiles + ends - np.where(edge < 0.3, 0.1, 0.0), dtype=np.float32)
