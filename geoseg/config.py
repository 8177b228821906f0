"""The only schema: AOI files (`aoi/<name>.yaml`), training recipes and model cards.

Every default lives here. `workflows/schemas/*.json` is generated from these models.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date as Date
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from geoseg.errors import ConfigError

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")  # Windows opens devices under these names


def check_name(name: str) -> str:
    """`name` itself, if it can be a file or folder name on every system and can say nothing to a shell.

    Raises:
        ValueError: it cannot; the message is a sentence that starts with the name.
    """
    if not re.fullmatch(NAME_PATTERN[1:-1], name):
        raise ValueError(f"{name!r} is not a name: use 1 to 64 of A-Z, a-z, 0-9, _ . and -, first a letter or digit")
    if _RESERVED.fullmatch(name):
        raise ValueError(f"{name!r} is the name of a device on Windows; use another name")
    if name.endswith((".", ".part")):
        raise ValueError(f"{name!r} must not end in a dot or in .part, which marks unfinished files; use another name")
    return name


def _iso(day: object) -> object:
    if not isinstance(day, str):
        return day
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        raise ValueError(f"{day!r} is not a date; write year-month-day, such as 2024-06-01")
    try:
        return Date.fromisoformat(day)
    except ValueError as problem:
        raise ValueError(f"{day} is not in the calendar: {problem}") from problem


Name = Annotated[str, Field(pattern=NAME_PATTERN), AfterValidator(check_name)]
PathText = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
IsoDate = Annotated[Date, BeforeValidator(_iso)]
Nodata = Annotated[float, Field(allow_inf_nan=True)]
Metres = Annotated[float, Field(gt=0, lt=1e6)]
BandName = Annotated[str, Field(min_length=1, max_length=64)]
Bands = (
    Annotated[list[BandName], Field(min_length=1)]
    | Annotated[dict[BandName, Annotated[int, Field(ge=1)]], Field(min_length=1)]
)
Count = Annotated[int, Field(ge=1, le=1024)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Product = Literal["landcover"]
Precision = Literal["auto", "float32", "bfloat16"]
MAX_CLASSES = 254  # 254 is "not observed", 255 "outside": DESIGN, decision 6


class Section(BaseModel):
    """A part of a file: a mistyped key is an error, not a default, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# ---- aoi/<name>.yaml ----------------------------------------------------------------------------------------


class Area(Section):
    """Section `area`: what the map answers for. Either a file or bounds with their CRS."""

    file: PathText | None = Field(
        default=None, description="GeoJSON (lon/lat) or GeoPackage of polygons, relative to the AOI file"
    )
    bounds: tuple[float, float, float, float] | None = Field(default=None, description="left, bottom, right, top")
    crs: str | None = Field(default=None, description="CRS of bounds, such as EPSG:32640")
    scenes: bool = Field(default=False, description="true: everything the scenes cover")
    fix: bool = Field(default=False, description="true: repair an invalid polygon, and say how its area changed")
    min_coverage: float = Field(default=0.0, ge=0, le=1, description="least share of the area that scenes must cover")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum((self.file is not None, self.bounds is not None, self.scenes)) != 1:
            raise ValueError("name the area in one way: file, or bounds with crs, or scenes: true")
        if (self.bounds is None) != (self.crs is None):
            raise ValueError("bounds and crs belong together: give both, or neither")
        return self

    @field_validator("bounds")
    @classmethod
    def _ordered(cls, bounds: tuple[float, float, float, float] | None) -> object:
        if bounds and not (bounds[0] < bounds[2] and bounds[1] < bounds[3]):
            raise ValueError(f"{list(bounds)} must be left, bottom, right, top with left < right and bottom < top")
        return bounds


class GridSection(Section):
    """Section `grid`: CRS and pixel size; what is auto is chosen for each date."""

    crs: str = Field(
        default="auto", description="auto (the scenes' own where they agree, else UTM or equal-area) or EPSG:n"
    )
    gsd: Metres | Literal["auto"] = Field(default="auto", description="pixel side in metres, or auto")
    resampling: Literal["nearest", "bilinear", "cubic", "average"] = Field(
        default="bilinear", description="used only for scenes that do not lie on the grid"
    )


