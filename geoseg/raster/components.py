"""Connected pixels of a map that is read strip by strip.

Held at one time: a strip, and the pieces of components that reach its last row, each a rectangle of one byte a
pixel. So a component costs its bounding rectangle, and one that winds through the whole map costs the whole map.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geoseg.grid.instance import Instance
from geoseg.grid.window import Window

_Pieces = list[Instance]


def components(strips: Iterable[tuple[Window, NDArray[np.bool_]]], index: int) -> Iterator[Instance]:
    """The 4-connected components of a map, each when its last row is known.

    Args:
        strips: rows of the map from the top, each with all its columns, and where they are of the class.
        index: class index of the instances.
    """
    held: list[_Pieces] = []
    last = np.zeros(0, dtype=np.int64)  # of each column: 1 + place in `held` of what is in the last row
    for window, mask in strips:
        labels, count = ndimage.label(mask)
        pieces = held + _pieces(labels, window, index)
        above = last if len(last) else np.zeros(window.width, np.int64)
        group = _joined(above, labels[0], len(held), count)
        bottom = np.where(labels[-1] > 0, len(held) + labels[-1], 0)
        goes_on = np.unique(group[bottom[bottom > 0] - 1])
        together: dict[int, _Pieces] = {}
        for number, parts in zip(group.tolist(), pieces, strict=True):
            together.setdefault(number, []).extend(parts)
        place = {number: k for k, number in enumerate(goes_on.tolist())}
        held = [together[number] for number in place]
        last = np.array([place[group[b - 1]] + 1 if b else 0 for b in bottom.tolist()], dtype=np.int64)
        yield from (_whole(parts) for number, parts in together.items() if number not in place)
    yield from map(_whole, held)


def _pieces(labels: NDArray[np.int32], window: Window, index: int) -> list[_Pieces]:
    """The components of one strip."""
    out = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        rows, cols = place
        box = Window.from_edges(cols.start, rows.start, cols.stop, rows.stop)
        out.append([Instance(box.shift(window.col_off, window.row_off), labels[place] == number, index)])
    return out


def _joined(above: NDArray[np.int64], below: NDArray[np.int32], held: int, count: int) -> NDArray[np.int32]:
    """Number of the component that each held one, then each of the strip, is part of."""
    meet = (above > 0) & (below > 0)
    ends = above[meet] - 1, held + below[meet].astype(np.int64) - 1
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), shape=(held + count, held + count))
    group: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return group


def _whole(parts: _Pieces) -> Instance:
    """Pieces as one."""
    if len(parts) == 1:
        return parts[0]
    window = parts[0].window
    for part in parts[1:]:
        window = window.union(part.window)
    mask = np.zeros(window.shape, dtype=bool)
    for part in parts:
        mask[part.window.within(window).slices] |= part.mask
    return Instance(window, mask, parts[0].index)
