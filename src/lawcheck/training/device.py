"""The device a scale's hardware names, or one line about why it cannot be had."""

from __future__ import annotations

import torch

from lawcheck.declare.scale import Hardware
from lawcheck.errors import InputError
from lawcheck.training.launch import is_worker


def require_device(hardware: Hardware) -> torch.device:
    """Raises InputError where there is no such device, or where a lone process sees several.

    transformers' Trainer spreads a lone process over every accelerator it sees, which changes
    the batch; a launcher's processes take one each.
    """
    if hardware.device == "cuda":
        if not torch.cuda.is_available():
            raise InputError(
                f"device 'cuda': torch {torch.__version__} sees no accelerator; run where there "
                f"is one, with a CUDA build of torch, or take a scale whose hardware is 'cpu'"
            )
        count = torch.cuda.device_count()
        if count > 1 and not is_worker():
            raise InputError(
                f"device 'cuda': this process sees {count} accelerators, expected one; set "
                f"CUDA_VISIBLE_DEVICES to one of them"
            )
    return torch.device(hardware.device)
