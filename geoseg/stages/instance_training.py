"""Training of instances: from a recipe to a bundle whose scores are those of the weights as stored."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geoseg.config import Card, Recipe
from geoseg.errors import ConfigError, DataError
from geoseg.grid.patches import PatchPlan
from geoseg.grid.window import Window
from geoseg.io.aoi_file import LoadedRecipe
from geoseg.io.bundle import Bundle, read_bundle, write_bundle
from geoseg.io.commit import sweep, write_bytes
from geoseg.io.instance_labels import InstanceLabels
from geoseg.io.lock import locked
from geoseg.nn.instance_fitting import Objective, coded, fit_instances
from geoseg.nn.instances import load_detector
from geoseg.nn.network import Network, NetworkSpec, load, stored
from geoseg.nn.precision import pick_device, pick_precision
from geoseg.nn.pretrained import load_imagenet
from geoseg.nn.rcnn import build_rcnn
from geoseg.stages.bundling import Facts, draft_card
from geoseg.stages.curves import Curves
from geoseg.stages.fit_setup import facts, require_same_network, same_recipe, settings
from geoseg.stages.instance_scores import measure_instances, protocol, scored
from geoseg.stages.split import open_split

log = logging.getLogger(__name__)
STRIDE = 32  # of the pyramid's coarsest features
WHOLE = 0.99  # share of objects whose longer side the halo holds


@dataclass(frozen=True)
class InstanceDrawer:
    """Draws windows from scenes with labelled objects. Picklable; other processes read the labels again.

    Args:
        scenes: imagery and objects.
        weights: how often each is drawn, per object.
        balance: share of windows drawn around an object of a class picked evenly; the others lie anywhere.
    """

    scenes: Sequence[InstanceLabels]
    weights: Sequence[float]
    balance: float

    def __call__(self, rng: np.random.Generator, side: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Image (B, side, side) of pixel values, and labels (side, side) as `coded` makes them."""
        labels, window = self._pick(rng, side)
        image, valid = labels.labelled.imagery.read(window)
        objects = [o for o in labels.objects if o.window.intersect(window) is not None]
        numbers = np.zeros(window.shape, dtype=np.int32)
        for number, item in enumerate(objects, start=1):
            numbers[item.on(window) & valid] = number
        return image, coded(numbers, np.array([o.index for o in objects], dtype=np.int32))

    def name(self, rng: np.random.Generator, side: int) -> str:
        """File and place of the window that a generator in this state draws, in words."""
        labels, window = self._pick(rng, side)
        return labels.labelled.place_text(window)

    def _pick(self, rng: np.random.Generator, side: int) -> tuple[InstanceLabels, Window]:
        mass = np.array([len(s.objects) * w for s, w in zip(self.scenes, self.weights, strict=True)])
        labels = self.scenes[int(rng.choice(len(mass), p=mass / mass.sum()))]
        extent = labels.labelled.extent
        if rng.random() >= self.balance:
            col = int(rng.integers(extent.col_off, extent.right - side + 1))
            return labels, Window(col, int(rng.integers(extent.row_off, extent.bottom - side + 1)), side, side)
        indices = np.array([o.index for o in labels.objects])
        chosen = np.flatnonzero(indices == rng.choice(np.unique(indices)))
        row, col = (int(v) for v in labels.objects[int(rng.choice(chosen))].centre)
        top, left = row - int(rng.integers(side)), col - int(rng.integers(side))
        top = min(max(top, extent.row_off), extent.bottom - side)
        return labels, Window(min(max(left, extent.col_off), extent.right - side), top, side, side)


def open_instances(loaded: LoadedRecipe, fold: int | None) -> dict[str, list[InstanceLabels]]:
    """Labelled objects of each side of a recipe's split: train, validate_on, test_on.

    Raises:
        ConfigError, DataError: the recipe or its data cannot be used for objects.
    """
    recipe = loaded.config
    _require_sense(recipe, fold)
    split = open_split(recipe, loaded.folder, None)
    classes = tuple(c.name for c in recipe.classes)
    sides = {"train": split.train, "validate_on": split.validate_on, "test_on": split.test_on}
    found = {side: [InstanceLabels(scene, classes) for scene in scenes] for side, scenes in sides.items()}
    _require_room(found["train"], recipe)
    return found


def instance_drawer(train: Sequence[InstanceLabels], recipe: Recipe) -> InstanceDrawer:
    """What draws the recipe's windows."""
    return InstanceDrawer(train, [entry.weight for entry in recipe.train], recipe.balance)


