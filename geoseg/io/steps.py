"""What the steps of a running workflow are doing, seen from the files they leave: log and benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geoseg.io.delivery import FORMATS, LAYERS, ZONES_FROM_TO, layers

# Steps in their order, and what an analyst calls them.
WORDS = {
    "town": "drawing the town",
    "plan": "planning",
    "predict": "mapping",
    "stitch": "joining tiles",
    "probs": "joining probabilities",
    "landcover": "drawing polygons",
    "buildings": "drawing buildings",
    "roads": "drawing roads",
    "translate": "writing other formats",
    "vectors_check": "checking vectors",
    "zones": "adding up zones",
    "report": "gathering figures",
    "change": "comparing the dates",
}
_MANY = "translate"  # runs once a file, and its logs are named by these
Stamp = tuple[int, int, int] | None


@dataclass(slots=True)
class Step:
    """One step of one part of the results: a date, or change. Files that were there before the run say nothing."""

    name: str
    part: str
    words: str
    log: Path
    benchmark: Path
    begun: bool = False
    ended: bool = False
    read: int = 0  # bytes of the log that were told
    before: tuple[Stamp, Stamp] = field(init=False)

    def __post_init__(self) -> None:
        self.before = (_stamp(self.log), _stamp(self.benchmark))

    def news(self) -> Iterator[str]:
        """What has happened since the last call."""
        if self.ended:
            return
        words, ended = self.words, _changed(self.benchmark, self.before[1])
        if not self.begun and (ended or _changed(self.log, self.before[0])):
            self.begun = True
            yield f"{self.part}: {words}"
        if self.begun:
            yield from (f"{self.part}: {words}{line.removeprefix(self.name)}" for line in self._lines())
        if ended and (seconds := _seconds(self.benchmark)) is not None:
            self.ended = True
            yield f"{self.part}: {words}: done in {seconds:.0f} s"

    def _lines(self) -> Iterator[str]:
        """New whole lines in the log that the step says of itself."""
        try:
            with self.log.open("rb") as file:
                file.seek(self.read)
                text = file.read()
        except OSError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self.read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if line.startswith(f"{self.name}: "):
                yield line


class Watch:
    """All steps of an area, by the part of the results that they make."""

    def __init__(self, folder: Path, parts: Sequence[str]) -> None:
        """Remembers the files as they are before the run.

        Args:
            folder: results of the area.
            parts: folders in it: its dates, and that of change.
        """
        self.steps = [
            Step(step, part, words, folder / part / "logs" / f"{name}.log", folder / part / "logs" / f"{name}.tsv")
            for part in parts
            for step, name, words in _logs()
        ]

    def news(self) -> Iterator[str]:
        """What has happened since the last call, in plain words."""
        for step in self.steps:
            yield from step.news()

    @property
    def open_logs(self) -> list[Path]:
        """Logs of steps that have begun and not ended."""
        return [s.log for s in self.steps if s.begun and not s.ended]


def step_of(rule: str) -> str:
    """The step that a rule of the workflow runs: that of its name, or for a variant what its name starts with."""
    return next((step for step in WORDS if rule == step or rule.startswith(f"{step}_")), rule)


def _logs() -> Iterator[tuple[str, str, str]]:
    """Step, name of its log and words of everything that may run."""
    for step, words in WORDS.items():
        if step != _MANY:
            yield step, step, words
        if step == "zones":
            yield step, ZONES_FROM_TO, f"{words}, from the first date to the last"
        if step != _MANY:
            continue
        for layer in layers(list(LAYERS)):
            for end in FORMATS:
                yield step, f"{layer}.{end}", f"writing {layer}.{end}"


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _changed(path: Path, before: Stamp) -> bool:
    now = _stamp(path)
    return now is not None and now != before


def _seconds(benchmark: Path) -> float | None:
    """Seconds in a benchmark file of Snakemake's; None while it is being written."""
    try:
        return float(benchmark.read_text(encoding="utf-8").splitlines()[1].split("\t")[0])
    except (OSError, IndexError, ValueError):
        return None
