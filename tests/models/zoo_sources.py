"""Tiny models with random weights, saved in the formats in which the real ones are published."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

SIDE, PATCH, LENGTH = 32, 8, 24
WORDS = ["red", "mug", "steel", "bolt", "tea", "hot", "oak"]
SPREAD = 0.3
"""Of the weights: with the usual small ones all photos would look alike."""


def spread_out(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module with weights large enough that different inputs give different vectors."""
    torch.manual_seed(seed)
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=SPREAD)
        else:
            parameter.data += 0.1 * torch.randn_like(parameter)
    return module.eval()


def clip_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Bytes, bytes that end a word, and some merges, as CLIP's byte pairs have them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words, merges = [*letters, *(f"{letter}</w>" for letter in letters)], []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            pair = parts[0], parts[1]
            parts[:2] = ["".join(pair)]
            if pair not in merges:
                merges.append(pair)
                words.append(parts[0])
    words += ["<|startoftext|>", "<|endoftext|>"]
    return {word: number for number, word in enumerate(dict.fromkeys(words))}, merges


TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def save_clip(path: Path, *, legacy_end: bool = False, licence: str = "mit") -> Path:
    """As openai/clip-*, laion/CLIP-* and patrickjohncyh/fashion-clip are."""
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    vocabulary, merges = clip_vocabulary()
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges)
    ends = {"bos_token_id": 0, "eos_token_id": 2} if legacy_end else {
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id
    }  # fmt: skip
    config = CLIPConfig(
        text_config=TOWER | ends | {"vocab_size": len(vocabulary), "max_position_embeddings": LENGTH},
        vision_config=TOWER | {"image_size": SIDE, "patch_size": PATCH},
        projection_dim=24,
    )
    spread_out(CLIPModel(config)).save_pretrained(path)
    tokenizer.save_pretrained(path)
    processor = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor.save_pretrained(path)
    return _carded(path, licence)


