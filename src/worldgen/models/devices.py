"""Devices and threads that PyTorch can compute with on this machine."""

from __future__ import annotations

import torch

from worldgen.core.errors import InputError

MAX_THREADS = 1024


def usable_device(name: str) -> torch.device:
    """The device of a name; "" is the best there is.

    Raises:
        InputError: no such device here, or one that does not compute (``meta``).
    """
    if not name:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type == "meta":
            raise InputError("device", name, "a device PyTorch can use here, such as cpu")
        torch.zeros(1, device=device).sum().item()
    except (RuntimeError, AssertionError, TypeError, ImportError, AttributeError) as error:
        raise InputError("device", name, "a device PyTorch can use here, such as cpu") from error
    return device
