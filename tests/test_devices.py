"""The best device that works is chosen, named, and its lack of memory recognised."""

from __future__ import annotations

import pytest
import torch

from explorer import devices
from explorer.errors import ModelError


@pytest.fixture(autouse=True)
def no_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNN_EXPLORER_DEVICE", raising=False)


def pretend(monkeypatch: pytest.MonkeyPatch, *there: str, cuda_count: int = 1) -> None:
    """A machine where torch says that these devices are available; their tensors live on the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda_count if "cuda" in there else 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *size, device: ones(*size))


@pytest.mark.parametrize(
    ("there", "chosen"),
    [(("cuda", "mps"), "cuda"), (("cuda",), "cuda"), (("mps",), "mps"), ((), "cpu")],
)
def test_cuda_comes_before_mps_before_cpu(
    there: tuple[str, ...], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, *there)
    assert devices.choose_device() == torch.device(chosen)


def test_gpu_that_cannot_add_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda", "mps")
    ones = torch.ones

    def no_kernel(*size: int, device: torch.device) -> torch.Tensor:
        if device.type == "cuda":
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device")
        return ones(*size, device=device)

    monkeypatch.setattr(torch, "ones", no_kernel)
    assert devices.choose_device().type == "mps"
    monkeypatch.setenv("CNN_EXPLORER_DEVICE", "cuda")
    with pytest.raises(ModelError, match="CNN_EXPLORER_DEVICE is “cuda”, but that device does not work"):
        devices.choose_device()


@pytest.mark.parametrize("wish", ["cpu", "mps", "cuda:1", " CUDA "])
def test_the_variable_overrides(wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda", "mps", cuda_count=2)
    monkeypatch.setenv("CNN_EXPLORER_DEVICE", wish)
    assert str(devices.choose_device()) == wish.strip().lower()


@pytest.mark.parametrize("wish", ["gpu", "cuda:x", "tpu", "meta", "cuda0"])
def test_nonsense_names_the_choices(wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNN_EXPLORER_DEVICE", wish)
    with pytest.raises(ModelError) as raised:
        devices.choose_device()
    assert str(raised.value) == f"CNN_EXPLORER_DEVICE is “{wish}”, but the choices are cuda, mps, cpu."


@pytest.mark.parametrize("wish", ["cuda:2", "mps"])
def test_device_that_is_not_there_is_refused(wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "cuda", cuda_count=2)
    monkeypatch.setenv("CNN_EXPLORER_DEVICE", wish)
    with pytest.raises(ModelError, match=f"“{wish}”, but that device does not work on this machine"):
        devices.choose_device()


def test_names_are_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"NVIDIA H200 [{device.index}]")
    assert devices.device_name(torch.device("cuda:1")) == "NVIDIA H200 [1]"
    assert devices.device_name(torch.device("mps")) == "Apple GPU (mps)"
    for threads, name in ((1, "CPU, 1 thread"), (2, "CPU, 2 threads")):
        monkeypatch.setattr(torch, "get_num_threads", lambda count=threads: count)
        assert devices.device_name(torch.device("cpu")) == name


@pytest.mark.parametrize(
    ("error", "out_of_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (torch.cuda.OutOfMemoryError(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.10 GB)"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory"),
            False,
        ),
        (ValueError("out of memory"), False),
    ],
)
def test_only_a_gpus_lack_of_memory_is_recognised(error: Exception, out_of_memory: bool) -> None:
    assert devices.is_out_of_memory(error) is out_of_memory


@pytest.mark.gpu
def test_a_real_gpu_is_chosen_named_and_its_lack_of_memory_recognised() -> None:
    device = devices.choose_device()
    assert device.type == "cuda"
    assert devices.device_name(device) == torch.cuda.get_device_properties(0).name
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 50, dtype=torch.uint8, device=device)
    assert devices.is_out_of_memory(raised.value)
