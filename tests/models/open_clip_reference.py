"""What OpenCLIP and timm themselves compute, kept in open_clip_reference.json: the tests run without either.

    python -m tests.models.open_clip_reference      # where open_clip_torch and timm are installed: writes the file anew

Small networks of each kind that can be exported, with weights that `weight` makes from their names.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_suffix(".json")
LENGTH = 24
_CLIP_TEXT = {"context_length": LENGTH, "vocab_size": 531, "width": 64, "heads": 2, "layers": 2}
_SIGLIP_TEXT = {
    "context_length": LENGTH, "vocab_size": 46, "width": 64, "heads": 2, "layers": 2, "no_causal_mask": True,
    "proj_bias": True, "pool_type": "last", "norm_kwargs": {"eps": 1e-6}, "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
    "tokenizer_kwargs": {"clean": "canonicalize"},
}  # fmt: skip
_SIGLIP = {"timm_pool": "map", "timm_proj": "none"}
SIZES: dict[str, dict[str, Any]] = {
    "vit_base_patch16_siglip_224": {"embed_dim": 64, "depth": 2, "num_heads": 2, "img_size": 32},
    "vit_base_patch32_siglip_256": {"embed_dim": 64, "depth": 2, "num_heads": 2, "img_size": 64},
    "eva02_base_patch16_clip_224": {"embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": 48},
}
"""In place of those that timm's names stand for."""
MODELS: dict[str, dict[str, Any]] = {
    "vit": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32},
        "text_cfg": _CLIP_TEXT,
    },
    "siglip": {
        "embed_dim": 64,
        "custom_text": True,
        "vision_cfg": {"image_size": 32, "timm_model_name": "vit_base_patch16_siglip_224", **_SIGLIP},
        "text_cfg": _SIGLIP_TEXT,
    },
    "siglip2": {
        "embed_dim": 64,
        "custom_text": True,
        "vision_cfg": {"image_size": 64, "timm_model_name": "vit_base_patch32_siglip_256", **_SIGLIP},
        "text_cfg": _SIGLIP_TEXT | {"act_kwargs": {"approximate": "tanh"}},
    },
    "eva": {
        "embed_dim": 24,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 48, "timm_model_name": "eva02_base_patch16_clip_224", "timm_pool": "token", "timm_proj": None,
        },
        "text_cfg": _CLIP_TEXT,
    },
}  # fmt: skip


def weight(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Large enough that different inputs give different vectors."""
    made = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    return np.asarray(0.3 * made if len(shape) > 1 else 0.1 * made + name.endswith("weight"), np.float32)


def photos(side: int) -> NDArray[np.float32]:
    """Two, as a network takes them."""
    return np.random.default_rng(1).standard_normal((2, 3, side, side)).astype(np.float32)


def texts(config: Mapping[str, Any]) -> list[list[int]]:
    """Token ids of a short and of a long text, with the end that the model looks for."""
    known = config["text_cfg"]["vocab_size"]
    siglip = "pool_type" in config["text_cfg"]
    end = 1 if siglip else known - 1
    random = np.random.default_rng(2)
    return [[*map(int, random.integers(2, known - 2, length)), end] for length in (3, LENGTH - 1)]


def reference(kind: str) -> dict[str, Any]:
    """Shapes of the weights by name, and the features of `photos` and `texts`."""
    found: dict[str, Any] = json.loads(FILE.read_text())[kind]
    return found


def main() -> None:
    """Ask OpenCLIP."""
    import open_clip
    import timm
    import torch
    from open_clip import model as of

    create = timm.create_model
    timm.create_model = lambda name, **given: create(name, **given, **SIZES[name])
    found: dict[str, Any] = {"open_clip": open_clip.__version__, "timm": timm.__version__, "torch": torch.__version__}
    for kind, config in MODELS.items():
        own = {name: value for name, value in config.items() if name != "custom_text"}
        network = (of.CustomTextCLIP if "custom_text" in config else of.CLIP)(**own, output_dict=True)
        if "pool_type" in config["text_cfg"]:  # as `init_logit_bias` in a configuration has it
            network.logit_bias = torch.nn.Parameter(torch.tensor(-10.0))
        shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        network.load_state_dict({name: torch.from_numpy(weight(name, shape)) for name, shape in shapes.items()})
        network.eval()
        with torch.inference_mode():
            seen = network.encode_image(torch.from_numpy(photos(config["vision_cfg"]["image_size"])))
            filled = [
                ids + [1 if "pool_type" in config["text_cfg"] else 0] * (LENGTH - len(ids)) for ids in texts(config)
            ]
            read = network.encode_text(torch.tensor(filled))
        found[kind] = {"shapes": shapes, "photos": seen.tolist(), "texts": read.tolist()}
    FILE.write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
