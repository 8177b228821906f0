"""Tables with names in them as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from geoseg.io.commit import write_text

Cell = str | int | float | None

_FORMULA = tuple("=+-@＝＋－＠")  # spreadsheets run what starts like this, full-width signs too


def write_text_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Commit rows as CSV in UTF-8: None is empty, numbers have ten digits.

    Texts are as `safe_text` has them.

    Raises:
        MachineError: the file cannot be written.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([_cell(name) for name in columns])
    lines.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())


def safe_text(value: str) -> str:
    """A text that spreadsheets show and never run: one that looks like a formula starts with an apostrophe.

    Control characters are gone (FAULTS, X12).
    """
    clean = "".join(char for char in value if unicodedata.category(char) != "Cc")
    return f"'{clean}" if clean.lstrip().startswith(_FORMULA) else clean


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return safe_text(value)
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
