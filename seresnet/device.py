"""What a device computes in: bfloat16 where its hardware does, else float32."""

import functools
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from seresnet.errors import ConfigError

Model = TypeVar("Model", bound=nn.Module)
_BF16_CAPABILITIES = ("avx512_bf16", "amx_bf16", "bf16")


def choose_device(name: str | None) -> torch.device:
    """Return the device that a person named; the first GPU, else the CPU, if none was named.

    Raises:
        ConfigError: it is neither a CPU nor a CUDA GPU, or is not there.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    hint = "use cpu, cuda or cuda:N"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda"):
            raise ConfigError(f"--device {name}: must be a CPU or a CUDA GPU", hint)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: {str(error).splitlines()[0]}", hint) from error
    return device


def place(model: Model, device: torch.device) -> Model:
    """Return the model on the device, channels last: convolutions run faster."""
    moved: Model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def describe_device(device: torch.device) -> str:
    """Return type and name, such as `cpu` or `cuda NVIDIA H200`."""
    if device.type == "cuda":
        return f"cuda {torch.cuda.get_device_name(device)}"
    return device.type


def has_bf16(device: torch.device) -> bool:
    """Return whether the hardware multiplies bfloat16; emulated, it is slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in _BF16_CAPABILITIES)
    return False


def resolve_precision(
    precision: Literal["auto", "bf16", "fp32"], device: torch.device
) -> torch.dtype:
    """Return the dtype of the forward pass; weights and optimiser are always float32."""
    if precision == "auto":
        return torch.bfloat16 if has_bf16(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


@functools.lru_cache(maxsize=256)
def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Return (k,) float32, kept: a CUDA graph can not capture a copy from the host's memory."""
    return torch.tensor(values, dtype=torch.float32, device=device)
