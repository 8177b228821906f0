"""The commit protocol: a file under its final name is complete, or it is not there (FAULTS, section 3).

Every writer works on `.NAME.<random>.part` in the target's own folder. When it is done the file is flushed to
the disk, takes the target's name in one step, and the folder is flushed too, so that neither a kill nor a power
cut leaves half a file. What a killed writer leaves behind is found by its name: `sweep`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from geoseg.errors import MachineError

PART = ".part"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.ELOOP}
_BROKEN = {errno.EIO, errno.ENAMETOOLONG, errno.EMFILE, errno.ENFILE, errno.ESTALE}
# what GDAL raises when a disk fills up; now and then it is a SystemError without any text (FAULTS, M1)
_GDAL = (RasterioError, CPLE_BaseError, SystemError)
_NAME_BYTES = 200  # of the target's name kept in the temporary name: most file systems allow 255 in all


@contextmanager
def commit(target: Path, need: int | None = None) -> Iterator[Path]:
    """A path to write to, which becomes `target` when the block ends without an error.

    Args:
        target: where the file belongs; missing folders are made. An existing file is replaced in one step.
        need: bytes the file will take, where known; said when the disk is full.

    Yields:
        An empty, new file in the folder of `target`.

    Raises:
        MachineError: the disk is full, or the folder cannot be written to. `target` is as it was before.
    """
    with writing(target, need):
        target.parent.mkdir(parents=True, exist_ok=True)
        with temporary(target) as part:
            yield part
            flush(part)
            part.replace(target)
            flush(target.parent)


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """A new, empty file in the folder of `target`, gone when the block ends."""
    part = _create(target)
    try:
        yield part
    except BaseException:
        _remove(part)
        raise
    part.unlink(missing_ok=True)


@contextmanager
def writing(target: Path, need: int | None = None) -> Iterator[None]:
    """Tells what a failing disk raises as a `MachineError` that names `target`, the space and the way out."""
    try:
        yield
    except _GDAL as error:
        raise MachineError(_full_message(target, need, _first_line(error))) from error
    except OSError as error:
        message = _message(target, need, error)
        if message is None:
            raise
        raise MachineError(message) from error


def sweep(folder: Path) -> list[Path]:
    """Remove what killed writers left in `folder` (not below it). Call it only while no other run writes there.

    Returns:
        The files that were removed.
    """
    if not folder.is_dir():
        return []
    left = [path for path in sorted(folder.iterdir()) if path.name.startswith(".") and PART in path.name]
    left = [path for path in left if path.is_file() or path.is_symlink()]
    for path in left:
        path.unlink(missing_ok=True)
    return left


def sha256(path: Path) -> str:
    """Hash of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_bytes(path: Path, data: bytes) -> None:
    """Commit `data` as a file. Raises `MachineError`."""
    with commit(path, len(data)) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Commit `text` as UTF-8, lines ended by a line feed on every system."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Commit `value` as indented JSON; NaN and infinity are refused, for JSON has no such numbers."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def remove(path: Path) -> None:
    """Remove a file, if it is there, that would tell of an earlier run. Raises `MachineError`."""
    with writing(path):
        path.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Add a line to a ledger and flush it to the disk: after the return it is there, whatever happens next.

    A line that a killed writer left unfinished is closed first, so that it cannot swallow this one. If the disk
    is full the ledger keeps the length it had.
    """
    if "\n" in line:
        raise ValueError(f"a ledger's entry is one line, this one has several: {line!r}")
    with writing(path, len(line) + 1):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with path.open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                _write_all(file.fileno(), _unfinished(file.fileno(), size) + line.encode() + b"\n")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise
        if new:
            flush(path.parent)


def flush(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _create(target: Path) -> Path:
    """New file with a name nobody can foresee; an existing file or planted link of that name is an error."""
    name = target.name.encode()[:_NAME_BYTES].decode(errors="ignore")
    part = target.with_name(f".{name}.{secrets.token_hex(8)}{PART}")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o666))
    return part


def _remove(part: Path) -> None:
    """Remove a temporary file and what GDAL left beside it when it failed (`.ovr.tmp`, `.msk`)."""
    for path in [path for path in part.parent.iterdir() if path.name.startswith(part.name)]:
        path.unlink(missing_ok=True)


def _unfinished(handle: int, size: int) -> bytes:
    """The line feed that closes a torn last line, if there is one."""
    return b"\n" if size and os.pread(handle, 1, size - 1) != b"\n" else b""


def _write_all(handle: int, data: bytes) -> None:
    """`os.write` may write a part; the next call then says why."""
    while data:
        data = data[os.write(handle, data) :]


def _message(target: Path, need: int | None, error: OSError) -> str | None:
    """What to tell; None where the error is not about the place we write to."""
    folder = target.parent
    if error.filename is not None and not _about(Path(os.fsdecode(error.filename)), target):
        return None
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return _full_message(target, need, reason)
    if error.errno in _DENIED:
        return f"{target} cannot be written: {reason}. Choose another output folder, or get write access to {folder}."
    if error.errno in _NOT_A_FOLDER:
        return f"{target} cannot be written: {_in_the_way(target)}. Choose another output folder, or move it away."
    if error.errno in _BROKEN:
        return f"{target} cannot be written: {reason}. Check the disk and the path, or choose another output folder."
    return None


def _full_message(target: Path, need: int | None, reason: str) -> str:
    needed = f"it needs {size_text(need)}, and " if need else ""
    return (
        f"{target} could not be written ({reason}): {needed}{free_text(target.parent)} "
        "without the unfinished file. Make room or choose "
        "another output folder, then run the same command again: what is finished is kept."
    )


def _in_the_way(target: Path) -> str:
    """Which part of the path is a file where a folder should be, or the reverse."""
    if target.is_dir():
        return f"{target} is a folder"
    blocking = [path for path in target.parents if path.exists() and not path.is_dir()]
    return f"{blocking[0]} is a file, not a folder" if blocking else "a part of its path is not a folder"


def _about(path: Path, target: Path) -> bool:
    """Whether an error's path is the target, its temporary file or one of its folders."""
    return path == target or path in target.parents or path.parent == target.parent


def free_text(folder: Path) -> str:
    """Free space where `folder` is or will be, in words."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    return f"{size_text(shutil.disk_usage(there).free)} are free at {there}"


def size_text(size: int) -> str:
    """Bytes as people read them, in powers of 1000."""
    value, unit = float(size), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def _first_line(error: BaseException) -> str:
    """The deepest cause's own words: rasterio wraps GDAL's message, which is the one that tells something."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]
