"""One thing on the ground: its shape, class, material and height."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from geoseg.town.shapes import Shape
from geoseg.town.style import Colour

BUILDING, LAND, ROAD, VEGETATION, WATER = range(5)


class Kind(IntEnum):
    """Materials: what a feature's texture is drawn as."""

    SAND = 0
    PAVING = 1
    CLEARED = 2
    ASPHALT = 3
    STREET = 4
    HIGHWAY = 5
    PARKING = 6
    CAR = 7
    GRASS = 8
    FIELD = 9
    CROWN = 10
    WATER = 11
    FLAT = 12
    GABLE = 13
    HIP = 14
    SHED = 15


CLASS_OF = {
    Kind.SAND: LAND,
    Kind.PAVING: LAND,
    Kind.CLEARED: LAND,
    Kind.ASPHALT: ROAD,
    Kind.STREET: ROAD,
    Kind.HIGHWAY: ROAD,
    Kind.PARKING: ROAD,
    Kind.CAR: ROAD,
    Kind.GRASS: VEGETATION,
    Kind.FIELD: VEGETATION,
    Kind.CROWN: VEGETATION,
    Kind.WATER: WATER,
    Kind.FLAT: BUILDING,
    Kind.GABLE: BUILDING,
    Kind.HIP: BUILDING,
    Kind.SHED: BUILDING,
}


@dataclass(frozen=True, eq=False)
class Feature:
    """A shape of one material. Later features lie on earlier ones, only over the classes in `over`."""

    kind: Kind
    shape: Shape
    colour: Colour
    height: float = 0.0
    """metres over the ground."""
    over: tuple[int, ...] = ()
    """classes it may cover; empty: all."""
    half: tuple[float, float] = (0.0, 0.0)
    """half sides in the shape's (u, v), metres, where its texture needs them."""

    @property
    def class_index(self) -> int:
        """Land-cover class of its pixels."""
        return CLASS_OF[self.kind]
