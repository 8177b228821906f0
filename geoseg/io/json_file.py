"""JSON files that steps leave for others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geoseg.errors import ConfigError


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object that one of our own steps wrote to `path`. Raises `ConfigError` where there is none."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is missing; run the step that writes it, or geoseg run, first") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); delete it and run again") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} does not hold a JSON object; delete it and run again")
    return data
