"""A whole run: Snakemake decides which steps are due and runs them; this says in plain words what goes on."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from geoseg.errors import StoppedError
from geoseg.io.commit import sweep
from geoseg.io.delivery import (
    ASIDE,
    CHANGE,
    CHANGE_FIGURES,
    FIGURES,
    ZONE_FIGURES,
    ZONES,
    ZONES_FROM_TO,
    put_aside_changed,
)
from geoseg.io.engine import command, failure, started, summary
from geoseg.io.json_file import read_object
from geoseg.io.lock import locked
from geoseg.io.steps import WORDS, Watch, step_of
from geoseg.io.workflow import read_workflow
from geoseg.stages.progress import duration

log = logging.getLogger(__name__)
LOOK_EVERY = 0.3  # seconds between two looks at the steps' files


def run(aoi: Path, results: Path, cores: int | None, dry_run: bool) -> None:
    """Makes every product of an AOI file in `results/<name>/`, going on where an earlier run was stopped.

    Progress goes to the log, places and figures of the results to standard output.

    Args:
        aoi: the AOI file.
        results: folder of all results.
        cores: processor cores to use; all if None.
        dry_run: only say which steps would run.

    Raises:
        GeosegError: whatever is wrong with the AOI file, or stopped a step, as that step said it.
        LockedError: another run makes the same results.
        StoppedError: the run was interrupted; the same command goes on.
    """
    asked = read_workflow({"aoi": [str(aoi)], "results": str(results)})
    ((name, area),) = asked.areas.items()
    parts = [*area.dates, *([CHANGE] if area.change_files else [])]
    if dry_run:
        for line in _due(command(aoi, results, cores), f"{asked.results}/{name}", parts):
            print(f"{name} {line}")
        return
    folder = results / name
    # plans first: only a new call of Snakemake finds that a plan that was made again is as it was
    calls = [command(aoi, results, cores, rule) for rule in (*(["plans"] if len(area.dates) > 1 else []), "all")]
    with locked(folder) as lock:
        _tidy(name, folder, parts)
        _drive(name, folder, parts, calls, lock, cores)
    for date in area.dates:
        for line in describe(folder / date, read_object(folder / date / FIGURES)):
            print(line)
    if area.change_files:
        for line in describe_change(folder / CHANGE, read_object(folder / CHANGE / CHANGE_FIGURES)):
            print(line)


def _tidy(name: str, folder: Path, parts: Sequence[str]) -> None:
    """Removes what killed writers left, and puts aside what is not what was made."""
    for part in parts:
        for below in ("", "work", ZONES, ZONES_FROM_TO):
            sweep(folder / part / below)
        listed = (FIGURES, CHANGE_FIGURES, f"{ZONES}/{ZONE_FIGURES}", f"{ZONES_FROM_TO}/{ZONE_FIGURES}")
        for figures in (folder / part / file for file in listed):
            for file in put_aside_changed(figures):
                told = name, figures.parent.relative_to(folder), file, file, ASIDE
                log.warning("%s %s: %s is not what was made; kept as %s%s, made again", *told)


def describe(folder: Path, figures: Mapping[str, Any]) -> Iterator[str]:
    """Where the results of one date are, and its main figures, in plain lines.

    Args:
        folder: of the results.
        figures: content of its `run.json`.
    """
    areas: dict[str, float] = figures["area_m2"]
    total = sum(areas.values())
    yield f"{folder}: {_area(total)}; {describe_layers(figures)}"
    for name, area in areas.items():
        if area or name != "unobserved":
            yield f"  {name:16} {_area(area):>14} {100 * area / total if total else 0:6.1f} %"


def describe_change(folder: Path, figures: Mapping[str, Any]) -> Iterator[str]:
    """Where change is, and its main figures, in plain lines.

    Args:
        folder: of the results.
        figures: content of its `change.json`.
    """
    dates = figures["dates"]
    yield f"{folder}: {dates[0]} to {dates[-1]}"
    for name, found in figures["transitions"].items():
        yield f"  {name:16} {_area(found['mapped_m2']):>14} in {found['events']} events"
    yield f"  {'unobserved':16} {_area(figures['areas']['unobserved_m2']):>14}"


def describe_layers(figures: Mapping[str, Any]) -> str:
    """How much each layer holds, such as `120 polygons of land cover, 48 buildings`."""
    words = {"landcover": "polygons of land cover", "buildings": "buildings", "roads": "roads", "instances": "objects"}
    return ", ".join(f"{figures['layers'][name]['features']} {words[name]}" for name in figures["layers"])


def _area(square_metres: float) -> str:
    """In hectares, or in square kilometres from ten of them on."""
    if square_metres >= 1e7:
        return f"{square_metres / 1e6:,.1f} km²"
    return f"{square_metres / 1e4:,.2f} ha"


def _drive(
    name: str, folder: Path, parts: Sequence[str], calls: Sequence[Sequence[str]], lock: int, cores: int | None
) -> None:
    """Runs the workflow, one call after the other, and tells what its steps do."""
    errors, workflow_log = folder / ".geoseg.error.json", folder / "workflow.log"
    watch, since = Watch(folder, parts), time.monotonic()
    for call in calls:
        with _interruptible(), started(call, workflow_log, errors, lock, cores) as process:
            while process.poll() is None:
                _tell(name, watch)
                time.sleep(LOOK_EVERY)
        _tell(name, watch)
        if process.returncode:
            raise failure(errors, [*watch.open_logs, workflow_log])
    if any(step.begun for step in watch.steps):
        log.info("%s: done in %s", name, duration(time.monotonic() - since))
    else:
        log.info("%s: nothing to do, all results are up to date", name)


def _tell(name: str, watch: Watch) -> None:
    for line in watch.news():
        log.info("%s %s", name, line)


def _due(call: Sequence[str], results: str, parts: Sequence[str]) -> Iterator[str]:
    """Of each part of the results the steps that would run."""
    due: dict[tuple[str | None, str], bool] = {}  # by part and step: due by itself, or only because of another one?
    for row in summary(call):
        if row["plan"] != "no update":
            key = _part(row["output_file"], results, parts), step_of(row["rule"])
            due[key] = due.get(key, False) or row["status"] not in ("ok", "removed temp file")
    for part in parts:
        steps = [step for step in WORDS if (part, step) in due]
        words = [WORDS[step] for step in steps]
        if len(steps) > 1 and [step for step in steps if due[part, step]] == ["plan"]:
            yield f"{part}: {words[0]}; if that changes the plan: {', '.join(words[1:])}"
        else:
            yield f"{part}: {', '.join(words) or 'nothing to do'}"


def _part(output: str, results: str, parts: Sequence[str]) -> str | None:
    """The part of the results that a file belongs to; a drawn scene belongs to the date in its name."""
    path = Path(output)
    if path.is_relative_to(results):
        return path.relative_to(results).parts[0]
    return next((part for part in parts if path.name.startswith(part)), None)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C, a closed terminal and a kind kill raise `StoppedError` in the block; while that is handled, they wait."""
    if threading.current_thread() is not threading.main_thread():  # signals go to the main thread only
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    stopped: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if not stopped:
            stopped.append(number)
            raise StoppedError(number)

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
