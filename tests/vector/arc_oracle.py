"""Arcs and regions of a small map by plain loops over its pixels: slow, and sharing no code with the tracer."""

from __future__ import annotations

import numpy as np

from geoseg.vector.arcs import Arcs, Regions

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))  # east, south, west, north


def label(classes: np.ndarray) -> tuple[np.ndarray, Regions]:
    """Number of the 4-connected region of each pixel, -1 outside (255), and the regions."""
    numbers = np.full(classes.shape, -1)
    values, pixels = [], []
    for start in np.ndindex(*classes.shape):
        if classes[start] == 255 or numbers[start] >= 0:
            continue
        numbers[start] = len(values)
        stack, count = [start], 0
        while stack:
            row, col = stack.pop()
            count += 1
            for near in ((row + 1, col), (row - 1, col), (row, col + 1), (row, col - 1)):
                inside = 0 <= near[0] < classes.shape[0] and 0 <= near[1] < classes.shape[1]
                if inside and numbers[near] < 0 and classes[near] == classes[start]:
                    numbers[near] = len(values)
                    stack.append(near)
        values.append(classes[start])
        pixels.append(count)
    return numbers, Regions(np.array(values, np.uint8), np.array(pixels, np.int64))


def trace(classes: np.ndarray) -> tuple[Arcs, Regions]:
    """Arcs and regions of `classes`."""
    numbers, regions = label(classes)
    return trace_numbers(numbers), regions


def trace_numbers(numbers: np.ndarray) -> Arcs:
    """Arcs between regions that are numbered already, -1 outside."""
    padded = np.pad(numbers, 1, constant_values=-1)

    def beside(corner: tuple[int, int], step: tuple[int, int]) -> tuple[int, int]:
        """Region on the left and on the right of the unit edge from `corner` in direction `step`."""
        (col, row), (east, south) = corner, step
        at = {
            (1, 0): ((row - 1, col), (row, col)),
            (-1, 0): ((row, col - 1), (row - 1, col - 1)),
            (0, 1): ((row, col), (row, col - 1)),
            (0, -1): ((row - 1, col - 1), (row - 1, col)),
        }[(east, south)]
        return tuple(int(padded[r + 1, c + 1]) if 0 <= r + 1 < padded.shape[0] and 0 <= c + 1 < padded.shape[1] else -1
                     for r, c in at)  # fmt: skip

    def is_edge(corner: tuple[int, int], step: tuple[int, int]) -> bool:
        left, right = beside(corner, step)
        return left != right

    corners = [(col, row) for row in range(numbers.shape[0] + 1) for col in range(numbers.shape[1] + 1)]
    degree = {corner: sum(is_edge(corner, step) for step in _STEPS) for corner in corners}
    walked: set[tuple[tuple[int, int], tuple[int, int]]] = set()
    found = []

    def walk(start: tuple[int, int], step: tuple[int, int]) -> None:
        """From `start` to the next junction, or round to `start`."""
        path, here, sides = [start], start, beside(start, step)
        while True:
            there = (here[0] + step[0], here[1] + step[1])
            walked.update({(here, step), (there, (-step[0], -step[1]))})
            path.append(there)
            here = there
            if here == start or degree[here] > 2:
                break
            step = next(s for s in _STEPS if is_edge(here, s) and s != (-step[0], -step[1]))
        turns = [
            k
            for k in range(1, len(path) - 1)
            if (path[k][0] - path[k - 1][0], path[k][1] - path[k - 1][1])
            != (path[k + 1][0] - path[k][0], path[k + 1][1] - path[k][1])
        ]
        found.append(([path[0], *(path[k] for k in turns), path[-1]], *sides))

    for start in corners:
        if degree[start] > 2:
            for step in _STEPS:
                if is_edge(start, step) and (start, step) not in walked:
                    walk(start, step)
    for start in corners:
        if degree[start] == 2 and is_edge(start, (1, 0)) and (start, (1, 0)) not in walked and is_edge(start, (0, 1)):
            walk(start, (1, 0))
    return packed(found)


def packed(found: list[tuple[list[tuple[int, int]], int, int]]) -> Arcs:
    """Arcs of (corners, left, right)."""
    sizes = [len(path) for path, _, _ in found]
    return Arcs(
        np.array([corner for path, _, _ in found for corner in path], np.int32).reshape(-1, 2),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.array([left for _, left, _ in found], np.int64),
        np.array([right for _, _, right in found], np.int64),
    )


def unpacked(arcs: Arcs) -> list[tuple[tuple[tuple[int, int], ...], int, int]]:
    """Each arc as (corners, left, right), in the direction whose corners come first; sorted."""
    found = []
    for n in range(len(arcs)):
        path = [tuple(map(int, corner)) for corner in arcs.corners[arcs.starts[n] : arcs.starts[n + 1]]]
        sides = int(arcs.left[n]), int(arcs.right[n])
        found.append(min((tuple(path), *sides), (tuple(path[::-1]), *sides[::-1])))
    return sorted(found)


def polygons(arcs: Arcs, coordinates: np.ndarray, starts: np.ndarray, count: int) -> np.ndarray:
    """Polygons of the regions, the arcs running along `coordinates`, by shapely from lines."""
    import shapely

    out = np.empty(count, object)
    for region in range(count):
        lines = [
            shapely.LineString(coordinates[starts[n] : starts[n + 1]])
            for n in np.flatnonzero((arcs.left == region) | (arcs.right == region))
        ]
        out[region] = shapely.build_area(shapely.MultiLineString(lines))
    return out
