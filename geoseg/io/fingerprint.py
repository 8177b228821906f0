"""Whether a scene is still the one it was: its bytes, and cheaper, its size and time."""

from __future__ import annotations

import hashlib
from pathlib import Path

from geoseg.io.commit import sha256


def fingerprint(scene: Path) -> str:
    """SHA-256 over the image and the `.msk` that GDAL reads beside it."""
    files = _files(scene)
    if len(files) == 1:
        return sha256(scene)
    return hashlib.sha256("".join(sha256(f) for f in files).encode()).hexdigest()


def stamp(scene: Path) -> str:
    """Size and time of the same files: if these are the same, the bytes are taken to be."""
    stats = [f.stat() for f in _files(scene)]
    return " ".join(f"{s.st_size}:{s.st_mtime_ns}" for s in stats)


def _files(scene: Path) -> list[Path]:
    mask = scene.with_name(scene.name + ".msk")
    return [scene, mask] if mask.is_file() else [scene]
