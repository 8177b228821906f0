"""A rectangle of whole pixels."""

from __future__ import annotations

from dataclasses import dataclass

from geoseg.errors import WindowError


@dataclass(frozen=True, slots=True)
class Window:
    """Rectangle of whole pixels. It may reach outside its raster, as a tile with its halo does."""

    col_off: int
    row_off: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise WindowError(f"window is {self.width} x {self.height} px; both sides must be at least 1")

    @classmethod
    def from_edges(cls, left: int, top: int, right: int, bottom: int) -> Window:
        """Window of the columns [left, right) and rows [top, bottom)."""
        return cls(left, top, right - left, bottom - top)

    @property
    def right(self) -> int:
        """First column after the window."""
        return self.col_off + self.width

    @property
    def bottom(self) -> int:
        """First row after the window."""
        return self.row_off + self.height

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), as numpy orders them."""
        return self.height, self.width

    def grow(self, halo: int) -> Window:
        """This window with `halo` more pixels on each side."""
        return Window(self.col_off - halo, self.row_off - halo, self.width + 2 * halo, self.height + 2 * halo)

    def shift(self, cols: int, rows: int) -> Window:
        """This window moved by whole pixels."""
        return Window(self.col_off + cols, self.row_off + rows, self.width, self.height)

    def within(self, outer: Window) -> Window:
        """The same pixels counted from the top left corner of `outer`."""
        return self.shift(-outer.col_off, -outer.row_off)

    def contains(self, other: Window) -> bool:
        """Whether every pixel of `other` is in this window."""
        return (
            self.col_off <= other.col_off
            and self.row_off <= other.row_off
            and other.right <= self.right
            and other.bottom <= self.bottom
        )

    def intersect(self, other: Window) -> Window | None:
        """The pixels both have, or None."""
        left, top = max(self.col_off, other.col_off), max(self.row_off, other.row_off)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Window.from_edges(left, top, right, bottom) if left < right and top < bottom else None

    def union(self, other: Window) -> Window:
        """The smallest window that holds both."""
        return Window.from_edges(
            min(self.col_off, other.col_off),
            min(self.row_off, other.row_off),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def align(self, step: int) -> Window:
        """The smallest window that holds this one and whose edges are multiples of `step`."""
        return Window.from_edges(
            self.col_off // step * step,
            self.row_off // step * step,
            -(-self.right // step) * step,
            -(-self.bottom // step) * step,
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the last two axes, (row, col), of an array."""
        if self.col_off < 0 or self.row_off < 0:  # numpy would count from the far edge
            raise WindowError(f"{self} starts outside the array; use cut(), which mirrors the edge")
        return slice(self.row_off, self.bottom), slice(self.col_off, self.right)
