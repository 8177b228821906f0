"""JSON schemas of the files people and programs write: editors complete and check AOI files with them."""

from __future__ import annotations

import json
from pathlib import Path

from geoseg.config import AoiFile, Card, Recipe, Section
from geoseg.io.commit import write_text

SCHEMAS: dict[str, type[Section]] = {
    "aoi.schema.json": AoiFile,
    "card.schema.json": Card,
    "recipe.schema.json": Recipe,
}


def schema_json(model: type[Section]) -> str:
    """JSON schema (draft 2020-12) of `model`, as text that is the same on every run."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write `aoi.schema.json`, `card.schema.json` and `recipe.schema.json` into `folder`, replacing old ones."""
    for name, model in SCHEMAS.items():
        write_text(folder / name, schema_json(model))
