"""Training: from a recipe to a bundle whose scores are those of the weights as stored."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from odc.geo.crs import CRS

from geoseg.config import Card, HaloPoint, LabelledScene, Recipe, Score
from geoseg.errors import ConfigError, DataError
from geoseg.grid.area import move
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.io.aoi_file import load_recipe
from geoseg.io.bands import resolve_bands
from geoseg.io.bundle import Bundle, read_bundle, write_bundle
from geoseg.io.labelled import Labelled, LabelSource, own_lattice
from geoseg.io.rasters import open_raster
from geoseg.io.scenes import Scene
from geoseg.nn.fitting import FitSettings, Sample, fit
from geoseg.nn.network import NetworkSpec, build, stored, stride
from geoseg.nn.precision import pick_precision
from geoseg.nn.pretrained import load_imagenet
from geoseg.nn.receptive_field import radius
from geoseg.raster.scores import Scores
from geoseg.stages.answer import load_predictor
from geoseg.stages.probe import HALOS, halo_curve, smallest_halo
from geoseg.stages.sampling import Drawer, labelled_window, survey
from geoseg.stages.score import score_scene

log = logging.getLogger(__name__)
HELD_OUT_SIDE = 512


def train(recipe: Path, out: Path, work: Path) -> Bundle:
    """Fits the recipe's network and writes the bundle `out`; `work` keeps checkpoints and learning curves.

    Raises:
        ConfigError, DataError, ModelError: the recipe, its data or its pretrained weights cannot be used.
    """
    loaded = load_recipe(recipe)
    plan = loaded.config
    scenes = [open_labelled(s, plan, loaded.folder) for s in plan.train]
    held_out = [open_labelled(s, plan, loaded.folder) for s in plan.validate_on]
    _apart(scenes, held_out)
    drawer = Drawer(
        scenes, [survey(s, len(plan.classes)) for s in scenes], [s.weight for s in plan.train], plan.towns, plan.gsd
    )
    spec = NetworkSpec("unet", plan.encoder, tuple(plan.decoder_channels), len(plan.bands), len(plan.classes))
    network = build(spec)
    if plan.encoder_weights == "imagenet":
        load_imagenet(network, plan.encoder)
    windows = [w for s in (held_out or scenes) for w in _held_out_windows(s)]
    log.info("fitting %s on %d scenes; %d windows held out", spec.encoder, len(scenes), len(windows) if held_out else 0)
    fitted = fit(network, len(plan.classes), _settings(plan), drawer, windows, work, _tell)
    step = stride(fitted)
    card = _card(plan, spec, step, radius(fitted, len(plan.bands), step))
    bundle = write_bundle(out, card, stored(fitted))
    return _measured(bundle, plan, held_out, scenes)


def open_labelled(entry: LabelledScene, recipe: Recipe, folder: Path) -> Labelled:
    """A recipe's scene with its labels on the image's own pixels, or on the recipe's GSD where those do not fit."""
    image, labels = folder / entry.image, folder / entry.labels
    with open_raster(image) as raster:
        bands = resolve_bands(raster, recipe.bands, entry.bands)
    own = own_lattice(image)
    if CRS(own.crs).geographic:
        raise DataError(
            f"{image} is in degrees, whose pixels have no size in metres; reproject it, say to its UTM zone"
        )
    low, high = recipe.gsd_range
    lattice = own if low <= own.gsd <= high else Lattice(own.crs, recipe.gsd / own.metres_per_unit)
    names = [c.name for c in recipe.classes]
    table = entry.classes or {str(i): name for i, name in enumerate(names)}
    unknown = sorted(set(table.values()) - set(names))
    if unknown:
        raise ConfigError(f"{entry.labels}: classes name {', '.join(unknown)}, but the recipe has {', '.join(names)}")
    source = LabelSource(labels, {str(k): names.index(v) for k, v in table.items()}, entry.attribute)
    part = lattice.window(entry.bounds) if entry.bounds else None
    return Labelled(Scene(str(image), bands, entry.nodata), source, lattice, part)


def _apart(scenes: Sequence[Labelled], held_out: Sequence[Labelled]) -> None:
    """A score on ground that was trained on is no evidence."""
    for a in scenes:
        for b in held_out:
            ground = move(b.ground, b.lattice.crs, a.lattice.crs)  # grounds that only touch share no pixel
            if ground is not None and ground.buffer(-a.lattice.resolution / 2).intersects(a.ground):
                raise ConfigError(
                    f"{a.scene.path} (train) and {b.scene.path} (validate_on) overlap on the ground; "
                    "set bounds so that they lie apart, or move one to the other side"
                )


