"""slm: train and run small byte-level language models.

    import slm

    model = slm.Model()
    model.train(slm.sample_text(), seconds=60)
    print(model.generate("ROMEO:"))
    model.save("romeo.safetensors")

Arrays are NumPy arrays and time-major: T time steps, B independent texts. Bytes are uint8, logits
and parameters float32, losses nats per byte.
"""

from slm._core import State, __version__, default_preset
from slm.config import Config, Preset, TrainConfig, presets
from slm.errors import ConfigError, DeviceError, Error, FormatError, TrainingError
from slm.generate import Sample, Stream
from slm.history import Evaluation, History, Progress
from slm.model import Model, load
from slm.score import Score
from slm.text import load_text, sample_text
from slm.trainer import Trainer

__all__ = [
    "Config",
    "ConfigError",
    "DeviceError",
    "Error",
    "Evaluation",
    "FormatError",
    "History",
    "Model",
    "Preset",
    "Progress",
    "Sample",
    "Score",
    "State",
    "Stream",
    "TrainConfig",
    "Trainer",
    "TrainingError",
    "__version__",
    "default_preset",
    "load",
    "load_text",
    "presets",
    "sample_text",
]
