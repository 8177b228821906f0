"""The only schema: AOI files, training recipes and model cards.

Every default lives here. `workflows/schemas/*.json` is generated from these models.
"""

from geoseg.config.aoi import (
    AoiFile,
    Area,
    Buildings,
    Change,
    Compute,
    DateEntry,
    GridSection,
    Product,
    Roads,
    SceneEntry,
    Tiling,
    Vectors,
    Views,
    Zones,
)
from geoseg.config.card import Calibration, Card, ClassEntry, HaloPoint, InstanceScore, Score
from geoseg.config.losses import Losses
from geoseg.config.recipe import Augment, Folds, Instances, LabelledScene, Recipe, Restart, Towns
from geoseg.config.transitions import READY, NamedTransition, ResolvedTransition, resolve
from geoseg.config.values import MAX_CLASSES, NAME_PATTERN, Bands, PathText, Section, check_name, flags, from_json

__all__ = [
    "MAX_CLASSES",
    "NAME_PATTERN",
    "READY",
    "AoiFile",
    "Area",
    "Augment",
    "Bands",
    "Buildings",
    "Calibration",
    "Card",
    "Change",
    "ClassEntry",
    "Compute",
    "DateEntry",
    "Folds",
    "GridSection",
    "HaloPoint",
    "InstanceScore",
    "Instances",
    "LabelledScene",
    "Losses",
    "NamedTransition",
    "PathText",
    "Product",
    "Recipe",
    "ResolvedTransition",
    "Restart",
    "Roads",
    "SceneEntry",
    "Score",
    "Section",
    "Tiling",
    "Towns",
    "Vectors",
    "Views",
    "Zones",
    "check_name",
    "flags",
    "from_json",
    "resolve",
]
