"""The directories of a TIFF, read without GDAL, which takes a directory it cannot find for one that is not there.

A file that was cut may have lost the list of where its blocks are, or its mask. GDAL then reads zeros, or calls
every pixel valid, and says nothing. Here such a file is refused before anything is read from it.

Source: TIFF 6.0 specification, sections 2 and 8; BigTIFF, https://www.awaresystems.be/imaging/tiff/bigtiff.html
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from geoseg.errors import DataError

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_SUBFILE_TYPE, _STRIP_OFFSETS, _STRIP_BYTES, _TILE_OFFSETS, _TILE_BYTES = 254, 273, 279, 324, 325
_IS_MASK = 4
_MAX_DIRECTORIES = 1000


@dataclass(frozen=True, slots=True)
class _Layout:
    """What differs between the four kinds of TIFF: byte order, and widths of counts and offsets."""

    order: str
    big: bool

    @property
    def entry(self) -> int:
        """Bytes of one tag."""
        return 20 if self.big else 12

    def number(self, data: bytes, at: int, width: int) -> int:
        """An unsigned integer of 2, 4 or 8 bytes."""
        return int(struct.unpack_from(self.order + {2: "H", 4: "I", 8: "Q"}[width], data, at)[0])


@dataclass(frozen=True, slots=True)
class _Value:
    """Where a tag's value lies in the file."""

    kind: int
    count: int
    start: int

    @property
    def end(self) -> int:
        """First byte after it; a type that is not known has no size."""
        return self.start + self.count * _SIZES.get(self.kind, 0)


def require_whole_header(path: Path, shown: str, *, is_mask: bool = False) -> None:
    """Raise `DataError` where directories, lists of blocks, or blocks of a mask lie outside the file.

    Args:
        path: a file that starts as a TIFF does.
        shown: how messages call it.
        is_mask: the whole file is a mask, as a `.msk` is.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            for tags, layout in _directories(file, size):
                if any(value.end > size for value in tags.values()):
                    raise _Cut
                if is_mask or _one(file, layout, tags.get(_SUBFILE_TYPE)) & _IS_MASK:
                    _require_blocks(file, layout, tags, size)
        except (_Cut, struct.error) as error:
            raise DataError(
                f"{shown} is cut off or damaged: its header or mask points past its end at {size} bytes. "
                "Download it again."
            ) from error


class _Cut(Exception):
    """Something that should be in the file is not."""


def _directories(file: BinaryIO, size: int) -> Iterator[tuple[dict[int, _Value], _Layout]]:
    """The tags of each directory, in file order."""
    head = file.read(16)
    layout = _Layout("<" if head[:2] == b"II" else ">", big=43 in head[2:4])
    start = layout.number(head, 8, 8) if layout.big else layout.number(head, 4, 4)
    seen: set[int] = set()
    while start and start not in seen and len(seen) < _MAX_DIRECTORIES:
        seen.add(start)
        tags, start = _directory(file, layout, start, size)
        yield tags, layout


def _directory(file: BinaryIO, layout: _Layout, start: int, size: int) -> tuple[dict[int, _Value], int]:
    """One directory: tag: where its value is; and the offset of the next one, 0 after the last."""
    width = 8 if layout.big else 2
    count = layout.number(_bytes(file, start, width, size), 0, width)
    pointer = 8 if layout.big else 4
    body = _bytes(file, start + width, count * layout.entry + pointer, size)
    tags = {}
    for at in range(0, count * layout.entry, layout.entry):
        tag, kind = layout.number(body, at, 2), layout.number(body, at + 2, 2)
        values = layout.number(body, at + 4, pointer)
        field = at + 4 + pointer  # the value itself where it fits, else its offset
        fits = values * _SIZES.get(kind, 0) <= pointer
        tags[tag] = _Value(kind, values, start + width + field if fits else layout.number(body, field, pointer))
    return tags, layout.number(body, count * layout.entry, pointer)


def _require_blocks(file: BinaryIO, layout: _Layout, tags: dict[int, _Value], size: int) -> None:
    """Raise where a block of this directory ends outside the file."""
    for starts, lengths in ((_STRIP_OFFSETS, _STRIP_BYTES), (_TILE_OFFSETS, _TILE_BYTES)):
        if starts in tags and lengths in tags:
            first, length = _all(file, layout, tags[starts], size), _all(file, layout, tags[lengths], size)
            if len(first) != len(length) or (first + length > size).any():
                raise _Cut


def _all(file: BinaryIO, layout: _Layout, value: _Value, size: int) -> np.ndarray:
    """A tag's integers; float64 holds every offset of a file below 9 PB exactly and cannot wrap."""
    width = _SIZES.get(value.kind, 0)
    if width not in (2, 4, 8):
        raise _Cut
    data = _bytes(file, value.start, value.count * width, size)
    return np.frombuffer(data, f"{layout.order}u{width}").astype(np.float64)


def _one(file: BinaryIO, layout: _Layout, value: _Value | None) -> int:
    """A tag's first integer, 0 without the tag."""
    if value is None or _SIZES.get(value.kind) not in (2, 4, 8):
        return 0
    file.seek(value.start)
    return layout.number(file.read(_SIZES[value.kind]), 0, _SIZES[value.kind])


def _bytes(file: BinaryIO, start: int, length: int, size: int) -> bytes:
    if start + length > size:
        raise _Cut
    file.seek(start)
    return file.read(length)
