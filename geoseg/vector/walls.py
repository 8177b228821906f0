"""Buildings that touch, cut out of their common outline along straight shared walls.

The common outline is drawn as one building. Each wall between two of its parts is fitted with lines of the same
directions and drawn out beyond both ends; the faces between outline and walls each go to the part with the most
pixels in it. Both neighbours get the same wall, so there is no gap and no overlap.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from geoseg.vector.line_fit import fit_open, meet
from geoseg.vector.rings import Ring

_SNAP = 1e-7  # pixels: below this corners are one
_SHORT = 0.5  # pixels


def partition(
    common: shapely.Polygon, walls: list[NDArray[np.float64]], labels: NDArray[np.int32], to_frame: NDArray[np.float64]
) -> NDArray[np.object_] | None:
    """One polygon for each label, together exactly `common`; None where a label gets none, or several pieces.

    Args:
        common: in units of a pixel.
        walls: lines, (n, 2) each, in the same.
        labels: (height, width), from 1; 0 outside.
        to_frame: (2, 2) from (col, row) to the coordinates of the polygons.
    """
    lines = shapely.union_all([shapely.boundary(common), *(shapely.linestrings(w) for w in walls)], grid_size=_SNAP)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    faces = faces[shapely.contains(common, shapely.point_on_surface(faces))]
    owner = _owners(faces, labels, to_frame)
    count = int(labels.max())
    parts = np.array([shapely.union_all(faces[owner == k]) for k in range(1, count + 1)], dtype=object)
    if not (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON).all() or shapely.is_empty(parts).any():
        return None
    clean: NDArray[np.object_] = shapely.coverage_simplify(parts, _SNAP)  # corners that faces had and parts do not
    return clean


def wall_chains(outlines: list[list[Ring]]) -> Iterator[tuple[int, int, NDArray[np.float64]]]:
    """Each stretch that two regions share: both labels, the lower first, and the middles of its steps, (n, 2).

    Args:
        outlines: rings of label 1, 2, ...
    """
    for label, own in enumerate(outlines, start=1):
        for ring in own:
            breaks = np.flatnonzero(ring.beyond != np.roll(ring.beyond, 1))
            start = breaks[0] if len(breaks) else 0
            beyond, middles = np.roll(ring.beyond, -start), np.roll(ring.middles, -start, axis=0)
            cuts = np.flatnonzero(np.diff(beyond)) + 1
            for run, points in zip(np.split(beyond, cuts), np.split(middles, cuts), strict=True):
                if run[0] > label:
                    yield label, int(run[0]), points


def draw_wall(
    points: NDArray[np.float64], normals: NDArray[np.float64], price: float, reach: float
) -> NDArray[np.float64]:
    """Corners of the wall, (m, 2), drawn out by `reach` at both ends.

    Args:
        points: (n, 2) along it.
        normals: (k, 2) of its possible directions.
        price: of a line.
        reach: units of a pixel.
    """
    lines = fit_open(points, normals, np.full(len(normals), price))
    n, c = lines.normals, lines.offsets
    corners = meet(n[:-1], c[:-1], n[1:], c[1:])
    first, last = (points[end] - (points[end] @ n[end] - c[end]) * n[end] for end in (0, -1))
    path = np.vstack([first, corners, last])
    if np.linalg.norm(path[1] - path[0]) < _SHORT or np.linalg.norm(path[-1] - path[-2]) < _SHORT:
        return _both_ways(path.mean(axis=0), n[0], reach + np.linalg.norm(points[-1] - points[0]))
    path[0] += reach * _unit(path[0] - path[1])
    path[-1] += reach * _unit(path[-1] - path[-2])
    return path


def _both_ways(middle: NDArray[np.float64], normal: NDArray[np.float64], reach: float) -> NDArray[np.float64]:
    """A straight wall: a stretch of one or two steps has no ends to draw out."""
    along = reach * np.array([normal[1], -normal[0]])
    return np.vstack([middle - along, middle + along])


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    out: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return out


def _owners(faces: NDArray[np.object_], labels: NDArray[np.int32], to_frame: NDArray[np.float64]) -> NDArray[np.int64]:
    """Label with the most pixel centres in each face; the nearest pixel's where it has none."""
    rows, cols = np.nonzero(labels)
    centres = np.column_stack([cols + 0.5, rows + 0.5]) @ to_frame.T
    pixel, face = shapely.STRtree(faces).query(shapely.points(centres), predicate="intersects")
    votes = np.zeros((len(faces), int(labels.max()) + 1), dtype=np.int64)
    np.add.at(votes, (face, labels[rows[pixel], cols[pixel]]), 1)
    owner = votes.argmax(axis=1)
    empty = np.flatnonzero(votes.sum(axis=1) == 0)
    if len(empty):
        inside = shapely.get_coordinates(shapely.point_on_surface(faces[empty])) @ np.linalg.inv(to_frame).T
        nearest = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
        row = np.clip(inside[:, 1].astype(int), 0, labels.shape[0] - 1)
        col = np.clip(inside[:, 0].astype(int), 0, labels.shape[1] - 1)
        owner[empty] = labels[nearest[0][row, col], nearest[1][row, col]]
    return owner
