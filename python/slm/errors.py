"""The exceptions of slm. Each message says what was wrong, what was expected, and where.

Where a built-in exception fits, it is raised instead: TypeError for a value of the wrong type,
OSError and its kinds (FileNotFoundError, PermissionError, ...) where the operating system refused,
MemoryError, KeyboardInterrupt.
"""


class Error(Exception):
    """Base class of all slm errors."""


class ConfigError(Error, ValueError):
    """A wrong argument: an option out of range, a wrong shape, an unknown preset."""


class FormatError(Error, ValueError):
    """A damaged or foreign file: truncated, of another dtype, too new."""


class DeviceError(Error, RuntimeError):
    """The requested device, precision or instruction set is not available."""


class TrainingError(Error, RuntimeError):
    """Training diverged (values are no longer finite), or a run cannot be resumed."""
