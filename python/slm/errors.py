"""The exceptions of slm. Each says what was wrong, what was expected, and where.

Where a built-in exception fits, it is raised instead: TypeError for a value of the wrong type,
OSError and its kinds (FileNotFoundError, PermissionError, ...) where the operating system refused,
MemoryError, KeyboardInterrupt.
"""


class Error(Exception):
    """Whatever slm itself finds wrong; the classes below are its kinds."""


class ConfigError(Error, ValueError):
    """A value that was passed: an option out of range, a wrong shape, an unknown preset."""


class FormatError(Error, ValueError):
    """A file that is not what it should be: truncated, of another dtype, too new."""


class DeviceError(Error, RuntimeError):
    """The device or the instruction set that was asked for is not here."""


class TrainingError(Error, RuntimeError):
    """Numbers that are no longer finite, or a run that cannot be resumed."""
