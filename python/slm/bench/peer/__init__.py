"""The same model and the same step in PyTorch, to measure against. PyTorch is optional."""

from slm.errors import ConfigError

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ConfigError(
        "a comparison with PyTorch needs PyTorch, which is not installed: pip install torch"
    ) from error

from slm.bench.peer.model import TorchModel

__all__ = ["TorchModel"]
