"""Progress of long work: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

log = logging.getLogger(__name__)
LINE_EVERY = 5.0  # seconds between lines where there is no terminal


class Meter:
    """Counts tiles and pixels, and says how fast and how long still."""

    def __init__(self, what: str, tiles: int, pixels: int) -> None:
        self.what, self.tiles, self.pixels = what, tiles, pixels
        self.done = self.done_pixels = 0
        self.started = self.said = time.monotonic()
        self.bar: Progress | None = None

    def advance(self, pixels: int) -> None:
        """One more tile of so many pixels is finished."""
        self.done += 1
        self.done_pixels += pixels
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self.done_pixels, description=self.text())
        elif time.monotonic() - self.said >= LINE_EVERY or self.done == self.tiles:
            self.said = time.monotonic()
            log.info("%s", self.text())

    def text(self) -> str:
        """Such as `predict: 12 of 40 tiles, 1.31 Mpx/s, 3 min left`."""
        rate = self.done_pixels / max(time.monotonic() - self.started, 1e-9)
        left = (self.pixels - self.done_pixels) / max(rate, 1e-9)
        return f"{self.what}: {self.done} of {self.tiles} tiles, {rate / 1e6:.2f} Mpx/s, {duration(left)} left"


@contextmanager
def meter(what: str, tiles: int, pixels: int) -> Iterator[Meter]:
    """A meter that draws a bar while the block runs, if standard error is a terminal."""
    counter = Meter(what, tiles, pixels)
    if not sys.stderr.isatty():
        yield counter
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        bar.add_task(what, total=pixels)
        counter.bar = bar
        yield counter


def duration(seconds: float) -> str:
    """`40 s`, `3 min` or `2 h 10 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
