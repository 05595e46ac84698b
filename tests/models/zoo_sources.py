"""Tiny models with random weights, saved in the formats in which the real ones are published."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import nn

from tests.models.open_clip_reference import MODELS, reference, weight

SIDE, PATCH, LENGTH = 32, 8, 24
WORDS = ["red", "mug", "steel", "bolt", "tea", "hot", "oak"]
TINY_TIMM = {
    "vit_base_patch16_siglip": (64, 2, 2, 16, "gelu"),
    "vit_base_patch32_siglip": (64, 2, 2, 32, "gelu_pytorch_tanh"),
}
TINY_EVA = {"eva02_base_patch16_clip": (32, 2, 2, 16)}
SPREAD = 0.3
"""Of the weights: with the usual small ones all photos would look alike."""


def spread_out(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A module with weights large enough that different inputs give different vectors, the same ones whenever.

    Some of its own are random before, and whatever ran until then would have a say in them.
    """
    torch.manual_seed(seed)
    module = make()
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
    spread_out(lambda: CLIPModel(config)).save_pretrained(path)
    tokenizer.save_pretrained(path)
    processor = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor.save_pretrained(path)
    return carded(path, licence)


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
    spread_out(lambda: SiglipModel(config)).save_pretrained(path)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="</s>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(path)
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(path)
    return carded(path, licence)


def save_siglip2(path: Path, padding_side: str = "right") -> Path:
    """As the SigLIP 2 of fixed resolution are: a SigLIP by its configuration, with Gemma's tokenizer."""
    from transformers import GemmaTokenizer, SiglipConfig, SiglipImageProcessorPil, SiglipModel

    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    words += [*"▁abcdefghijklmnopqrstuvwxyz0123456789"]
    merges = list[tuple[str, str]]()
    for word in WORDS:
        for end in range(1, len(word)):
            merges.append((word[:end], word[end]))
            words.append(word[: end + 1])
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    tokenizer = GemmaTokenizer(
        vocab=vocabulary,
        merges=list(dict.fromkeys(merges)),
        add_bos_token=False,
        add_eos_token=True,
        padding_side=padding_side,
    )
    tokenizer.save_pretrained(path)
    config = SiglipConfig(
        text_config=TOWER
        | {"vocab_size": len(vocabulary), "max_position_embeddings": LENGTH, "projection_size": 32,
           "hidden_act": "gelu_pytorch_tanh", "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0},
        vision_config=TOWER | {"image_size": SIDE, "patch_size": PATCH, "hidden_act": "gelu_pytorch_tanh"},
    )  # fmt: skip
    spread_out(lambda: SiglipModel(config)).save_pretrained(path)
    SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(path)
    return carded(path, "apache-2.0")


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


def save_open_clip(path: Path, kind: str = "vit", *, wrapped: bool = False) -> Path:
    """As OpenCLIP pushes models of a kind of `open_clip_reference` to the hub; `wrapped` as Marqo does.

    Its timm towers have the sizes of TINY_TIMM and TINY_EVA in place of those that their names stand for.
    """
    config, shapes = MODELS[kind], reference(kind)["shapes"]
    siglip = kind.startswith("siglip")
    prefix = "model." if wrapped else ""
    weights = {f"{prefix}{name}": torch.from_numpy(weight(name, tuple(shape))) for name, shape in shapes.items()}
    path.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in weights.items()}, path / "open_clip_model.safetensors")
    pictures: dict[str, Any] = {"mean": [0.48, 0.45, 0.4], "std": [0.26, 0.26, 0.27]}
    if siglip:
        pictures = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    (path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": pictures}))
    if siglip:
        unigram().save(str(path / "tokenizer.json"))
        (path / "tokenizer_config.json").write_text(json.dumps({"pad_token": "</s>"}))
    else:
        from transformers import CLIPTokenizer

        vocabulary, merges = clip_vocabulary()
        CLIPTokenizer(vocab=vocabulary, merges=merges).save_pretrained(path)
    if wrapped:
        (path / "config.json").write_text(json.dumps({"model_type": "marqo", "auto_map": {"AutoModel": "code.Model"}}))
        (path / "code.py").write_text("raise SystemExit('this must never run')\n")
    return carded(path, "apache-2.0" if siglip else "mit")


def carded(path: Path, licence: str) -> Path:
    """The directory with a model card that names the licence."""
    (path / "README.md").write_text(f"---\nlicense: {licence}\n---\n# A tiny model\n")
    return path
