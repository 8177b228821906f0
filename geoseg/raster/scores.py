"""Scores of a class map against labels, from one confusion matrix that adds up over windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def confusion(truth: NDArray[np.uint8], classes: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Pixels by (true class, mapped class), (count, count) int64.

    Pixels whose label or map value is `count` or more (unlabelled, unobserved, outside) are left out.
    """
    use = (truth < count) & (classes < count)
    pair = truth[use].astype(np.int64) * count + classes[use]
    return np.bincount(pair, minlength=count * count).reshape(count, count).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a confusion matrix says. A class without any pixel in truth and map has IoU nan and is left out."""

    matrix: NDArray[np.int64]

    @property
    def pixels(self) -> int:
        """Pixels compared."""
        return int(self.matrix.sum())

    @property
    def overall_accuracy(self) -> float:
        """Share of pixels on the diagonal; nan where nothing was compared."""
        return float(np.trace(self.matrix) / self.pixels) if self.pixels else float("nan")

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union, (class,); nan where a class occurs on neither side."""
        hit = np.diag(self.matrix).astype(np.float64)
        union = self.matrix.sum(axis=0) + self.matrix.sum(axis=1) - hit
        iou: NDArray[np.float64] = np.divide(hit, union, out=np.full_like(hit, np.nan), where=union > 0)
        return iou

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the classes that occur."""
        iou = self.iou
        return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")
