"""Training: from a recipe to a bundle whose scores are those of the weights as stored."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from geoseg.config import Recipe
from geoseg.errors import DataError
from geoseg.grid.window import Window
from geoseg.io.aoi_file import load_recipe
from geoseg.io.bundle import Bundle, read_bundle, write_bundle
from geoseg.io.commit import sweep, write_bytes
from geoseg.io.labelled import IGNORE, Labelled
from geoseg.io.lock import locked
from geoseg.nn.fitting import FitSettings, Fitted, fit
from geoseg.nn.network import Network, NetworkSpec, build, load
from geoseg.nn.precision import device_name, pick_device
from geoseg.nn.pretrained import load_imagenet
from geoseg.nn.windows import Sample
from geoseg.stages.bundling import measured
from geoseg.stages.curves import Curves
from geoseg.stages.data_checks import SurveyedSplit, survey_split
from geoseg.stages.fit_setup import facts, require_same_network, same_recipe, settings
from geoseg.stages.instance_training import train_instances
from geoseg.stages.objective import objective
from geoseg.stages.sampling import labelled_window
from geoseg.stages.split import Split, open_split

log = logging.getLogger(__name__)
HELD_OUT_SIDE = 512


def train(recipe: Path, out: Path, work: Path, fold: int | None = None) -> Bundle:
    """Fits the recipe's network and writes the bundle `out`; `work` keeps checkpoints and learning curves.

    Args:
        recipe: the file.
        out: folder of the bundle.
        work: a fit that was stopped goes on from here.
        fold: which fold of the recipe's `folds` is held out, from 0; None: what `validate_on` names.

    Raises:
        ConfigError, DataError, ModelError: the recipe, its data or the weights it starts from cannot be used.
        MachineError: the disk is full, or the device is not there or too small; what is fitted is kept.
        LockedError: another training uses `work`.
    """
    loaded = load_recipe(recipe)
    plan = loaded.config
    if plan.task == "instances":
        return train_instances(loaded, out, work, fold)
    network, spec, known, split = fit_recipe(plan, loaded.folder, work, fold)
    log.info("measuring halo, calibration and scores on the weights as stored")
    bundle = write_bundle(out, *measured(network, spec, plan, split, known))
    if plan.steps:
        Curves(work, plan).keep(out)
    return bundle


def fit_recipe(
    plan: Recipe, folder: Path, work: Path, fold: int | None = None
) -> tuple[Network, NetworkSpec, dict[str, str | int | float], Split]:
    """The fitted network, what it was built from, what fitting took, and the ground it was fitted on.

    Args:
        plan: the recipe.
        folder: what its paths are relative to.
        work, fold: as in `train`.
    """
    split = open_split(plan, folder, fold)
    if not plan.steps:
        return *_network(plan, folder), {"precision": "none", "steps": 0}, split
    surveyed = survey_split(split, plan)
    for text in surveyed.warnings:
        log.warning(text)
    network, spec = _network(plan, folder)
    options = settings(plan)
    with locked(work):
        sweep(work)
        same_recipe(plan, work, fold)
        fitted = _fit(network, plan, surveyed, options, Curves(work, plan))
    return fitted.network, spec, facts(fitted, options, fold), split


def _network(plan: Recipe, folder: Path) -> tuple[Network, NetworkSpec]:
    """The network with the weights that the fit starts from."""
    decoder = None if plan.decoder_channels is None else tuple(plan.decoder_channels)
    spec = NetworkSpec(plan.architecture, plan.encoder, decoder, len(plan.bands), len(plan.classes), plan.width)
    network = build(spec)
    if plan.start is not None:
        start = read_bundle(plan.start, folder)
        require_same_network(plan, start)
        load(network, start.weights())
    elif plan.encoder_weights == "imagenet":
        load_imagenet(network, plan.encoder, plan.width)
    return network, spec


def _fit(network: Network, plan: Recipe, surveyed: SurveyedSplit, options: FitSettings, curves: Curves) -> Fitted:
    split, drawer = surveyed.split, surveyed.drawer(plan)
    scenes, held_out = split.train, HeldOutWindows(split.validate_on or split.train)
    loss = objective(plan.loss, [c.name for c in plan.classes])
    if not split.validate_on:
        log.warning("no ground is held out: scores while fitting are on what is trained on, and the card has none")
    log.info(
        "fitting %s on %s, %d scenes, %d windows to validate on; %s, %s",
        *(plan.architecture, plan.encoder, len(scenes), len(held_out)),
        *(device_name(pick_device("auto")), options.precision),
    )
    return fit(network, len(plan.classes), options, loss, drawer, held_out, curves.folder, curves, write_bytes)


class HeldOutWindows(Sequence[Sample]):
    """Squares that cover labelled scenes, read when they are asked for; the last of a row or column are mirrored."""

    def __init__(self, scenes: Sequence[Labelled]) -> None:
        """Raises `DataError` where a scene has no label."""
        self.places = [(scene, block) for scene in scenes for block in _with_labels(scene)]

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        """Image (B, S, S) of pixel values, labels (S, S); `IGNORE` beyond the scene."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        scene, block = self.places[index]
        image, labels = labelled_window(scene, Window(block.col_off, block.row_off, HELD_OUT_SIDE, HELD_OUT_SIDE))
        labels[block.height :], labels[:, block.width :] = IGNORE, IGNORE
        return image.astype(np.float32), labels


def _with_labels(scene: Labelled) -> list[Window]:
    """Blocks of a scene that have any label."""
    found = [block for block in scene.blocks(HELD_OUT_SIDE) if (scene.classes(block) != IGNORE).any()]
    if not found:
        raise DataError(
            f"{scene.labels.path} has no label on {scene.scene.path}: they do not overlap, or no value is in classes"
        )
    return found
