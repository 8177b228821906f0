"""AOI files, `aoi/<name>.yaml`: area, imagery, model and products of one map."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from geoseg.config.transitions import NamedTransition
from geoseg.config.values import BandFiles, Bands, Count, IsoDate, Metres, Nodata, PathText, Precision, Section

Product = Literal["landcover", "buildings", "roads", "zones", "change", "probs"]
VectorFormat = Literal["geojson", "geojsonl", "gpkg"]


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
    """Section `grid`: CRS and pixel size; what is auto is chosen once for all dates."""

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
    files: BandFiles | None = Field(
        default=None, description="band name: file, for bands that lie in other files than path"
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
            SceneEntry(path=s, bands=None, files=None, nodata=None, assume_crs=None) if isinstance(s, str) else s
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
    blend: int | None = Field(
        default=None, ge=0, le=4096, description="pixels on each side of a core's edge over which patches are blended"
    )
    exact: bool = Field(default=False, description="true: halo is the network's whole receptive field")
    tile_patches: int = Field(default=2, ge=1, le=16, description="patch cores along a tile's side")
    # vhr-rgb has 0.0004 with its halo of 192 px, 0.006 with 64 px, 0.013 with none
    max_seams: float = Field(
        default=0.005,
        ge=0,
        le=1,
        description="share of labels that patch borders may change; a map with more is refused",
    )


class Views(Section):
    """Section `views`: test-time augmentation. The network's answers to several views are averaged as probabilities."""

    symmetry: Literal["none", "mirror", "all"] = Field(
        default="none", description="mirror: as it is and mirrored; all: the eight symmetries of the square"
    )
    scales: list[Annotated[float, Field(ge=0.25, le=4)]] = Field(
        default=[1.0], min_length=1, max_length=5, description="image pyramid: enlargements at which patches are seen"
    )


class Vectors(Section):
    """Section `vectors`: how polygons are drawn from the map, and the files they are written to."""

    formats: list[VectorFormat] = Field(
        default=["geojson", "gpkg"],
        description="files of each layer besides GeoParquet: GeoJSON, the same with one feature a line, GeoPackage",
    )
    min_area: Annotated[float, Field(ge=0)] | Literal["auto"] = Field(
        default="auto", description="m2; smaller regions go to a neighbour; auto: 9 pixels, 0: all are kept"
    )
    simplify: float = Field(
        default=1.0, ge=0, le=20, description="pixels that a simplified boundary may be off; 0: pixel edges"
    )
    smooth: bool = Field(default=False, description="true: boundaries between junctions are rounded, too")


class Buildings(Section):
    """Section `buildings`: how footprints are found and drawn."""

    min_area: float = Field(default=20.0, ge=0, description="m2; smaller buildings are left out")
    max_hole: float = Field(default=10.0, ge=0, description="m2; smaller holes in buildings are filled")
    neck: float = Field(
        default=0.5, ge=0, le=1, description="touching buildings are apart where the neck is this share of their width"
    )
    tolerance: float = Field(default=2.0, gt=0, le=20, description="pixels; much smaller jogs are not drawn")
    min_iou: float = Field(
        default=0.6, ge=0, le=1, description="of a drawn footprint and its pixels, or it is an outline"
    )
    max_area_change: float = Field(default=0.05, ge=0, le=1, description="share of its area that drawing may change")
    radius: float = Field(default=80.0, ge=0, description="m; neighbours this near tell a building's direction, too")
    trust: float = Field(default=4.0, ge=0, description="weight of all neighbours' directions, in times of its own")
    outline_tolerance: float = Field(default=1.0, ge=0, description="pixels that an outline is simplified by")


class Roads(Section):
    """Section `roads`: what a road is, and how the network is drawn. Lengths in metres."""

    max_width: Metres = Field(default=60.0, description="what is wider (car parks) has no middle, but a line round it")
    max_hole: float = Field(default=30.0, ge=0, description="m2; smaller holes in roads are filled")
    evenness: int = Field(default=2, ge=0, le=16, description="pixels by which edges of roads are evened")
    spur_widths: float = Field(
        default=0.75, ge=0, description="road widths that a side line must reach out of its road"
    )
    shortest: float = Field(
        default=8.0, ge=0, description="m; shorter side lines, and roads on their own, are left out"
    )
    merge_widths: float = Field(default=2.0, ge=0, description="road widths within which junctions are one")
    gap: float = Field(default=20.0, ge=0, description="m; longest gap between two ends that is closed as inferred")
    gap_to_road: float = Field(default=15.0, ge=0, description="m; the same between an end and the road it points at")
    gap_angle: float = Field(default=30.0, ge=0, le=90, description="degrees by which an end may point past the other")
    tolerance: float = Field(default=2.0, ge=0, description="pixels that a line may be from the middle of its road")


class Zones(Section):
    """Section `zones`: the polygons that areas are added up by."""

    file: PathText = Field(description="GeoJSON, GeoPackage or GeoParquet of polygons, relative to the AOI file")
    name: str | None = Field(default=None, description="field that names them; default: name, else their number")
    exact: bool = Field(
        default=False, description="true: pixels on borders are split by area; else their centre decides"
    )


class Change(Section):
    """Section `change`: what counts as change between the dates."""

    transitions: list[str | NamedTransition] | Literal["auto"] = Field(
        default="auto",
        min_length=1,
        description="deforestation, reforestation, urbanization, water_gain, water_loss, or entries with the keys "
        "below; where two hold, the first is mapped; auto: those that the classes allow",
    )
    seed: float = Field(default=0.6, gt=0, le=1, description="probability that an event must reach somewhere")
    grow: float = Field(default=0.5, gt=0, le=1, description="probability that it must have everywhere")
    min_area: Annotated[float, Field(ge=0)] | Literal["auto"] = Field(
        default="auto", description="m2; smaller events are left out, smaller holes filled; auto: 9 pixels"
    )
    registration: Annotated[float, Field(ge=0, le=16)] | Literal["auto"] = Field(
        default="auto", description="pixels that the dates may be off each other; auto: told from the maps"
    )
    matrix: dict[str, dict[str, Annotated[float, Field(ge=0, le=1)]]] | Literal["auto"] = Field(
        default="auto",
        description="for each class, the probability of each class at the next date; auto: two dates are independent, "
        "in a longer series to stay is 20 times as probable as any one other class",
    )
    plain: bool = Field(default=False, description="true: the mapped classes are compared, and nothing else counts")
    simplify: float = Field(default=1.0, ge=0, le=20, description="pixels that the outline of an event may be off")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.grow > self.seed:
            raise ValueError(
                f"grow {self.grow:g} is above seed {self.seed:g}; an event grows from seed down to grow, so give a "
                "grow that is no higher"
            )
        return self


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
    products: list[Product] | Literal["auto"] = Field(
        default="auto",
        min_length=1,
        description="what is made; auto: all that dates, classes and sections allow, but probs",
    )
    vectors: Vectors = Vectors()
    buildings: Buildings = Buildings()
    roads: Roads = Roads()
    zones: Zones | None = Field(default=None, description="areas by the polygons of a layer")
    change: Change = Change()
    tiling: Tiling = Tiling()
    views: Views = Views()
    compute: Compute = Compute()
