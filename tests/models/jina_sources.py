"""Tiny Jina-CLIPs with random weights, saved as the real ones are published."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tests.models.open_clip_reference import weight
from tests.models.zoo_sources import SPREAD, WORDS, carded

JINA = {"width": 192, "layers": 2, "patch": 8, "side": 32, "inner": 512}
"""Sizes of the tiny v1: three heads, which is no power of two."""
JINA_2 = {"width": 128, "layers": 2, "patch": 14, "side": 48, "inner": 341}
"""Sizes of the tiny v2, whose patches leave a rest of the photo as the real one's do."""
ADAPTERS = ("retrieval.passage", "retrieval.query")
"""Of the tiny v2; the real one has only the second."""
RANK = 4

Shapes = dict[str, tuple[int, ...]]


def eye_shapes(sizes: Mapping[str, int]) -> Shapes:
    """The names and shapes of an image tower's weights."""
    width, patch, inner = sizes["width"], sizes["patch"], sizes["inner"]
    eye = "vision_model."
    shapes: Shapes = {
        "logit_scale": (),
        f"{eye}cls_token": (1, 1, width),
        f"{eye}pos_embed": (1, (sizes["side"] // patch) ** 2 + 1, width),
        f"{eye}patch_embed.proj.weight": (width, 3, patch, patch),
        f"{eye}patch_embed.proj.bias": (width,),
    }
    norms = [f"{eye}norm"]
    for layer in range(sizes["layers"]):
        block = f"{eye}blocks.{layer}."
        norms += [f"{block}{name}" for name in ("norm1", "norm2", "attn.inner_attn_ln")]
        shapes |= {f"{block}attn.{name}.weight": (width, width) for name in ("q_proj", "k_proj", "v_proj", "proj")}
        shapes |= {f"{block}{name}": (width,) for name in ("attn.q_bias", "attn.v_bias", "attn.proj.bias")}
        shapes |= {f"{block}mlp.{name}.weight": (inner, width) for name in ("w1", "w2")}
        shapes |= {f"{block}mlp.{name}": (inner,) for name in ("w1.bias", "w2.bias", "ffn_ln.weight", "ffn_ln.bias")}
        shapes |= {f"{block}mlp.w3.weight": (width, inner), f"{block}mlp.w3.bias": (width,)}
    return shapes | _norms(norms, width)


def text_shapes() -> Shapes:
    """The names and shapes of v1's text tower."""
    width, text = JINA["width"], "text_model.transformer."
    shapes: Shapes = {
        f"{text}embeddings.word_embeddings.weight": (len(bert_words()), width),
        f"{text}embeddings.token_type_embeddings.weight": (2, width),
    }
    norms = [f"{text}emb_ln"]
    for layer in range(JINA["layers"]):
        own = f"{text}encoder.layers.{layer}."
        norms += [f"{own}norm1", f"{own}norm2"]
        shapes |= {f"{own}mixer.Wqkv.weight": (3 * width, width), f"{own}mixer.Wqkv.bias": (3 * width,)}
        shapes |= {f"{own}mixer.out_proj.weight": (width, width), f"{own}mixer.out_proj.bias": (width,)}
        shapes |= {f"{own}mlp.gated_layers.weight": (4 * width, width)}
        shapes |= {f"{own}mlp.wo.weight": (width, 2 * width), f"{own}mlp.wo.bias": (width,)}
    return shapes | _norms(norms, width)


def adapted_text_shapes(
    words: int, width: int, inner: int, layers: int, adapters: int = len(ADAPTERS), rank: int = RANK
) -> Shapes:
    """The names and shapes of v2's text tower: every table and layer with its adapters."""
    text = "text_model.transformer.roberta."
    tables = {"embeddings.word_embeddings": (words, width), "embeddings.token_type_embeddings": (1, width)}
    layered: dict[str, tuple[int, int]] = {}
    norms = [f"{text}emb_ln"]
    for layer in range(layers):
        own = f"encoder.layers.{layer}."
        layered |= {f"{own}mixer.Wqkv": (3 * width, width), f"{own}mixer.out_proj": (width, width)}
        layered |= {f"{own}mlp.fc1": (inner, width), f"{own}mlp.fc2": (width, inner)}
        norms += [f"{text}{own}norm1", f"{text}{own}norm2"]
    shapes: Shapes = {f"{text}{name}.bias": (shape[0],) for name, shape in layered.items()}
    for name, (first, second) in (tables | layered).items():
        at = f"{text}{name}.parametrizations.weight."
        is_table = name in tables
        shapes[f"{at}original"] = (first, second)
        shapes[f"{at}0.lora_A"] = (adapters, first, rank) if is_table else (adapters, rank, second)
        shapes[f"{at}0.lora_B"] = (adapters, rank, second) if is_table else (adapters, first, rank)
    return shapes | _norms(norms, width)


def _norms(names: list[str], width: int) -> Shapes:
    return {f"{name}.{part}": (width,) for name in names for part in ("weight", "bias")}


def bert_words() -> list[str]:
    """A vocabulary like BERT's: signs for the network, words, and letters that begin a word or go on."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,!"
    return ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]", *WORDS, *letters, *(f"##{letter}" for letter in letters)]


def save_jina_clip(path: Path, licence: str = "apache-2.0") -> Path:
    """As jinaai/jina-clip-v1 is, of which the text tower's configuration is in another repository."""
    text = {
        "model_type": "jina_clip_text", "embed_dim": JINA["width"], "pooler_type": "mean_pooler", "proj_type": None,
        "hf_model_name_or_path": "jinaai/jina-bert-flash-implementation", "proj_bias": False,
        "hf_model_config_kwargs": {"use_flash_attn": False},
    }  # fmt: skip
    _save(path, JINA, eye_shapes(JINA) | text_shapes(), text)
    words = {"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]", "model_max_length": 8192, "do_lower_case": True}
    (path / "tokenizer_config.json").write_text(json.dumps(words))
    tokenizer = Tokenizer(
        models.WordPiece({word: number for number, word in enumerate(bert_words())}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 4), ("[CLS]", 3))
    tokenizer.save(str(path / "tokenizer.json"))
    return carded(path, licence)


def save_jina_clip_2(path: Path, licence: str = "cc-by-nc-4.0") -> Path:
    """As jinaai/jina-clip-v2 is: adapters beside every weight of the text tower, all of it in half precision."""
    from transformers import XLMRobertaTokenizer

    letters = "abcdefghijklmnopqrstuvwxyz0123456789,!"
    pieces = [(word, 0.0) for word in ("<s>", "<pad>", "</s>", "<unk>")]
    pieces += [("▁", -3.0), *((f"▁{word}", -2.0) for word in WORDS), *((letter, -5.0) for letter in letters)]
    tokenizer = XLMRobertaTokenizer(vocab=[*pieces, ("<mask>", 0.0)])
    text = {
        "model_type": "jina_clip_text", "embed_dim": JINA_2["width"], "pooler_type": "mean_pooler", "proj_type": None,
        "hf_model_name_or_path": "jinaai/jina-embeddings-v3", "proj_bias": False,
        "default_instruction_task": None, "default_lora_task": "retrieval.query",
        "hf_model_config_kwargs": {
            "load_trained_adapters": False, "lora_adaptations": list(ADAPTERS), "lora_alpha": 6, "lora_rank": RANK,
            "lora_dropout_p": 0.0, "lora_main_params_trainable": False, "use_flash_attn": True,
            "task_instructions": dict.fromkeys(ADAPTERS, "Represent this: "),
        },
    }  # fmt: skip
    shapes = adapted_text_shapes(len(tokenizer), JINA_2["width"], 256, JINA_2["layers"])
    _save(path, JINA_2, eye_shapes(JINA_2) | shapes, text, torch.float16)
    tokenizer.save_pretrained(path)
    return carded(path, licence)


def _save(
    path: Path,
    sizes: Mapping[str, int],
    shapes: Shapes,
    text: Mapping[str, Any],
    kind: torch.dtype = torch.float32,
) -> None:
    """All but the tokenizer and the card."""
    width = sizes["width"]
    path.mkdir(parents=True, exist_ok=True)
    weights = {name: torch.from_numpy(weight(name, shape)) for name, shape in shapes.items()}
    smaller = {name: (SPREAD * value if value.dim() > 1 else value).to(kind) for name, value in weights.items()}
    save_file(smaller, path / "model.safetensors")
    vision = {
        "model_type": "jina_clip_vision", "embed_dim": width, "width": width, "image_size": sizes["side"],
        "patch_size": sizes["patch"], "layers": sizes["layers"], "head_width": 64, "mlp_ratio": 2.6667,
        "ls_init_value": None, "patch_dropout": 0.1, "qkv_bias": True, "fused_layer_norm": False, "x_attention": False,
        "post_norm": False, "rope_embeddings": True, "pt_hw_seq_len": 16, "intp_freq": True, "naive_swiglu": True,
        "subln": True, "drop_path_rate": 0.0, "proj_type": None,
    }  # fmt: skip
    config = {
        "model_type": "jina_clip", "architectures": ["JinaCLIPModel"], "add_projections": False,
        "auto_map": {"AutoModel": "jinaai/jina-clip-implementation--modeling_clip.JinaCLIPModel"},
        "projection_dim": width, "logit_scale_init_value": 2.6592, "text_config": text, "vision_config": vision,
        "truncate_dim": None,
    }  # fmt: skip
    pictures = {
        "image_processor_type": "JinaCLIPImageProcessor", "processor_class": "JinaCLIPProcessor", "size": sizes["side"],
        "resize_mode": "shortest", "interpolation": "bicubic", "fill_color": 0,
        "mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711],
    }  # fmt: skip
    for name, content in (("config.json", config), ("preprocessor_config.json", pictures)):
        (path / name).write_text(json.dumps(content))
