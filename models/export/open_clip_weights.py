"""The weights of a checkpoint in OpenCLIP's format, and the names they have in a network of `transformers`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file
from torch import Tensor, nn

from catalogue.errors import BundleInvalid
from models.export.source_files import OPEN_CLIP_WEIGHTS, WEIGHTS, check_weights

_FILES: Final = (OPEN_CLIP_WEIGHTS, WEIGHTS)
_PREFIX: Final = "model."
"""Before every name where the repository wraps the model in one of its own."""


class Weights(dict[str, Tensor]):
    """Weights by name that know which files they are from, and which of them were read."""

    def __init__(self, weights: Mapping[str, Tensor], files: Sequence[Path] = ()) -> None:
        super().__init__(weights)
        self.files = list(files)
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self._read.add(name)
        return super().__getitem__(name)

    def check_all_read(self) -> None:
        """Raise ValueError where some were not: they would be part of another network."""
        if left := self.keys() - self._read:
            raise ValueError(f"there is no place for the weights {', '.join(sorted(left)[:3])}")


def read_weights(path: Path, names: Sequence[str] = _FILES) -> Weights:
    """All of them in float32, from the first file of these names that is there; raises BundleInvalid."""
    name = next((name for name in names if (path / name).is_file()), names[0])
    files = check_weights(path, name)
    try:
        found: dict[str, Tensor] = load_file(path / name)
    except Exception as error:  # the Rust side has an exception of its own
        raise BundleInvalid(f"{path / name} cannot be read: {error}. Fetch it again.") from error
    if all(key.startswith(_PREFIX) for key in found):
        found = {key.removeprefix(_PREFIX): value for key, value in found.items()}
    # never all of them twice in memory
    return Weights({key: found.pop(key).float() for key in list(found)}, files)


def clip_text(config: Mapping[str, Any], embed_dim: int, act: str) -> dict[str, Any]:
    """The configuration of OpenCLIP's text transformer as that of a CLIP."""
    return {
        "hidden_size": config["width"],
        "intermediate_size": int(config["width"] * config.get("mlp_ratio", 4.0)),
        "num_hidden_layers": config["layers"],
        "num_attention_heads": config["heads"],
        "max_position_embeddings": config.get("context_length", 77),
        "vocab_size": config.get("vocab_size", 49408),
        "projection_dim": embed_dim,
        "hidden_act": act,
        "eos_token_id": 2,  # look at the highest number, as OpenCLIP does
    }


def clip_text_weights(layers: int, of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of that text transformer."""
    own = "text." if "text.token_embedding.weight" in of else ""
    to = {
        "text_model.embeddings.token_embedding.weight": of[f"{own}token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": of[f"{own}positional_embedding"],
        **norm("text_model.final_layer_norm", f"{own}ln_final", of),
        "text_projection.weight": of[f"{own}text_projection"].T,
    }
    for layer in range(layers):
        to |= block(f"text_model.encoder.layers.{layer}", f"{own}transformer.resblocks.{layer}", of)
    return to


def block(to: str, name: str, of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One layer of OpenCLIP's transformer."""
    return {
        **attention(to, of[f"{name}.attn.in_proj_weight"], of[f"{name}.attn.in_proj_bias"]),
        **linear(f"{to}.self_attn.out_proj", f"{name}.attn.out_proj", of),
        **norm(f"{to}.layer_norm1", f"{name}.ln_1", of),
        **norm(f"{to}.layer_norm2", f"{name}.ln_2", of),
        **linear(f"{to}.mlp.fc1", f"{name}.mlp.c_fc", of),
        **linear(f"{to}.mlp.fc2", f"{name}.mlp.c_proj", of),
    }


def attention(to: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    """Query, key and value, which come as one."""
    parts = {}
    for name, own, shift in zip("qkv", weight.chunk(3), bias.chunk(3), strict=True):
        parts[f"{to}.self_attn.{name}_proj.weight"], parts[f"{to}.self_attn.{name}_proj.bias"] = own, shift
    return parts


def linear(to: str, name: str, of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A weight and a bias."""
    return {f"{to}.{part}": of[f"{name}.{part}"] for part in ("weight", "bias")}


norm = linear  # the same two names


def filled(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """The model with exactly these weights, not copies; raises RuntimeError or KeyError where they do not fit."""
    own = {name for name in model.state_dict() if not name.endswith("position_ids")}
    prefixed = {_place(name, own): value.contiguous() for name, value in weights.items()}
    if missing := own - prefixed.keys():
        raise KeyError(f"nothing is known of {min(missing)}")
    model.load_state_dict(prefixed, strict=False, assign=True)
    return model


def _place(name: str, own: set[str]) -> str:
    if name not in own:
        raise KeyError(f"the network has no {name}")
    return name
