"""What the workflow is told: the areas asked for, the scenes of each date, and the settings each step depends on.

The Snakefile asks here and decides nothing itself, so everything is checked before the first job.
"""

from __future__ import annotations

import difflib
import glob
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path
from typing import Any

from geoseg.config import Product, Vectors
from geoseg.errors import ConfigError
from geoseg.io.aoi_file import LoadedAoi, expand_scenes, load_aoi
from geoseg.io.bundle import read_bundle
from geoseg.io.delivery import FIGURES, files, layers, products_of
from geoseg.io.fingerprint import stamp

DEFAULT_AOI = "aoi/demo.yaml"
DEFAULT_RESULTS = "results"
TOWNS = "scenes/demo"  # where the rule `town` draws the demo's scenes
STATE = ".snakemake/metadata"
# Of each step; raised when the same inputs and settings would give another result.
VERSIONS = {
    "plan": 2,
    "predict": 2,
    "stitch": 2,
    "landcover": 2,
    "buildings": 1,
    "roads": 1,
    "translate": 1,
    "vectors_check": 1,
    "report": 3,
    "town": 1,
}
_KEYS = ("aoi", "results")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FIELD = re.compile(r"[{}]|<[a-z][a-z0-9_]*>")  # what Snakemake takes for something to be filled in


