"""The files of the demo: of each date, and of change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.config import ResolvedTransition
from geoseg.stages.change_map import NO_CHANGE, WITHIN_ERROR


@dataclass(frozen=True, slots=True)
class Files:
    """What belongs to one date."""

    date: str
    scene: Path
    truth: Path
    classes: Path


@dataclass(frozen=True, slots=True)
class MappedChange:
    """A map of change, and the transitions it names.

    Args:
        path: of `change.tif`.
        named: transitions, in the order of their values from 1.
    """

    path: Path
    named: Sequence[ResolvedTransition]

    def codes(self) -> NDArray[np.uint8]:
        """Value of the transition from one class to another, (256, 256); 0 for none."""
        table = np.zeros((256, 256), np.uint8)
        for value, transition in reversed(list(enumerate(self.named, start=1))):
            table[np.ix_(np.flatnonzero(transition.before), np.flatnonzero(transition.after))] = value
        np.fill_diagonal(table, NO_CHANGE)
        return table


def settled(mapped: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Values of a map of change, what it leaves open as no change."""
    return np.where(mapped == WITHIN_ERROR, np.uint8(NO_CHANGE), mapped)
