"""Jina-CLIP v1, which is published as weights for code that is never run here: both networks are built from them.

The text tower's sizes stand in another repository than its weights, so they are read off the weights. What config.json
says is compared with these, and an option that would make it another network is refused.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import torch
from torch import Tensor, nn

from catalogue.errors import BundleInvalid
from models.export.jina_bert import JinaBert, slopes
from models.export.open_clip_eva import EvaClip, EvaTower
from models.export.open_clip_weights import Weights, filled, read_weights
from models.export.source import Source, plain_tokenizer
from models.export.source_files import JINA_CLIP, WEIGHTS, licence_of, read_json
from models.export.source_images import made
from models.preprocessing import PreprocessorConfig

_EYE, _READER, _LAYERS = "vision_model.", "text_model.transformer.", "encoder.layers."
_BERT: Final = "jinaai/jina-bert-flash-implementation"
_HEAD: Final = 64
"""Numbers of a head of the text tower, which is the one size that its weights do not tell."""
_LONGEST: Final = 512
"""Tokens, as the model's own code cuts texts; attention by distance has no end of its own."""
_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
_STD: Final = (0.26862954, 0.26130258, 0.27577711)

_Options = Mapping[str, tuple[object, object]]
"""By name: what an option is where it is left out, and what it has to be."""
_MODEL: Final[_Options] = {"add_projections": (False, False), "truncate_dim": (None, None)}
_VISION: Final[_Options] = {
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
_TEXT: Final[_Options] = {
    "hf_model_name_or_path": (_BERT, _BERT),
    "pooler_type": (None, "mean_pooler"),
    "proj_type": (None, None),
    "default_instruction_task": (None, None),
    "default_lora_task": (None, None),
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
    tokenizer, filling = plain_tokenizer(path, fills=False)
    start, end = (tokenizer.token_to_id(word) for word in ("[CLS]", "[SEP]"))
    if start is None or end is None or tokenizer.encode("a red mug").ids[:1] != [start]:
        raise BundleInvalid(f"{path / 'tokenizer.json'} does not begin a text with [CLS]: it is not this model's.")
    weights = read_weights(path, (WEIGHTS,))
    try:
        tower = _tower(where, vision, weights)
        reader = _reader(where, text, weights, filling)
        weights["logit_scale"]  # a part of every checkpoint that plays no role here
        _check_tables(weights, tower, reader)
        weights.check_all_read()
    except BundleInvalid:
        raise
    except Exception as error:  # a stranger's numbers: anything can come of them
        told_on_one_line = " ".join(str(error).split())
        raise BundleInvalid(f"{where} and the weights do not fit each other: {told_on_one_line[:300]}") from error
    words, width = reader.embeddings["word_embeddings"].weight.shape
    reader.config = SimpleNamespace(vocab_size=words, eos_token_id=end)
    side = vision.get("image_size", 224)
    return Source(
        path=path,
        family=JINA_CLIP,
        model=EvaClip(tower, reader, side).eval(),
        tokenizer=tokenizer,
        preprocessor=_pictures(path / "preprocessor_config.json", side),
        max_tokens=_LONGEST,
        dim=width,
        fill_to=None,
        filling=filling,
        licence=licence_of(path),
    )


def check_config(where: Path, config: Mapping[str, Any]) -> None:
    """Raise BundleInvalid unless config.json speaks of a network that is built here."""
    vision, text = config.get("vision_config"), config.get("text_config")
    if not isinstance(vision, dict) or not isinstance(text, dict):
        raise BundleInvalid(f"{where} lacks vision_config and text_config. Fetch the model again.")
    _check_options(where, "", config, _MODEL)
    _check_options(where, "text_config.", text, _TEXT)
    _check_options(where, "vision_config.", vision, _VISION)
    _check_changes(where, text.get("hf_model_config_kwargs"))


def _check_options(where: Path, of: str, given: Mapping[str, Any], options: _Options) -> None:
    for name, (absent, needed) in options.items():
        if (found := given.get(name, absent)) != needed:
            raise BundleInvalid(
                f"{where}: {of}{name} is {found!r}, and only a Jina-CLIP with {needed!r} can be exported."
            )


def _check_changes(where: Path, changes: object) -> None:
    """Raise BundleInvalid unless what is changed of the text tower plays a role in training or for speed only."""
    if changes is None:
        return
    if not isinstance(changes, dict):
        raise BundleInvalid(f"{where}: text_config.hf_model_config_kwargs is not an object. Fetch the model again.")
    if odd := [name for name in changes if name != "use_flash_attn" and "dropout" not in name]:
        raise BundleInvalid(
            f"{where}: text_config.hf_model_config_kwargs changes {', '.join(odd[:3])}, and only the text tower as it "
            "is can be exported."
        )


def _tower(where: Path, told: Mapping[str, Any], of: Weights) -> nn.Module:
    """The tower for photos, an EVA-02; all sizes but that of a head stand in its weights too."""
    width, _, patch, _ = of[f"{_EYE}patch_embed.proj.weight"].shape
    places = of[f"{_EYE}pos_embed"].shape[1] - 1
    layers, inner = _count(of, f"{_EYE}blocks."), of[f"{_EYE}blocks.0.mlp.w1.weight"].shape[0]
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
    _check_sizes(where, "vision_config.", said)
    tower = EvaTower(side, width, layers, width // head, patch, None, inner)
    return filled(tower, {name: of[_EYE + _name_here(name)] for name in tower.state_dict()})


def _name_here(name: str) -> str:
    for there, here in _PARTS.items():
        name = name.replace(there, here)
    return name


def _reader(where: Path, told: Mapping[str, Any], of: Weights, filling: int) -> nn.Module:
    """The text tower."""
    words, width = of[f"{_READER}embeddings.word_embeddings.weight"].shape
    kinds = of[f"{_READER}embeddings.token_type_embeddings.weight"].shape[0]
    layers = _count(of, f"{_READER}{_LAYERS}")
    inner = of[f"{_READER}{_LAYERS}0.mlp.wo.weight"].shape[1]
    said = {"embed_dim": (told.get("embed_dim", 768), width), "hidden_size": (width % _HEAD, 0)}
    _check_sizes(where, "text_config.", said)
    reader = JinaBert(words, kinds, width, inner, layers, width // _HEAD, filling)
    return filled(reader, {name: of[_READER + name] for name in reader.state_dict()})


def _check_sizes(where: Path, of: str, said: Mapping[str, tuple[object, object]]) -> None:
    if odd := [name for name, (told, found) in said.items() if told != found]:
        raise BundleInvalid(f"{where}: {of}{odd[0]} is not what the weights are made for.")


def _count(of: Weights, prefix: str) -> int:
    """Layers, by the names of their weights."""
    numbers = {found[1] for name in of if (found := re.match(rf"{re.escape(prefix)}(\d+)\.", name))}
    return len(numbers)


def _check_tables(of: Weights, tower: nn.Module, reader: nn.Module) -> None:
    """Raise ValueError for tables, kept in a checkpoint though they follow from its sizes, that are other ones."""
    heads = reader.encoder["layers"][0].heads
    tables: dict[str, Tensor] = {
        "rope.freqs_cos": tower.cosines.repeat_interleave(2, dim=1),
        "rope.freqs_sin": tower.sines.repeat_interleave(2, dim=1),
        "alibi_slopes": torch.tensor(slopes(heads)),
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
