"""Checkpoints in OpenCLIP's format, read into a network of the same architecture.

Three kinds: OpenCLIP's own ViT with its own text transformer (which is CLIP); a SigLIP tower of timm with a text
transformer that looks at its last token (which is SigLIP; the Marqo e-commerce models are such); an EVA-02 tower of
timm (`models.export.open_clip_eva`). All have other names for the weights. Everything else (ResNets, text towers of
other libraries, any option that is not known here) is refused.
"""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import Regex, Tokenizer, normalizers
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from catalogue.errors import BundleInvalid
from models.export.open_clip_eva import SIZES as EVA
from models.export.open_clip_eva import read_eva
from models.export.open_clip_weights import (
    attention,
    block,
    clip_text,
    clip_text_weights,
    filled,
    linear,
    norm,
    read_weights,
)
from models.export.source import Source, plain_tokenizer
from models.export.source_files import OPEN_CLIP, licence_of, read_json
from models.export.source_images import made

_TANH: Final = "gelu_pytorch_tanh"
_TIMM: Final[Mapping[str, tuple[int, int, int, int, str]]] = {
    "vit_base_patch16_siglip": (768, 12, 12, 16, "gelu"),
    "vit_base_patch32_siglip": (768, 12, 12, 32, _TANH),
    "vit_large_patch16_siglip": (1024, 24, 16, 16, "gelu"),
}
"""timm's name without its resolution -> width, layers, heads, pixels of a patch, activation."""
_VIT: Final = frozenset({"patch_dropout", "head_width", "mlp_ratio", "layers", "width", "patch_size", "image_size"})
_TOWER: Final = frozenset(
    {"image_size", "timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj", "timm_drop", "timm_drop_path"}
)
_CLIP_TEXT: Final = frozenset(
    {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "hf_tokenizer_name", "tokenizer_kwargs"}
)
_SIGLIP_TEXT: Final = _CLIP_TEXT | {"no_causal_mask", "proj_bias", "pool_type", "norm_kwargs", "act_kwargs"}
"""Options of a text transformer that are known here; any other may make it another network."""


def read_open_clip(path: Path) -> Source:
    """The model that open_clip_config.json describes; raises BundleInvalid with the reason why it cannot be used."""
    where = path / OPEN_CLIP
    told = read_json(where)
    cfg, pictures = told.get("model_cfg"), told.get("preprocess_cfg") or {}
    cfg = cfg if isinstance(cfg, dict) else {}
    vision, text = cfg.get("vision_cfg"), cfg.get("text_cfg")
    if not isinstance(vision, dict) or not isinstance(text, dict) or not isinstance(pictures, dict):
        raise BundleInvalid(f"{where} lacks model_cfg with vision_cfg and text_cfg. Fetch the model again.")
    weights = read_weights(path)
    kind = _kind(where, vision)
    _check_options(where, text, _SIGLIP_TEXT if kind == "siglip" else _CLIP_TEXT)
    _check_options(where, vision, _VIT if kind == "clip" else _TOWER)
    try:
        model = {"clip": _clip, "siglip": _siglip, "eva-clip": read_eva}[kind](where, cfg, vision, text, weights)
        weights.check_all_read()
        return _source(path, weights.files, cfg, pictures, kind, model)
    except BundleInvalid:
        raise
    except Exception as error:  # a stranger's numbers: anything can come of them
        told_on_one_line = " ".join(str(error).split())
        raise BundleInvalid(f"{where} and the weights do not fit each other: {told_on_one_line[:300]}") from error


