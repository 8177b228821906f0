"""One image to maps and polygons, without an AOI file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from geoseg.config import AoiFile, Area, Compute, DateEntry, GridSection, SceneEntry, Tiling, Views, flags
from geoseg.io.bundle import read_bundle
from geoseg.io.commit import sweep
from geoseg.io.lock import locked
from geoseg.stages.detect import write_instances
from geoseg.stages.landcover import landcover_of_map
from geoseg.stages.plan import Request, make_plan
from geoseg.stages.predict import predict
from geoseg.stages.report import report
from geoseg.stages.stitch import stitch

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
    symmetry: Literal["none", "mirror", "all"] | None = None
    scales: str | None = None
    workers: int | None = None
    threads: int | None = None
    precision: Literal["auto", "float32", "bfloat16"] | None = None
    device: Literal["auto", "cpu", "cuda"] | None = None
    allow_partial: bool = False


def segment(image: Path, model: str, out: Path, options: SegmentOptions) -> dict[str, Any]:
    """Maps `image` into `out`, going on where an earlier call was stopped, and returns the figures of the run.

    Raises:
        GeosegError: as the steps do.
    """
    work = out / "work"
    with flags():
        asked = _request(image, model, options)
    with locked(out):
        plan_path, tiles, figures = work / "plan.json", work / "tiles.json", work / "landcover.json"
        sweep(out)
        sweep(work)
        plan = make_plan(asked, out)
        if read_bundle(plan.model).card.task == "instances":
            return write_instances(plan, out)
        plan.write(plan_path)
        predict(plan_path, tiles)
        stitch(plan_path, tiles, out)
        landcover_of_map(out / "landcover.tif", out / "confidence.tif", figures)
        return report(plan_path, tiles, figures, out / "run.json")


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
        tiling=Tiling(exact=options.exact),
        views=_views(options),
        compute=Compute(allow_partial=options.allow_partial, **{k: v for k, v in compute.items() if v is not None}),
    )
    return Request(re.sub(r"[^A-Za-z0-9_.-]", "_", image.stem)[:64], "undated", config, Path(), [(image, entry)])


def _views(options: SegmentOptions) -> Views:
    given: dict[str, Any] = {} if options.symmetry is None else {"symmetry": options.symmetry}
    if options.scales is not None:
        given["scales"] = [part.strip() for part in options.scales.split(",")]
    return Views(**given)