@dataclass(frozen=True, slots=True)
class Asked:
    """One area that was asked for, ready for the workflow.

    Args:
        aoi: its file, checked.
        model: what decides which model it is: the bundle's folder and the hash of its card, which holds the hash of
            the weights.
        scenes: of each date the files, as the workflow names them; a file that the workflow makes may be missing.
        area: file of the area's outline, if it has one.
        products: what is made.
    """

    aoi: LoadedAoi
    model: str
    scenes: Mapping[str, tuple[str, ...]]
    area: tuple[str, ...]
    products: tuple[Product, ...]

    @property
    def files(self) -> list[str]:
        """What is delivered of a date, besides the figures."""
        return files(self.products, self.aoi.config.vectors.formats)

    def settings(self, date: str, *sections: str) -> str:
        """Content of some sections of the AOI file as one line of JSON that is equal for equal settings."""
        content = self.aoi.config.model_dump(mode="json", include={s for s in sections if s != "scenes"})
        if "scenes" in sections:
            entry = self.aoi.config.dates[Date.fromisoformat(date)]
            content["scenes"] = [e.model_dump(mode="json") for e in entry.entries]
        return json.dumps(content, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Workflow:
    """Everything a call of the workflow is about.

    Args:
        home: folder that relative paths of the workflow start from, and that holds its state.
        results, towns: folders, as the workflow names them.
        areas: by name.
    """

    home: Path
    results: str
    towns: str
    areas: Mapping[str, Asked]

    def aoi_path(self, aoi: str) -> str:
        """The AOI file of that name. Raises `ConfigError` where it was not asked for."""
        return str(self._area(aoi).aoi.path)

    def inputs(self, aoi: str, date: str) -> list[str]:
        """Scenes of a date and the area's outline."""
        area = self._area(aoi)
        if date not in area.scenes:
            raise ConfigError(f"{area.aoi.path} has no date {date}; it has {', '.join(sorted(area.scenes))}")
        return [*dict.fromkeys((*area.scenes[date], *area.area))]

    def stamps(self, aoi: str, date: str) -> list[str]:
        """Size and time of each scene and its mask: a file put back with an older date is another file, too.

        Scenes that the workflow draws itself are left out: they are not there when it is first asked.
        """
        towns = Path(self.towns).absolute()
        paths = [self.home / scene for scene in self._area(aoi).scenes[date]]
        return [stamp(p) for p in paths if p.is_file() and towns not in p.absolute().parents]

    def settings(self, aoi: str, date: str, *sections: str) -> str:
        """Settings of the AOI that a step depends on, as text."""
        return self._area(aoi).settings(date, *sections)

    def model(self, aoi: str) -> str:
        """What decides which model an AOI is mapped with."""
        return self._area(aoi).model

    def products(self, aoi: str) -> tuple[Product, ...]:
        """What is made of an area."""
        return self._area(aoi).products

    def vectors(self, aoi: str) -> Vectors:
        """How the layers of an area are drawn."""
        return self._area(aoi).aoi.config.vectors

    def drawing(self, aoi: str, product: Product) -> str:
        """Settings that a product of an area is drawn by, as one line of JSON."""
        config = self._area(aoi).aoi.config
        section = {"landcover": config.vectors, "buildings": config.buildings, "roads": config.roads}[product]
        return json.dumps(section.model_dump(mode="json", exclude={"formats"}), sort_keys=True)

    def layers(self, aoi: str, date: str) -> list[str]:
        """The layers of a date, as GeoParquet."""
        return [f"{self.results}/{aoi}/{date}/{layer}.parquet" for layer in layers(self._area(aoi).products)]

    def translated(self, aoi: str, date: str) -> list[str]:
        """The layers of a date in all other formats."""
        formats = self._area(aoi).aoi.config.vectors.formats
        return [f"{path.removesuffix('.parquet')}.{end}" for path in self.layers(aoi, date) for end in formats]

    def figures(self, aoi: str, date: str) -> list[str]:
        """The figures of each product of a date."""
        return [f"{self.results}/{aoi}/{date}/work/{product}.json" for product in self._area(aoi).products]

    def delivered(self, aoi: str, date: str) -> list[str]:
        """Each file of a date besides its figures."""
        return [f"{self.results}/{aoi}/{date}/{file}" for file in self._area(aoi).files]

    def targets(self) -> list[str]:
        """What is made when nothing else is asked for: each file of every date of every area.

        All of them, because Snakemake does not miss a file that only a finished one was made from.
        """
        dates = [(name, date) for name, area in self.areas.items() for date in sorted(area.scenes)]
        return [
            file
            for name, date in dates
            for file in (*self.delivered(name, date), f"{self.results}/{name}/{date}/{FIGURES}")
        ]

    def _area(self, aoi: str) -> Asked:
        if aoi not in self.areas:
            raise ConfigError(
                f"no area {aoi!r} was asked for, only {', '.join(self.areas)}; name its file: --config aoi=PATH"
            )
        return self.areas[aoi]


def read_workflow(config: Mapping[str, Any]) -> Workflow:
    """The workflow that `config` asks for.

    Args:
        config: `aoi`: path of an AOI file, several with commas between them, or a list; `results`: folder, or a list of
            one. In a list every character of a path counts.

    Raises:
        ConfigError: a key that is not known, an AOI file, a scene or an area's file that is wrong or not there, two
            areas of one name. All faults of the AOI files are listed.
        ModelError: there is no such model.
    """
    for key in config:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it may hold {' and '.join(_KEYS)}"
            raise ConfigError(f"the workflow's config has no key {key!r}; {hint}")
    named = config.get("results") or DEFAULT_RESULTS
    folder = str(named[0] if isinstance(named, list) else named)
    results = Path(os.path.abspath(_plain(folder)))  # noqa: PTH100 (links stay as they are)
    home = _home(results)
    towns = _literal(_seen_from(home, Path(TOWNS).absolute()))
    loaded = _load(_paths(config.get("aoi") or DEFAULT_AOI))
    areas = {a.name: _asked(a, home, towns) for a in loaded}
    return Workflow(home, _literal(_seen_from(home, results)), towns, areas)


def _paths(aoi: object) -> list[Path]:
    if isinstance(aoi, str):
        names: Sequence[object] = [aoi] if Path(aoi).is_file() else [part.strip() for part in aoi.split(",")]
    else:
        names = aoi if isinstance(aoi, list) else [aoi]
    return [Path(_plain(str(name))).absolute() for name in names if name != ""]


def _plain(path: str) -> str:
    """A path that fits on one line of a log. Raises `ConfigError`."""
    if _CONTROL.search(path):
        raise ConfigError(f"the path {path!r} holds a line break or control character; rename the file or folder")
    return path


def _literal(path: str) -> str:
    """A path that the workflow takes word for word: it has no way to write these characters. Raises `ConfigError`."""
    if found := _FIELD.search(path):
        raise ConfigError(f"the path {path!r} holds {found[0]!r}, which the workflow would fill in; use another folder")
    return path


def _load(paths: Sequence[Path]) -> list[LoadedAoi]:
    """Every AOI file, or one error that lists the faults of all."""
    loaded: dict[str, LoadedAoi] = {}
    faults: list[str] = []
    for path in dict.fromkeys(paths):
        try:
            aoi = load_aoi(path)
        except ConfigError as error:
            faults.append(str(error))
            continue
        if aoi.name in loaded:
            faults.append(f"{path} and {loaded[aoi.name].path} are both called {aoi.name}; rename one of them")
        loaded[aoi.name] = aoi
    if faults:
        raise ConfigError("\n".join(faults))
    return list(loaded.values())


def _asked(aoi: LoadedAoi, home: Path, towns: str) -> Asked:
    _plain(str(aoi.folder))
    bundle = read_bundle(aoi.config.model, aoi.folder)
    model = json.dumps([str(bundle.folder.absolute()), bundle.digest])
    scenes = {d.isoformat(): _scenes(aoi, d, home, towns) for d in aoi.config.dates}
    outline = () if aoi.config.area.file is None else (_seen_from(home, aoi.folder / aoi.config.area.file),)
    try:
        products = products_of(aoi.config.products, bundle.card.class_names)
    except ConfigError as error:
        raise ConfigError(f"{aoi.path}: {error}") from error
    return Asked(aoi, model, scenes, outline, products)


def _scenes(aoi: LoadedAoi, date: Date, home: Path, towns: str) -> tuple[str, ...]:
    """Files of a date. One that the workflow itself draws may be missing; any other must be there."""
    drawn = re.compile(re.escape(towns) + r"/\d{4}-\d{2}-\d{2}\.tif")
    entries = aoi.config.dates[date].entries
    literal = [_seen_from(home, aoi.folder / e.path) for e in entries if not glob.has_magic(e.path)]
    if len(literal) == len(entries) and all(drawn.fullmatch(path) for path in literal):
        return tuple(literal)
    found = [(path, *map(Path, (entry.files or {}).values())) for path, entry in expand_scenes(aoi, date)]
    return tuple(dict.fromkeys(_seen_from(home, path) for paths in found for path in paths))


def _home(results: Path) -> Path:
    """Where the workflow's state is kept, so that it is found again from whatever folder `results` is named.

    The nearest folder around `results` that holds such a state already; else the current folder if `results` lies in
    it; else `results` itself.
    """
    here = Path.cwd()
    inside = results.is_relative_to(here)
    around = [results, *results.parents]
    for folder in around[: around.index(here) + 1] if inside else around:
        if (folder / STATE).is_dir():
            return folder
    return here if inside else results


def _seen_from(home: Path, path: Path) -> str:
    """`path` without `..`, relative where it lies below `home`: the workflow knows a file by one name only."""
    plain = Path(os.path.normpath(path))
    if path.exists() and not plain.exists():  # a `..` behind a symbolic link
        plain = path.resolve()
    return str(plain.relative_to(home)) if plain.is_relative_to(home) else str(plain)
