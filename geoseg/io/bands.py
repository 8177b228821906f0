"""Which band of a file is which: by name, never by guess (FAULTS, R01, R02)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from geoseg.errors import ConfigError, DataError, ModelError

# names that two sensors' products give the same part of the spectrum; used only where a file has one of them
ALIASES = (("nir", "nir08"), ("swir1", "swir16"), ("swir2", "swir22"))


class Banded(Protocol):
    """What `resolve_bands` needs to know of a raster."""

    @property
    def path(self) -> Path: ...
    @property
    def band_names(self) -> tuple[str | None, ...]: ...
    @property
    def image_bands(self) -> tuple[int, ...]: ...
    @property
    def is_palette(self) -> bool: ...


def name_bands(descriptions: Sequence[str | None], colours: Sequence[str]) -> tuple[str | None, ...]:
    """A name for each band, in lower case: its description, else red, green or blue by its colour."""
    described = [(text or "").strip().lower() or None for text in descriptions]
    return tuple(
        text or (colour if colour in ("red", "green", "blue") and colour not in described else None)
        for text, colour in zip(described, colours, strict=True)
    )


def resolve_bands(
    raster: Banded, wanted: Sequence[str], declared: Sequence[str] | Mapping[str, int] | None = None
) -> tuple[int, ...]:
    """Numbers of the wanted bands in the file, from 1, in the order wanted.

    Args:
        raster: the file.
        wanted: names, such as those a model needs.
        declared: `bands:` of the AOI file: a name for each image band in file order, or name: number. It
            replaces the names in the file. Alpha is no image band.

    Raises:
        DataError: a palette image, whose values are numbers of colours.
        ConfigError: `declared` does not fit the file, or bands without a name may be the ones that are missing.
        ModelError: the file does not have the bands.
    """
    if raster.is_palette:
        raise DataError(
            f"{raster.path} is a palette image: its values number colours and measure nothing. Use the original "
            "image, or expand the palette first: gdal_translate -expand rgb IN.tif OUT.tif"
        )
    found = _by_name(raster) if declared is None else _declared(raster, declared)
    missing = [name for name in wanted if _find(found, name.lower()) is None]
    if missing:
        _refuse(raster, wanted, missing, found, may_be_unnamed=declared is None)
    numbers = [number for name in wanted if (number := _find(found, name.lower())) is not None]
    return tuple(numbers)


def _by_name(raster: Banded) -> dict[str, int]:
    """Name: number by the names in the file; a name that stands twice says nothing."""
    found: dict[str, int] = {}
    for number in raster.image_bands:
        name = raster.band_names[number - 1]
        if name in found:
            raise ConfigError(
                f"{raster.path} names two bands {name!r} ({found[name]} and {number}). Say which is which under "
                f"bands: of this scene in the AOI file, such as bands: {{{name}: {number}}}."
            )
        if name is not None:
            found[name] = number
    return found


def _declared(raster: Banded, declared: Sequence[str] | Mapping[str, int]) -> dict[str, int]:
    """Name: number by the AOI file, checked against the file."""
    bands = raster.image_bands
    if isinstance(declared, Mapping):
        wrong = {name: number for name, number in declared.items() if number not in bands}
        if wrong:
            raise ConfigError(
                f"bands: of {raster.path} gives {_pairs(wrong)}, but its image bands are {_numbers(bands)}. "
                "Count from 1; alpha is not an image band."
            )
        return {name.lower(): number for name, number in declared.items()}
    names = [name.lower() for name in declared]
    if len(names) != len(bands):
        raise ConfigError(
            f"bands: of {raster.path} lists {len(names)} names ({', '.join(names)}), but the file has {len(bands)} "
            f"image bands. Name each in file order, or write name: number for those you need."
        )
    if len(set(names)) < len(names):
        raise ConfigError(f"bands: of {raster.path} has a name twice: {', '.join(names)}. Give each band its own.")
    return dict(zip(names, bands, strict=True))


def _find(found: Mapping[str, int], name: str) -> int | None:
    """Number of a band by its name, else by the only alias of it that the file has."""
    if name in found:
        return found[name]
    others = [other for group in ALIASES if name in group for other in group if other in found]
    return found[others[0]] if len(others) == 1 else None


def _refuse(
    raster: Banded, wanted: Sequence[str], missing: Sequence[str], found: Mapping[str, int], *, may_be_unnamed: bool
) -> None:
    unnamed = [n for n in raster.image_bands if n not in found.values()] if may_be_unnamed else []
    has = f"{raster.path} has {_inventory(raster, found)}; needed are {', '.join(wanted)}"
    example = ", ".join(wanted[: len(raster.image_bands)])
    if len(unnamed) >= len(missing):
        raise ConfigError(
            f"{has}. Which band is which is not guessed: name them in file order under bands: of this scene in "
            f"the AOI file, such as bands: [{example}]."
        )
    raise ModelError(
        f"{has}: there is no {', '.join(missing)}. If the file holds it under another name, write name: number "
        "under bands: of this scene in the AOI file; else use other imagery or another model."
    )


def _inventory(raster: Banded, found: Mapping[str, int]) -> str:
    """The image bands of a file in words."""
    names = {number: name for name, number in found.items()}
    listed = ", ".join(f"{n} {names.get(n, 'without a name')}" for n in raster.image_bands)
    return f"{len(raster.image_bands)} image band{'s' if len(raster.image_bands) != 1 else ''} ({listed})"


def _pairs(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {number}" for name, number in numbers.items())


def _numbers(bands: Sequence[int]) -> str:
    return ", ".join(map(str, bands))