class SceneEntry(Section):
    """One entry of `scenes`: one acquisition, or a glob of several. Earlier entries lie on top of later ones."""

    path: PathText = Field(description="GeoTIFF or glob of them, relative to the AOI file")
    bands: Bands | None = Field(
        default=None, description="names in file order, or name: band number; default: the file's own band names"
    )
    nodata: Nodata | Literal["none"] | None = Field(
        default=None, description="value that means no data; replaces the file's tag; none: every value is data"
    )
    assume_crs: str | None = Field(default=None, description="CRS of a file that carries none")


class DateEntry(Section):
    """One dated set of scenes."""

    scenes: list[SceneEntry | PathText] = Field(
        min_length=1, description="paths, or entries with the keys below; the first lies on top"
    )

    @property
    def entries(self) -> list[SceneEntry]:
        """Scenes with a bare path written out."""
        return [
            SceneEntry(path=s, bands=None, nodata=None, assume_crs=None) if isinstance(s, str) else s
            for s in self.scenes
        ]


class Tiling(Section):
    """Section `tiling`. What is not given comes from the model's card."""

    patch_size: int | None = Field(
        default=None, gt=0, le=8192, multiple_of=32, description="side of a patch's core, pixels"
    )
    halo: int | None = Field(
        default=None, ge=0, le=4096, multiple_of=32, description="context on each side of a patch, pixels"
    )
    exact: bool = Field(default=False, description="true: halo is the network's whole receptive field")
    tile_patches: int = Field(default=2, ge=1, le=16, description="patch cores along a tile's side")


class Compute(Section):
    """Section `compute`. Workers and threads are chosen from the machine when auto."""

    workers: Count | Literal["auto"] = Field(default="auto", description="processes that work on tiles")
    threads: Count | Literal["auto"] = Field(default="auto", description="processor threads of one worker")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto: a GPU if there is one")
    precision: Precision = Field(default="auto", description="auto: bfloat16 where the device computes in it natively")
    scheduler: str | None = Field(
        default=None, description="address of a dask.distributed scheduler, such as tcp://host:8786"
    )
    allow_partial: bool = Field(default=False, description="true: finish although some tiles could not be read")


class AoiFile(Section):
    """`aoi/<name>.yaml`: area, imagery, model and products of one map."""

    area: Area
    grid: GridSection = GridSection()
    model: PathText = Field(description="name of a shipped model, or path of a bundle folder relative to the AOI file")
    dates: dict[IsoDate, DateEntry] = Field(min_length=1, description="one map for each, as year-month-day")
    products: list[Product] = Field(default=["landcover"], min_length=1, description="what is made")
    tiling: Tiling = Tiling()
    compute: Compute = Compute()


@contextmanager
def flags() -> Iterator[None]:
    """Raises `ConfigError` where sections built from flags in the block are refused, naming flag and reason."""
    try:
        yield
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        name = next((str(part) for part in first["loc"] if isinstance(part, str)), "value")
        raise ConfigError(f"{name} cannot be {first['input']!r}: {first['msg']}; correct the flag") from problem


# ---- model card ---------------------------------------------------------------------------------------------


class ClassEntry(Section):
    """One class of a model: its index is its place in the list."""

    name: Name
    colour: Colour


class HaloPoint(Section):
    """Labels that differ from the untiled answer at one halo."""

    halo: int
    labels_off: float = Field(description="share of labels, 0 to 1")


class Score(Section):
    """A score is nothing without its protocol."""

    data: str
    protocol: str
    pixels: int
    overall_accuracy: float
    mean_iou: float
    iou: dict[str, float]


