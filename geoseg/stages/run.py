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
from geoseg.io.delivery import ASIDE, FIGURES, put_aside_changed
from geoseg.io.engine import command, failure, started, summary
from geoseg.io.json_file import read_object
from geoseg.io.lock import locked
from geoseg.io.steps import WORDS, Watch
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
    dates = sorted(area.scenes)
    call = command(aoi, results, cores)
    if dry_run:
        for line in _due(call, dates):
            print(f"{name} {line}")
        return
    folder = results / name
    with locked(folder) as lock:
        for date in dates:
            sweep(folder / date)
            sweep(folder / date / "work")
            for file in put_aside_changed(folder / date):
                log.warning("%s %s: %s is not what was made; kept as %s%s, made again", name, date, file, file, ASIDE)
        _drive(name, folder, dates, call, lock, cores)
    for date in dates:
        for line in describe(folder / date, read_object(folder / date / FIGURES)):
            print(line)


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


def describe_layers(figures: Mapping[str, Any]) -> str:
    """How much each layer holds, such as `120 polygons of land cover, 48 buildings`."""
    words = {"landcover": "polygons of land cover", "buildings": "buildings", "roads": "roads", "instances": "objects"}
    return ", ".join(f"{figures['layers'][name]['features']} {words[name]}" for name in figures["layers"])


def _area(square_metres: float) -> str:
    """In hectares, or in square kilometres from ten of them on."""
    if square_metres >= 1e7:
        return f"{square_metres / 1e6:,.1f} km²"
    return f"{square_metres / 1e4:,.2f} ha"


def _drive(name: str, folder: Path, dates: Sequence[str], call: Sequence[str], lock: int, cores: int | None) -> None:
    """Runs the workflow and tells what its steps do."""
    errors, workflow_log = folder / ".geoseg.error.json", folder / "workflow.log"
    watch, since = Watch(folder, dates), time.monotonic()
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


def _due(call: Sequence[str], dates: Sequence[str]) -> Iterator[str]:
    """Of each date the steps that would run."""
    pending = {(row["rule"], _date(row["output_file"], dates)) for row in summary(call) if row["plan"] != "no update"}
    for date in dates:
        words = [words for step, words in WORDS.items() if (step, date) in pending]
        yield f"{date}: {', '.join(words) or 'nothing to do'}"


def _date(output: str, dates: Sequence[str]) -> str | None:
    """The date that a file belongs to: a folder of that name, or for a drawn scene the file's own name."""
    parts = Path(output).parts
    return next((d for d in dates if d in parts or parts[-1].startswith(d)), None)


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
