"""A transition among the classes of a map: which of them are before, and which after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pairs:
    """A transition among the classes of a map: (class,) truth of each before, and of each after."""

    name: str
    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
