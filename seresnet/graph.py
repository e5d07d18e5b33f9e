"""A step captured once in a CUDA graph, which then serves every run of the same shape.

To launch the hundreds of kernels of a step takes the host several times as long as they take a GPU;
to replay a graph is one call. The graph reads and writes tensors of its own, so an epoch of a run
is copied in and out: 34 MB each way at the recipe's widths, within the GPU.

Source: https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch

from seresnet.config import TrainConfig
from seresnet.data import Split
from seresnet.plan import SETTINGS
from seresnet.step import Stepper
from seresnet.weights import Learned

_log = logging.getLogger(__name__)
_NUM_WARM_UPS = 3  # steps before the capture, in which libraries choose kernels and take memory

Act = Callable[[], None]
Capture = Callable[[Act, Act], Act]
"""Given a rewind and a step, returns what repeats the step; both may be called before that."""


class GraphedStepper(Stepper):
    """A stepper whose steps are captured, one for each size of batch."""

    def capture(self, capture: Capture) -> None:
        """Capture the steps; what the stepper has learned is overwritten."""
        self.lock = threading.Lock()
        self._repeats: dict[int, Act] = {}
        self._trainable.train()
        for size in dict.fromkeys(self.plan.sizes):
            self._repeats[size] = capture(self.rewind, partial(super().step, size))

    def step(self, size: int) -> None:
        """Take the next step of the epoch, on so many images."""
        self._repeats[size]()


def record(rewind: Act, step: Act) -> Act:
    """Capture a step in a CUDA graph."""
    warm_up = torch.cuda.Stream()
    warm_up.wait_stream(torch.cuda.current_stream())
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        with torch.cuda.stream(warm_up):
            for _ in range(_NUM_WARM_UPS):
                rewind()
                step()
        torch.cuda.current_stream().wait_stream(warm_up)
        graph = torch.cuda.CUDAGraph()
        # Other threads of a worker may use the GPU meanwhile: that is none of this graph's concern.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            step()
    return graph.replay


_shared: dict[tuple[object, ...], GraphedStepper] = {}
"""The newest shape's; another shape would need as much memory again."""
_sharing = threading.Lock()


def shared_stepper(
    config: TrainConfig,
    *,
    device: torch.device,
    dtype: torch.dtype,
    data: Split,
    capture: Capture = record,
) -> GraphedStepper:
    """Return the process's captured stepper for runs of this shape, made where it is missing.

    Args:
        config: runs that differ in `plan.SETTINGS` alone share a stepper.
        device: of the runs.
        dtype: of the forward pass.
        data: on the device; another tensor is another shape, as its address is captured too.
        capture: how a step is made repeatable.
    """
    fields = dataclasses.fields(config)
    defaults: dict[str, Any] = {f.name: f.default for f in fields if f.name in SETTINGS}
    shape = dataclasses.replace(config, **defaults).fingerprint()
    key = (shape, device, dtype, data.images.data_ptr(), data.labels.data_ptr(), len(data))
    with _sharing:
        if key not in _shared:
            _shared.clear()
            learned = Learned.create(config.channels, device)
            stepper = GraphedStepper(config, dtype=dtype, learned=learned, data=data)
            stepper.capture(capture)
            _shared[key] = stepper
        return _shared[key]


@contextmanager
def borrowed(stepper: Stepper, learned: Learned) -> Iterator[None]:
    """Let a stepper advance a run's numbers for an epoch, one run at a time."""
    if stepper.learned is learned:
        yield
        return
    with stepper.lock if isinstance(stepper, GraphedStepper) else nullcontext():
        stepper.learned.copy_(learned)
        yield
        learned.copy_(stepper.learned)
