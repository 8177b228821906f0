"""Training recipes: data, split by area, network, loss, schedule."""

from __future__ import annotations

import math
from datetime import date as Date
from typing import Literal, Self

from pydantic import Field, model_validator

from geoseg.config.card import ClassEntry
from geoseg.config.losses import DiceTerm, FocalTerm, Losses
from geoseg.config.values import MAX_CLASSES, BandFiles, Bands, Metres, Name, Nodata, PathText, Precision, Section

POOLED = ("deeplabv3", "deeplabv3plus", "pan", "upernet")  # they normalize one number a window and channel

PAN_SIDE = 128


class LabelledScene(Section):
    """Imagery with labels, and which side of the split it is on."""

    image: PathText
    labels: PathText = Field(description="raster of class indices, or vector file, relative to the recipe")
    bands: Bands | None = None
    files: BandFiles | None = Field(default=None, description="band name: file, for bands that lie in other files")
    nodata: Nodata | Literal["none"] | None = None
    attribute: str | None = Field(default=None, description="vector labels: field that holds the class name")
    where: dict[str, str] = Field(
        default={}, description="vector labels: use only features whose fields have these values, such as date: 1985"
    )
    classes: dict[str, str] = Field(
        default={},
        description="label value or name: class name, or ignore; every value of a raster must be listed, but 255",
    )
    bounds: tuple[float, float, float, float] | None = Field(
        default=None, description="use only this part, CRS of the image"
    )
    weight: float = Field(default=1.0, gt=0, description="how often windows come from here, per labelled pixel")


class Towns(Section):
    """Procedural towns mixed into training (`geoseg.town`)."""

    seeds: list[int] = Field(min_length=1)
    size: int = Field(default=1024, ge=256)
    share: float = Field(default=0.15, gt=0, lt=1, description="share of training windows that come from towns")


class Folds(Section):
    """K-fold by area: square blocks of ground are dealt to folds; each fold is held out once."""

    count: int = Field(ge=2, le=20)
    block: Metres = Field(description="side of a block, metres")
    gap: float = Field(default=0.0, ge=0, description="metres around held-out blocks that are not trained on either")
    seed: int = 0


class Augment(Section):
    """How training windows are varied: other headings, heights, light, air and sensors."""

    symmetry: bool = Field(default=True, description="the eight symmetries of the square")
    scale: float = Field(default=0.3, ge=0, le=1, description="windows show exp(-scale) to exp(scale) of the GSD")
    light: float = Field(default=1.0, ge=0, le=2, description="strength of gain, gamma, offset and band balance")
    noise: float = Field(default=0.02, ge=0, le=0.5, description="largest standard deviation, share of the value range")
    blur: float = Field(default=0.2, ge=0, le=1, description="probability of a blur")
    haze: float = Field(default=0.0, ge=0, le=1, description="probability of a smooth veil of haze")
    band_dropout: float = Field(default=0.0, ge=0, le=1, description="probability that a band is replaced by its mean")


class Restart(Section):
    """A warm restart of the cosine schedule (Loshchilov & Hutter 2017)."""

    at: int = Field(gt=0, description="step at which the schedule starts again")
    peak: float = Field(default=1.0, gt=0, le=1, description="its highest rate, as a share of learning_rate")


class Instances(Section):
    """Mask R-CNN only: what is kept of its answers."""

    anchors: list[float] = Field(
        default=[16, 32, 64, 128, 256], min_length=5, max_length=5, description="sides of anchors a level, pixels"
    )
    min_score: float = Field(default=0.5, ge=0, le=1, description="instances below it are not written")
    iou_balanced: float = Field(default=0.0, ge=0, description="power of the IoU in its heads' losses; 0: plain losses")
    min_pixels: int = Field(default=16, ge=1, description="labels smaller than this are not trained on")


