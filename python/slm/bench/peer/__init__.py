"""The same model and training step in PyTorch, for `slm bench --against torch`. It is part of the
package so that users can compare on their own machines; PyTorch is optional."""

from slm.errors import ConfigError

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ConfigError(
        "a comparison with PyTorch needs PyTorch, which is not installed: pip install torch"
    ) from error

from slm.bench.peer.model import TorchModel

__all__ = ["TorchModel"]
