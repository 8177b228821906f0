"""The ledger: which tiles are done, one line each, kept beside the tiles and never rewritten.

A line counts only if the tile it names is there with the bytes it had: the ledger decides, not the file's time.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from geoseg.errors import WindowError
from geoseg.grid.window import Window
from geoseg.io.commit import append_line, sha256


@dataclass(frozen=True, slots=True)
class Entry:
    """One finished tile.

    Args:
        key: hash of everything the tile was made from.
        window: its pixels, lattice pixels.
        file: its name in the tile folder.
        sha256: of the file.
        observed: pixels that have a class.
        damage: what could not be read, in words.
    """

    key: str
    window: Window
    file: str
    sha256: str
    observed: int
    damage: tuple[str, ...]

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def parse(cls, line: str) -> Entry:
        """The entry that `line` was made from."""
        data = json.loads(line)
        return cls(**{**data, "window": Window(**data["window"]), "damage": tuple(data["damage"])})


class Ledger:
    """Finished tiles of one date, by key."""

    def __init__(self, path: Path) -> None:
        self.path, self.tiles = path, path.parent / "tiles"

    def read(self) -> dict[str, Entry]:
        """Every entry; of a key that stands twice, the last. A damaged line is passed over."""
        entries: dict[str, Entry] = {}
        if not self.path.exists():
            return entries
        for line in self.path.read_bytes().split(b"\n"):
            try:
                entry = Entry.parse(line.decode())
            except (ValueError, KeyError, TypeError, RecursionError, WindowError):
                continue
            entries[entry.key] = entry
        return entries

    def intact(self, entry: Entry) -> bool:
        """Whether the entry's file is there, byte for byte."""
        path = self.tiles / entry.file
        return path.is_file() and sha256(path) == entry.sha256

    def add(self, entry: Entry) -> None:
        """Notes a finished tile, on disk when this returns."""
        append_line(self.path, entry.line())

    def drop_others(self, keep: set[str]) -> None:
        """Removes tile files that no entry of this run uses: those of other settings, and unfinished ones."""
        for path in self.tiles.glob("*"):
            if path.name not in keep:
                path.unlink(missing_ok=True)
