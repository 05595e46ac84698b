"""Checkpoints in OpenCLIP's format, read into the `transformers` network of the same architecture.

Two kinds: OpenCLIP's own ViT with its own text transformer (which is CLIP), and a SigLIP tower of timm with a text
transformer that looks at its last token (which is SigLIP; the Marqo e-commerce models are such). Both have another
name for every weight. Everything else (ResNets, EVA towers, text towers of other libraries) is refused.
"""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import load_file
from tokenizers import Regex, Tokenizer, normalizers
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from catalogue.errors import BundleInvalid
from models.export.source import Source, plain_tokenizer
from models.export.source_files import OPEN_CLIP, WEIGHTS, check_weights, licence_of, read_json
from models.export.source_images import made

_FILES: Final = ("open_clip_model.safetensors", WEIGHTS)
_PREFIX: Final = "model."
"""Before every name where the repository wraps the model in one of its own."""
_TANH: Final = "gelu_pytorch_tanh"
_TIMM: Final[Mapping[str, tuple[int, int, int, int, str]]] = {
    "vit_base_patch16_siglip": (768, 12, 12, 16, "gelu"),
    "vit_base_patch32_siglip": (768, 12, 12, 32, _TANH),
    "vit_large_patch16_siglip": (1024, 24, 16, 16, "gelu"),
}
"""timm's name without its resolution -> width, layers, heads, pixels of a patch, activation."""
_UNSUPPORTED: Final = ("hf_model_name", "embed_cls", "ls_init_value", "qk_norm", "norm_mode", "attn_pool")
_VIT_OPTIONS: Final = ("patch_dropout", "head_width", "mlp_ratio", "layers", "width", "patch_size", "image_size")