def _held_out_windows(scene: Labelled) -> list[Sample]:
    """Squares that cover the scene; the last ones of a row or column are mirrored at its edge."""
    image_type = np.float32
    out = []
    for block in scene.blocks(HELD_OUT_SIDE):
        square = type(block)(block.col_off, block.row_off, HELD_OUT_SIDE, HELD_OUT_SIDE)
        image, labels = labelled_window(scene, square)
        labels[block.height :], labels[:, block.width :] = 255, 255
        if (labels != 255).any():
            out.append((image.astype(image_type), labels))
    if not out:
        raise DataError(
            f"{scene.labels.path} has no label on {scene.scene.path}: they do not overlap, or no value is in classes"
        )
    return out


def _settings(plan: Recipe) -> FitSettings:
    return FitSettings(
        steps=plan.steps,
        batch=plan.batch,
        window=plan.window,
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay,
        focal_gamma=plan.focal_gamma,
        focal_weight=plan.focal_weight,
        dice_weight=plan.dice_weight,
        ema_decay=plan.ema_decay,
        validate_every=plan.validate_every,
        precision=pick_precision(plan.precision, "cpu"),
        seed=plan.seed,
        scale=plan.scale,
        mean=tuple(plan.mean),
        std=tuple(plan.std),
        value_range=plan.value_range,
    )


def _tell(figures: dict[str, float]) -> None:
    log.info("  ".join(f"{k} {v:.4g}" for k, v in figures.items()))


def _card(plan: Recipe, spec: NetworkSpec, step: int, reach: int | None) -> Card:
    """The card before anything is measured on the stored weights."""
    return Card(
        name=plan.name,
        version=plan.version,
        released=plan.released,
        description=plan.description,
        architecture="unet",
        encoder=spec.encoder,
        decoder_channels=list(spec.decoder_channels),
        bands=plan.bands,
        dtypes=plan.dtypes,
        value_range=plan.value_range,
        scale=plan.scale,
        mean=plan.mean,
        std=plan.std,
        gsd=plan.gsd,
        gsd_range=plan.gsd_range,
        classes=plan.classes,
        patch_size=plan.patch_size,
        halo=max(HALOS),
        stride=step,
        radius=reach,
        halo_curve=[],
        weights_sha256="0" * 64,
        licence=plan.licence,
        attribution=plan.attribution,
        scores=[],
        training={
            "steps": plan.steps,
            "batch": plan.batch,
            "window": plan.window,
            "seed": plan.seed,
            "torch": version("torch"),
            "segmentation_models_pytorch": version("segmentation-models-pytorch"),
        },
    )


def _measured(bundle: Bundle, plan: Recipe, held_out: Sequence[Labelled], scenes: Sequence[Labelled]) -> Bundle:
    """The bundle with halo and scores measured on its stored weights."""
    predictor = load_predictor(bundle, "cpu", pick_precision(plan.precision, "cpu"), 2)
    probed = (held_out or scenes)[-1]
    curve = halo_curve(predictor, bundle.card, probed.imagery, HALOS)
    halo = smallest_halo(curve)
    patches = PatchPlan(plan.patch_size, halo, bundle.card.stride)
    matrices = [score_scene(predictor, bundle.card, patches, s) for s in held_out]
    groups = list(zip(_names(plan.validate_on), matrices, strict=True))
    if len(matrices) > 1:
        groups.append(("all held-out scenes", np.sum(matrices, axis=0)))
    scores = [_score(name, Scores(matrix), bundle.card) for name, matrix in groups]
    measured = {"halo": halo, "halo_curve": [HaloPoint(halo=h, labels_off=o) for h, o in curve], "scores": scores}
    card = bundle.card.model_copy(update=measured)
    return write_bundle(bundle.folder, card, read_bundle(str(bundle.folder.resolve())).weights())


def _names(entries: Sequence[LabelledScene]) -> list[str]:
    """File names without their end; the whole path and the part where several would have the same."""
    stems = [Path(e.image).stem for e in entries]
    return [
        stem if stems.count(stem) == 1 else f"{e.image} {list(e.bounds)}" if e.bounds else e.image
        for stem, e in zip(stems, entries, strict=True)
    ]


def _score(name: str, scores: Scores, card: Card) -> Score:
    return Score(
        data=name,
        protocol="whole scene, none of it trained on; used to pick the best of the validated weights; "
        "unlabelled pixels left out; weights as stored (float16); no augmentation at test time",
        pixels=scores.pixels,
        overall_accuracy=round(scores.overall_accuracy, 4),
        mean_iou=round(scores.mean_iou, 4),
        iou={n: round(float(v), 4) for n, v in zip(card.class_names, scores.iou, strict=True) if np.isfinite(v)},
    )
