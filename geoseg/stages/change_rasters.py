"""The maps of change: transition, its probability, and for a series the date that first shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from geoseg.io.cog import Colour, cog_writer, finish
from geoseg.io.commit import remove, write_text
from geoseg.io.strip_file import StripFile
from geoseg.raster.coding import NO_CONFIDENCE, OUTSIDE, UNOBSERVED
from geoseg.report.styles import ClassEntry, confidence_qml, landcover_qml, time_colours
from geoseg.stages.change_guard import Series
from geoseg.stages.change_layer import EventLayer
from geoseg.stages.change_map import NO_CHANGE, WITHIN_ERROR, ChangeMap
from geoseg.stages.change_rules import Rules

_COLOURS: Final = {
    "deforestation": "#d7301f",
    "reforestation": "#1a9850",
    "urbanization": "#6a3d9a",
    "water_gain": "#1f78b4",
    "water_loss": "#b15928",
}
_OTHERS: Final = ("#e6550d", "#756bb1", "#31a354", "#dd1c77", "#3182bd", "#8c6d31")
_UNOBSERVED: Final = (UNOBSERVED, "unobserved", "#808080")


def write_rasters(made: ChangeMap, series: Series, rules: Rules, out: Path) -> StripFile:
    """Writes `change.tif`, `change_probability.tif` and their styles.

    Returns:
        Of each changed pixel, in the strips of the map: `geoseg.stages.change_layer.KNOWN`, of the most probable
        sequence.

    Raises:
        MachineError: the disk is full or failing.
    """
    entries, known = change_entries(rules), StripFile(out)
    about = "probability of the mapped transition, elsewhere of the most probable one, x 250"
    look: dict[str, Any] = {"nodata": NO_CONFIDENCE, "overviews": "average", "descriptions": (about,)}
    with (
        cog_writer(
            out / "change.tif", series.geobox, **_palette(entries, "change"), tags=_tags(series, entries)
        ) as one,
        cog_writer(out / "change_probability.tif", series.geobox, **look, tags=_tags(series)) as two,
    ):
        for number, strip in enumerate(made.strips()):
            one.write(strip.window, strip.code)
            two.write(strip.window, strip.probability)
            changed = (strip.code >= 1) & (strip.code <= len(rules.named))
            known.put(number, [layer[changed] for layer in (strip.first, strip.last, strip.before, strip.after)])
        finish(one, two)
    write_text(out / "change.qml", landcover_qml(entries))
    write_text(out / "change_probability.qml", confidence_qml())
    return known


def write_dates(events: EventLayer, series: Series, out: Path) -> None:
    """Writes `change_date.tif` and its style for a series; removes those of an earlier one for two dates.

    Raises:
        MachineError: the disk is full or failing.
    """
    if len(series.dates) == 2:
        for name in ("change_date.tif", "change_date.tif.aux.xml", "change_date.qml"):
            remove(out / name)
        return
    entries = date_entries(series)
    look = _palette(entries, "first seen")
    with cog_writer(out / "change_date.tif", series.geobox, **look, tags=_tags(series, entries)) as file:
        for window, date in events.dates():
            file.write(window, date)
    write_text(out / "change_date.qml", landcover_qml(entries))


def named_entries(rules: Rules) -> list[ClassEntry]:
    """Value, name and colour of each transition."""
    return [
        (value, pairs.name, _COLOURS.get(pairs.name, _OTHERS[(value - 1) % len(_OTHERS)]))
        for value, pairs in enumerate(rules.named, start=1)
    ]


def change_entries(rules: Rules) -> list[ClassEntry]:
    """Value, name and colour of each value of `change.tif`."""
    return [
        (NO_CHANGE, "no change", "#f2f2f2"),
        *named_entries(rules),
        (WITHIN_ERROR, "within registration error", "#fdd49e"),
        _UNOBSERVED,
    ]


def date_entries(series: Series) -> list[ClassEntry]:
    """Value, name and colour of each value of `change_date.tif`: the later, the lighter."""
    later = series.dates[1:]
    shades = time_colours(len(later))
    named = [(k, str(d.date), shade) for k, (d, shade) in enumerate(zip(later, shades, strict=True), start=1)]
    return [(NO_CHANGE, "no change", "#f2f2f2"), *named, _UNOBSERVED]


def _palette(entries: list[ClassEntry], about: str) -> dict[str, Any]:
    """How a map of named values looks."""
    return {
        "nodata": OUTSIDE,
        "overviews": "mode",
        "colours": {**{value: _rgba(colour) for value, _, colour in entries}, OUTSIDE: (0, 0, 0, 0)},
        "descriptions": (about,),
        "band_category_names": {value: name for value, name, _ in entries},
    }


def _tags(series: Series, entries: list[ClassEntry] | None = None) -> dict[str, str]:
    """What made a map."""
    first = series.dates[0]
    tags = {
        "GEOSEG_DATES": " ".join(str(dated.date) for dated in series.dates),
        "GEOSEG_MODEL": first.model,
        "GEOSEG_MODEL_SHA256": first.model_sha256,
    }
    if first.card_sha256 is not None:
        tags["GEOSEG_CARD_SHA256"] = first.card_sha256
    return tags if entries is None else {**tags, "GEOSEG_CLASSES": json.dumps(entries)}


def _rgba(colour: str) -> Colour:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16), 255
