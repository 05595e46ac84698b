"""Jina-CLIP v1 and v2, published as weights for code that is never run here: both networks are built from them.

What config.json says is compared with the weights, and an option that would make it another network is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import nn

from catalogue.errors import BundleInvalid
from models.export.jina_networks import JinaReader
from models.export.jina_text import Kind, Options, check_options, check_sizes, kind_of, layers_of
from models.export.open_clip_eva import EvaClip, EvaTower
from models.export.open_clip_weights import Weights, filled, read_weights
from models.export.source import Source, plain_tokenizer
from models.export.source_files import JINA_CLIP, WEIGHTS, licence_of, read_json
from models.export.source_images import made
from models.preprocessing import PreprocessorConfig

_EYE: Final = "vision_model."
_LONGEST: Final = 512
"""Tokens, as the model's own code cuts texts; attention by distance or rotation has no end of its own."""
_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
_STD: Final = (0.26862954, 0.26130258, 0.27577711)

_MODEL: Final[Options] = {"add_projections": (False, False), "truncate_dim": (None, None)}
_VISION: Final[Options] = {
    "qkv_bias": (True, True),
    "rope_embeddings": (False, True),
    "intp_freq": (False, True),
    "pt_hw_seq_len": (16, 16),
    "naive_swiglu": (False, True),
    "subln": (False, True),
    "post_norm": (False, False),
    "ls_init_value": (None, None),
    "proj_type": (None, None),
}
_PARTS: Final = {
    "attn.q_proj.bias": "attn.q_bias",
    "attn.v_proj.bias": "attn.v_bias",
    "attn.norm.": "attn.inner_attn_ln.",
    "mlp.fc1_g.": "mlp.w1.",
    "mlp.fc1_x.": "mlp.w2.",
    "mlp.fc2.": "mlp.w3.",
    "mlp.norm.": "mlp.ffn_ln.",
}
"""Names of an EVA tower's weights in timm, and in its authors' code and here."""


def read_jina_clip(path: Path, config: Mapping[str, Any]) -> Source:
    """The model in a directory whose config.json is `config`; raises BundleInvalid with the reason why it cannot be."""
    where = path / "config.json"
    check_config(where, config)
    vision, text = config["vision_config"], config["text_config"]
    kind = kind_of(where, text)
    tokenizer, _ = plain_tokenizer(path, fills=False)
    filling = _filling(path / "tokenizer.json", tokenizer, kind)
    weights = read_weights(path, (WEIGHTS,))
    try:
        tower = _tower(where, vision, weights)
        reader = kind.read(where, text, weights, filling)
        weights["logit_scale"]  # a part of every checkpoint that plays no role here
        _check_tables(weights, tower, reader)
        weights.check_all_read()
    except BundleInvalid:
        raise
    except Exception as error:  # a stranger's numbers: anything can come of them
        told_on_one_line = " ".join(str(error).split())
        raise BundleInvalid(f"{where} and the weights do not fit each other: {told_on_one_line[:300]}") from error
    words, width = reader.embeddings["word_embeddings"].weight.shape
    reader.config = SimpleNamespace(vocab_size=words)
    side = vision.get("image_size", 224)
    return Source(
        path=path,
        weights=weights.files,
        family=JINA_CLIP,
        model=EvaClip(tower, reader, side).eval(),
        tokenizer=tokenizer,
        preprocessor=_pictures(path / "preprocessor_config.json", side),
        max_tokens=_LONGEST,
        dim=width,
        fill_to=None,
        filling=filling,
        licence=licence_of(path),
        adapter=kind.adapter(text),
    )


def check_config(where: Path, config: Mapping[str, Any]) -> None:
    """Raise BundleInvalid unless config.json speaks of a network that is built here."""
    vision, text = config.get("vision_config"), config.get("text_config")
    if not isinstance(vision, dict) or not isinstance(text, dict):
        raise BundleInvalid(f"{where} lacks vision_config and text_config. Fetch the model again.")
    check_options(where, "", config, _MODEL)
    kind_of(where, text).check(where, text)
    check_options(where, "vision_config.", vision, _VISION)