def save_siglip(path: Path, licence: str = "apache-2.0") -> Path:
    """As google/siglip-* and the SigLIP 2 of fixed resolution are."""
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipImageProcessorPil, SiglipModel

    tokenizer = unigram()
    config = SiglipConfig(
        text_config=TOWER
        | {"vocab_size": tokenizer.get_vocab_size(), "max_position_embeddings": LENGTH, "projection_size": 32,
           "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1},
        vision_config=TOWER | {"image_size": SIDE, "patch_size": PATCH},
    )  # fmt: skip
    spread_out(SiglipModel(config)).save_pretrained(path)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="</s>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(path)
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(path)
    return _carded(path, licence)


def unigram() -> Tokenizer:
    """A tokenizer like SigLIP's: pieces with scores, and an end."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁", -3.0), *((letter, -5.0) for letter in letters)]
    pieces += [(f"▁{word}", -2.0) for word in WORDS]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens(["</s>", "<unk>"])
    return tokenizer


TINY_TIMM = {"vit_base_patch16_siglip": (64, 2, 2, 16, "gelu")}


class OpenClipBlock(nn.Module):  # type: ignore[misc]
    """A layer as OpenCLIP names its parts."""

    def __init__(self, width: int, heads: int, act: nn.Module, eps: float) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width, eps=eps), nn.LayerNorm(width, eps=eps)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})
        self.act = act

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        own = self.ln_1(x)
        x = x + self.attn(own, own, own, need_weights=False, attn_mask=mask)[0]
        return x + self.mlp["c_proj"](self.act(self.mlp["c_fc"](self.ln_2(x))))


class OpenClip(nn.Module):  # type: ignore[misc]
    """OpenCLIP's own ViT and text transformer, by its description and the names of its weights."""

    def __init__(self, vocabulary: int, dim: int = 24, width: int = 64) -> None:
        super().__init__()

        def transformer() -> nn.ModuleDict:
            return nn.ModuleDict(
                {"resblocks": nn.ModuleList(OpenClipBlock(width, 1, nn.GELU(), 1e-5) for _ in range(2))}
            )

        self.logit_scale = nn.Parameter(torch.tensor(1.0))
        self.visual = nn.Module()
        self.visual.conv1 = nn.Conv2d(3, width, PATCH, PATCH, bias=False)
        self.visual.class_embedding = nn.Parameter(torch.randn(width))
        self.visual.positional_embedding = nn.Parameter(torch.randn((SIDE // PATCH) ** 2 + 1, width))
        self.visual.ln_pre, self.visual.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.visual.transformer = transformer()
        self.visual.proj = nn.Parameter(torch.randn(width, dim))
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.randn(LENGTH, width))
        self.transformer = transformer()
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, dim))

    def image(self, pixels: Tensor) -> Tensor:
        own = self.visual
        x = own.conv1(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([own.class_embedding.expand(len(x), 1, -1), x], dim=1) + own.positional_embedding
        x = own.ln_pre(x)
        for block in own.transformer["resblocks"]:
            x = block(x)
        return own.ln_post(x[:, 0]) @ own.proj

    def text(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.positional_embedding[: ids.shape[1]]
        mask = torch.full((ids.shape[1], ids.shape[1]), float("-inf")).triu(1)
        for block in self.transformer["resblocks"]:
            x = block(x, mask)
        x = self.ln_final(x)
        return x[torch.arange(len(x)), ids.argmax(dim=-1)] @ self.text_projection


class TimmSiglip(nn.Module):  # type: ignore[misc]
    """timm's SigLIP tower and OpenCLIP's text transformer beside it, by their names."""

    def __init__(self, vocabulary: int, width: int = 64, heads: int = 2) -> None:
        super().__init__()

        def linear(wide: int, thin: int) -> nn.Linear:
            return nn.Linear(wide, thin)

        self.logit_scale, self.logit_bias = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(-10.0))
        self.heads = heads
        trunk = nn.Module()
        trunk.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, 16, 16)})
        trunk.pos_embed = nn.Parameter(torch.randn(1, (SIDE // 16) ** 2, width))
        trunk.blocks = nn.ModuleList()
        for _ in range(2):
            block = nn.Module()
            block.norm1, block.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
            block.attn = nn.ModuleDict({"qkv": linear(width, 3 * width), "proj": linear(width, width)})
            block.mlp = nn.ModuleDict({"fc1": linear(width, 4 * width), "fc2": linear(4 * width, width)})
            trunk.blocks.append(block)
        trunk.norm = nn.LayerNorm(width, eps=1e-6)
        pool = nn.Module()
        pool.latent = nn.Parameter(torch.randn(1, 1, width))
        pool.q, pool.kv, pool.proj = linear(width, width), linear(width, 2 * width), linear(width, width)
        pool.norm = nn.LayerNorm(width, eps=1e-6)
        pool.mlp = nn.ModuleDict({"fc1": linear(width, 4 * width), "fc2": linear(4 * width, width)})
        trunk.attn_pool = pool
        self.visual = nn.ModuleDict({"trunk": trunk})
        text = nn.Module()
        text.token_embedding = nn.Embedding(vocabulary, 64)
        text.positional_embedding = nn.Parameter(torch.randn(LENGTH, 64))
        text.transformer = nn.ModuleDict(
            {"resblocks": nn.ModuleList(OpenClipBlock(64, 2, nn.GELU(), 1e-6) for _ in range(2))}
        )
        text.ln_final = nn.LayerNorm(64, eps=1e-6)
        text.text_projection = nn.Linear(64, width)
        self.text_tower = text

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        def split(x: Tensor) -> Tensor:
            return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        found = nn.functional.scaled_dot_product_attention(split(q), split(k), split(v))
        return found.transpose(1, 2).flatten(2)

    def image(self, pixels: Tensor) -> Tensor:
        trunk, gelu = self.visual["trunk"], nn.functional.gelu
        x = trunk.patch_embed["proj"](pixels).flatten(2).transpose(1, 2) + trunk.pos_embed
        for block in trunk.blocks:
            x = x + block.attn["proj"](self._attend(*block.attn["qkv"](block.norm1(x)).chunk(3, dim=-1)))
            x = x + block.mlp["fc2"](gelu(block.mlp["fc1"](block.norm2(x))))
        x, pool = trunk.norm(x), trunk.attn_pool
        pooled = pool.proj(self._attend(pool.q(pool.latent.expand(len(x), -1, -1)), *pool.kv(x).chunk(2, dim=-1)))
        pooled = pooled + pool.mlp["fc2"](gelu(pool.mlp["fc1"](pool.norm(pooled))))
        return pooled[:, 0]

    def text(self, ids: Tensor) -> Tensor:
        tower = self.text_tower
        x = tower.token_embedding(ids) + tower.positional_embedding[: ids.shape[1]]
        for block in tower.transformer["resblocks"]:
            x = block(x)
        return tower.text_projection(tower.ln_final(x)[:, -1])


def save_open_clip(path: Path) -> tuple[Path, OpenClip]:
    """As OpenCLIP pushes its own models to the hub."""
    vocabulary, merges = clip_vocabulary()
    network = spread_out(OpenClip(len(vocabulary)))
    text = {"context_length": LENGTH, "vocab_size": len(vocabulary), "width": 64, "heads": 1, "layers": 2}
    vision = {"image_size": SIDE, "layers": 2, "width": 64, "patch_size": PATCH}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    _save_open_clip(path, network.state_dict(), config, {"mean": [0.48, 0.45, 0.4], "std": [0.26, 0.26, 0.27]})
    from transformers import CLIPTokenizer

    CLIPTokenizer(vocab=vocabulary, merges=merges).save_pretrained(path)
    return _carded(path, "mit"), network


def save_marqo(path: Path, *, wrapped: bool = True) -> tuple[Path, TimmSiglip]:
    """As the Marqo e-commerce models are: OpenCLIP with a timm tower, and remote code nobody needs.

    Its tower has the sizes of TINY_TIMM in place of those its name stands for.
    """
    tokenizer = unigram()
    network = spread_out(TimmSiglip(tokenizer.get_vocab_size()))
    weights = {name.replace("text_tower.", "text."): value for name, value in network.state_dict().items()}
    text = {
        "context_length": LENGTH, "vocab_size": tokenizer.get_vocab_size(), "width": 64, "heads": 2, "layers": 2,
        "no_causal_mask": True, "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6},
        "tokenizer_kwargs": {"clean": "canonicalize"}, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
    }  # fmt: skip
    vision = {
        "image_size": SIDE, "timm_model_name": "vit_base_patch16_siglip_224", "timm_pool": "map", "timm_proj": "none",
    }  # fmt: skip
    config = {"embed_dim": 64, "custom_text": True, "vision_cfg": vision, "text_cfg": text}
    pictures = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    if wrapped:
        weights = {f"model.{name}": value for name, value in weights.items()}
    _save_open_clip(path, weights, config, pictures)
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "</s>"}))
    (path / "config.json").write_text(json.dumps({"model_type": "marqo", "auto_map": {"AutoModel": "code.Model"}}))
    (path / "code.py").write_text("raise SystemExit('this must never run')\n")
    return _carded(path, "apache-2.0"), network


def _save_open_clip(path: Path, weights: dict[str, Tensor], config: dict[str, Any], pictures: dict[str, Any]) -> None:
    path.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in weights.items()}, path / "open_clip_model.safetensors")
    (path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": pictures}))


def _carded(path: Path, licence: str) -> Path:
    (path / "README.md").write_text(f"---\nlicense: {licence}\n---\n# A tiny model\n")
    return path
