"""The files of a model somebody else trained, looked at without running or building anything of it."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final

from catalogue.errors import BundleInvalid

WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
FAMILIES: Final = ("clip", "siglip")
"""What config.json calls those that `transformers` builds."""
OPEN_CLIP: Final = "open_clip_config.json"
OPEN_CLIP_WEIGHTS: Final = "open_clip_model.safetensors"
JINA_CLIP: Final = "jina_clip"
"""What config.json calls it."""
OWN_TOWERS: Final = ("onnx/vision_model.onnx", "onnx/text_model.onnx")
OWN_MODEL: Final = "onnx/model.onnx"
OWN_FILES: Final = (*OWN_TOWERS, OWN_MODEL, f"{OWN_MODEL}_data")
"""ONNX files that come with a model, as Transformers.js names them: a tower each, or both in one."""
PICKLED: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_MAX_JSON: Final = 64_000_000


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a source; raises BundleInvalid."""
    if not path.is_file():
        raise BundleInvalid(f"{path} is missing. Fetch the complete model again.")
    if path.stat().st_size > _MAX_JSON:
        raise BundleInvalid(f"{path} has {path.stat().st_size:,} bytes; {_MAX_JSON:,} are allowed.")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BundleInvalid(f"{path} is not valid JSON. Fetch the model again.") from error
    if not isinstance(content, dict):
        raise BundleInvalid(f"{path} must hold a JSON object. Fetch the model again.")
    return content


def check_inside(path: Path) -> None:
    """Raise BundleInvalid for links that lead out of the directory."""
    root = path.resolve()
    for file in path.rglob("*"):
        if not file.resolve().is_relative_to(root):
            raise BundleInvalid(f"{file} is a link that leads out of {path}. Put the file itself there.")


def is_open_clip(names: Collection[str], config: Mapping[str, Any]) -> bool:
    """Whether the files of a model, whose config.json holds `config`, are to be read in OpenCLIP's format.

    Some have another format beside, and OpenCLIP's weights only pickled.
    """
    if OPEN_CLIP not in names:
        return False
    return OPEN_CLIP_WEIGHTS in names or config.get("model_type") not in (*FAMILIES, JINA_CLIP)


def check_weights(path: Path, single: str = WEIGHTS) -> list[Path]:
    """The files with the weights; raises BundleInvalid unless they are there as whole safetensors."""
    if (path / single).is_file():
        files = [path / single]
    elif (path / INDEX).is_file():
        parts = read_json(path / INDEX).get("weight_map")
        names = set(parts.values()) if isinstance(parts, dict) else set()
        if not names or not all(isinstance(name, str) and name == Path(name).name for name in names):
            raise BundleInvalid(f"{path / INDEX} does not name files beside it. Fetch the model again.")
        files = [path / name for name in sorted(names)]
    else:
        pickled = sorted(file.name for file in path.iterdir() if file.suffix in PICKLED)
        why = f"only {', '.join(pickled)}, which is never read: loading it runs code" if pickled else "none at all"
        raise BundleInvalid(f"{path} has no weights as safetensors, {why}. Have them saved as {single}.")
    for file in files:
        _check_whole(file)
    return files


def first_line(error: Exception) -> str:
    """What an error of somebody else's says, on one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def licence_of(path: Path) -> str | None:
    """What the model card's header says; None where it does not."""
    card = path / "README.md"
    if not card.is_file():
        return None
    head = card.read_text(errors="replace")[:20_000]
    header = re.match(r"---\s*\n(.*?)\n---", head, re.DOTALL)
    found = re.search(r"^license(?:_name)?:\s*[\"']?([A-Za-z0-9][\w.+-]*)", header[1], re.MULTILINE) if header else None
    return found[1] if found and found[1] not in ("other", "unknown") else None


def _check_whole(file: Path) -> None:
    """Raise BundleInvalid unless a safetensors file has all the bytes that its header speaks of."""
    if not file.is_file():
        raise BundleInvalid(f"{file} is missing. Fetch the complete model again.")
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        try:
            header = json.loads(opened.read(min(length, _MAX_JSON)))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            wanted = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            raise BundleInvalid(f"{file} is no safetensors file, or damaged. Fetch it again.") from error
    if size != wanted:
        raise BundleInvalid(f"{file} has {size:,} bytes and should have {wanted:,}. Fetch it again.")
