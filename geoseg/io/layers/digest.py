"""What a layer is, in a few numbers: the file that is read back must have the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from geoseg.errors import MachineError
from geoseg.io.commit import free_text, size_text
from geoseg.io.layers.batches import GEOMETRY


class Digest:
    """Count, bounds and hashes of a layer that is seen in pieces; where they begin and end does not matter.

    Values are compared as what they are: a null is a null, and 1 is 1 in any width of integer.
    """

    def __init__(self, schema: pa.Schema) -> None:
        """`schema`: of the attributes; what is read back is taken as these types."""
        self.count = 0
        self.placed = 0  # features that have a place: a geometry that is not empty
        self.bounds = np.array([np.inf, np.inf, -np.inf, -np.inf])
        self._schema = schema
        self._hashes = {name: (hashlib.sha256(), hashlib.sha256()) for name in (GEOMETRY, *schema.names)}

    def add(self, table: pa.Table, bounds: NDArray[np.float64]) -> None:
        """The next features; `bounds` (n, 4) of each, NaN for those without a place."""
        self.count += len(table)
        self._update(GEOMETRY, table.column(GEOMETRY).cast(pa.large_binary()))
        for field in self._schema:
            self._update(field.name, table.column(field.name).cast(_canonical(field.type)))
        self.placed += int((~np.isnan(bounds[:, 0])).sum())
        reach = np.vstack([self.bounds, bounds])
        self.bounds = np.concatenate([np.fmin.reduce(reach[:, :2]), np.fmax.reduce(reach[:, 2:])])

    def _update(self, name: str, column: pa.ChunkedArray) -> None:
        for values in column.chunks:
            for hashed, stream in zip(self._hashes[name], _streams(values), strict=True):
                hashed.update(stream)

    def differences(self, other: Digest) -> list[str]:
        """What is not the same in `other`, the layer that was meant, in words."""
        found = []
        if self.count != other.count:
            found.append(f"{self.count} of {other.count} features came back")
        if not np.array_equal(self.bounds, other.bounds):
            found.append("its bounds changed")
        changed = [name for name, own in self._hexes().items() if own != other._hexes()[name]]
        if self.count == other.count and changed:
            found.append(f"{', '.join(changed)} changed")
        return found

    def _hexes(self) -> dict[str, list[str]]:
        return {name: [one.hexdigest() for one in pair] for name, pair in self._hashes.items()}


def require_same(back: Digest, meant: Digest, path: Path, part: Path) -> None:
    """Raises `MachineError` where what was read back from `part` is not what was meant for `path`."""
    found = back.differences(meant)
    if found:
        raise damaged(path, part, ", ".join(found))


def damaged(path: Path, part: Path, what: str) -> MachineError:
    """The error for a file that did not come out as it was meant."""
    size = part.stat().st_size if part.exists() else 0
    return MachineError(
        f"{path} could not be written: after {size_text(size)} {what}. The disk may be full or failing: "
        f"{free_text(path.parent)}. Make room or choose another output folder, then run the same command again."
    )


def _canonical(kind: pa.DataType) -> pa.DataType:
    """The widest type of the same sort."""
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind):
        return pa.float64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.large_string()
    raise TypeError(f"a layer's attributes are whole numbers, numbers, texts or truth values, not {kind}")


def _streams(values: pa.Array) -> tuple[bytes, bytes]:
    """Two streams of bytes that say the same however the column is cut: where nulls are, or lengths; and values."""
    if pa.types.is_large_string(values.type) or pa.types.is_large_binary(values.type):
        lengths = pc.fill_null(pc.binary_length(values), -1).to_numpy(zero_copy_only=False)
        texts = values.drop_null().cast(pa.large_binary()).to_pylist()
        return lengths.astype(np.int64).tobytes(), b"".join(texts)
    nulls = values.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    zero = pa.scalar(0).cast(values.type)
    return nulls.tobytes(), np.where(nulls, 0, values.fill_null(zero).to_numpy(zero_copy_only=False)).tobytes()
