"""What can go wrong for an analyst: each kind ends in one sentence and its own exit code.

A message says what is wrong, with the values, and what to do next. Anything that is not a `GeosegError` is a
bug of ours and keeps its traceback.
"""


class GeosegError(Exception):
    """Base of everything an analyst may be told. `exit_code` is what the process ends with."""

    exit_code = 70


class ConfigError(GeosegError):
    """The command line or an AOI file asks for something that cannot be."""

    exit_code = 2


class DataError(GeosegError):
    """Imagery, labels or an area that cannot be used."""

    exit_code = 3


class ModelError(GeosegError):
    """A bundle that is damaged, or that does not fit the imagery."""

    exit_code = 4


class MachineError(GeosegError):
    """Disk, rights, memory or device."""

    exit_code = 5


class NetworkError(GeosegError):
    """A remote host or a scheduler that does not answer."""

    exit_code = 6


class LockedError(GeosegError):
    """Another run owns the same results."""

    exit_code = 7


class PartialError(GeosegError):
    """Everything that could be done is done; the holes are named."""

    exit_code = 8


class WindowError(GeosegError):
    """A rectangle of pixels that is empty or outside its raster: a fault of ours, not of the analyst."""
