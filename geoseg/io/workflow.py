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

from geoseg.config import Product, Section, Vectors
from geoseg.errors import ConfigError
from geoseg.io.aoi_file import LoadedAoi, expand_scenes, load_aoi
from geoseg.io.bundle import read_bundle
from geoseg.io.delivery import (
    CHANGE,
    CHANGE_FIGURES,
    FIGURES,
    FROM_TO_FILES,
    LAYERS,
    PROBS,
    SERIES,
    ZONE_FILES,
    ZONES,
    ZONES_FROM_TO,
    change_files,
    files,
    keeps_probs,
    layers,
    products_of,
)
from geoseg.io.fingerprint import stamp
from geoseg.io.small_file import check_regular

DEFAULT_AOI = "aoi/demo.yaml"
DEFAULT_RESULTS = "results"
TOWNS = "scenes/demo"  # where the rule `town` draws the demo's scenes
STATE = ".snakemake/metadata"
# Of each step; raised when the same inputs and settings would give another result.
VERSIONS = {
    "plan": 3,
    "predict": 2,
    "stitch": 3,
    "probs": 1,
    "landcover": 2,
    "buildings": 1,
    "roads": 1,
    "translate": 1,
    "vectors_check": 1,
    "zones": 1,
    "report": 3,
    "change": 1,
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
        zones: file of the zones, if it has any.
        products: what is made.
    """

    aoi: LoadedAoi
    model: str
    scenes: Mapping[str, tuple[str, ...]]
    area: tuple[str, ...]
    zones: tuple[str, ...]
    products: tuple[Product, ...]

    @property
    def dates(self) -> list[str]:
        """Its dates in their order."""
        return sorted(self.scenes)

    @property
    def files(self) -> list[str]:
        """What is delivered of a date, besides the figures."""
        return files(self.products, self.aoi.config.vectors.formats)

    def settings(self, *sections: str) -> str:
        """Content of some sections of the AOI file as one line of JSON that is equal for equal settings."""
        content = self.aoi.config.model_dump(mode="json", include={s for s in sections if s != "dates"})
        if "dates" in sections:
            dated = self.aoi.config.dates.items()
            content["dates"] = {d.isoformat(): [e.model_dump(mode="json") for e in found.entries] for d, found in dated}
        return json.dumps(content, sort_keys=True)

    @property
    def change_files(self) -> list[str]:
        """What is delivered of the change between all dates, the figures and areas by zone included."""
        if "change" not in self.products:
            return []
        found = [*change_files(len(self.scenes)), CHANGE_FIGURES]
        if "zones" in self.products:
            found += [f"{ZONES}/{name}" for name in ZONE_FILES] + [f"{ZONES_FROM_TO}/{name}" for name in FROM_TO_FILES]
        return found


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
        """Scenes of a date, then those of the others, for all dates share one grid, and the area's outline."""
        area = self._area(aoi)
        if date not in area.scenes:
            raise ConfigError(f"{area.aoi.path} has no date {date}; it has {', '.join(area.dates)}")
        others = (scene for other in area.dates for scene in area.scenes[other])
        return [*dict.fromkeys((*area.scenes[date], *others, *area.area))]

    def dates(self, aoi: str) -> list[str]:
        """Dates of an area in their order."""
        return self._area(aoi).dates

    def stamps(self, aoi: str) -> list[str]:
        """Size and time of each scene and its mask: a file put back with an older date is another file, too.

        Scenes that the workflow draws itself are left out: they are not there when it is first asked.
        """
        towns, area = Path(self.towns).absolute(), self._area(aoi)
        paths = [self.home / scene for date in area.dates for scene in area.scenes[date]]
        return [stamp(p) for p in paths if p.is_file() and towns not in p.absolute().parents]

    def settings(self, aoi: str, *sections: str) -> str:
        """Settings of the AOI that a step depends on, as text."""
        return self._area(aoi).settings(*sections)

    def model(self, aoi: str) -> str:
        """What decides which model an AOI is mapped with."""
        return self._area(aoi).model

    def products(self, aoi: str) -> tuple[Product, ...]:
        """What is made of an area."""
        return self._area(aoi).products

    def keeps_probs(self, aoi: str) -> bool:
        """Whether tiles of an area hold the probability of every class."""
        return keeps_probs(self._area(aoi).products)

    def vectors(self, aoi: str) -> Vectors:
        """How the layers of an area are drawn."""
        return self._area(aoi).aoi.config.vectors

    def drawing(self, aoi: str, product: Product) -> str:
        """Settings that a product of an area is drawn by, as one line of JSON."""
        config = self._area(aoi).aoi.config
        sections: dict[Product, Section] = {
            "landcover": config.vectors,
            "buildings": config.buildings,
            "roads": config.roads,
            "change": config.change,
        }
        return json.dumps(sections[product].model_dump(mode="json", exclude={"formats"}), sort_keys=True)

    def layers(self, aoi: str, date: str) -> list[str]:
        """The layers of a date, as GeoParquet."""
        return [f"{self.results}/{aoi}/{date}/{layer}.parquet" for layer in layers(self._area(aoi).products)]

    def translated(self, aoi: str, date: str) -> list[str]:
        """The layers of a date in all other formats."""
        formats = self._area(aoi).aoi.config.vectors.formats
        return [f"{path.removesuffix('.parquet')}.{end}" for path in self.layers(aoi, date) for end in formats]

    def figures(self, aoi: str, date: str) -> list[str]:
        """The figures of each product of a date that has layers."""
        made = [product for product in self._area(aoi).products if product in LAYERS]
        return [f"{self.results}/{aoi}/{date}/work/{product}.json" for product in made]

    def delivered(self, aoi: str, date: str) -> list[str]:
        """Each file of a date besides its figures."""
        return [f"{self.results}/{aoi}/{date}/{file}" for file in self._area(aoi).files]

    def folders(self, aoi: str) -> list[str]:
        """The results of each date, in their order."""
        return [f"{self.results}/{aoi}/{date}" for date in self._area(aoi).dates]

    def compared(self, aoi: str) -> list[str]:
        """Maps of all dates that change is told from."""
        probs = PROBS if "probs" in self._area(aoi).products else f"work/{PROBS}"
        names = ("landcover.tif", "confidence.tif", probs)
        return [f"{folder}/{name}" for folder in self.folders(aoi) for name in names]

    def one_of(self, *, series: bool) -> str:
        """Pattern of the areas of so many dates that change has a date, or of those of fewer."""
        found = [name for name, area in self.areas.items() if (len(area.scenes) >= SERIES) is series]
        return "|".join(map(re.escape, found)) or "(?!)"  # of none: what nothing fits

    def counted(self, aoi: str, part: str) -> str:
        """The map that areas by zone are of: that of a date, or of change."""
        return f"{self.results}/{aoi}/{part}/{'change' if part == CHANGE else 'landcover'}.tif"

    def zones(self, aoi: str) -> list[str]:
        """The layer of zones, or nothing."""
        return [*self._area(aoi).zones]

    def zone_flags(self, aoi: str, *, from_to: bool = False) -> list[str]:
        """How areas are added up by zone, as the command takes it; from the first date to the last if asked."""
        area = self._area(aoi)
        asked = area.aoi.config.zones
        if asked is None:
            return []
        name = ["--name", asked.name] if asked.name else []
        after = ["--after", self.counted(aoi, area.dates[-1])] if from_to else []
        return [*name, *after, *(["--exact"] if asked.exact else [])]

    def zone_stamp(self, aoi: str) -> str:
        """Size and time of the layer of zones."""
        return "".join(stamp(self.home / path) for path in self._area(aoi).zones)

    def plans(self) -> list[str]:
        """The plan of every date of every area."""
        return [f"{folder}/work/plan.json" for name in self.areas for folder in self.folders(name)]

    def targets(self) -> list[str]:
        """What is made when nothing else is asked for: each file of every date of every area, then its change.

        All of them, because Snakemake does not miss a file that only a finished one was made from.
        """
        found = []
        for name, area in self.areas.items():
            for date in area.dates:
                found += [*self.delivered(name, date), f"{self.results}/{name}/{date}/{FIGURES}"]
            found += [f"{self.results}/{name}/{CHANGE}/{file}" for file in area.change_files]
        return found

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
        products = products_of(aoi.config, bundle.card.class_names)
    except ConfigError as error:
        raise ConfigError(f"{aoi.path}: {error}") from error
    return Asked(aoi, model, scenes, outline, _zones(aoi, home), products)


def _zones(aoi: LoadedAoi, home: Path) -> tuple[str, ...]:
    """File of the zones, if there are any. Raises `ConfigError` where it is not there."""
    if aoi.config.zones is None:
        return ()
    path = aoi.folder / aoi.config.zones.file
    try:
        check_regular(path, ConfigError)
    except ConfigError as error:
        raise ConfigError(f"{aoi.path}: zones: {error}") from error
    return (_seen_from(home, path),)


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
