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

    A text that a spreadsheet would run as a formula starts with an apostrophe, and control characters are gone
    (FAULTS, X12).

    Raises:
        MachineError: the file cannot be written.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([_cell(name) for name in columns])
    lines.writerows([_cell(value) for value in row] for row in rows)
    write_text(path, text.getvalue())


def _cell(value: Cell) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    clean = "".join(char for char in value if unicodedata.category(char) != "Cc")
    return f"'{clean}" if clean.lstrip().startswith(_FORMULA) else clean