class Card(Section):
    """What a bundle says of itself: what it takes, what it answers, what it was made of."""

    name: Name
    version: str
    released: Date
    description: str
    architecture: Literal["unet"] = "unet"
    encoder: str
    decoder_channels: list[int]
    bands: list[str] = Field(min_length=1, description="common names, in the network's order")
    dtypes: list[str] = Field(min_length=1, description="pixel types of the imagery it was trained on")
    value_range: tuple[float, float] = Field(description="pixel values it was trained on")
    scale: float = Field(description="normalized = (value x scale - mean) / std")
    mean: list[float]
    std: list[float]
    gsd: float
    gsd_range: tuple[float, float]
    classes: list[ClassEntry] = Field(min_length=2, max_length=MAX_CLASSES)
    patch_size: int
    halo: int
    stride: int
    radius: int | None = Field(description="receptive field's half-width, pixels; null where it has no bound")
    halo_curve: list[HaloPoint]
    weights_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    licence: str
    attribution: list[str]
    scores: list[Score]
    training: dict[str, str | int | float]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not len(self.bands) == len(self.mean) == len(self.std):
            raise ValueError(
                f"{len(self.bands)} bands need as many values in mean ({len(self.mean)}) and std ({len(self.std)})"
            )
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0, not {self.std}")
        if self.stride < 1 or self.halo < 0 or self.patch_size < 1:
            raise ValueError(f"stride {self.stride}, halo {self.halo} and patch_size {self.patch_size} are not sizes")
        if self.halo % self.stride or self.patch_size % self.stride:
            raise ValueError(
                f"halo {self.halo} and patch_size {self.patch_size} must be multiples of stride {self.stride}"
            )
        return self

    @property
    def class_names(self) -> list[str]:
        """Names in index order."""
        return [c.name for c in self.classes]


# ---- training recipe ----------------------------------------------------------------------------------------


class LabelledScene(Section):
    """Imagery with labels, and which side of the split it is on."""

    image: PathText
    labels: PathText = Field(description="raster of class indices, or vector file, relative to the recipe")
    bands: Bands | None = None
    nodata: Nodata | Literal["none"] | None = None
    attribute: str | None = Field(default=None, description="vector labels: field that holds the class name")
    classes: dict[str, str] = Field(
        default={}, description="label value or name: class name; what is not listed is ignored"
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


class Recipe(Section):
    """A training recipe: data, split by area, network, loss, schedule."""

    name: Name
    version: str = "1.0.0"
    released: Date = Field(description="day the bundle carries")
    description: str
    licence: str
    attribution: list[str] = Field(min_length=1)
    bands: list[str] = Field(min_length=1)
    dtypes: list[str] = Field(min_length=1, description="pixel types that the model accepts, such as uint8")
    value_range: tuple[float, float]
    scale: float
    mean: list[float]
    std: list[float]
    gsd: float = Field(gt=0)
    gsd_range: tuple[float, float]
    classes: list[ClassEntry] = Field(min_length=2, max_length=MAX_CLASSES)
    train: list[LabelledScene] = Field(min_length=1)
    validate_on: list[LabelledScene] = []
    towns: Towns | None = None
    encoder: str = "tu-tf_efficientnet_lite0"
    encoder_weights: Literal["imagenet"] | None = None
    decoder_channels: list[int] = Field(default=[256, 128, 64, 32, 16], min_length=5, max_length=5)
    window: int = Field(default=256, gt=0, multiple_of=32)
    batch: int = Field(default=8, ge=1)
    steps: int = Field(ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    focal_gamma: float = Field(default=2.0, ge=0)
    focal_weight: float = Field(default=1.0, ge=0)
    dice_weight: float = Field(default=1.0, ge=0)
    ema_decay: float = Field(default=0.998, ge=0, lt=1)
    validate_every: int = Field(default=200, ge=1)
    precision: Precision = "auto"
    seed: int = 0
    patch_size: int = Field(default=1024, gt=0, multiple_of=32)

    @model_validator(mode="after")
    def _bands_agree(self) -> Self:
        if not len(self.bands) == len(self.mean) == len(self.std):
            raise ValueError(
                f"{len(self.bands)} bands need as many values in mean ({len(self.mean)}) and std ({len(self.std)})"
            )
        if min(self.std) <= 0:
            raise ValueError(f"std must be above 0, not {self.std}")
        if self.towns is not None and self.towns.size < 1.4 * self.window:  # windows are read at up to 1.35 of it
            raise ValueError(
                f"towns of {self.towns.size} px are too small for a window of {self.window}; set towns.size to "
                f"{int(1.4 * self.window) + 1} or more"
            )
        return self
