"""The plan of a run: everything that decides its results, resolved once and written down."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from geoseg.errors import ConfigError, WindowError
from geoseg.grid.lattice import Lattice
from geoseg.grid.patches import PatchPlan
from geoseg.grid.views import ViewPlan
from geoseg.grid.window import Window
from geoseg.io.commit import write_json
from geoseg.io.json_file import read_object
from geoseg.io.scenes import Scene

FORMAT = 4  # of plan.json; a newer one is refused


@dataclass(frozen=True, slots=True)
class PlannedScene:
    """A scene, where it lies on the lattice, and the bytes it had when the run was planned.

    Args:
        scene, window: the scene and its pixels on the lattice.
        sha256, stamp: of its files (`geoseg.io.fingerprint`).
    """

    scene: Scene
    window: Window
    sha256: str
    stamp: str


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how the network runs. Precision and threads change the last digits, so they are part of every key."""

    device: str
    precision: str
    threads: int
    workers: int
    scheduler: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """One dated map.

    Args:
        aoi, date: names of the area and of the set of scenes.
        lattice, window: the grid, and the area's bounding pixels on it.
        area: WKT of the area in the grid's CRS; None where it is the whole window.
        scenes: top first.
        resampling: for scenes that do not lie on the grid.
        model, model_sha256: bundle folder, and the SHA-256 of its card, which holds that of its weights.
        patches, tile: patch cores, halo and blend; side of a tile's core, pixels.
        views: of each patch, whose answers are averaged.
        machine: device, precision, threads and workers.
        allow_partial: whether a map with holes is a result.
        max_seams: share of labels that patch borders may change.
        probs: whether tiles keep the probability of each class.
        notes: what an analyst should know: repairs, resampling, coverage.
    """

    aoi: str
    date: str
    lattice: Lattice
    window: Window
    area: str | None
    scenes: tuple[PlannedScene, ...]
    resampling: str
    model: str
    model_sha256: str
    patches: PatchPlan
    tile: int
    views: ViewPlan
    machine: Machine
    allow_partial: bool
    max_seams: float
    probs: bool
    notes: tuple[str, ...]

    @property
    def extent(self) -> Window:
        """Smallest window that holds all scenes, lattice pixels."""
        return reduce(Window.union, (s.window for s in self.scenes))

    def write(self, path: Path) -> None:
        """As JSON."""
        write_json(path, {"format": FORMAT, **asdict(self)})

    @classmethod
    def read(cls, path: Path) -> Plan:
        """The plan in `path`. Raises `ConfigError` where it is damaged or of a newer geoseg."""
        data = read_object(path)
        if data.get("format") != FORMAT:
            raise ConfigError(f"{path} has format {data.get('format')}, this geoseg writes {FORMAT}; plan again")
        try:
            return _plan(data)
        except (KeyError, TypeError, WindowError) as error:
            raise ConfigError(f"{path} is damaged ({error!r}); delete it and plan again") from error


def _plan(data: dict[str, Any]) -> Plan:
    fields = {k: v for k, v in data.items() if k != "format"}
    fields["lattice"] = Lattice(**data["lattice"])
    fields["window"] = Window(**data["window"])
    fields["patches"] = PatchPlan(**data["patches"])
    fields["views"] = ViewPlan(**{**data["views"], "scales": tuple(data["views"]["scales"])})
    fields["machine"] = Machine(**data["machine"])
    fields["notes"] = tuple(data["notes"])
    fields["scenes"] = tuple(_scene(s) for s in data["scenes"])
    return Plan(**fields)


def _scene(data: dict[str, Any]) -> PlannedScene:
    scene = {**data["scene"], "bands": tuple(data["scene"]["bands"]), "files": tuple(data["scene"]["files"])}
    return PlannedScene(**{**data, "scene": Scene(**scene), "window": Window(**data["window"])})
