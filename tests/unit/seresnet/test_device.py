import pytest
import torch
from torch import nn

from seresnet.device import describe_device, has_bf16, place, resolve_precision

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def cpu_with(monkeypatch):
    """Pretend that the CPU has exactly these capabilities."""

    def pretend(**capabilities):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    return pretend


@pytest.fixture
def gpu_with(monkeypatch):
    """Pretend that the GPU multiplies bfloat16 in hardware, or only by emulation."""

    def pretend(*, hardware):
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda including_emulation=True: hardware or including_emulation,
        )

    return pretend


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        pytest.param({"avx512_bf16": True}, torch.bfloat16, id="avx512"),
        pytest.param({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16, id="amx"),
        pytest.param({"bf16": True, "architecture": "arm64"}, torch.bfloat16, id="arm"),
        pytest.param({"avx2": True, "avx512_f": True}, torch.float32, id="avx512-without-bf16"),
        pytest.param(
            {"avx512_bf16": False, "amx_bf16": False, "amx_tile": True}, torch.float32, id="denied"
        ),
        pytest.param({}, torch.float32, id="nothing-known"),
    ],
)
def test_auto_follows_what_the_cpu_computes_in(cpu_with, capabilities, expected):
    cpu_with(**capabilities)
    assert resolve_precision("auto", CPU) is expected
    assert has_bf16(CPU) is (expected is torch.bfloat16)


def test_auto_is_float32_where_pytorch_cannot_tell_the_cpus_capabilities(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert resolve_precision("auto", CPU) is torch.float32


@pytest.mark.parametrize(
    ("hardware", "expected"),
    [
        pytest.param(True, torch.bfloat16, id="hardware"),
        pytest.param(False, torch.float32, id="emulated-is-not-good-enough"),
    ],
)
def test_auto_follows_what_the_gpu_computes_in(gpu_with, hardware, expected):
    gpu_with(hardware=hardware)
    assert resolve_precision("auto", CUDA) is expected
    assert resolve_precision("auto", torch.device("cuda:3")) is expected


def test_auto_is_float32_on_any_other_device():
    assert resolve_precision("auto", torch.device("meta")) is torch.float32


@pytest.mark.parametrize("device", [CPU, CUDA], ids=str)
@pytest.mark.parametrize(
    ("precision", "expected"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
@pytest.mark.parametrize("capable", [True, False], ids=["capable", "incapable"])
def test_what_the_settings_say_is_done_whatever_the_hardware(
    cpu_with, gpu_with, device, precision, expected, capable
):
    cpu_with(avx512_bf16=capable)
    gpu_with(hardware=capable)
    assert resolve_precision(precision, device) is expected


def test_a_device_is_named_with_its_model(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"H200 number {device.index}")
    assert describe_device(torch.device("cpu")) == "cpu"
    assert describe_device(torch.device("cuda", 1)) == "cuda H200 number 1"


def test_a_placed_model_is_channels_last_and_computes_the_same():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)).eval()
    images = torch.rand(2, 3, 8, 8)
    before = model(images).detach()
    placed = place(model, CPU)
    assert placed[0].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(placed(images).detach(), before)


def test_a_model_is_placed_on_the_device_it_is_given():
    placed = place(nn.Conv2d(3, 8, 3), torch.device("meta"))
    assert placed.weight.device.type == "meta"
