"""Checkpoints: files written whole or not at all, from which a run goes on as if it had never stopped."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from catalogue.errors import ConfigurationError
from catalogue.files import sync_directory
from models.training.config import TrainConfig, differences

CHECKPOINT: Final = "checkpoint.pt"
BEST: Final = "best.pt"
"""The averaged weights with the best figures so far."""


def save(path: Path, config: TrainConfig, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers and text in place of what was there."""
    fresh = path.with_suffix(".tmp")
    with fresh.open("wb") as file:
        torch.save({"config": config.model_dump_json(), **state}, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    sync_directory(path.parent)


def load(path: Path, config: TrainConfig) -> dict[str, Any]:
    """What was saved.

    Raises ConfigurationError where there is nothing readable, or another configuration made it, with what differs.
    """
    state, theirs = _read(path)
    if differing := differences(config, theirs):
        raise ConfigurationError(
            f"{path} belongs to another configuration: {'; '.join(differing[:8])}. Give that one, or another --out."
        )
    return state


def load_weights(path: Path) -> dict[str, Tensor]:
    """The averaged weights in a checkpoint or a best.pt, of any configuration."""
    weights: dict[str, Tensor] = _read(path)[0]["averaged"]
    return weights


def start(model: nn.Module, path: Path) -> None:
    """Take over the averaged weights of another run; raises ConfigurationError where its network is another one."""
    try:
        model.load_state_dict(load_weights(path))
    except RuntimeError as error:
        raise ConfigurationError(
            f"start_from: the weights in {path} are of another network than [network] describes. Give its sizes, "
            f"or start without. {' '.join(str(error).split())[:300]}"
        ) from error


def load_config(path: Path) -> TrainConfig:
    """The configuration of the run that wrote a file."""
    return _read(path)[1]


def _read(path: Path) -> tuple[dict[str, Any], TrainConfig]:
    if not path.is_file():
        raise ConfigurationError(
            f"There is no {path}: that run wrote none yet. Train longer, or leave --resume out to start anew."
        )
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        return state, TrainConfig.model_validate_json(state["config"])
    except Exception as error:  # torch has no common error for files that are not its own
        raise ConfigurationError(f"{path} is not a checkpoint that samestyle train can read: {error}") from error
