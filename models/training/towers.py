"""The pretrained networks under the cross encoder, and tiny ones without weights for tests."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from models.training.config import NetworkConfig

_TINY_STAGES: Final = ((3, 2, 1, 8, 1), (3, 2, 2, 16, 1))
_LITE0_STAGES: Final = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""Kernel, stride of the first block, expansion, channels, blocks."""
_NORM_EPSILON: Final = 1e-3


class ScaledConvolution(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """A convolution and its batch norm with fixed statistics: the norm is a scale of the weights and a bias.

    Cheaper than a norm of its own, trained the same way, and one convolution once exported. The edges are padded as
    TensorFlow does, which these weights were trained with.
    """

    def __init__(self, inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outside, inside // groups, kernel, kernel))
        self.scale = nn.Parameter(torch.ones(outside))
        self.bias = nn.Parameter(torch.zeros(outside))
        self.stride, self.groups, self.kernel = stride, groups, kernel
        around = kernel - stride
        self._padding = 0 if around % 2 else around // 2
        nn.init.kaiming_normal_(self.weight, mode="fan_out")

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [n, inside, h, w] to [n, outside, h / stride, w / stride]; sides must be multiples of the stride."""
        around = self.kernel - self.stride
        if around % 2:  # one more on the right and below
            maps = functional.pad(maps, (around // 2, around - around // 2) * 2)
        weight = self.weight * self.scale[:, None, None, None]
        return functional.conv2d(maps, weight, self.bias, self.stride, self._padding, 1, self.groups)

    def folded(self) -> nn.Module:
        """The same as a plain convolution."""
        _, inside, *_ = self.weight.shape
        plain = nn.Conv2d(
            inside * self.groups, len(self.weight), self.kernel, self.stride, self._padding, groups=self.groups
        )
        with torch.no_grad():
            plain.weight.copy_(self.weight * self.scale[:, None, None, None])
            plain.bias.copy_(self.bias)
        around = self.kernel - self.stride
        if around % 2:
            return nn.Sequential(nn.ZeroPad2d((around // 2, around - around // 2) * 2), plain)
        return plain

    def load(self, weights: Mapping[str, Tensor], convolution: str, norm: str) -> None:
        """Take over a convolution and its batch norm."""
        with torch.no_grad():
            scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _NORM_EPSILON).sqrt()
            self.weight.copy_(weights[f"{convolution}.weight"])
            self.scale.copy_(scale)
            self.bias.copy_(weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale)


class Block(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """Expand, look around per channel, narrow; added to what came in where the shapes agree."""

    def __init__(self, inside: int, outside: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inside * expansion
        self.expand = ScaledConvolution(inside, hidden, 1) if expansion > 1 else None
        self.around = ScaledConvolution(hidden, hidden, kernel, stride, hidden)
        self.narrow = ScaledConvolution(hidden, outside, 1)
        self.adds = stride == 1 and inside == outside

    def forward(self, maps: Tensor) -> Tensor:
        """Maps [n, inside, h, w] to [n, outside, h / stride, w / stride]."""
        hidden = functional.relu6(self.expand(maps)) if self.expand is not None else maps
        narrowed = self.narrow(functional.relu6(self.around(hidden)))
        return maps + narrowed if self.adds else narrowed

    def load(self, weights: Mapping[str, Tensor], name: str) -> None:
        """Take over the pretrained block `name`."""
        if self.expand is not None:
            self.expand.load(weights, f"{name}._expand_conv", f"{name}._bn0")
        self.around.load(weights, f"{name}._depthwise_conv", f"{name}._bn1")
        self.narrow.load(weights, f"{name}._project_conv", f"{name}._bn2")


class PhotoTower(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """EfficientNet-lite up to its last map: [n, 3, side, side] to [n, width, side / 32, side / 32]."""

    def __init__(self, stages: tuple[tuple[int, int, int, int, int], ...], stem: int, width: int, frozen: int) -> None:
        super().__init__()
        self.width, self.frozen = width, frozen
        self.stem = ScaledConvolution(3, stem, 3, 2)
        blocks, inside = [], stem
        for kernel, stride, expansion, outside, count in stages:
            for number in range(count):
                blocks.append(Block(inside, outside, kernel, stride if number == 0 else 1, expansion))
                inside = outside
        self.blocks = nn.ModuleList(blocks)
        self.head = ScaledConvolution(inside, width, 1)
        if frozen:
            nn.ModuleList([self.stem, *blocks[:frozen]]).requires_grad_(requires_grad=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The last map of normalised pixels."""
        maps = functional.relu6(self.stem(pixels))
        for block in self.blocks:
            maps = block(maps)
        return functional.relu6(self.head(maps))

    def fold(self) -> None:
        """Make every convolution a plain one, for the export."""
        self.stem, self.head = self.stem.folded(), self.head.folded()
        for block in self.blocks:
            for name, part in list(block.named_children()):
                setattr(block, name, part.folded())

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the pretrained network."""
        self.stem.load(weights, "_conv_stem", "_bn0")
        for number, block in enumerate(self.blocks):
            block.load(weights, f"_blocks.{number}")
        self.head.load(weights, "_conv_head", "_bn1")


class TextTower(nn.Module):  # type: ignore[misc]  # torch is not installed where types are checked
    """BERT's last hidden states: ids and mask [n, tokens] to [n, tokens, width]."""

    def __init__(self, network: BertModel, frozen: int) -> None:
        super().__init__()
        self.network = network
        self.width: int = network.config.hidden_size
        if frozen:
            nn.ModuleList([network.embeddings, *network.encoder.layer[:frozen]]).requires_grad_(requires_grad=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Hidden states of tokens."""
        hidden: Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden


def photo_tower(config: NetworkConfig) -> PhotoTower:
    """The tower a configuration names, with its pretrained weights."""
    if config.photo == "tiny":
        return PhotoTower(_TINY_STAGES, 8, 32, config.frozen_photo_blocks)
    from models.export.backbones import lite0_weights  # noqa: PLC0415  # the packages with the weights may be missing

    tower = PhotoTower(_LITE0_STAGES, 32, 1280, config.frozen_photo_blocks)
    tower.load(lite0_weights())
    return tower


def text_tower(config: NetworkConfig) -> TextTower:
    """The tower a configuration names, with its pretrained weights."""
    if config.text == "tiny":
        sizes = BertConfig(
            vocab_size=30_522,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=config.max_text_tokens,
        )
        return TextTower(BertModel(sizes, add_pooling_layer=False), config.frozen_text_layers)
    from models.export.backbones import minilm  # noqa: PLC0415  # the packages with the weights may be missing

    return TextTower(minilm(128), config.frozen_text_layers)
