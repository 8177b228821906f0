"""The picture a sensor takes of a town."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geoseg.town.feature import WATER, Kind
from geoseg.town.frame import Floats
from geoseg.town.light import shadow_direction, shadow_height
from geoseg.town.shapes import Box
from geoseg.town.style import TownStyle
from geoseg.town.textures import Fields, spot, texture
from geoseg.town.town import Town


def render(town: Town, seed: int) -> NDArray[np.uint8]:
    """The town as red, green, blue, (3, size, size).

    The seed decides ground texture and noise: two dates rendered with one seed differ only where the ground does,
    or its shadows.
    """
    rng = np.random.default_rng([seed, 0xA1])
    fields = Fields.draw(rng, town.size)
    image = _sunlit(town, fields)
    image *= _shading(town, fields)
    return _sense(image, town.style, rng)


def _sunlit(town: Town, fields: Fields) -> Floats:
    """Colour of each pixel in full sun, (3, size, size)."""
    colours = np.array([f.colour for f in town.features], dtype=np.float32)
    kinds = np.array([f.kind for f in town.features], dtype=np.uint8)
    half = np.array([f.half for f in town.features], dtype=np.float32)
    ident = town.canvas.ident.ravel()
    kind_of = kinds[ident]
    flat = np.empty((3, ident.size), dtype=np.float32)
    for kind in Kind:
        index = np.flatnonzero(kind_of == kind)
        if index.size == 0:
            continue
        at = spot(town, fields, index, half)
        factor, light = texture(kind, at, town.style)
        if kind in (Kind.GABLE, Kind.HIP, Kind.SHED):
            factor *= _pitch(town, kind, at.u, at.v, at.hu, at.hv, at.ident)
        if kind == Kind.CROWN:
            factor *= _dome(town.style, at.u, at.v)
        for band in range(3):
            flat[band, index] = colours[at.ident, band] * factor + light
        if kind in (Kind.SAND, Kind.CLEARED, Kind.GRASS, Kind.FIELD, Kind.WATER):
            _tint(flat, index, at.broad, at.patchy)
    image: Floats = flat.reshape(3, town.size, town.size)
    _shore(image, town, fields)
    return image


def _tint(image: Floats, index: NDArray[np.intp], broad: Floats, patchy: Floats) -> None:
    """Ground is nowhere of one hue: warmer here, cooler there."""
    warm = (0.018 * broad - 0.014 * patchy).astype(np.float32)
    image[0, index] *= 1 + warm
    image[2, index] *= 1 - warm


def _sun(style: TownStyle) -> tuple[float, float]:
    """Unit vector (x, y) towards the sun on the ground, rows downwards."""
    return math.sin(style.sun_azimuth), -math.cos(style.sun_azimuth)


def _pitch(town: Town, kind: Kind, u: Floats, v: Floats, hu: Floats, hv: Floats, ident: NDArray[np.int32]) -> Floats:
    """Light on the slopes of roofs: bright towards the sun, dark away from it."""
    turn = np.array([f.shape.angle if isinstance(f.shape, Box) else 0 for f in town.features], dtype=np.float32)[ident]
    sx, sy = _sun(town.style)
    along, across = sx * np.cos(turn) + sy * np.sin(turn), sy * np.cos(turn) - sx * np.sin(turn)
    lit = np.sign(v) * across
    if kind == Kind.HIP:
        lit = np.where(hu - np.abs(u) < hv - np.abs(v), np.sign(u) * along, lit)
    return (1 + (0.12 if kind == Kind.SHED else 0.34) * lit).astype(np.float32)


def _dome(style: TownStyle, u: Floats, v: Floats) -> Floats:
    """Light on a crown: its sunny side is bright, the far side and the rim dark."""
    sx, sy = _sun(style)
    return np.maximum(1.08 + 0.55 * (u * sx + v * sy) - 0.25 * (u * u + v * v), 0.3).astype(np.float32)


def _shore(image: Floats, town: Town, fields: Fields) -> None:
    """Shallow water along the shore is lighter and greener, in a strip of uneven width, and over shoals."""
    water = town.canvas.classes == WATER
    if not water.any():
        return
    deep = ndimage.gaussian_filter(water.astype(np.float32), 11.0, truncate=3.0)[water]
    broad, patchy = fields.broad[water], fields.patchy[water]
    shallow = np.clip(1.0 - deep + 0.12 * broad + 0.05 * patchy, 0, 0.6) ** 2
    shallow += 0.12 * np.maximum(broad + 0.25 * patchy - 1.3, 0)
    for band, light in enumerate((62.0, 84.0, 62.0)):
        image[band][water] += light * shallow


def _shading(town: Town, fields: Fields) -> Floats:
    """Factor from shadow, (3, size, size): shadow is lit by the sky alone, so it is darker and bluer."""
    style, height = town.style, town.canvas.height
    fall = math.tan(style.sun_elevation) * town.gsd
    reach = shadow_height(height, shadow_direction(style.sun_azimuth), fall)
    depth = np.clip((reach - height) / np.float32(0.8), 0, 1)
    out = np.empty((3, *height.shape), dtype=np.float32)
    for band, sky in enumerate((0.94, 1.0, 1.12)):
        out[band] = 1 - depth * np.float32(1 - style.shade * sky)
    return out


def _sense(image: Floats, style: TownStyle, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What the sensor makes of the light: haze, blur, misregistration, noise, the vendor's sharpening, 8 bits."""
    size = image.shape[-1]
    out = np.empty(image.shape, dtype=np.uint8)
    moves = ((style.shift, -0.6 * style.shift), (0.0, 0.0), (-style.shift, 0.5 * style.shift))
    for band, move in enumerate(moves):
        light = image[band] * np.float32(style.gain * (1 - style.haze)) + np.float32(170 * style.haze)
        light = (light - 118) * np.float32(style.contrast) + 118
        light = ndimage.gaussian_filter(light, style.blur, mode="nearest", truncate=3.0)
        if style.shift:
            light = ndimage.shift(light, move, order=1, mode="nearest")
        noise = rng.standard_normal((size, size), dtype=np.float32)
        light += noise * np.float32(style.noise) * (0.6 + np.sqrt(np.maximum(light, 0) / 200))
        if style.sharpen:
            wide = ndimage.gaussian_filter(light, 1.4, mode="nearest", truncate=2.5)
            light += np.float32(style.sharpen) * (light - wide)
        out[band] = np.clip(light + 0.5, 0, 255).astype(np.uint8)
    return out