def _source(
    path: Path, files: list[Path], cfg: dict[str, Any], pictures: dict[str, Any], kind: str, model: nn.Module
) -> Source:
    where, is_siglip = path / OPEN_CLIP, kind == "siglip"
    tokenizer, filling = plain_tokenizer(path, fills=is_siglip)
    asked = cfg["text_cfg"].get("tokenizer_kwargs") or {}
    _clean(where, tokenizer, asked.get("clean", "whitespace" if is_siglip else "lower"))
    side, length = model.config.vision_config.image_size, model.config.text_config.max_position_embeddings
    mode = pictures.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash"):
        raise BundleInvalid(f"{where}: resize_mode {mode!r} is not among what a bundle does (shortest, squash).")
    return Source(
        path=path,
        weights=files,
        family=kind,
        model=model.eval(),
        tokenizer=tokenizer,
        preprocessor=made(
            where,
            side,
            resize=side if mode == "shortest" else None,
            square=side,
            resample=pictures.get("interpolation", "bicubic"),
            mean=pictures.get("mean"),
            std=pictures.get("std"),
        ),
        max_tokens=length,
        dim=cfg["embed_dim"],
        fill_to=length if is_siglip else None,
        filling=filling if is_siglip else 0,
        licence=licence_of(path),
    )


def _kind(where: Path, vision: dict[str, Any]) -> str:
    name = vision.get("timm_model_name")
    stem = str(name).rpartition("_")[0]
    if name is None:
        return "clip"
    if stem not in _TIMM and stem not in EVA:
        raise BundleInvalid(
            f"{where}: {name!r} is not a tower that can be exported. Those that can: {', '.join([*_TIMM, *EVA])}."
        )
    return "siglip" if stem in _TIMM else "eva-clip"


def _check_options(where: Path, given: dict[str, Any], known: frozenset[str]) -> None:
    if odd := sorted(name for name in given.keys() - known if given[name] not in (None, False)):
        raise BundleInvalid(f"{where}: {', '.join(odd[:3])} is not an option of a network that can be exported.")


