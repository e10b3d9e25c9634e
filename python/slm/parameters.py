"""Checks of arrays that are to become parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from slm.errors import ConfigError

FloatArray: TypeAlias = npt.NDArray[np.float32]


def checked_parameter(
    name: str, value: npt.ArrayLike, tensors: Mapping[str, Mapping[str, Any]]
) -> FloatArray:
    """`value` as the library takes it; `tensors` describes the model's by name."""
    if name not in tensors:
        raise ConfigError(f"there is no parameter {name!r}; there are {', '.join(tensors)}")
    array, shape = np.asarray(value), tensors[name]["shape"]
    if array.dtype.kind not in "fiu":
        raise TypeError(f"parameter {name!r} must be an array of numbers, got dtype {array.dtype}")
    if array.shape != shape:
        raise ConfigError(f"parameter {name!r} must have shape {shape}, got {array.shape}")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(array).all():
        raise ConfigError(f"parameter {name!r} has a value that is not finite in float32")
    return array