def _filling(where: Path, tokenizer: Tokenizer, kind: Kind) -> int:
    """The number of the token that counts as none; BundleInvalid unless texts begin and end as the tower reads them."""
    start, end, filling = (tokenizer.token_to_id(word) for word in (kind.start, kind.end, kind.filling))
    tokenizer.no_padding()
    try:
        ids = tokenizer.encode("a red mug").ids
    except Exception as error:  # the Rust side raises plain Exception
        raise BundleInvalid(f"{where} cannot read a text: {error}. Fetch it again.") from error
    if filling is None or len(ids) < 3 or (ids[0], ids[-1]) != (start, end):
        raise BundleInvalid(
            f"{where} does not begin a text with {kind.start} and end it with {kind.end}: it is not this model's."
        )
    return filling


def _tower(where: Path, told: Mapping[str, Any], of: Weights) -> nn.Module:
    """The tower for photos, an EVA-02; all sizes but that of a head stand in its weights too."""
    width, _, patch, _ = of[f"{_EYE}patch_embed.proj.weight"].shape
    places = of[f"{_EYE}pos_embed"].shape[1] - 1
    layers, inner = layers_of(of, f"{_EYE}blocks."), of[f"{_EYE}blocks.0.mlp.w1.weight"].shape[0]
    side, head = told.get("image_size", 224), told.get("head_width", 64)
    said = {
        "width": (told.get("width", 768), width),
        "embed_dim": (told.get("embed_dim", 768), width),
        "layers": (told.get("layers", 12), layers),
        "patch_size": (told.get("patch_size", 16), patch),
        "image_size": ((side // patch) ** 2, places),
        "mlp_ratio": (int(told.get("width", 768) * told.get("mlp_ratio", 4.0)), inner),
        "head_width": (width % head, 0),
    }
    check_sizes(where, "vision_config.", said)
    tower = EvaTower(side, width, layers, width // head, patch, None, inner)
    return filled(tower, {name: of[_EYE + _name_here(name)] for name in tower.state_dict()})


def _name_here(name: str) -> str:
    for there, here in _PARTS.items():
        name = name.replace(there, here)
    return name


def _check_tables(of: Weights, tower: nn.Module, reader: JinaReader) -> None:
    """Raise ValueError for tables, kept in a checkpoint though they follow from its sizes, that are other ones."""
    tables = {
        "rope.freqs_cos": tower.cosines.repeat_interleave(2, dim=1),
        "rope.freqs_sin": tower.sines.repeat_interleave(2, dim=1),
        **reader.tables,
    }
    for name in of:
        for ending, table in tables.items():
            if name.endswith(ending) and not torch.allclose(of[name], table, atol=1e-3):
                raise ValueError(f"{name} is another table than that of the network")


def _pictures(where: Path, side: int) -> PreprocessorConfig:
    """What the model's own code for photos does, by its options."""
    told = read_json(where)
    kind, size = told.get("image_processor_type", "JinaCLIPImageProcessor"), told.get("size", 224)
    if kind != "JinaCLIPImageProcessor":
        raise BundleInvalid(f"{where}: photos are prepared by {kind!r}, and those of a Jina-CLIP are not.")
    mode = told.get("resize_mode") or "shortest"
    if mode not in ("shortest", "squash"):
        raise BundleInvalid(f"{where}: resize_mode {mode!r} is not among what a bundle does (shortest, squash).")
    return made(
        where,
        side,
        resize=side if mode == "shortest" else None,
        square=size[0] if isinstance(size, list) and size == size[:1] * 2 else size,
        resample=told.get("interpolation") or "bicubic",
        mean=told.get("mean") or _MEAN,
        std=told.get("std") or _STD,
    )
