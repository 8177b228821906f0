"""Tiles of classes and confidence: Dask runs tiles, workers read, compute and write at the same time.

A worker keeps one network, which computes in a thread of its own, and several tiles in flight. It leaves one file
a tile; only the parent writes the ledger. A tile is reused only if everything it was made from is the same.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from distributed import Client, Future, LocalCluster, as_completed
from distributed.scheduler import KilledWorker

from geoseg.config import MAX_CLASSES
from geoseg.errors import DataError, ModelError, NetworkError, PartialError
from geoseg.grid.lattice import cells
from geoseg.grid.window import Window
from geoseg.io.bundle import read_bundle
from geoseg.io.commit import sha256, sweep, write_json
from geoseg.io.ledger import Entry, Ledger
from geoseg.io.plan_file import Plan
from geoseg.stages.progress import meter
from geoseg.stages.tile import TileTask, compute_tile

log = logging.getLogger(__name__)
IN_FLIGHT = 3  # tiles of one worker under way: one is read, one computed, one written
LOOPBACK = "127.0.0.1:0"  # status pages answer this machine only
METHOD = 1  # raised when the same inputs would give another tile


def predict(plan_path: Path, out: Path) -> None:
    """Computes every tile of a plan that is not there yet and writes the manifest `out`.

    The ledger and the tiles are kept beside `out`, so a run that was stopped goes on where it was.

    Raises:
        DataError: a scene has changed since the plan was made.
        PartialError: some pixels could not be read, and the plan does not allow holes. Everything else is done.
        NetworkError: the scheduler does not answer.
    """
    plan = Plan.read(plan_path)
    _unchanged(plan)
    ledger = Ledger(out.parent / "ledger.jsonl")
    sweep(ledger.tiles)
    tasks = list(_tasks(plan, plan_path, ledger))
    known = ledger.read()
    done = {t.key: known[t.key] for t in tasks if t.key in known and ledger.intact(known[t.key])}
    todo = [t for t in tasks if t.key not in done]
    if done:
        log.info("predict: %d of %d tiles are there already", len(done), len(tasks))
    started = time.monotonic()
    failures: dict[str, str] = {}
    if todo:
        with _client(plan) as client:
            _run(client, plan, todo, ledger, done, failures)
    ledger.drop_others({e.file for e in done.values()})
    seconds = time.monotonic() - started
    _finish(plan, out, [done[t.key] for t in tasks if t.key in done], failures, sum(t.pixels for t in todo), seconds)


def _tasks(plan: Plan, plan_path: Path, ledger: Ledger) -> Iterator[TileTask]:
    """One task for each tile of the lattice that touches the area."""
    for core in cells(plan.window, plan.tile):
        target = core.intersect(plan.window)
        assert target is not None
        yield TileTask(_key(plan, target), target, str(plan_path.absolute()), str(ledger.tiles.absolute()))


def _key(plan: Plan, target: Window) -> str:
    """Hash of everything a tile depends on: bytes of the scenes it sees, model, grid, patches, number format."""
    reach = target.align(plan.patches.size).grow(plan.patches.halo)
    seen = [
        (asdict(replace(s.scene, path="")), asdict(s.window), s.sha256)
        for s in plan.scenes
        if s.window.intersect(reach) is not None
    ]
    extent = plan.extent
    parts = [
        METHOD,
        MAX_CLASSES,
        asdict(target),
        asdict(plan.lattice),
        asdict(extent),
        plan.area,
        seen,
        plan.resampling,
    ]
    parts += [
        plan.model_sha256,
        asdict(plan.patches),
        plan.machine.precision,
        plan.machine.threads,
        plan.machine.device,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _unchanged(plan: Plan) -> None:
    """Hashes decide whether scenes and model are those that were planned; size and time only say where to look."""
    for planned in plan.scenes:
        path = Path(planned.scene.path)
        if not path.is_file():
            raise DataError(f"{path} was planned but is gone; put it back, or take it out of the AOI file")
        stat = path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (planned.size, planned.modified_ns) and sha256(path) != planned.sha256:
            raise DataError(f"{path} has changed since the run was planned; plan again (geoseg run does it by itself)")
    if read_bundle(plan.model).digest != plan.model_sha256:
        raise ModelError(f"the model in {plan.model} has changed since the run was planned; plan again")


@contextmanager
def _client(plan: Plan) -> Iterator[Client]:
    """A local cluster, or the scheduler the plan names."""
    if plan.machine.scheduler:
        with _connect(plan.machine.scheduler) as client:
            yield client
        return
    workers = plan.machine.workers
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


def _run(
    client: Client,
    plan: Plan,
    todo: Sequence[TileTask],
    ledger: Ledger,
    done: dict[str, Entry],
    failures: dict[str, str],
) -> None:
    """Keeps every worker's tiles in flight until all are finished; a tile that kills its worker is passed over."""
    waiting = iter(todo)
    by_key = {t.key: t for t in todo}
    in_flight = max(1, sum(client.nthreads().values()))

    def submit() -> Iterator[Future]:
        for task in waiting:
            yield client.submit(compute_tile, task, key=f"tile-{task.key}", pure=False)

    fresh = submit()
    running = as_completed([f for _, f in zip(range(in_flight), fresh, strict=False)], loop=client.loop)
    with meter("predict", len(todo), sum(t.pixels for t in todo)) as counter:
        for future in running:
            task = by_key[future.key.removeprefix("tile-")]
            try:
                entry = future.result()
                ledger.add(entry)
                done[task.key] = entry
            except KilledWorker:
                failures[task.key] = f"tile at {task.target}: its worker was killed, most likely for want of memory"
            counter.advance(task.pixels)
            future.release()
            for following in fresh:
                running.add(following)
                break


def _finish(
    plan: Plan, out: Path, entries: Sequence[Entry], failures: dict[str, str], computed: int, seconds: float
) -> None:
    holes = sorted({d for e in entries for d in e.damage} | set(failures.values()))
    if holes and not plan.allow_partial:
        raise PartialError(
            f"{len(holes)} places could not be computed, all others are done: {'; '.join(holes[:5])}"
            f"{' ...' if len(holes) > 5 else ''}. Replace the files and run again: only these tiles are computed; "
            "or set compute.allow_partial: true to map them as unobserved"
        )
    tiles = [{"window": asdict(e.window), "file": e.file, "sha256": e.sha256, "observed": e.observed} for e in entries]
    figures = {"computed_pixels": computed, "seconds": round(seconds, 2), "holes": holes}
    write_json(out, {"tiles": tiles, **figures})
