"""From pixel values to what the network sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def normalize(
    image: NDArray[np.float32], valid: NDArray[np.bool_], scale: float, mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float32]:
    """(value * scale - mean) / std per band; pixels without data become 0, the mean.

    Args:
        image: (band, height, width) pixel values.
        valid: (height, width), True = usable.
        scale: factor that the statistics were taken after.
        mean, std: one number a band.

    Returns:
        A new (band, height, width) array.
    """
    shape = (-1, 1, 1)
    gain = np.asarray(scale / np.asarray(std), dtype=np.float32).reshape(shape)
    offset = np.asarray(np.asarray(mean) / np.asarray(std), dtype=np.float32).reshape(shape)
    out = image * gain - offset
    out[:, ~valid] = 0.0
    return np.asarray(out, dtype=np.float32)
