"""Tiles of classes and probabilities: Dask runs tiles, workers read, compute and write at the same time.

A worker keeps one network, which computes in a thread of its own, and several tiles in flight. It leaves one file
a tile; only the parent writes the ledger. A tile is reused only if everything it was made from is the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from distributed import Client, Future, LocalCluster, as_completed
from distributed.comm import CommClosedError
from distributed.scheduler import KilledWorker

from geoseg.errors import ConfigError, DataError, ModelError, NetworkError, PartialError
from geoseg.grid.lattice import cells
from geoseg.grid.window import Window
from geoseg.io.bundle import read_bundle
from geoseg.io.commit import sweep, write_json
from geoseg.io.fingerprint import fingerprint, stamp
from geoseg.io.ledger import Entry, Ledger
from geoseg.io.plan_file import Machine, Plan
from geoseg.stages.estimate import IN_FLIGHT
from geoseg.stages.progress import Meter, meter
from geoseg.stages.seams import Seams, compute_seams, seam_tasks
from geoseg.stages.tile import TileTask, blank_tile, compute_tile

log = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1:0"  # status pages answer this machine only
METHOD = 1  # raised when the same inputs would give another tile


def predict(plan_path: Path, out: Path) -> None:
    """Computes every tile of a plan that is not there yet and writes the manifest `out`.

    The ledger and the tiles are kept beside `out`, so a run that was stopped goes on where it was.

    Raises:
        DataError: a scene has changed since the plan was made.
        PartialError: some pixels could not be read, and the plan does not allow holes. Everything else is done.
        NetworkError: the scheduler does not answer.
        ConfigError: the map has more seams than the plan allows.
    """
    plan = Plan.read(plan_path)
    _unchanged(plan)
    ledger = Ledger(out.parent / "ledger.jsonl")
    sweep(ledger.tiles)
    tasks = list(_tasks(plan, plan_path, ledger))
    known = ledger.read()
    done = {t.key: e for t in tasks if (e := known.get(t.key)) and ledger.intact(e)}
    if not plan.allow_partial:  # what could not be read then may be readable now
        done = {key: entry for key, entry in done.items() if not entry.damage}
    todo = [t for t in tasks if t.key not in done]
    if done:
        log.info("predict: %d of %d tiles are there already", len(done), len(tasks))
    started, seconds, computed = time.monotonic(), 0.0, sum(t.pixels for t in todo)
    failures: dict[str, str] = {}
    with _client(plan.machine, max(1, len(todo))) as client:
        if todo:
            failures = _run(client, todo, ledger, done)
            seconds = time.monotonic() - started
        seams = _seams(client, plan, plan_path, list(done.values()), ledger.tiles.absolute())
    if plan.allow_partial:
        done |= {t.key: blank_tile(t, failures[t.key]) for t in todo if t.key in failures}
    ledger.drop_others({e.file for e in done.values()})
    figures = {"computed_pixels": computed, "seconds": round(seconds, 2), "seams": seams.figures()}
    _finish(plan, out, [done[t.key] for t in tasks if t.key in done], failures, figures)


def _tasks(plan: Plan, plan_path: Path, ledger: Ledger) -> Iterator[TileTask]:
    """One task for each tile of the lattice that touches the area."""
    for core in cells(plan.window, plan.tile):
        target = core.intersect(plan.window)
        assert target is not None
        yield TileTask(_key(plan, target), target, str(plan_path.absolute()), str(ledger.tiles.absolute()))


def _key(plan: Plan, target: Window) -> str:
    """Hash of everything a tile depends on: bytes of the scenes it sees, model, grid, patches, views, number format."""
    patches = plan.patches
    reach = target.grow(patches.blend).align(patches.size).grow(patches.halo + patches.stride)
    seen = [
        (asdict(s.scene.renamed()), asdict(s.window), s.sha256)
        for s in plan.scenes
        if s.window.intersect(reach) is not None
    ]
    parts = [METHOD, version("torch"), version("rasterio"), asdict(target), asdict(plan.lattice), asdict(plan.extent)]
    parts += [plan.area, seen, plan.resampling, plan.model_sha256, asdict(patches), asdict(plan.views)]
    parts += [plan.machine.precision, plan.machine.threads, plan.machine.device]
    parts += ["probs"] if plan.probs else []
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _unchanged(plan: Plan) -> None:
    """Hashes decide whether scenes and model are those that were planned; size and time only say where to look."""
    for planned in plan.scenes:
        paths = planned.scene.paths
        if gone := [path for path in paths if not Path(path).is_file()]:
            raise DataError(f"{gone[0]} was planned but is gone; put it back, or take it out of the AOI file")
        if stamp(*paths) != planned.stamp and fingerprint(*paths) != planned.sha256:
            raise DataError(
                f"{', '.join(paths)} has changed since the run was planned; plan again (geoseg run does it by itself)"
            )
    if read_bundle(plan.model).digest != plan.model_sha256:
        raise ModelError(f"the model in {plan.model} has changed since the run was planned; plan again")


@contextmanager
def _client(machine: Machine, tiles: int) -> Iterator[Client]:
    """A local cluster, or the scheduler the plan names."""
    if machine.scheduler:
        with _connect(machine.scheduler) as client:
            yield client
        return
    workers = min(machine.workers, tiles)
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=IN_FLIGHT,
            processes=workers > 1,
            dashboard_address=LOOPBACK,
            worker_dashboard_address=LOOPBACK,
            memory_limit=0,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _connect(scheduler: str) -> Client:
    try:
        client = Client(scheduler, timeout=30, set_as_default=False)
        client.wait_for_workers(1, timeout=30)
    except (OSError, TimeoutError, ValueError) as error:
        raise NetworkError(
            f"no dask scheduler with workers answers at {scheduler} ({error}); "
            "start one, or leave compute.scheduler out"
        ) from error
    return client


def _run(client: Client, todo: Sequence[TileTask], ledger: Ledger, done: dict[str, Entry]) -> dict[str, str]:
    """Keeps every worker's tiles in flight until all are finished; what killed its worker is tried once more, alone.

    Returns:
        Of each tile that killed its worker twice: what to say of it.
    """
    in_flight = max(1, sum(min(n, IN_FLIGHT) for n in client.nthreads().values()))
    with meter("predict", len(todo), sum(t.pixels for t in todo)) as counter:
        try:
            killed = _pass(client, todo, in_flight, ledger, done, counter)
            again = [t for task in killed for t in _pass(client, [task], 1, ledger, done, counter)]
        except (CancelledError, CommClosedError) as error:
            raise NetworkError(f"the dask scheduler went away ({error}); run again, finished tiles are kept") from error
    return {t.key: f"tile at {t.target}: its worker was killed twice, most likely for want of memory" for t in again}


def _pass(
    client: Client, tasks: Sequence[TileTask], in_flight: int, ledger: Ledger, done: dict[str, Entry], counter: Meter
) -> list[TileTask]:
    """Computes tasks, so many at a time, notes those that finish, and returns those that killed their worker."""
    waiting, killed = iter(tasks), []
    token = secrets.token_hex(4)  # another client's tile of the same key goes to another folder

    def submit(task: TileTask) -> Future:
        return client.submit(compute_tile, task, key=f"tile-{task.key}-{token}", pure=False)

    futures = {submit(task): task for task in islice(waiting, in_flight)}
    running = as_completed(list(futures), loop=client.loop)
    for future in running:
        task = futures.pop(future)
        try:
            done[task.key] = future.result()
            ledger.add(done[task.key])
            counter.advance(task.pixels)
        except KilledWorker:
            killed.append(task)
        for following in islice(waiting, 1):
            futures[fresh := submit(following)] = following
            running.add(fresh)
    return killed


def _seams(client: Client, plan: Plan, plan_path: Path, entries: Sequence[Entry], folder: Path) -> Seams:
    """The seams of a few places of the map. Raises `ConfigError` where they are more than the plan allows."""
    tasks = seam_tasks(plan, plan_path, entries, folder)
    futures = [client.submit(compute_seams, task, pure=False) for task in tasks]
    try:
        found = sum(client.gather(futures), start=Seams())
    except (KilledWorker, CancelledError, CommClosedError) as error:
        log.warning("predict: the seams could not be measured: %s", error)
        return Seams()
    if found.excess is not None and found.excess > plan.max_seams:
        raise ConfigError(
            f"the map has seams: {100 * (found.near or 0):.2f} % of labels near patch borders change when patches are "
            f"moved, {100 * (found.elsewhere or 0):.2f} % elsewhere, and {100 * plan.max_seams:g} points more are "
            f"allowed. Raise tiling: halo (now {plan.patches.halo}), or blend patches with tiling: blend; or accept "
            "them with tiling: max_seams. What is computed is kept"
        )
    return found


def _finish(plan: Plan, out: Path, entries: Sequence[Entry], failures: dict[str, str], figures: dict[str, Any]) -> None:
    holes = sorted({d for e in entries for d in e.damage} | set(failures.values()))
    if holes and not plan.allow_partial:
        raise PartialError(
            f"{len(holes)} places could not be computed, all others are done: {'; '.join(holes[:5])}"
            f"{' ...' if len(holes) > 5 else ''}. Replace the files and run again: only these tiles are computed; "
            "or set compute.allow_partial: true to map them as unobserved"
        )
    tiles = [{"window": asdict(e.window), "file": e.file, "sha256": e.sha256, "observed": e.observed} for e in entries]
    write_json(out, {"tiles": tiles, **figures, "holes": holes})
