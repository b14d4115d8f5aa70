"""Where networks run: which device, its name for people, and how its lack of memory is told."""

from __future__ import annotations

import os

import torch

from explorer.errors import ModelError

CHOICES = ("cuda", "mps", "cpu")
"""In the order in which they are tried."""


def choose_device() -> torch.device:
    """The device that networks run on: a CUDA GPU, else Apple's GPU, else the CPU.

    The environment variable `CNN_EXPLORER_DEVICE` overrides: "cpu", "cuda", "cuda:1", "mps".
    A GPU counts as there when it adds two numbers: a driver that is too old, or a card that this
    build of torch has no kernels for, says "available" and fails at the first operation.

    Raises:
        ModelError: the variable names no device, or one that does not work here.
    """
    wish = os.environ.get("CNN_EXPLORER_DEVICE", "").strip().lower()
    if wish:
        return _wished(wish)
    return next(device for device in map(torch.device, CHOICES) if _works(device))


def device_name(device: torch.device) -> str:
    """The device, as people know it: "NVIDIA H200", "Apple GPU (mps)", "CPU, 2 threads".

    >>> device_name(torch.device("mps"))
    'Apple GPU (mps)'
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU (mps)"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a GPU ran out of memory, so that the same work may succeed on the CPU.

    >>> is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 8.1 GB)"))
    True
    >>> is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    # Only the CUDA allocator has a type of its own; the libraries under it and Apple's allocator raise
    # a plain RuntimeError.
    signs = ("out of memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
    )


def _wished(wish: str) -> torch.device:
    choices = ", ".join(CHOICES)
    try:
        device = torch.device(wish)
    except RuntimeError:
        raise ModelError(f"CNN_EXPLORER_DEVICE is “{wish}”, but the choices are {choices}.") from None
    if device.type not in CHOICES:
        raise ModelError(f"CNN_EXPLORER_DEVICE is “{wish}”, but the choices are {choices}.")
    if not _works(device):
        raise ModelError(f"CNN_EXPLORER_DEVICE is “{wish}”, but that device does not work on this machine.")
    return device


def _available(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    return device.type == "cpu" or torch.backends.mps.is_available()


def _works(device: torch.device) -> bool:
    if not _available(device):
        return False
    try:
        return bool((torch.ones(1, device=device) + 1).item() == 2)
    except RuntimeError:
        return False
