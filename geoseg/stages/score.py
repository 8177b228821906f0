"""Scores of a model on a labelled scene, through the same patches as a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geoseg.config import Card
from geoseg.grid.patches import PatchPlan
from geoseg.io.labelled import Labelled
from geoseg.nn.inference import Predictor
from geoseg.raster.scores import confusion
from geoseg.stages.answer import answer, read_context


def score_scene(predictor: Predictor, card: Card, plan: PatchPlan, scene: Labelled) -> NDArray[np.int64]:
    """Confusion matrix (true class, mapped class) over all labelled pixels of a scene."""
    count = len(card.classes)
    total = np.zeros((count, count), dtype=np.int64)
    for block in scene.blocks(2 * plan.size):
        context = read_context(scene.imagery, card, plan, block)
        if context is not None:
            classes, _ = answer(predictor, plan, context)
            total += confusion(scene.classes(block), classes, count)
    return total
