"""One image to maps and polygons, without an AOI file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from geoseg.config import (
    AoiFile,
    Area,
    Compute,
    DateEntry,
    GridSection,
    Product,
    SceneEntry,
    Tiling,
    Vectors,
    Views,
    flags,
)
from geoseg.io.bundle import read_bundle
from geoseg.io.commit import sweep
from geoseg.io.delivery import CHECK, FIGURES, LAYERS, PROBS, files, layers, products_of
from geoseg.io.lock import locked
from geoseg.stages.detect import write_instances
from geoseg.stages.landcover import landcover_of_map
from geoseg.stages.map_layers import buildings_of_map, roads_of_map
from geoseg.stages.plan import Request, make_plan
from geoseg.stages.predict import predict
from geoseg.stages.probs import probs
from geoseg.stages.report import report
from geoseg.stages.stitch import stitch
from geoseg.stages.translate import translate
from geoseg.stages.vectors_check import vectors_check

_ANY_DATE = date(2000, 1, 1)  # a configuration needs one; nothing is dated by it


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """Flags of `geoseg segment`; None leaves a choice to the configuration's default."""

    bands: str | None = None
    band_files: Sequence[tuple[str, str]] = ()
    nodata: str | None = None
    assume_crs: str | None = None
    gsd: float | None = None
    exact: bool = False
    max_seams: float | None = None
    symmetry: Literal["none", "mirror", "all"] | None = None
    scales: str | None = None
    workers: int | None = None
    threads: int | None = None
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None
    allow_partial: bool = False
    products: str | None = None
    formats: str | None = None
    min_area: str | None = None
    simplify: float | None = None
    smooth: bool | None = None


def segment(image: Path, model: str, out: Path, options: SegmentOptions) -> dict[str, Any]:
    """Maps `image` into `out`, going on where an earlier call was stopped, and returns the figures of the run.

    Raises:
        GeosegError: as the steps do.
    """
    work = out / "work"
    with flags():
        asked = _request(image, model, options)
    with locked(out):
        plan_path, tiles = work / "plan.json", work / "tiles.json"
        sweep(out)
        sweep(work)
        plan = make_plan(asked, out)
        card = read_bundle(plan.model).card
        if card.task == "instances":
            return write_instances(plan, out, asked.config)
        products = products_of(asked.config, card.class_names)
        plan.write(plan_path)
        predict(plan_path, tiles)
        stitch(plan_path, tiles, out)
        if "probs" in products:
            probs(plan_path, tiles, out / PROBS)
        figures = list(_draw(out, products, asked.config))
        delivered = [out / name for name in files(products, asked.config.vectors.formats)]
        return report(plan_path, tiles, out / FIGURES, [*delivered, *figures])


def _draw(out: Path, products: Sequence[Product], config: AoiFile) -> Iterator[Path]:
    """Makes every layer of the map in `out`, and proves that they hold; the files of their figures."""
    classes, confidence = out / "landcover.tif", out / "confidence.tif"
    for product in [p for p in products if p in LAYERS]:
        figures = out / "work" / f"{product}.json"
        if product == "landcover":
            landcover_of_map(classes, confidence, figures, config.vectors)
        elif product == "buildings":
            buildings_of_map(classes, confidence, figures, config.buildings)
        else:
            roads_of_map(classes, confidence, figures, config.roads)
        yield figures
    for layer in layers(products):
        for end in config.vectors.formats:
            translate(out / f"{layer}.parquet", out / f"{layer}.{end}")
    vectors_check(classes, out / CHECK)


def _request(image: Path, model: str, options: SegmentOptions) -> Request:
    bands = [b.strip() for b in options.bands.split(",")] if options.bands else None
    files = dict(options.band_files) or None
    given = {"path": str(image), "bands": bands, "files": files, "nodata": options.nodata}
    entry = SceneEntry.model_validate({**given, "assume_crs": options.assume_crs})
    compute = {f: getattr(options, f) for f in ("workers", "threads", "precision", "device")}
    config = AoiFile(
        area=Area(scenes=True),
        grid=GridSection() if options.gsd is None else GridSection(gsd=options.gsd),
        model=model,
        dates={_ANY_DATE: DateEntry(scenes=[entry])},
        tiling=_tiling(options),
        views=_views(options),
        vectors=_vectors(options),
        **({} if options.products is None else {"products": _list(options.products)}),
        compute=Compute(allow_partial=options.allow_partial, **{k: v for k, v in compute.items() if v is not None}),
    )
    return Request(re.sub(r"[^A-Za-z0-9_.-]", "_", image.stem)[:64], "undated", config, Path(), [(image, entry)])


def _tiling(options: SegmentOptions) -> Tiling:
    given = {} if options.max_seams is None else {"max_seams": options.max_seams}
    return Tiling.model_validate({"exact": options.exact, **given})


def _views(options: SegmentOptions) -> Views:
    given: dict[str, Any] = {} if options.symmetry is None else {"symmetry": options.symmetry}
    if options.scales is not None:
        given["scales"] = _list(options.scales)
    return Views(**given)


def _vectors(options: SegmentOptions) -> Vectors:
    given = {name: getattr(options, name) for name in ("min_area", "simplify", "smooth")}
    given["formats"] = None if options.formats is None else _list(options.formats)
    return Vectors.model_validate({name: value for name, value in given.items() if value is not None})


def _list(text: str | None) -> list[str]:
    """The parts of a text with commas between them."""
    return [part.strip() for part in text.split(",")] if text else []
