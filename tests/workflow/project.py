"""A small project on disk: a scene, AOI files, and Snakemake on them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from affine import Affine

from tests.bundles import tiny_bundle
from tests.tiffs import write_tif

ROOT = Path(__file__).parent.parent.parent
DATE = "2024-05-01"
STEPS = ("plan", "predict", "stitch", "landcover", "translate", "vectors_check", "report")


class Project:
    """Folder with `model/`, `town.tif` and `aoi/`; commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "aoi").mkdir(parents=True)
        shutil.copytree(_bundle(), folder / "model")
        self.scene("town.tif", ("red", "green", "blue"))

    def scene(self, name: str, bands: tuple[str, ...]) -> Path:
        """160 x 96 px of blocks, 1 m."""
        rng = np.random.default_rng(7)
        blocks = rng.integers(0, 256, (len(bands), 12, 20), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
        return write_tif(self.folder / name, blocks, names=bands, transform=Affine(1, 0, 400_000, 0, -1, 2_800_000))

    def aoi(self, name: str = "x", **sections: object) -> Path:
        """An AOI file; `sections` replace or add to those of a plain one."""
        content = {
            "area": {"scenes": True},
            "model": "../model",
            "dates": {DATE: {"scenes": ["../town.tif"]}},
            "products": ["landcover"],
            "vectors": {"formats": ["geojson"]},
            "compute": {"device": "cpu", "workers": 1, "threads": 1},
        }
        tiling = {"max_seams": 1, **sections.pop("tiling", {})}  # random weights are not steady
        path = self.folder / "aoi" / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**content, **sections, "tiling": tiling}, allow_unicode=True), encoding="utf-8")
        return path

    def snakemake(self, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Snakemake with our Snakefile; `options` as those of `call`."""
        return self.call(["snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *arguments], **options)

    def geoseg(self, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        """The command line; `options` as those of `call`."""
        return self.call(["geoseg", *arguments], **options)

    def start(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """The command line, not waited for."""
        return subprocess.Popen(
            _found(["geoseg", *arguments]),
            cwd=self.folder,
            text=True,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )

    def call(
        self, command: list[str], folder: Path | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A script of the environment that runs the tests, in `folder` or else in the project's."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        return subprocess.run(
            _found(command), cwd=folder or self.folder, capture_output=True, text=True, env=environment, timeout=280
        )


@cache
def _bundle() -> Path:
    """One bundle for all projects: probing its receptive field takes seconds."""
    return tiny_bundle(Path(tempfile.mkdtemp()) / "tiny").folder


def _found(command: list[str]) -> list[str]:
    """Scripts of the environment that runs the tests, activated or not."""
    return [str(Path(sys.executable).parent / command[0]), *command[1:]]


def due(made: subprocess.CompletedProcess[str]) -> dict[str, set[str]]:
    """By AOI, the rules that `snakemake --summary` would run."""
    assert made.returncode == 0, made.stderr
    header, *rows = [line.split("\t") for line in made.stdout.splitlines() if "\t" in line]
    table = [dict(zip(header, row, strict=True)) for row in rows]
    pending: dict[str, set[str]] = {}
    for row in table:
        rules = pending.setdefault(Path(row["output_file"]).parts[1], set())
        if row["plan"] != "no update":
            rules.add(row["rule"])
    return pending
