"""A finished model as an ONNX file, for programs without PyTorch; checked against PyTorch."""

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from seresnet.config import TrainConfig
from seresnet.data import CLASS_NAMES
from seresnet.errors import UserError
from seresnet.files import sha256_of, write_atomically
from seresnet.model import SEResNet, num_parameters
from seresnet.model_file import load_model
from seresnet.predict import predict
from seresnet.synthetic import make_synthetic

NUM_CHECKED = 256
"""Images on which the two are compared."""
MAX_DIFFERENCE = 1e-4
"""Of any logit on any of them."""


class ExportError(UserError):
    """The model could not be exported, or the file does not answer as the model does."""

    exit_code = 1


class Pixels(nn.Module):
    """A network that takes bytes: the normalisation is part of it, so nobody can get it wrong."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: SEResNet, config: TrainConfig) -> None:
        super().__init__()
        self.network = network
        # Its own: those that `normalise` keeps would be made, and kept, while the exporter traces.
        self.register_buffer("mean", torch.tensor(config.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(config.std)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, 10) of images (n, 3, 32, 32), uint8."""
        logits: Tensor = self.network((images / 255 - self.mean) / self.std)
        return logits


def export(model: Path, out: Path) -> float:
    """Write an ONNX file whose input `images` is (n, 3, 32, 32), uint8, RGB, and output `logits`.

    Args:
        model: written by `seresnet.run`.
        out: the ONNX file, written only if it answers as the model does.

    Returns:
        The largest difference of a logit from PyTorch's on `NUM_CHECKED` drawn images.

    Raises:
        CheckpointError: the model cannot be loaded.
        ExportError: the packages are missing, or the difference is above `MAX_DIFFERENCE`.
    """
    onnx, runtime = _packages()
    network, config = load_model(model)
    proto = _convert(network, config)
    facts = {
        "input": "images: (n, 3, 32, 32), uint8, RGB, 0 to 255; normalised inside",
        "output": "logits: (n, 10), float32; softmax gives probabilities",
        "classes": ",".join(CLASS_NAMES),
        "num_parameters": str(num_parameters(network)),
        "model_sha256": sha256_of(model),
        "config_sha256": config.fingerprint(),
    }
    onnx.helper.set_model_props(proto, facts)
    content: bytes = proto.SerializeToString()
    difference = _difference(runtime, content, network, config)
    if not difference <= MAX_DIFFERENCE:
        raise ExportError(
            f"{out}: not written: its logits differ from PyTorch's by {difference:.2g}, "
            f"more than {MAX_DIFFERENCE:g}",
            "report this with the versions of torch, onnx and onnxruntime",
        )
    write_atomically(out, lambda file: file.write(content))
    return difference


def _packages() -> tuple[ModuleType, ModuleType]:
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  PyTorch's exporter needs it
    except ImportError as error:
        raise ExportError(
            f"export: the package {error.name} is missing", 'pip install -e ".[onnx]"'
        ) from error
    return onnx, onnxruntime


def _convert(network: SEResNet, config: TrainConfig) -> Any:
    """Return the network as an ONNX ModelProto that takes any number of images."""
    example = make_synthetic(num=2, seed=0).images
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch's own deprecated parts
        program = torch.onnx.export(
            Pixels(network, config).eval(),
            (example,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _difference(runtime: Any, content: bytes, network: SEResNet, config: TrainConfig) -> float:
    """Return the largest difference between the two; not a number if one answers with none."""
    images = make_synthetic(num=NUM_CHECKED, seed=0).images
    expected = predict(network, images, config=config)
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    return float((torch.from_numpy(logits) - expected).abs().max())
