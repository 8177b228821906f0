"""One run at a time in a folder of results."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geoseg.errors import LockedError
from geoseg.io.commit import writing

LOCK = ".geoseg.lock"


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Holds the folder's lock while the block runs; the kernel gives it back however the process ends.

    Yields:
        The lock's file descriptor: a child that inherits it holds the lock, too, until it ends.

    Raises:
        LockedError: another run holds it.
        MachineError: the folder cannot be made or written to.
    """
    path = folder / LOCK
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
            raise LockedError(f"{folder} is in use by {owner}; wait for it, or stop it, then run again") from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield handle
    finally:
        os.close(handle)
