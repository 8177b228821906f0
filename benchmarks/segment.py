"""`geoseg segment` on one image against the bare network in the same run: rate, overhead and peak memory.

    .venv/bin/python benchmarks/segment.py IMAGE.tif --model vhr-rgb

The bare limit is the network alone, in the same precision and threads, on as many patches of the same size as the
image needs, all from memory: no reading, no writing, no polygons.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from geoseg.grid.patches import PatchPlan
from geoseg.io.bundle import read_bundle
from geoseg.io.plan_file import Plan
from geoseg.stages.answer import load_predictor

PATCHES = 6  # timed for the bare rate, after one that is not


def main() -> None:
    """Prints one row of benchmarks/RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--model", default="vhr-rgb")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        started = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "geoseg",
            "segment",
            str(asked.image),
            "--model",
            asked.model,
            "--out",
            str(out),
        ]
        subprocess.run(command, check=True)
        total = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        run, plan = json.loads((out / "run.json").read_text()), Plan.read(out / "work" / "plan.json")
    predict = run["computed"]["seconds"]
    pixels = run["pixels"]["observed"]
    cores = list(plan.patches.cores(plan.window, plan.extent))
    network = sum((c.width + 2 * plan.patches.halo) * (c.height + 2 * plan.patches.halo) for c in cores)
    bare = bare_rate(asked.model, plan)
    print(f"image                       {asked.image.name}, {pixels / 1e6:.1f} Mpx, {run['polygons']} polygons")
    print(
        f"machine                     {os.cpu_count()} cores, {plan.machine.precision}, {plan.machine.threads} threads"
    )
    print(f"network pixels              {network / 1e6:.1f} Mpx, {network / pixels:.2f} x the image (halo)")
    print(f"bare network                {bare / 1e6:.2f} Mpx/s of network pixels, {network / bare:.1f} s in all")
    print(f"predict step                {predict:.1f} s, {pixels / predict / 1e6:.2f} Mpx/s of image, ", end="")
    print(f"{network / bare / predict:.2f} of the bare network's rate")
    print(f"whole command               {total:.1f} s, {pixels / total / 1e6:.2f} Mpx/s of image")
    print(f"peak memory                 {peak / 2**30:.2f} GiB (one process)")


def bare_rate(model: str, plan: Plan) -> float:
    """Pixels a second of the network alone on patches in memory."""
    predictor = load_predictor(read_bundle(model), plan.machine.device, plan.machine.precision, plan.machine.threads)
    patches: PatchPlan = plan.patches
    side = patches.size + 2 * patches.halo
    patch = np.random.default_rng(0).normal(size=(1, 3, side, side)).astype(np.float32)
    predictor(patch, patches.halo)
    started = time.monotonic()
    for _ in range(PATCHES):
        predictor(patch, patches.halo)
    return PATCHES * side * side / (time.monotonic() - started)


if __name__ == "__main__":
    main()