def train_instances(loaded: LoadedRecipe, out: Path, work: Path, fold: int | None = None) -> Bundle:
    """Fits the recipe's Mask R-CNN and writes the bundle `out`; `work` keeps checkpoints and learning curves.

    Raises:
        ConfigError, DataError, ModelError: the recipe, its data or its weights to start from cannot be used.
        LockedError: another training uses `work`.
    """
    recipe = loaded.config
    found = open_instances(loaded, fold)
    train, held_out = found["train"], [*found["test_on"], *found["validate_on"]]
    network, spec = _network(recipe, loaded.folder)
    learned, kept = (sum(len(labels.objects) for labels in side) for side in (train, held_out))
    log.info("fitting maskrcnn on %s: %d objects to learn from, %d held out", spec.encoder, learned, kept)
    known: Facts = {}
    if recipe.steps:
        with locked(work):
            sweep(work)
            same_recipe(recipe, work, None)
            options, drawer = settings(recipe), instance_drawer(train, recipe)
            extra = Objective(recipe.instances.iou_balanced, recipe.instances.min_pixels)
            fitted = fit_instances(network, options, drawer, extra, work, Curves(work, recipe), write_bytes)
        network, known = fitted.network, facts(fitted, options, None)
    weights = stored(network)
    card = _card(recipe, spec, _halo(train, recipe.patch_size), known)
    log.info("measuring average precision on the weights as stored")
    device = pick_device("auto")
    precision = pick_precision(recipe.precision, device)
    detector = load_detector(spec, recipe.instances.anchors, weights, device, precision, os.cpu_count() or 1)
    plan = PatchPlan(card.patch_size, card.halo, card.stride)
    evidence = [measure_instances(detector, card, plan, labels, lambda pixels: None) for labels in held_out]
    scores = scored([labels.labelled for labels in held_out], evidence, protocol(plan, card.gsd))
    bundle = write_bundle(out, card.model_copy(update={"instance_scores": scores}), weights)
    if recipe.steps:
        Curves(work, recipe).keep(out)
    return bundle


def _network(recipe: Recipe, folder: Path) -> tuple[Network, NetworkSpec]:
    """The network with the weights that the fit starts from."""
    decoder = None if recipe.decoder_channels is None else tuple(recipe.decoder_channels)
    bands, classes = len(recipe.bands), len(recipe.classes)
    spec = NetworkSpec(recipe.architecture, recipe.encoder, decoder, bands, classes, recipe.width)
    network = build_rcnn(spec, recipe.instances.anchors, recipe.seed)
    if recipe.start is not None:
        start = read_bundle(recipe.start, folder)
        require_same_network(recipe, start)
        load(network, start.weights())
    elif recipe.encoder_weights == "imagenet":
        load_imagenet(network, recipe.encoder, recipe.width)
    return network, spec


def _require_sense(recipe: Recipe, fold: int | None) -> None:
    """What can be asked of class maps only."""
    if fold is not None:
        raise ConfigError("folds go with class maps, not with maskrcnn; leave --fold out, and name validate_on")
    for key in ("towns", "folds"):
        if getattr(recipe, key) is not None:
            raise ConfigError(f"{key} go with class maps, not with maskrcnn; leave {key} out")
    if recipe.devices != 1:
        raise ConfigError(f"maskrcnn is fitted on one device, not {recipe.devices}; leave devices out")
    if recipe.resolution != 1:
        raise ConfigError("resolution goes with class maps; for maskrcnn set gsd and gsd_range to what it shall see")
    if recipe.patch_size % STRIDE or recipe.patch_size < 2 * STRIDE:
        raise ConfigError(f"patch_size {recipe.patch_size} must be a multiple of {STRIDE}, from {2 * STRIDE} on")


def _require_room(train: Sequence[InstanceLabels], recipe: Recipe) -> None:
    """Raises `DataError` where a scene is smaller than the largest window that is drawn."""
    need = int(np.ceil(recipe.window * np.exp(recipe.augment.scale)))
    for labels in train:
        height, width = labels.labelled.extent.shape
        if min(height, width) < need:
            raise DataError(
                f"{labels.labelled.scene.path} has {width} x {height} px to train on; windows of {recipe.window} px "
                f"are read from up to {need} px: set window or augment: scale lower, or bounds wider"
            )


def _halo(train: Sequence[InstanceLabels], patch_size: int) -> int:
    """Context that shows nearly every object whole to each patch whose core it touches; at most half a core."""
    sides = [max(o.window.shape) for labels in train for o in labels.objects]
    wanted = int(np.ceil(np.quantile(sides, WHOLE) / STRIDE)) * STRIDE
    return min(max(wanted, STRIDE), patch_size // 2 // STRIDE * STRIDE)


def _card(recipe: Recipe, spec: NetworkSpec, halo: int, known: Facts) -> Card:
    """The card before anything is measured. No radius: proposals of the whole patch compete."""
    options = recipe.instances
    card = draft_card(recipe, spec, STRIDE, None, known)
    kept: dict[str, float | list[float]] = {"anchors": options.anchors, "min_score": options.min_score}
    noted = {**card.training, "loss": _loss(options.iou_balanced), "torchvision": version("torchvision")}
    return card.model_copy(update={"halo": halo, "instances": kept, "training": noted})


def _loss(power: float) -> str:
    return f"Mask R-CNN, IoU-balanced to the power of {power:g}" if power else "Mask R-CNN"
