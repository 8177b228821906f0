"""The strict YAML reader of AOI files and recipes.

It understands what a person writes by hand and nothing more: keys with values, lists, and the scalars of YAML 1.2
(null, true, false, numbers, text). `no`, `on`, `12:30:00`, `1_000` and dates stay text. Anchors, tags, duplicate keys
and deep nests are refused, so that a file costs at most a fraction of a second and a few tens of megabytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from geoseg.errors import ConfigError
from geoseg.io.small_file import read_small

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_VALUES = 50_000
MAX_DIGITS = 400  # a float has at most 309 before its point

Place = tuple[str | int, ...]  # keys and list indices from the root down to one value
Position = tuple[int, int]  # line and column, both from 1

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"(true|True|TRUE)|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each key and each value of a file stands."""

    keys: dict[Place, Position] = field(default_factory=dict)
    values: dict[Place, Position] = field(default_factory=dict)

    def key(self, place: Place) -> Position:
        """Position of the key at `place`; of what holds it where there is no such key."""
        return self.keys.get(place) or self.value(place)

    def value(self, place: Place) -> Position:
        """Position of the value at `place`, or of the nearest thing around it."""
        while place not in self.values and place:
            place = place[:-1]
        return self.values.get(place, (1, 1))


def read_yaml(path: Path) -> tuple[Any, Positions]:
    """The one document in `path` as dicts (keys are text), lists and scalars, and where each part stands.

    Raises:
        ConfigError: no such file, empty, not UTF-8, over a limit, or not the YAML this module accepts; the message
            starts with file:line:column.
    """
    text = _decode(path, read_small(path, MAX_BYTES, ConfigError))
    composer = _Composer(path)
    try:
        data = composer.document(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as problem:
        composer.refuse(problem.problem_mark or problem.context_mark, _wording(problem))
    except yaml.YAMLError as problem:
        raise ConfigError(f"{path}:1:1  not YAML: {problem}") from problem
    return data, composer.positions


def _decode(path: Path, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise ConfigError(f"{path}:{line}:1  is not UTF-8 text; save the file as UTF-8") from problem
    if bad := _CONTROL.search(text):
        line, start = text.count("\n", 0, bad.start()) + 1, text.rfind("\n", 0, bad.start())
        code = f"U+{ord(bad.group()):04X}"
        raise ConfigError(f"{path}:{line}:{bad.start() - start}  control character {code}; remove it")
    return text


def _wording(problem: yaml.MarkedYAMLError) -> str:
    """What the parser says, with advice for the two mistakes people make most."""
    said = problem.problem or problem.context or "not understood"
    if "tab character" in said or "cannot start any token" in said:
        return f"not YAML: {said}; indent with spaces, and quote text that starts with a special character"
    if "mapping values are not allowed" in said:
        return "not YAML: a second ': ' in one value, or a wrong indent; quote text that holds a colon"
    return f"not YAML: {said}"


class _Composer:
    """Builds data from parser events, and refuses as soon as a limit is passed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.positions = Positions()
        self.count = 0

    def refuse(self, mark: Any, message: str) -> NoReturn:
        line, column = _position(mark)
        raise ConfigError(f"{self.path}:{line}:{column}  {message}")

    def document(self, events: Iterator[Any]) -> Any:
        data = None
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.refuse(event.start_mark, "a second document starts here; keep one document a file")
                data = self.node(next(events), events, ())
        if data is None:
            raise ConfigError(f"{self.path}:1:1  the file is empty; `geoseg init` writes one to start from")
        return data

    def node(self, event: Any, events: Iterator[Any], place: Place) -> Any:
        """The value that starts with `event`; takes its events and no more."""
        self.check(event, place)
        self.positions.values[place] = _position(event.start_mark)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(events, place)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(event := next(events), yaml.SequenceEndEvent):
                items.append(self.node(event, events, (*place, len(items))))
            return items
        return self.scalar(event)

    def check(self, event: Any, place: Place) -> None:
        self.count += 1
        if isinstance(event, yaml.AliasEvent):
            self.refuse(event.start_mark, f"*{event.anchor} repeats another part; write the value out")
        if event.anchor is not None:
            self.refuse(
                event.start_mark, f"&{event.anchor[:60]} marks a part to repeat; remove it and write values out"
            )
        if event.tag is not None:
            self.refuse(event.start_mark, f"the tag {event.tag[:60]} is not allowed; remove it")
        if len(place) > MAX_DEPTH:
            self.refuse(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        if self.count > MAX_VALUES:
            self.refuse(event.start_mark, f"more than {MAX_VALUES} values")

    def mapping(self, events: Iterator[Any], place: Place) -> dict[str, Any]:
        content: dict[str, Any] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            self.check(event, place)
            if not isinstance(event, yaml.ScalarEvent) or not event.value:
                self.refuse(event.start_mark, "a key must be plain text, as in key: value")
            key = self.text(event)
            here = (*place, key)
            if key in content:
                line = self.positions.keys[here][0]
                self.refuse(event.start_mark, f"the key {key[:60]} is already on line {line}; keep one of them")
            self.positions.keys[here] = _position(event.start_mark)
            content[key] = self.node(next(events), events, here)
        return content

    def scalar(self, event: Any) -> bool | int | float | str | None:
        text = self.text(event)
        if not event.implicit[0]:  # quoted, or a block of text
            return text
        try:
            return resolve(text)
        except OverflowError:
            self.refuse(event.start_mark, f"the number {text[:20]}... is too large")

    def text(self, event: Any) -> str:
        text = str(event.value)
        if bad := _CONTROL.search(text):  # written as an escape, "\\x1b"
            self.refuse(event.start_mark, f"control character U+{ord(bad.group()):04X}; remove it")
        return text


def resolve(text: str) -> bool | int | float | str | None:
    """The value that unquoted `text` stands for.

    Raises:
        OverflowError: a number that no float can hold.

    Source: YAML 1.2.2, 10.3.2 (core schema), without octal and hexadecimal numbers.
    """
    if _NULL.fullmatch(text):
        return None
    if truth := _BOOL.fullmatch(text):
        return truth[1] is not None
    if special := _SPECIAL.get(text.lower()):
        return special
    if not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS or math.isinf(float(text)):
        raise OverflowError
    return int(text) if _INT.fullmatch(text) else float(text)


def _position(mark: Any) -> Position:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
