"""Processes that train together, one a device: `torchrun --nproc-per-node N -m service train ...`."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

import torch
from accelerate import PartialState
from torch import Tensor

_PATIENCE: Final = timedelta(days=1)
"""How long one waits for another: photos of a large catalogue are decoded by one of them."""


def processes() -> PartialState:
    """This process among those that were started together; the first call in each meets the others."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)


def is_main() -> bool:
    """Whether this is the one that writes files and tells people."""
    return bool(processes().is_main_process)


def add_up(parts: Iterable[Tensor]) -> list[Tensor]:
    """Each tensor summed over all processes, which must give the same shapes in the same order; exchanged as one."""
    own = list(parts)
    if processes().num_processes == 1 or not own:
        return own
    flat = torch.cat([part.reshape(-1).float() for part in own])
    torch.distributed.all_reduce(flat)
    sums: Sequence[Tensor] = flat.split([part.numel() for part in own])
    return [whole.reshape(part.shape).to(part.dtype) for whole, part in zip(sums, own, strict=True)]
