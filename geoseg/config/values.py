"""What AOI files, recipes and cards share: names, paths, dates, and sections that forbid unknown keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date as Date
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from geoseg.errors import ConfigError

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")  # Windows opens devices under these names


def check_name(name: str) -> str:
    """`name` itself, if it can be a file or folder name on every system and can say nothing to a shell.

    Raises:
        ValueError: it cannot; the message is a sentence that starts with the name.
    """
    if not re.fullmatch(NAME_PATTERN[1:-1], name):
        raise ValueError(f"{name!r} is not a name: use 1 to 64 of A-Z, a-z, 0-9, _ . and -, first a letter or digit")
    if _RESERVED.fullmatch(name):
        raise ValueError(f"{name!r} is the name of a device on Windows; use another name")
    if name.endswith((".", ".part")):
        raise ValueError(f"{name!r} must not end in a dot or in .part, which marks unfinished files; use another name")
    return name


def _iso(day: object) -> object:
    if not isinstance(day, str):
        return day
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        raise ValueError(f"{day!r} is not a date; write year-month-day, such as 2024-06-01")
    try:
        return Date.fromisoformat(day)
    except ValueError as problem:
        raise ValueError(f"{day} is not in the calendar: {problem}") from problem


Name = Annotated[str, Field(pattern=NAME_PATTERN), AfterValidator(check_name)]
PathText = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
IsoDate = Annotated[Date, BeforeValidator(_iso)]
Nodata = Annotated[float, Field(allow_inf_nan=True)]
Metres = Annotated[float, Field(gt=0, lt=1e6)]
BandName = Annotated[str, Field(min_length=1, max_length=64)]
Bands = (
    Annotated[list[BandName], Field(min_length=1)]
    | Annotated[dict[BandName, Annotated[int, Field(ge=1)]], Field(min_length=1)]
)
BandFiles = Annotated[dict[BandName, PathText], Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=1024)]
Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
Precision = Literal["auto", "float32", "bfloat16"]
MAX_CLASSES = 254  # 254 is "not observed", 255 "outside": DESIGN, decision 6


class Section(BaseModel):
    """A part of a file: a mistyped key is an error, not a default, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


AnySection = TypeVar("AnySection", bound=Section)


@contextmanager
def flags() -> Iterator[None]:
    """Raises `ConfigError` where sections built from flags in the block are refused, naming flag and reason."""
    try:
        yield
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        name = next((str(part) for part in first["loc"] if isinstance(part, str)), "value")
        raise ConfigError(f"{name} cannot be {first['input']!r}: {first['msg']}; correct the flag") from problem


def from_json(section: type[AnySection], text: str) -> AnySection:
    """A section from the flag `--settings`, which holds it as JSON. Raises `ConfigError`."""
    try:
        return section.model_validate_json(text)
    except ValidationError as problem:
        # where a key takes things of several kinds, the fault that lies deepest is that of the kind which was meant
        fault = max(problem.errors(include_url=False), key=lambda error: len(error["loc"]))
        keys = [str(part) for part in fault["loc"] if not str(part)[0].isupper() and "[" not in str(part)]  # no kinds
        place = " ".join(["--settings", ".".join(keys)]).strip()
        raise ConfigError(f"{place} cannot be {fault['input']!r}: {fault['msg']}; correct the flag") from problem
