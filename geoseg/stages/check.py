"""Everything that can be known to go wrong, found before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from geoseg.config import resolve
from geoseg.io.bundle import read_bundle
from geoseg.io.commit import size_text
from geoseg.io.workflow import Asked, read_workflow
from geoseg.io.zone_layer import read_zones
from geoseg.stages.estimate import need
from geoseg.stages.plan import describe_plan, make_plan, request


def check(aoi: Path, deep: bool) -> list[str]:
    """Plans every date without writing, and says in plain lines what would run and what it needs.

    Args:
        aoi: the AOI file.
        deep: also decodes every block of every scene.

    Raises:
        GeosegError: the first thing that would stop the run.
    """
    ((_, area),) = read_workflow({"aoi": [str(aoi)]}).areas.items()
    lines: list[str] = []
    for date in area.dates:
        planned = make_plan(request(aoi, date), Path())
        bundle = read_bundle(planned.model)
        if deep:
            for scene in planned.scenes:
                with scene.scene.opened() as files:
                    for raster in files.rasters:
                        raster.check(deep=True)
        wanted = need(planned, bundle.card)
        lines += describe_plan(planned, bundle)
        lines.append(
            f"needs      up to {size_text(int(wanted.memory))} of memory, {size_text(int(wanted.disk))} of disk"
        )
        lines.append("")
    return [*lines, *_of_all_dates(area), "", f"{aoi} is in order; start it with: geoseg run {aoi}"]


def _of_all_dates(area: Asked) -> Iterator[str]:
    """What is made, and of what, in plain lines. Raises `DataError` where the zones cannot be used."""
    yield f"products   {', '.join(area.products)}"
    config = area.aoi.config
    if "change" in area.products:
        classes = read_bundle(config.model, area.aoi.folder).card.class_names
        named = ", ".join(transition.name for transition in resolve(config.change.transitions, classes))
        yield f"change     {named}; {len(area.dates)} dates from {area.dates[0]} to {area.dates[-1]}"
    if "zones" in area.products and config.zones:
        layer = area.aoi.folder / config.zones.file
        yield f"zones      {len(read_zones(layer, config.zones.name).names)} of {layer.name}"
