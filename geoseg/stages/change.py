"""Change over two or more dates, from the probabilities of their maps: maps, events, tables and a page."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from geoseg.config import Change
from geoseg.errors import ConfigError
from geoseg.io.commit import remove, sha256, write_json, write_text
from geoseg.io.delivery import CHANGE_FIGURES, change_files
from geoseg.io.rasters import open_raster
from geoseg.report.change_page import page
from geoseg.report.styles import events_qml
from geoseg.stages.change_guard import guarded
from geoseg.stages.change_layer import KINDS, EventLayer
from geoseg.stages.change_map import ChangeMap
from geoseg.stages.change_rasters import named_entries, write_dates, write_rasters
from geoseg.stages.change_report import shown
from geoseg.stages.change_rules import rules_for
from geoseg.stages.change_tables import ChangeResults, write_tables

log = logging.getLogger(__name__)


def change(folders: Sequence[Path], out: Path, asked: Change, rows: int | None = None) -> None:
    """Writes maps, events, tables and the page of change into `out`: see `geoseg.io.delivery.change_files`.

    Memory grows with the number of events, not with the map.

    Args:
        folders: with `landcover.tif` and `confidence.tif`, and `probs.tif` where all probabilities are to count; one
            a date, the earliest first.
        out: the folder.
        asked: what counts as change.
        rows: read at a time; nothing depends on it.

    Raises:
        ConfigError: dates reversed or equal, or transitions that cannot be.
        DataError: maps that cannot be compared: see `geoseg.stages.change_guard`.
        MachineError: the disk is full or failing, or there is more change than can be traced.
    """
    if any(out.resolve() == folder.resolve() for folder in folders):
        raise ConfigError(f"{out} holds a map that is compared; name another folder for what comes of it")
    with guarded(folders) as series:
        rules = rules_for(series, asked)
        dates = len(series.dates)
        if len(rules.named) * (dates - 1) > KINDS:
            raise ConfigError(
                f"{len(rules.named)} transitions over {dates} dates are more than the {KINDS} pairs of transition and "
                "step that a map of events can tell apart; name fewer of either"
            )
        remove(out / CHANGE_FIGURES)  # of an earlier run: it would call the new files changed
        made = ChangeMap(series, rules, rows, out)
        known = write_rasters(made, series, rules, out)
        with open_raster(out / "change.tif") as mapped, open_raster(out / "change_probability.tif") as probability:
            layer = EventLayer(mapped, probability, known, series, rules, rows)
            write_dates(layer, series, out)
            events = layer.write(out / "events", asked.simplify, events_qml(named_entries(rules)))
        results = ChangeResults(series, rules, asked, made.sums, made.sensitivity, events)
        figures = write_tables(results, out)
        write_text(out / "change.html", page(shown(results, out)))
        write_json(out / CHANGE_FIGURES, {**figures, "files": {f: sha256(out / f) for f in change_files(dates)}})
    log.info("change: %d events from %s to %s", len(events), series.dates[0].date, series.dates[-1].date)
