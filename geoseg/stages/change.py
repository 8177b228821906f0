"""Change between two dates, from the probabilities of their maps: a map, its probability, events and areas."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from geoseg.errors import ConfigError
from geoseg.io.cog import Colour, write_cog
from geoseg.io.commit import write_json, write_text
from geoseg.io.rasters import open_raster
from geoseg.raster.coding import CONFIDENCE_STEPS, NO_CONFIDENCE, OUTSIDE, UNOBSERVED
from geoseg.report.styles import confidence_qml, landcover_qml
from geoseg.stages.change_guard import Pair, guarded
from geoseg.stages.change_layer import write_events
from geoseg.stages.change_map import NO_CHANGE, WITHIN_ERROR, ChangeMap, ChangeSettings, Rules, Sums, rules_for

log = logging.getLogger(__name__)

_COLOURS: Final = {
    "deforestation": "#d7301f",
    "reforestation": "#1a9850",
    "urbanization": "#6a3d9a",
    "water_gain": "#1f78b4",
    "water_loss": "#b15928",
}
_OTHERS: Final = ("#e6550d", "#756bb1", "#31a354", "#dd1c77", "#3182bd", "#8c6d31")
_ASSUMPTION: Final = (
    "The two dates are independent given the classes: the probability of a pair of classes is the product of both "
    "dates' probabilities{prior}. A map holds the probability of one class a pixel; the rest is spread evenly over the "
    "others."
)


def change(before: Path, after: Path, out: Path, asked: ChangeSettings, rows: int | None = None) -> None:
    """Writes `change.tif`, `change_probability.tif`, their styles, `change.parquet`, `change.geojson`, `change.json`.

    Memory grows with the number of events, not with the map.

    Args:
        before, after: folders with `landcover.tif` and `confidence.tif`, the earlier first.
        out: the folder.
        asked: what counts as change.
        rows: read at a time; nothing depends on it.

    Raises:
        ConfigError: dates reversed or equal, probabilities or transitions that cannot be.
        DataError: maps that cannot be compared: see `geoseg.stages.change_guard`.
        MachineError: the disk is full or failing.
    """
    if not 0 < asked.grow <= asked.seed <= 1:
        raise ConfigError(
            f"an event grows from {asked.seed:g} down to {asked.grow:g}; give probabilities above 0 and up to 1, the "
            "one to grow to no higher than the one to start from"
        )
    with guarded(before, after) as pair:
        rules = rules_for(pair, asked)
        made = ChangeMap(pair, rules, rows)
        _write_maps(made, pair, rules, out)
        with open_raster(out / "change.tif") as mapped, open_raster(out / "change_probability.tif") as probability:
            events = write_events(mapped, probability, pair, rules.named, out / "change", asked.simplify)
        figures = _figures(pair, rules, asked, made.sums)
        for name, found in figures["transitions"].items():
            found["events"] = int((events["transition"] == name).sum())
        write_json(out / "change.json", figures)
    log.info("change %s to %s: %d events", pair.before.date, pair.after.date, len(events))


def _write_maps(made: ChangeMap, pair: Pair, rules: Rules, out: Path) -> None:
    entries = _entries(rules)
    tags = {
        "GEOSEG_DATES": f"{pair.before.date} {pair.after.date}",
        "GEOSEG_MODEL": pair.before.model,
        "GEOSEG_MODEL_SHA256": pair.before.model_sha256,
    }
    write_cog(
        out / "change.tif",
        made.transitions(),
        pair.geobox,
        nodata=OUTSIDE,
        overviews="mode",
        colours={**{value: _rgba(colour) for value, _, colour in entries}, OUTSIDE: (0, 0, 0, 0)},
        description="change",
        tags={**tags, "GEOSEG_CLASSES": json.dumps(entries)},
        band_category_names={value: name for value, name, _ in entries},
    )
    with open_raster(out / "change.tif") as mapped:
        write_cog(
            out / "change_probability.tif",
            made.probabilities(mapped),
            pair.geobox,
            nodata=NO_CONFIDENCE,
            overviews="average",
            description="probability of the mapped transition, elsewhere of the most probable one, x 250",
            tags=tags,
        )
    write_text(out / "change.qml", landcover_qml(entries))
    write_text(out / "change_probability.qml", confidence_qml())


def _entries(rules: Rules) -> list[tuple[int, str, str]]:
    """Value, name and colour of each value of the map."""
    named = [
        (value, pairs.name, _COLOURS.get(pairs.name, _OTHERS[value % len(_OTHERS)]))
        for value, pairs in enumerate(rules.named, start=1)
    ]
    return [
        (NO_CHANGE, "no change", "#f2f2f2"),
        *named,
        (WITHIN_ERROR, "within registration error", "#fdd49e"),
        (UNOBSERVED, "unobserved", "#808080"),
    ]


def _rgba(colour: str) -> Colour:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16), 255


def _figures(pair: Pair, rules: Rules, asked: ChangeSettings, sums: Sums) -> dict[str, dict[str, dict[str, object]]]:
    """What `change.json` says; areas in m2 on the ellipsoid."""
    names, shift = pair.before.names, rules.shift
    estimated = shift and {
        "rows": shift.rows,
        "cols": shift.cols,
        "standard_error": shift.error,
        "windows": shift.windows,
        "windows_tried": shift.tried,
    }
    prior = ", weighed by the transition matrix and brought to sum to one" if rules.weights is not None else ""
    return {
        "dates": {"before": pair.before.date.isoformat(), "after": pair.after.date.isoformat()},
        "model": {"name": pair.before.model, "sha256": pair.before.model_sha256},
        "method": {
            "name": "plain comparison of the mapped classes" if rules.plain else "probability of transitions",
            "assumption": None if rules.plain else _ASSUMPTION.format(prior=prior),
            "seed_probability": rules.seed / CONFIDENCE_STEPS,
            "grow_probability": rules.grow / CONFIDENCE_STEPS,
            "min_area_m2": rules.smallest,
        },
        "registration": {"shift_px": estimated, "stated_px": asked.registration, "narrowest_px": rules.width + 1},
        "transitions": {
            pairs.name: {
                "value": k + 1,
                "from": [n for n, member in zip(names, pairs.before, strict=True) if member],
                "to": [n for n, member in zip(names, pairs.after, strict=True) if member],
                "mapped_m2": float(sums.events[k].sum()),
                "whole_m2": float(sums.whole[k]),
                "from_to_m2": _table(sums.events[k], names),
            }
            for k, pairs in enumerate(rules.named)
        },
        "areas": {
            "observed_m2": sums.observed,
            "unobserved_m2": sums.unobserved,
            "within_registration_error_m2": sums.within_error,
            "from_to_m2": _table(sums.mapped, names),
        },
    }


def _table(areas: NDArray[np.float64], names: list[str]) -> dict[str, dict[str, float]]:
    """Area by class before, then class after."""
    return {one: dict(zip(names, row, strict=True)) for one, row in zip(names, areas.tolist(), strict=True)}
