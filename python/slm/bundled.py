"""The model that comes with slm."""

from __future__ import annotations

import os
from importlib import resources

BUNDLED_MODEL = str(resources.files("slm").joinpath("data/english.safetensors"))


def bundled_model() -> str | None:
    """The file of the bundled model; None where the build has none."""
    return BUNDLED_MODEL if os.path.isfile(BUNDLED_MODEL) else None