def read_open_clip(path: Path) -> Source:
    """The model that open_clip_config.json describes; raises BundleInvalid with the reason why it cannot be used."""
    where = path / OPEN_CLIP
    told = read_json(where)
    cfg, pictures = told.get("model_cfg"), told.get("preprocess_cfg") or {}
    cfg = cfg if isinstance(cfg, dict) else {}
    vision, text = cfg.get("vision_cfg"), cfg.get("text_cfg")
    if not isinstance(vision, dict) or not isinstance(text, dict) or not isinstance(pictures, dict):
        raise BundleInvalid(f"{where} lacks model_cfg with vision_cfg and text_cfg. Fetch the model again.")
    odd = [name for name in _UNSUPPORTED if text.get(name) or vision.get(name)]
    if odd:
        raise BundleInvalid(f"{where}: {', '.join(odd)} is not an architecture that can be exported.")
    weights = _weights(path)
    try:
        is_siglip = "timm_model_name" in vision
        model = (_siglip if is_siglip else _clip)(where, cfg, vision, text, weights)
        weights.check_all_read()
    except (KeyError, TypeError, ValueError, ZeroDivisionError, RuntimeError) as error:
        raise BundleInvalid(f"{where} and the weights do not fit each other: {str(error)[:300]}") from error
    tokenizer, filling = plain_tokenizer(path)
    _clean(where, tokenizer, (text.get("tokenizer_kwargs") or {}).get("clean", "whitespace" if is_siglip else "lower"))
    side, length = model.config.vision_config.image_size, model.config.text_config.max_position_embeddings
    mode = pictures.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash"):
        raise BundleInvalid(f"{where}: resize_mode {mode!r} is not among what a bundle does (shortest, squash).")
    return Source(
        path=path,
        family="siglip" if is_siglip else "clip",
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


class _Weights(dict[str, Tensor]):
    """Weights by name that know which of them were read."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__(weights)
        self._read: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self._read.add(name)
        return super().__getitem__(name)

    def check_all_read(self) -> None:
        """Raise ValueError where some were not: they would be part of another network."""
        if left := self.keys() - self._read:
            raise ValueError(f"there is no place for the weights {', '.join(sorted(left)[:3])}")


def _weights(path: Path) -> _Weights:
    name = next((name for name in _FILES if (path / name).is_file()), _FILES[0])
    check_weights(path, name)
    try:
        found: dict[str, Tensor] = load_file(path / name)
    except Exception as error:  # the Rust side has an exception of its own
        raise BundleInvalid(f"{path / name} cannot be read: {error}. Fetch it again.") from error
    if all(key.startswith(_PREFIX) for key in found):
        found = {key.removeprefix(_PREFIX): value for key, value in found.items()}
    return _Weights({key: value.float() for key, value in found.items()})


def _clip(
    where: Path, cfg: dict[str, Any], vision: dict[str, Any], text: dict[str, Any], of: dict[str, Tensor]
) -> nn.Module:
    """OpenCLIP's own ViT and text transformer."""
    if not isinstance(vision.get("layers"), int) or vision.keys() - set(_VIT_OPTIONS):
        raise BundleInvalid(f"{where}: this vision_cfg is not a plain ViT, and no other can be exported.")
    act = "quick_gelu" if cfg.get("quick_gelu") else "gelu"
    width, head = vision["width"], vision.get("head_width", 64)
    model = CLIPModel(
        CLIPConfig(
            projection_dim=cfg["embed_dim"],
            vision_config={
                "hidden_size": width,
                "intermediate_size": int(width * vision.get("mlp_ratio", 4.0)),
                "num_hidden_layers": vision["layers"],
                "num_attention_heads": width // head,
                "image_size": vision["image_size"],
                "patch_size": vision["patch_size"],
                "hidden_act": act,
            },
            text_config={
                "hidden_size": text["width"],
                "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4.0)),
                "num_hidden_layers": text["layers"],
                "num_attention_heads": text["heads"],
                "max_position_embeddings": text.get("context_length", 77),
                "vocab_size": text.get("vocab_size", 49408),
                "hidden_act": act,
                "eos_token_id": 2,  # look at the highest number, as OpenCLIP does
            },
        )
    )
    own = "text." if "text.token_embedding.weight" in of else ""
    to = {
        "logit_scale": of["logit_scale"],
        "vision_model.embeddings.class_embedding": of["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": of["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": of["visual.positional_embedding"],
        **_norm("vision_model.pre_layrnorm", "visual.ln_pre", of),
        **_norm("vision_model.post_layernorm", "visual.ln_post", of),
        "visual_projection.weight": of["visual.proj"].T,
        "text_model.embeddings.token_embedding.weight": of[f"{own}token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": of[f"{own}positional_embedding"],
        **_norm("text_model.final_layer_norm", f"{own}ln_final", of),
        "text_projection.weight": of[f"{own}text_projection"].T,
    }
    for layer in range(vision["layers"]):
        to |= _block(f"vision_model.encoder.layers.{layer}", f"visual.transformer.resblocks.{layer}", of)
    for layer in range(text["layers"]):
        to |= _block(f"text_model.encoder.layers.{layer}", f"{own}transformer.resblocks.{layer}", of)
    return _filled(model, to)


def _siglip(
    where: Path, cfg: dict[str, Any], vision: dict[str, Any], text: dict[str, Any], of: dict[str, Tensor]
) -> nn.Module:
    """A SigLIP tower of timm, and a text transformer that sees all tokens and looks at the last."""
    name = vision["timm_model_name"]
    known = _TIMM.get(str(name).rpartition("_")[0])
    plain = text.get("no_causal_mask") and text.get("pool_type") == "last" and text.get("proj_bias")
    if (
        known is None
        or vision.get("timm_pool") != "map"
        or vision.get("timm_proj", "none") not in ("none", "")
        or not plain
    ):
        raise BundleInvalid(
            f"{where}: {name!r} with this text_cfg is not a SigLIP, and no other timm tower can be exported."
        )
    width, layers, heads, patch, act = known
    tanh = (text.get("act_kwargs") or {}).get("approximate") == "tanh"
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
                "hidden_act": _TANH if tanh else "gelu",
                "layer_norm_eps": (text.get("norm_kwargs") or {}).get("eps", 1e-5),
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
        **_norm("vision_model.post_layernorm", "visual.trunk.norm", of),
        f"{head}.probe": of[f"{pool}.latent"],
        f"{head}.attention.in_proj_weight": torch.cat([of[f"{pool}.q.weight"], of[f"{pool}.kv.weight"]]),
        f"{head}.attention.in_proj_bias": torch.cat([of[f"{pool}.q.bias"], of[f"{pool}.kv.bias"]]),
        **_linear(f"{head}.attention.out_proj", f"{pool}.proj", of),
        **_norm(f"{head}.layernorm", f"{pool}.norm", of),
        **_linear(f"{head}.mlp.fc1", f"{pool}.mlp.fc1", of),
        **_linear(f"{head}.mlp.fc2", f"{pool}.mlp.fc2", of),
        "text_model.embeddings.token_embedding.weight": of["text.token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": of["text.positional_embedding"],
        **_norm("text_model.final_layer_norm", "text.ln_final", of),
        **_linear("text_model.head", "text.text_projection", of),
    }
    for layer in range(layers):
        block, there = f"visual.trunk.blocks.{layer}", f"vision_model.encoder.layers.{layer}"
        to |= _attention(there, of[f"{block}.attn.qkv.weight"], of[f"{block}.attn.qkv.bias"])
        to |= _linear(f"{there}.self_attn.out_proj", f"{block}.attn.proj", of)
        to |= _norm(f"{there}.layer_norm1", f"{block}.norm1", of) | _norm(f"{there}.layer_norm2", f"{block}.norm2", of)
        to |= _linear(f"{there}.mlp.fc1", f"{block}.mlp.fc1", of) | _linear(f"{there}.mlp.fc2", f"{block}.mlp.fc2", of)
    for layer in range(text["layers"]):
        to |= _block(f"text_model.encoder.layers.{layer}", f"text.transformer.resblocks.{layer}", of)
    return _filled(model, to)


def _block(to: str, name: str, of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One layer of OpenCLIP's transformer."""
    return {
        **_attention(to, of[f"{name}.attn.in_proj_weight"], of[f"{name}.attn.in_proj_bias"]),
        **_linear(f"{to}.self_attn.out_proj", f"{name}.attn.out_proj", of),
        **_norm(f"{to}.layer_norm1", f"{name}.ln_1", of),
        **_norm(f"{to}.layer_norm2", f"{name}.ln_2", of),
        **_linear(f"{to}.mlp.fc1", f"{name}.mlp.c_fc", of),
        **_linear(f"{to}.mlp.fc2", f"{name}.mlp.c_proj", of),
    }


def _attention(to: str, weight: Tensor, bias: Tensor) -> dict[str, Tensor]:
    parts = {}
    for name, own, shift in zip("qkv", weight.chunk(3), bias.chunk(3), strict=True):
        parts[f"{to}.self_attn.{name}_proj.weight"], parts[f"{to}.self_attn.{name}_proj.bias"] = own, shift
    return parts


def _linear(to: str, name: str, of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{to}.{part}": of[f"{name}.{part}"] for part in ("weight", "bias")}


_norm = _linear  # the same two names


def _filled(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """The model with exactly these weights; raises RuntimeError or KeyError where they do not fit."""
    own = {name for name in model.state_dict() if not name.endswith("position_ids")}
    prefixed = {_place(name, own): value.contiguous() for name, value in weights.items()}
    if missing := own - prefixed.keys():
        raise KeyError(f"nothing is known of {min(missing)}")
    model.load_state_dict(prefixed, strict=False)
    return model


def _place(name: str, own: set[str]) -> str:
    if name not in own:
        raise KeyError(f"the network has no {name}")
    return name


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