class Recipe(Section):
    """A training recipe: data, split by area, network, loss, schedule."""

    name: Name
    version: str = "1.0.0"
    released: Date = Field(description="day the bundle carries")
    description: str
    licence: str
    attribution: list[str] = Field(min_length=1)
    # ---- imagery and classes
    bands: list[str] = Field(min_length=1)
    dtypes: list[str] = Field(min_length=1, description="pixel types that the model accepts, such as uint8")
    value_range: tuple[float, float]
    scale: float
    mean: list[float]
    std: list[float]
    gsd: float = Field(gt=0)
    gsd_range: tuple[float, float]
    classes: list[ClassEntry] = Field(min_length=1, max_length=MAX_CLASSES)
    # ---- data, split by area
    train: list[LabelledScene] = Field(min_length=1)
    validate_on: list[LabelledScene] = Field(default=[], description="selects the weights and fits the calibration")
    test_on: list[LabelledScene] = Field(default=[], description="only scored, when all is decided")
    folds: Folds | None = Field(default=None, description="K-fold by area over train, in place of validate_on")
    towns: Towns | None = None
    # ---- network
    architecture: str = Field(default="unet", description="name; geoseg models architectures lists them")
    encoder: str = "tu-tf_efficientnet_lite0"
    encoder_weights: Literal["imagenet"] | None = None
    width: float = Field(default=1.0, gt=0, le=2, description="MobileNet: width multiplier")
    resolution: float = Field(
        default=1.0, gt=0, le=1, description="resolution multiplier: the network sees pixels of gsd / resolution"
    )
    decoder_channels: list[int] | None = Field(default=None, description="sizes of the decoder; null: the usual ones")
    start: PathText | None = Field(default=None, description="bundle whose weights the fit starts from")
    instances: Instances = Instances()
    # ---- loss and schedule
    loss: Losses = Losses(focal=FocalTerm(), dice=DiceTerm())
    window: int = Field(default=256, gt=0, multiple_of=32)
    batch: int = Field(default=8, ge=1)
    steps: int = Field(ge=0, description="0: the weights of start are only measured")
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    warm_up: float = Field(default=0.05, ge=0, lt=1, description="share of a cycle in which the rate rises")
    restarts: list[Restart] = Field(default=[])
    gradient_clip: float = Field(default=1.0, gt=0, description="largest norm of a step's gradient")
    ema_decay: float = Field(default=0.998, ge=0, lt=1)
    validate_every: int = Field(default=200, ge=1)
    early_stopping: int | None = Field(default=None, ge=1, description="stop after so many validations without gain")
    keep: Literal["best", "last"] = Field(default="best", description="best: highest mean IoU on validate_on")
    balance: float = Field(default=0.35, ge=0, le=1, description="share of windows drawn around classes picked evenly")
    augment: Augment = Augment()
    precision: Precision = "auto"
    devices: int = Field(default=1, ge=1, description="GPUs to train on")
    loaders: int = Field(default=1, ge=0, le=64, description="processes that read windows")
    seed: int = 0
    # ---- bundle
    calibration: Literal["temperature", "vector", "none"] = "temperature"
    patch_size: int = Field(default=1024, gt=0, multiple_of=32)

    @property
    def task(self) -> Literal["semantic", "instances"]:
        """What the network answers: a class for each pixel, or objects."""
        return "instances" if self.architecture == "maskrcnn" else "semantic"

    @property
    def network_gsd(self) -> float:
        """Ground sample distance that the network sees, metres."""
        return self.gsd / self.resolution

    @model_validator(mode="after")
    def _bands_agree(self) -> Self:
        if not len(self.bands) == len(self.mean) == len(self.std):
            raise ValueError(
                f"{len(self.bands)} bands need as many values in mean ({len(self.mean)}) and std ({len(self.std)})"
            )
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0, not {self.std}")
        return self

    @model_validator(mode="after")
    def _windows_fit(self) -> Self:
        side = round(self.window * math.exp(self.augment.scale))  # windows are read at up to this side
        if self.towns is not None and self.towns.size < side:
            raise ValueError(
                f"towns of {self.towns.size} px are too small for a window of {self.window}; set towns.size to "
                f"{side} or more"
            )
        return self

    @model_validator(mode="after")
    def _schedule_holds(self) -> Self:
        if self.steps == 0 and self.start is None:
            raise ValueError("steps is 0 and start names no bundle, so there is nothing to bundle; set one of them")
        starts = [r.at for r in self.restarts]
        if starts != sorted(set(starts)) or (starts and starts[-1] >= self.steps):
            raise ValueError(f"restarts at {starts} must rise and lie before the last step, {self.steps}")
        if self.folds is not None and self.validate_on:
            raise ValueError("folds take the place of validate_on; leave one of them out")
        if self.architecture in POOLED and self.batch // self.devices < 2:
            raise ValueError(f"{self.architecture} pools whole windows and needs at least 2 a device; raise batch")
        if self.architecture == "pan" and (self.window % PAN_SIDE or self.patch_size % PAN_SIDE):
            raise ValueError(
                f"pan halves its coarsest features three times: window {self.window} and patch_size {self.patch_size} "
                f"must be multiples of {PAN_SIDE}"
            )
        if self.task == "semantic" and len(self.classes) < 2:
            raise ValueError("a map needs at least two classes; add one, such as background")
        return self