def _clip(
    where: Path, cfg: dict[str, Any], vision: dict[str, Any], text: dict[str, Any], of: dict[str, Tensor]
) -> nn.Module:
    """OpenCLIP's own ViT and text transformer."""
    if not isinstance(vision.get("layers"), int):
        raise BundleInvalid(f"{where}: this vision_cfg is not a plain ViT, and no other can be exported.")
    act = "quick_gelu" if cfg.get("quick_gelu") else "gelu"
    width = vision["width"]
    model = CLIPModel(
        CLIPConfig(
            projection_dim=cfg["embed_dim"],
            vision_config={
                "hidden_size": width,
                "intermediate_size": int(width * vision.get("mlp_ratio", 4.0)),
                "num_hidden_layers": vision["layers"],
                "num_attention_heads": width // vision.get("head_width", 64),
                "image_size": vision["image_size"],
                "patch_size": vision["patch_size"],
                "hidden_act": act,
            },
            text_config=clip_text(text, cfg["embed_dim"], act),
        )
    )
    to = {
        "logit_scale": of["logit_scale"],
        "vision_model.embeddings.class_embedding": of["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": of["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": of["visual.positional_embedding"],
        **norm("vision_model.pre_layrnorm", "visual.ln_pre", of),
        **norm("vision_model.post_layernorm", "visual.ln_post", of),
        "visual_projection.weight": of["visual.proj"].T,
        **clip_text_weights(text["layers"], of),
    }
    for layer in range(vision["layers"]):
        to |= block(f"vision_model.encoder.layers.{layer}", f"visual.transformer.resblocks.{layer}", of)
    return filled(model, to)


def _siglip(
    where: Path, cfg: dict[str, Any], vision: dict[str, Any], text: dict[str, Any], of: dict[str, Tensor]
) -> nn.Module:
    """A SigLIP tower of timm, and a text transformer that sees all tokens and looks at the last."""
    name = vision["timm_model_name"]
    norms, acts = text.get("norm_kwargs") or {}, text.get("act_kwargs") or {}
    plain = text.get("no_causal_mask") and text.get("pool_type") == "last" and text.get("proj_bias")
    if (
        vision.get("timm_pool") != "map"
        or vision.get("timm_proj", "none") != "none"
        or not plain
        or norms.keys() - {"eps"}
        or acts.keys() - {"approximate"}
    ):
        raise BundleInvalid(f"{where}: {name!r} with these options is not a SigLIP, and nothing else can be exported.")
    width, layers, heads, patch, act = _TIMM[str(name).rpartition("_")[0]]
    model = SiglipModel(
        SiglipConfig(
            vision_config={
                "hidden_size": width,
                "intermediate_size": 4 * width,
                "num_hidden_layers": layers,
                "num_attention_heads": heads,
                "image_size": vision["image_size"],
                "patch_size": patch,
                "hidden_act": act,
            },
            text_config={
                "hidden_size": text["width"],
                "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4.0)),
                "num_hidden_layers": text["layers"],
                "num_attention_heads": text["heads"],
                "max_position_embeddings": text["context_length"],
                "vocab_size": text["vocab_size"],
                "projection_size": cfg["embed_dim"],
                "hidden_act": _TANH if acts.get("approximate") == "tanh" else "gelu",
                "layer_norm_eps": norms.get("eps", 1e-5),
            },
        )
    )
    pool, head = "visual.trunk.attn_pool", "vision_model.head"
    to = {
        "logit_scale": of["logit_scale"].reshape(1),
        "logit_bias": of["logit_bias"].reshape(1),
        "vision_model.embeddings.patch_embedding.weight": of["visual.trunk.patch_embed.proj.weight"],
        "vision_model.embeddings.patch_embedding.bias": of["visual.trunk.patch_embed.proj.bias"],
        "vision_model.embeddings.position_embedding.weight": of["visual.trunk.pos_embed"][0],
        **norm("vision_model.post_layernorm", "visual.trunk.norm", of),
        f"{head}.probe": of[f"{pool}.latent"],
        f"{head}.attention.in_proj_weight": torch.cat([of[f"{pool}.q.weight"], of[f"{pool}.kv.weight"]]),
        f"{head}.attention.in_proj_bias": torch.cat([of[f"{pool}.q.bias"], of[f"{pool}.kv.bias"]]),
        **linear(f"{head}.attention.out_proj", f"{pool}.proj", of),
        **norm(f"{head}.layernorm", f"{pool}.norm", of),
        **linear(f"{head}.mlp.fc1", f"{pool}.mlp.fc1", of),
        **linear(f"{head}.mlp.fc2", f"{pool}.mlp.fc2", of),
        "text_model.embeddings.token_embedding.weight": of["text.token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": of["text.positional_embedding"],
        **norm("text_model.final_layer_norm", "text.ln_final", of),
        **linear("text_model.head", "text.text_projection", of),
    }
    for layer in range(layers):
        own, there = f"visual.trunk.blocks.{layer}", f"vision_model.encoder.layers.{layer}"
        to |= attention(there, of[f"{own}.attn.qkv.weight"], of[f"{own}.attn.qkv.bias"])
        to |= linear(f"{there}.self_attn.out_proj", f"{own}.attn.proj", of)
        to |= norm(f"{there}.layer_norm1", f"{own}.norm1", of) | norm(f"{there}.layer_norm2", f"{own}.norm2", of)
        to |= linear(f"{there}.mlp.fc1", f"{own}.mlp.fc1", of) | linear(f"{there}.mlp.fc2", f"{own}.mlp.fc2", of)
    for layer in range(text["layers"]):
        to |= block(f"text_model.encoder.layers.{layer}", f"text.transformer.resblocks.{layer}", of)
    return filled(model, to)


def _clean(where: Path, tokenizer: Tokenizer, how: str) -> None:
    """Have the tokenizer do what OpenCLIP does to a text before it."""
    spaces = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    steps = {
        "whitespace": spaces,
        "lower": [*spaces, normalizers.Lowercase()],
        "canonicalize": [
            normalizers.Replace("_", " "),
            normalizers.Replace(Regex(f"[{''.join(chr(92) + sign for sign in string.punctuation)}]"), ""),
            normalizers.Lowercase(),
            *spaces,
        ],
    }.get(how)
    if steps is None:
        raise BundleInvalid(f"{where}: texts are cleaned by {how!r}, which is not known here.")
    own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    tokenizer.normalizer = normalizers.Sequence([*steps, *own])
