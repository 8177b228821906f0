"""Masks thinned to lines, and their edges evened, without joining, parting or piercing anything.

A pixel is *simple* when changing it changes neither the number of 8-connected parts nor that of 4-connected holes:
its 3 x 3 neighbourhood alone tells. Pixels are changed in four turns, by the parity of their row and column, so that
none changed in one turn touches another: the order within a turn does not matter, and after n turns a pixel depends
on pixels within n alone. The number of turns is fixed. So a tile with enough context gives what the whole gives.

Source: subfield sequential thinning, Bertrand and Aktouf 1994, doi:10.1117/12.198601; crossing numbers,
Yokoi et al. 1975.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Ints = NDArray[np.int32]

TURNS = 4  # turns of a round
_PARITIES = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], np.int64)
_TURN_OF = np.array([[0, 2], [3, 1]], np.int64)  # by parity of row and column
_AROUND = np.array([[0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1], [1, 0], [1, 1]], np.int64)  # E, NE, N, ...


def _simple_codes() -> Mask:
    """Whether a pixel with these neighbours is simple; bit k is the neighbour `_AROUND[k]`."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    out = 1 - np.concatenate([bits, bits[:, :1]], axis=1)
    crossings = sum(out[:, k] - out[:, k] * out[:, k + 1] * out[:, k + 2] for k in (0, 2, 4, 6))
    simple: Mask = crossings == 1
    return simple


_SIMPLE = _simple_codes()
_ENDS = np.array([bin(code).count("1") == 1 for code in range(256)])


def thin(mask: Mask, level: Ints, levels: int, rest: int, origin: tuple[int, int]) -> Mask:
    """The mask thinned to 8-connected lines, its outermost pixels first. Ends of lines stay.

    Args:
        mask: (height, width).
        level: (height, width) round, from 1, in which a pixel of the mask may first go: its distance to the outside.
        levels: rounds in which new pixels become free; greater values of `level` are taken as this.
        rest: rounds after them.
        origin: (row, col) of the array's first pixel in the raster, of which the parity counts.

    Returns:
        (height, width); exact where `TURNS * (levels + rest)` pixels or more from the edge of the array.
    """
    framed = np.pad(mask, 1)
    pixels = np.flatnonzero(framed)
    row, col = pixels // framed.shape[1] + origin[0] - 1, pixels % framed.shape[1] + origin[1] - 1
    turn = _TURN_OF[row & 1, col & 1]
    step = np.minimum(np.pad(level, 1).ravel()[pixels], levels) - 1
    slot = turn * levels + step
    order = np.argsort(slot, kind="stable")
    starts = np.searchsorted(slot[order], np.arange(TURNS * levels + 1)).astype(np.int64)
    around = _AROUND[:, 0] * framed.shape[1] + _AROUND[:, 1]
    _thin(framed.ravel(), pixels[order], starts, levels, rest, around, _SIMPLE & ~_ENDS)
    return np.ascontiguousarray(framed[1:-1, 1:-1])


def even(mask: Mask, radius: int, rounds: int, origin: tuple[int, int]) -> Mask:
    """The mask with its edge evened: a simple pixel takes the value that most pixels of the square around it have.

    Lines of one pixel stay, ends included.

    Args:
        mask: (height, width).
        radius: half the side of the square, pixels; 0 evens nothing.
        rounds: of four turns each.
        origin: as for `thin`.

    Returns:
        (height, width); exact where `radius + TURNS * rounds` pixels or more from the edge of the array.
    """
    if not radius:
        return mask
    framed = np.pad(mask, 1)
    _even(framed, _votes(mask, radius), rounds, np.array(origin, np.int64) - 1, _SIMPLE, _ENDS, _PARITIES, _AROUND)
    return np.ascontiguousarray(framed[1:-1, 1:-1])


def _votes(mask: Mask, radius: int) -> NDArray[np.int8]:
    """1 where most pixels of the square are in the mask, -1 where most are not, 0 where it is a draw."""
    side = 2 * radius + 1
    sums = np.pad(mask, radius + 1).astype(np.int32)
    for axis in (0, 1):
        sums = np.cumsum(sums, axis=axis, dtype=np.int32)
    total = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    votes: NDArray[np.int8] = np.sign(2 * total[: mask.shape[0], : mask.shape[1]] - side * side).astype(np.int8)
    return votes


@njit(cache=True, nogil=True)
def _code(mask, row, col, around):  # type: ignore[no-untyped-def]
    code = 0
    for k in range(8):
        if mask[row + around[k, 0], col + around[k, 1]]:
            code |= 1 << k
    return code


@njit(cache=True, nogil=True)
def _thin(mask, pixels, starts, levels, rest, around, may_go):  # type: ignore[no-untyped-def]
    """Takes pixels away; `starts[turn * levels + step]` is where those begin that are free from a step on."""
    turns = (len(starts) - 1) // levels
    active = pixels.copy()  # those of a turn that are free and there lie at the front of the turn's own stretch
    count = np.zeros(turns, np.int64)
    for step in range(levels + rest):
        for turn in range(turns):
            first = starts[turn * levels]
            size = count[turn]
            if step < levels:
                for k in range(starts[turn * levels + step], starts[turn * levels + step + 1]):
                    active[first + size] = pixels[k]
                    size += 1
            kept = 0
            for k in range(first, first + size):
                at = active[k]
                code = 0
                for n in range(8):
                    if mask[at + around[n]]:
                        code |= 1 << n
                if may_go[code]:
                    mask[at] = False
                else:
                    active[first + kept] = at
                    kept += 1
            count[turn] = kept


@njit(cache=True, nogil=True)
def _even(mask, votes, rounds, origin, simple, ends, parities, around):  # type: ignore[no-untyped-def]
    height, width = votes.shape
    for _ in range(rounds):
        for turn in range(len(parities)):
            first_row = (parities[turn, 0] - origin[0] - 1) & 1
            first_col = (parities[turn, 1] - origin[1] - 1) & 1
            for row in range(first_row, height, 2):
                for col in range(first_col, width, 2):
                    vote = votes[row, col]
                    if vote == 0 or mask[row + 1, col + 1] == (vote > 0):
                        continue
                    code = _code(mask, row + 1, col + 1, around)
                    if simple[code] and not (vote < 0 and ends[code]):
                        mask[row + 1, col + 1] = vote > 0
