"""What a file really is, by its first bytes: a name proves nothing (FAULTS, F02, X01, X03)."""

from __future__ import annotations

import stat
from os import PathLike
from pathlib import Path

from geoseg.errors import DataError

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_HEAD = 1024
_AGAIN = "Download it again"
_CONVERT = "Convert it first: gdal_translate {name} scene.tif"
# (first bytes, what it is, what to do)
_MAGIC = (
    (b"PK\x03\x04", "a ZIP archive", "Unpack it and name the GeoTIFF inside"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it with gunzip or tar and name the GeoTIFF inside"),
    (b"BZh", "a bzip2 archive", "Unpack it and name the GeoTIFF inside"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "Unpack it and name the GeoTIFF inside"),
    (b"\x89PNG", "a PNG picture", _CONVERT),
    (b"\xff\xd8\xff", "a JPEG picture", _CONVERT),
    (b"GIF8", "a GIF picture", _CONVERT),
    (b"BM", "a BMP picture", _CONVERT),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image", _CONVERT),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image", _CONVERT),
    (b"\x89HDF", "an HDF5 or netCDF-4 file", "Export the image it holds as GeoTIFF"),
    (b"CDF", "a netCDF file", "Export the image it holds as GeoTIFF"),
    (b"SQLite format 3", "an SQLite database, perhaps a GeoPackage", "Export the image it holds as GeoTIFF"),
    (b"%PDF", "a PDF document", "Ask the provider for a GeoTIFF"),
)


def regular_file(path: str | PathLike[str]) -> Path:
    """The file's real, absolute path.

    Names that GDAL would take for something else than a file (`/vsicurl/...`, `MEM:::`, `<VRTDataset`,
    `GTIFF_DIR:1:x.tif`, URLs) end here, because no such file exists, and an absolute path cannot be one of them.

    Raises:
        DataError: there is no such file, or it is a folder, pipe or device.
    """
    shown = shorten(str(path))
    try:
        real = Path(path).resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, ValueError, RuntimeError) as error:  # a NUL byte is a ValueError, a loop of links RuntimeError
        raise DataError(
            f"{shown}: no such file can be read. Give the path of a GeoTIFF on this machine; "
            "URLs and GDAL's own names (/vsi..., MEM:, GTIFF_DIR:) are not taken."
        ) from error
    if stat.S_ISDIR(mode):
        raise DataError(f"{shown} is a folder. Name the GeoTIFF in it, or a glob such as {shown}/*.tif.")
    if not stat.S_ISREG(mode) or real.as_posix().startswith("/vsi"):
        raise DataError(f"{shown} is not a regular file. Copy the image into one and name that.")
    return real


def require_tiff(path: Path, shown: str) -> None:
    """Raise `DataError` that tells what the file is, unless it starts as a TIFF does."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(TIFF):
        what, advice = identify(head)
        raise DataError(f"{shown} is not a GeoTIFF: it is {what}. {advice.format(name=shown)}.")


def identify(head: bytes) -> tuple[str, str]:
    """What a file with these first bytes is, and what to do with it."""
    if not head:
        return "empty (0 bytes)", _AGAIN
    for magic, what, advice in _MAGIC:
        if head.startswith(magic):
            return what, advice
    if not head.strip(b"\0"):
        return "zeros only, as an interrupted download leaves", _AGAIN
    return _identify_text(head)


def _identify_text(head: bytes) -> tuple[str, str]:
    """The kinds that are text; anything else is named by its first bytes."""
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n").lower()
    if "<vrtdataset" in text:
        return "a GDAL VRT, which can pull in any other file", _CONVERT
    if text.startswith(("<!doctype html", "<html")) or "<html" in text:
        return "a web page (often a login or error page)", "Download it again, signed in"
    if text.startswith("<"):
        return "an XML document", _AGAIN + "; an XML answer is often an error message, open it in an editor"
    if text.startswith(("{", "[")):
        return "JSON text", _AGAIN + "; a JSON answer is often an error message, open it in an editor"
    if min(head) >= 9:  # no byte that text does not have
        return "plain text", "Name the image itself"
    return f"of an unknown kind (it starts with {head[:8].hex(' ')})", _AGAIN + ", or convert it to GeoTIFF"


def shorten(text: str, limit: int = 200) -> str:
    """Text for a message: on one line, without control characters, not longer than `limit`."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= limit else text[: limit - 3] + "..."
