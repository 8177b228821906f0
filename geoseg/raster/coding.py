"""How maps are written down: class indices, and probability as uint8 (DESIGN, decision 6)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

UNOBSERVED: Final = 254  # inside the area, but cloud, no data or a failed tile
OUTSIDE: Final = 255  # outside the area: the raster's nodata
NO_CONFIDENCE: Final = 255
CONFIDENCE_STEPS: Final = 250  # confidence is round(p * 250)
MAPS: Final = 2  # bands that every answer has: classes, confidence


def encode(probs: NDArray[np.float32], observed: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Most probable class and its probability, coded.

    Args:
        probs: (class, height, width), summing to one over classes.
        observed: (height, width), True where there was imagery.

    Returns:
        classes and confidence, (height, width) uint8. Ties go to the lowest class.
    """
    classes = probs.argmax(axis=0).astype(np.uint8)
    confidence = np.rint(probs.max(axis=0) * CONFIDENCE_STEPS).astype(np.uint8)
    classes[~observed] = UNOBSERVED
    confidence[~observed] = NO_CONFIDENCE
    return classes, confidence


def encode_bands(probs: NDArray[np.float32], observed: NDArray[np.bool_], *, each: bool) -> NDArray[np.uint8]:
    """What is kept of an answer, as bands.

    Args:
        probs, observed: as for `encode`.
        each: whether the probability of every class is kept, too.

    Returns:
        (band, height, width) uint8: classes, confidence and, with `each`, one band a class.
    """
    maps = np.stack(encode(probs, observed))
    if not each:
        return maps
    coded = np.rint(probs * CONFIDENCE_STEPS).astype(np.uint8)
    coded[:, ~observed] = NO_CONFIDENCE
    return np.concatenate([maps, coded])


def unseen_bands(shape: tuple[int, int], classes: int = 0) -> NDArray[np.uint8]:
    """The bands of ground of which nothing was observed, (band, height, width) uint8.

    Args:
        shape: (height, width).
        classes: whose probabilities are kept.
    """
    bands = np.full((MAPS + classes, *shape), NO_CONFIDENCE, np.uint8)
    bands[0] = UNOBSERVED
    return bands
