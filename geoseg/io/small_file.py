"""Small files that people hand in: read whole, but only regular files and only up to a stated size."""

from __future__ import annotations

import difflib
from pathlib import Path

from geoseg.errors import GeosegError, MachineError


def read_small(path: Path, limit: int, error: type[GeosegError]) -> bytes:
    """Content of the regular file `path`, at most `limit` bytes.

    Raises:
        error: there is no such file, it is a folder, pipe or device, or it is larger than `limit`.
        MachineError: it may not be read.
    """
    check_regular(path, error)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as problem:
        raise MachineError(f"{path} cannot be read: {problem.strerror}; check its rights and the disk") from problem
    if len(content) > limit:
        raise error(f"{path} is larger than {limit / 1e6:g} MB, the most this kind of file may have")
    return content


def check_regular(path: Path, error: type[GeosegError]) -> None:
    """Raise `error`, naming files of nearly the same name, unless `path` is a regular file."""
    try:
        if path.is_file():
            return
        found = path.exists()
    except (OSError, ValueError):  # longer than the system allows, or a NUL in it
        found = False
    if found:
        raise error(f"{path} is a folder or a device, not a file; name a file")
    raise error(f"there is no file {path}{similar(path)}")


def similar(path: Path) -> str:
    """The end of a sentence: files of the same folder that `path` may have meant, or what the folder lacks."""
    try:
        names = sorted(p.name for p in path.parent.iterdir())
    except (OSError, ValueError):
        return f"; there is no folder {path.parent} either"
    if not names:
        return f"; the folder {path.parent} is empty"
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    same_kind = [n for n in names if Path(n).suffix.lower() == path.suffix.lower()][:3]
    return f"; did you mean {' or '.join(near)}?" if near else _listing(path.parent, same_kind or names[:3])


def _listing(folder: Path, names: list[str]) -> str:
    return f"; {folder} holds {', '.join(names)}"
